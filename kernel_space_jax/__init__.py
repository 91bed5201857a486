"""Image deblurring through blur kernels: y = F(x, k).

What is named here is what a user may import; the rest may move.
"""

from kernel_space_jax.deblur import Deblurred, Glimpse, deblur, find_field
from kernel_space_jax.errors import UserError
from kernel_space_jax.images import Photo, read, write
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.models.priors import ImagePrior, KernelPrior
from kernel_space_jax.operators import Learned, Operator, Uniform
from kernel_space_jax.synthesis import extract_blur, transfer
from kernel_space_jax.weights import Weights, from_torch, load

__all__ = [
    "Deblurred",
    "Glimpse",
    "ImagePrior",
    "KernelPrior",
    "KernelSpace",
    "Learned",
    "Operator",
    "Photo",
    "Uniform",
    "UserError",
    "Weights",
    "deblur",
    "extract_blur",
    "find_field",
    "from_torch",
    "load",
    "read",
    "transfer",
    "write",
]
