"""DeblurGAN-v2, FPN-MobileNet, on GoPro (Kupyn et al., ICCV 2019).

    kernel-space data prepare gopro:data/GOPRO -o data/gopro --tile 512
    kernel-space train --config configs/deblurgan_v2_gopro.py:vgg --workdir runs/v2
    kernel-space train --config configs/deblurgan_v2_gopro.py:resnet --workdir runs/v2r

The recipe is the paper's: RaLSGAN with the critics of patches and of the photo, of
weight 0.01, beside half the squared error and 0.006 times that of VGG19's conv3_3; Adam
with a rate of 1e-4 for 150 epochs and 150 more in which it falls to zero, one crop of
256 pixels a step. The paper trains on two more sets of videos, and starts MobileNet
from ImageNet's weights, frozen for three epochs; here it starts from nothing.

Without the word `vgg` (docs/weights.md says where its weights are) edges stand in for
what VGG19 sees. `resnet` is the ResNet generator. This project has not run it.
"""

from typing import Literal

from kernel_space_jax.training.config import Config, defaults

EPOCH = 2103


def get_config(word: Literal["edges", "vgg", "resnet"] = "edges") -> Config:
    network = "deblurgan-v2-resnet" if word == "resnet" else "deblurgan-v2-mobile"
    config = defaults("adversarial", network=network, critic="deblurgan-v2-critic")
    if word == "vgg":
        config.model.losses = {"content_and_colours": 1.0}
        config.model.vgg = "vgg19"
    else:
        # Half the squared error of colours divided by ImageNet's deviation, 0.226.
        config.model.losses = {"l2": 9.8, "edges": 1.0}
    config.model.adversarial = "ralsgan"
    config.model.adversarial_weight = 0.01
    config.model.penalty_weight = 0.0
    config.model.critic_updates = 1
    config.data.train = ("prepared:data/gopro?split=train",)
    config.data.validation = "gopro:data/GOPRO?split=test"
    config.data.validation_size = 64
    config.data.crop = 256
    config.data.blur = "none"
    config.batch_size = 1
    config.steps = 300 * EPOCH
    config.learning_rate = 1e-4
    config.schedule = "constant_then_linear"
    config.schedule_options.constant = 150
    config.schedule_options.decay = 150
    config.schedule_options.epoch_steps = EPOCH
    config.log_every = 200
    config.evaluate_every = 5 * EPOCH
    config.checkpoint_every = 5 * EPOCH
    return config
