"""Per-pixel blur: each pixel has its kernel, by which the photo is restored (`basis`).

`field.py` finds the kernels and their probabilities. A mender or a non-blind solver
computes the sharp image from them.
"""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
import numpy as np

from kernel_space_jax.deblur.colours import follow_light
from kernel_space_jax.deblur.field import field_of
from kernel_space_jax.deblur.grid import cells_of, join_grid
from kernel_space_jax.deblur.network import apply
from kernel_space_jax.deblur.result import OVERLAP, TILE, Deblurred
from kernel_space_jax.deblur.view import View
from kernel_space_jax.errors import unknown
from kernel_space_jax.models.per_pixel.mender import Mender
from kernel_space_jax.operators import KernelField
from kernel_space_jax.operators.light import in_grey
from kernel_space_jax.solvers import Restoration, richardson_lucy
from kernel_space_jax.solvers.per_pixel.found import (
    half_quadratic_found,
    keep_still,
    solve_found,
)
from kernel_space_jax.solvers.tiles import join, tiles
from kernel_space_jax.tell import Tell, silent
from kernel_space_jax.weights import Weights

DEFAULT_SOLVER = "half-quadratic"
SOLVERS = {
    "richardson-lucy": richardson_lucy,
    "half-quadratic": half_quadratic_found,
}
# The side of a solver's tile.
SOLVED = 320


def deblur_per_pixel(
    photo: View,
    *,
    network: Weights,
    solver: str | None = None,
    saturates: bool = True,
    first: KernelField | None = None,
    tile: int = TILE,
    tell: Tell = silent,
) -> Deblurred:
    """The sharp image behind a photo, each pixel with its kernel.

    A Mender computes the image itself. With another network, or a named `solver`, a
    solver does; `saturates` models a sensor that clips. The network takes photos of up
    to `tile` pixels a side as a whole. The solver takes smaller tiles, because it needs
    few kernels at once; `tell` reports how many of them are done. `first` is the
    `judged` field of the photo's middle, used again if the photo has one tile.
    """
    side, overlap = min(SOLVED, tile), min(OVERLAP, tile // 4)
    if solver is None and isinstance(network.module, Mender):
        restore = partial(mended, network=network, side=side)
    else:
        solve = find_solver(solver or DEFAULT_SOLVER)
        solve = partial(solve, gamma=photo.gamma, saturates=saturates)
        restore = partial(solved, solve=solve, side=side)
    places = tiles(photo.size, tile, overlap)
    images, grids = [], []

    def heard(done: int, total: int) -> None:
        tell(len(images) * total + done, len(places) * total)

    for place in places:
        part = photo.part(place)
        field = field_of(part, network, first if len(places) == 1 else None)
        grids.append(cells_of(field, place, photo.size))
        images.append(restore(part, field, tell=heard))
    return Deblurred(
        join(images, places, photo.y.shape, overlap),
        grid=join_grid(grids, overlap),
    )


def mended(
    photo: View, field: KernelField, network: Weights, side: int, tell: Tell = silent
) -> np.ndarray:
    """x (H, W, C) of a photo by a Mender and the field that it found.

    Its changes are grey; `follow_light` then removes noise from the colours.
    """
    y = photo.known
    grey = np.asarray(in_grey(y)[0])
    light = solve_found(grey, field, half_quadratic_found, side=side, tell=tell)
    x = apply(network, y, *field, jnp.asarray(light)[None], method="mend")
    x = np.clip(follow_light(y, jnp.clip(x, 0, 1))[0], 0, 1)
    return photo.from_known(x)


def solved(
    photo: View,
    field: KernelField,
    solve: Callable[..., Restoration],
    side: int,
    tell: Tell = silent,
) -> np.ndarray:
    """x (H, W, C) by a solver; places without blur stay as they are."""
    x = solve_found(photo.y, field, solve, side=side, tell=tell)
    return keep_still(photo.y, x, field)


def find_solver(name: str) -> Callable[..., Restoration]:
    """The non-blind solver of a name."""
    if name not in SOLVERS:
        raise unknown("solver", name, SOLVERS)
    return SOLVERS[name]
