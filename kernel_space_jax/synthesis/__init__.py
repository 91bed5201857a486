"""Making blur, and pictures to blur: pure functions of a key, one example at a time.

Each may be jitted and mapped over keys, so that it runs where the network does.
"""

from kernel_space_jax.synthesis.camera import (
    add_noise,
    camera,
    demosaic,
    light_to_srgb,
    mosaic,
    saturation,
    srgb_to_light,
)
from kernel_space_jax.synthesis.degradations import degrade, gaussian_kernel, resample
from kernel_space_jax.synthesis.jpeg import jpeg
from kernel_space_jax.synthesis.kernels import blur_uniform, draw_kernel, shake_kernel
from kernel_space_jax.synthesis.leaves import dead_leaves, random_masks
from kernel_space_jax.synthesis.rotation import (
    blur_rotation,
    random_focal,
    rotate,
    rotation_trajectory,
)
from kernel_space_jax.synthesis.scenes import Scene, blur_masks, blur_varying, scene
from kernel_space_jax.synthesis.trajectories import shake_trajectory
from kernel_space_jax.synthesis.transfer import extract_blur, transfer
from kernel_space_jax.synthesis.video import average_frames

__all__ = [
    "Scene",
    "add_noise",
    "average_frames",
    "blur_masks",
    "blur_rotation",
    "blur_uniform",
    "blur_varying",
    "camera",
    "dead_leaves",
    "degrade",
    "demosaic",
    "draw_kernel",
    "extract_blur",
    "gaussian_kernel",
    "jpeg",
    "light_to_srgb",
    "mosaic",
    "random_focal",
    "random_masks",
    "resample",
    "rotate",
    "rotation_trajectory",
    "saturation",
    "scene",
    "shake_kernel",
    "shake_trajectory",
    "srgb_to_light",
    "transfer",
]
