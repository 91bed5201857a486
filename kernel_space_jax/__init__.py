"""Image deblurring through blur kernels: y = F(x, k).

What is named here is what a user may import; the rest may move.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kernel_space_jax.cache import keep_compiled

if TYPE_CHECKING:
    from kernel_space_jax.deblur import (
        Deblurred,
        Glimpse,
        convert_blur,
        deblur,
        find_field,
    )
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
    "convert_blur",
    "deblur",
    "extract_blur",
    "find_field",
    "from_torch",
    "load",
    "read",
    "transfer",
    "write",
]
# Where each name is found when it is first used, so that `--help` waits for no JAX.
_ROOMS = {
    "deblur": ("Deblurred", "Glimpse", "convert_blur", "deblur", "find_field"),
    "errors": ("UserError",),
    "images": ("Photo", "read", "write"),
    "models.kernel_space": ("KernelSpace",),
    "models.priors": ("ImagePrior", "KernelPrior"),
    "operators": ("Learned", "Operator", "Uniform"),
    "synthesis": ("extract_blur", "transfer"),
    "weights": ("Weights", "from_torch", "load"),
}


class _Face(ModuleType):
    """This module: its `deblur` is the function, not the room of that name."""

    def __setattr__(self, name: str, value: Any) -> None:
        # What Python does when it has imported a room.
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            found = getattr(import_module(f"{__name__}.{room}"), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


sys.modules[__name__].__class__ = _Face
keep_compiled()
