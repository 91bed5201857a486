"""Photos in, sharp photos out: what `kernel-space deblur` and `kernels` call.

A blind method finds k in y alone.

    basis   a two-headed network says how each pixel was blurred (per-pixel k)
    map     one kernel for the whole photo, by coarse-to-fine search (uniform k)

Then a non-blind solver undoes it.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax.errors import UserError
from kernel_space_jax.images import match_channels
from kernel_space_jax.models.two_heads import TwoHeads
from kernel_space_jax.operators import KernelField
from kernel_space_jax.operators.basis import reduced
from kernel_space_jax.operators.camera import GAMMA
from kernel_space_jax.solvers import (
    Restoration,
    blind_map,
    half_quadratic,
    restore,
    richardson_lucy,
)
from kernel_space_jax.solvers.tiles import blend
from kernel_space_jax.weights import Weights

SOLVERS = {"richardson-lucy": richardson_lucy, "half-quadratic": half_quadratic}

METHODS = ("map", "basis")
# A photo of up to this many pixels a side is seen as a whole.
TILE = 1280
OVERLAP = 128
# `map` looks for the kernel in the middle of the photo, and in this size of it.
MAP_SIDE = 512
KERNEL_SIZE = 25

Tell = Callable[[int, int], None]


def _silent(done: int, total: int) -> None:
    pass


class Deblurred(NamedTuple):
    """image: (H, W, C) in [0, 1], as many channels as the photo.

    kernel: (k, k) where one was found for the whole photo.
    """

    image: np.ndarray
    kernel: np.ndarray | None = None


def find_field(photo: np.ndarray, network: Weights) -> KernelField:
    """How each pixel of a photo (H, W, C) was blurred: a field for a batch of one."""
    if not isinstance(network.module, TwoHeads):
        raise UserError(
            f"these weights are of a {type(network.module).__name__}; "
            "kernels are found by those of a TwoHeads"
        )
    y = jnp.asarray(match_channels(photo, 3))[None]
    kernels, masks = _apply(network.module, network.variables, y)
    return KernelField(kernels, masks)


@partial(jax.jit, static_argnames="module")
def _apply(module: TwoHeads, variables, y: jax.Array):
    return module.apply(variables, y)


def deblur(
    photo: np.ndarray,
    network: Weights,
    *,
    solver: str = "richardson-lucy",
    gamma: float = GAMMA,
    saturates: bool = True,
    tile: int = TILE,
    tell: Tell = _silent,
) -> Deblurred:
    """The sharp image behind a photo (H, W, C) in [0, 1], each pixel with its kernel.

    `gamma` is that of the camera and `saturates` says that its sensor clips. A photo
    with a side of more than `tile` pixels is cut into tiles of that size; `tell` hears
    how many are done of how many.
    """
    solve = partial(find_solver(solver), gamma=gamma, saturates=saturates)

    def one(part: np.ndarray) -> np.ndarray:
        field = reduced(find_field(part, network))
        return np.asarray(jnp.clip(solve(jnp.asarray(part)[None], field).x[0], 0, 1))

    return Deblurred(_in_tiles(one, photo, tile, tell))


def deblur_uniform(
    photo: np.ndarray,
    kernel_size: int = KERNEL_SIZE,
    *,
    tile: int = TILE,
    tell: Tell = _silent,
) -> Deblurred:
    """The sharp image behind a photo (H, W, C) in [0, 1], one kernel for all pixels.

    The kernel is no larger than `kernel_size` pixels, and is found in the middle of
    the photo.
    """
    check_kernel_size(photo, kernel_size)
    _check(photo)
    top, left = (max(0, (n - MAP_SIDE) // 2) for n in photo.shape[:2])
    middle = photo[top : top + MAP_SIDE, left : left + MAP_SIDE]
    h = blind_map(jnp.asarray(middle)[None], kernel_size).h[0]

    def one(part: np.ndarray) -> np.ndarray:
        return np.asarray(jnp.clip(restore(jnp.asarray(part)[None], h)[0], 0, 1))

    return Deblurred(_in_tiles(one, photo, tile, tell), np.asarray(h))


def find_solver(name: str) -> Callable[..., Restoration]:
    """The non-blind solver of a name."""
    if name not in SOLVERS:
        raise UserError(
            f"there is no solver '{name}'; choose one of {', '.join(SOLVERS)}"
        )
    return SOLVERS[name]


def check_kernel_size(photo: np.ndarray, kernel_size: int) -> None:
    """A `UserError` for a size that `deblur_uniform` cannot take for this photo."""
    most = min(photo.shape[:2]) // 2
    if kernel_size % 2 == 0 or not 3 <= kernel_size <= most:
        raise UserError(
            f"a kernel of {kernel_size} pixels does not fit a photo of "
            f"{photo.shape[1]}x{photo.shape[0]}; give an odd size from 3 to {most}"
        )


def _in_tiles(
    one: Callable[[np.ndarray], np.ndarray], photo: np.ndarray, tile: int, tell: Tell
) -> np.ndarray:
    _check(photo)
    colour = match_channels(photo, 1 if photo.shape[-1] < 3 else 3)
    return blend(one, colour, side=tile, overlap=min(OVERLAP, tile // 4), tell=tell)


def _check(photo: np.ndarray) -> None:
    if not np.isfinite(photo).all():
        raise UserError("the photo has values that are no numbers")
