"""How a blur k makes the photo y of a sharp image x: y = F(x, k)."""

from kernel_space_jax.operators.camera import Camera
from kernel_space_jax.operators.learned import Learned
from kernel_space_jax.operators.operator import Operator
from kernel_space_jax.operators.per_pixel import Basis, KernelField, to_convention
from kernel_space_jax.operators.uniform import Uniform

__all__ = [
    "Basis",
    "Camera",
    "KernelField",
    "Learned",
    "Operator",
    "Uniform",
    "to_convention",
]
