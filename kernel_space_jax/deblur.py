"""Photos in, sharp photos out: what `kernel-space deblur` and `kernels` call.

A blind method finds k in y alone. `basis`: a two-headed network says how each pixel
was blurred, and a non-blind solver undoes it.
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
from kernel_space_jax.solvers import Restoration, half_quadratic, richardson_lucy
from kernel_space_jax.solvers.tiles import blend
from kernel_space_jax.weights import Weights

SOLVERS = {"richardson-lucy": richardson_lucy, "half-quadratic": half_quadratic}

# Blind methods; "auto" takes what suits the machine, so far always the basis.
METHODS = ("auto", "basis")
# A photo of up to this many pixels a side is seen as a whole.
TILE = 1280
OVERLAP = 128


class Deblurred(NamedTuple):
    """image: (H, W, C) in [0, 1], as many channels as the photo; steps made at most."""

    image: np.ndarray
    steps: int


def find_solver(name: str) -> Callable[..., Restoration]:
    """The non-blind solver of a name."""
    if name not in SOLVERS:
        raise UserError(
            f"there is no solver '{name}'; choose one of {', '.join(SOLVERS)}"
        )
    return SOLVERS[name]


def find_field(photo: np.ndarray, network: Weights) -> KernelField:
    """How each pixel of a photo (H, W, C) was blurred: a field for a batch of one."""
    if not isinstance(network.module, TwoHeads):
        raise UserError(
            f"these weights are of a {type(network.module).__name__}; "
            "kernels are found by those of a TwoHeads"
        )
    y = jnp.asarray(match_channels(photo, 3))[None]
    return KernelField(*_apply(network.module)(network.variables, y))


def deblur(
    photo: np.ndarray,
    network: Weights,
    *,
    solver: str = "richardson-lucy",
    gamma: float = GAMMA,
    saturates: bool = True,
    tile: int = TILE,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Deblurred:
    """The sharp image behind a photo (H, W, C) in [0, 1].

    `gamma` is that of the camera and `saturates` says that its sensor clips. A photo
    with a side of more than `tile` pixels is cut into tiles of that size; `tell` hears
    how many are done of how many.
    """
    restore = partial(find_solver(solver), gamma=gamma, saturates=saturates)
    if not np.isfinite(photo).all():
        raise UserError("the photo has values that are no numbers")
    steps = 0

    def one(part: np.ndarray) -> np.ndarray:
        nonlocal steps
        field = find_field(part, network)
        found = restore(jnp.asarray(part)[None], reduced(field))
        steps = max(steps, int(found.steps[0]))
        return np.asarray(jnp.clip(found.x[0], 0, 1))

    colour = match_channels(photo, 1 if photo.shape[-1] < 3 else 3)
    image = blend(one, colour, side=tile, overlap=min(OVERLAP, tile // 4), tell=tell)
    return Deblurred(image, steps)


def _apply(module: TwoHeads):
    return jax.jit(module.apply)
