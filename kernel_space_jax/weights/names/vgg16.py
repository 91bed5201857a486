"""VGG16 as torchvision numbers its layers."""

from kernel_space_jax.models.vgg import VGG16
from kernel_space_jax.weights.names.vgg19 import official

OFFICIAL = official(VGG16)
