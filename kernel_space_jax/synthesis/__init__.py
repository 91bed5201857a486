"""Making blur."""

from kernel_space_jax.synthesis.kernels import blur_uniform, draw_kernel, shake_kernel
from kernel_space_jax.synthesis.leaves import dead_leaves, random_masks
from kernel_space_jax.synthesis.light import to_light, to_photo
from kernel_space_jax.synthesis.scenes import Scene, blur_masks, blur_varying, scene
from kernel_space_jax.synthesis.trajectories import shake_trajectory
from kernel_space_jax.synthesis.transfer import extract_blur, transfer

__all__ = [
    "Scene",
    "blur_masks",
    "blur_uniform",
    "blur_varying",
    "dead_leaves",
    "draw_kernel",
    "extract_blur",
    "random_masks",
    "scene",
    "shake_kernel",
    "shake_trajectory",
    "to_light",
    "to_photo",
    "transfer",
]
