"""Per-pixel blur: a network says how each pixel was blurred (`basis`).

A judge is asked about the kernels that it knows and the one that `map` finds in the
middle of the photo. Where the blur is the same everywhere that is nearer to the truth
than any made beforehand, and where it is wrong the judge says so. A mender that
knows how unsure the judge is, or a non-blind solver, then gives the sharp image.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax.deblur.colours import follow_light
from kernel_space_jax.deblur.result import (
    OVERLAP,
    TILE,
    Deblurred,
    Tell,
    checked,
    silent,
)
from kernel_space_jax.deblur.uniform import kernel_of_middle
from kernel_space_jax.drawing import draw_field
from kernel_space_jax.errors import UserError
from kernel_space_jax.images import match_channels
from kernel_space_jax.models.per_pixel.judge import Judge
from kernel_space_jax.models.per_pixel.mender import Mender
from kernel_space_jax.models.per_pixel.two_heads import TwoHeads
from kernel_space_jax.operators import KernelField
from kernel_space_jax.operators.camera import GAMMA
from kernel_space_jax.operators.light import in_grey
from kernel_space_jax.solvers import Restoration, richardson_lucy
from kernel_space_jax.solvers.per_pixel.found import (
    decided,
    found_noise,
    half_quadratic_found,
    likeliest,
    stillness,
)
from kernel_space_jax.solvers.tiles import Tile, join, tiles
from kernel_space_jax.weights import Weights

# The networks that say it.
FINDERS = (Judge, Mender, TwoHeads)
DEFAULT_SOLVER = "half-quadratic"
SOLVERS = {
    "richardson-lucy": richardson_lucy,
    "half-quadratic": half_quadratic_found,
}
# The solver is given a tile of this side.
SOLVED, SOLVED_OVERLAP = 320, 64
# The part of a photo where map's kernel is to be the likeliest. One that is wrong is so
# for up to 0.7 of a photo (six BSDS images that no table has; one of GoPro's, which it
# made 0.5 dB worse), one that is right for more, as `automatic.EVERYWHERE` says.
BELIEVED = 0.7
# Where a kernel is cut to a size there is at least so much left to divide by.
LEAST_KERNEL = 1e-6


def find_field(
    photo: np.ndarray, network: Weights, gamma: float = GAMMA
) -> KernelField:
    """How each pixel of a photo (H, W, C) was blurred: a field for a batch of one.

    The last kernel is that of `map`, where the network judges candidates; no pixel has
    any of it unless it is believed.
    """
    if not isinstance(network.module, FINDERS):
        finders = " or ".join(kind.__name__ for kind in FINDERS)
        raise UserError(
            f"these weights are of a {type(network.module).__name__}; "
            f"kernels are found by those of a {finders}"
        )
    if isinstance(network.module, Judge | Mender):
        return closer(photo, judged(photo, network, gamma), network, gamma)
    return KernelField(*_apply(network, _known(photo, gamma), method=None))


def judged(photo: np.ndarray, network: Weights, gamma: float = GAMMA) -> KernelField:
    """How likely a Judge or Mender holds its kernels, and last that of `map`."""
    h = kernel_of_middle(photo, gamma=gamma)[None]
    other = _of_side(h, network.module.kernel_size)[:, None]  # type: ignore[attr-defined]
    method = "find" if isinstance(network.module, Mender) else None
    return KernelField(*_apply(network, _known(photo, gamma), other, method=method))


def closer(
    photo: np.ndarray, field: KernelField, network: Weights, gamma: float = GAMMA
) -> KernelField:
    """What is believed of the field of `judged`, with variants of what is likely."""
    field = believed(field)
    if not network.module.variants:  # type: ignore[attr-defined]
        return field
    return KernelField(*_apply(network, _known(photo, gamma), *field, method="closer"))


@jax.jit
def believed(field: KernelField) -> KernelField:
    """The field without its last kernel, unless that is the likeliest widely."""
    others = field.masks.at[..., -1].set(0)
    others = others / jnp.sum(others, -1, keepdims=True)
    widely = share_of_map(field) >= BELIEVED
    return field._replace(masks=jnp.where(widely, field.masks, others))


@jax.jit
def share_of_map(field: KernelField) -> jax.Array:
    """The part of the pixels for which the last kernel is the likeliest: a number."""
    # Where nothing moved, map's kernel is also the first.
    winner = jnp.argmax(field.masks[0], -1)
    last, first = winner == field.masks.shape[-1] - 1, winner == 0
    same = jnp.max(field.kernels[0, -1]) == 1
    return jnp.mean(last | (first & same))


def _of_side(h: jax.Array, side: int) -> jax.Array:
    """Kernels (N, s, s) of odd s with more or less around them: (N, side, side)."""
    more = side - h.shape[-1]
    if more >= 0:
        return jnp.pad(h, ((0, 0), *[(more // 2, more // 2)] * 2))
    h = h[:, -more // 2 : side - more // 2, -more // 2 : side - more // 2]
    return h / jnp.maximum(jnp.sum(h, (1, 2), keepdims=True), LEAST_KERNEL)


def mended(
    photo: np.ndarray,
    field: KernelField,
    network: Weights,
    gamma: float = GAMMA,
    *,
    side: int = SOLVED,
    tell: Tell = silent,
) -> np.ndarray:
    """What a Mender makes of a photo (H, W, C) by the field that it found.

    Its changes are grey; the noise in the colours is taken out after it.
    """
    y = _known(photo, gamma)
    grey = np.asarray(in_grey(y)[0])
    solved = _solved(grey, decided(field), half_quadratic_found, side, tell)
    x = _apply(network, y, *field, jnp.asarray(solved)[None], method="mend")
    x = np.clip(follow_light(y, jnp.clip(x, 0, 1))[0], 0, 1)
    return match_channels(x ** (GAMMA / gamma), photo.shape[-1])


def _known(photo: np.ndarray, gamma: float) -> jax.Array:
    """The photo as a batch of what the networks know: colour, of the usual gamma."""
    return jnp.asarray(match_channels(photo, 3))[None] ** (gamma / GAMMA)


def _apply(network: Weights, *inputs: jax.Array, method: str | None) -> Any:
    return _jitted(network.module, method)(network.variables, *inputs)


@cache
def _jitted(module: nn.Module, method: str | None) -> Callable[..., Any]:
    return jax.jit(partial(module.apply, method=method))


def deblur_per_pixel(
    photo: np.ndarray,
    network: Weights,
    *,
    solver: str | None = None,
    gamma: float = GAMMA,
    saturates: bool = True,
    tile: int = TILE,
    tell: Tell = silent,
    first: KernelField | None = None,
) -> Deblurred:
    """The sharp image behind a photo (H, W, C) in [0, 1], each pixel with its kernel.

    A Mender makes the image itself; with other networks, or where one is named, a
    solver does, whose camera has this `gamma` and a sensor that clips (`saturates`).
    The network sees a photo of up to `tile` pixels a side as a whole; the solver, which
    wants few kernels at once, a tile of it at a time. `tell` hears how many of these
    are done of how many. What the network has `judged` of a photo of one tile may be
    given as the `first` look, and is not asked again.
    """
    photo = checked(photo)
    mends = solver is None and isinstance(network.module, Mender)
    solve = find_solver(solver or DEFAULT_SOLVER)
    solve = partial(solve, gamma=gamma, saturates=saturates)
    overlap = min(OVERLAP, tile // 4)
    seen = tiles(photo.shape[:2], tile, overlap)
    images: list[np.ndarray] = []
    drawn: list[np.ndarray] = []

    def heard(done: int, total: int) -> None:
        tell(len(images) * total + done, len(seen) * total)

    for place in seen:
        part = photo[place.rows, place.columns]
        if first is None or len(seen) > 1:
            field = find_field(part, network, gamma)
        else:
            field = closer(part, first, network, gamma)
        drawn.append(np.asarray(draw_field(field, jnp.asarray(part)[None])[0]))
        if mends:
            side = min(SOLVED, tile)
            x = mended(part, field, network, gamma, side=side, tell=heard)
            images.append(x)
            continue
        likely = decided(field)
        still = np.asarray(stillness(likely)[0])
        x = _solved(part, likely, solve, min(SOLVED, tile), heard)
        images.append(still * part + (1 - still) * x)
    return Deblurred(
        join(images, seen, photo.shape, overlap),
        drawn=join(drawn, seen, (*photo.shape[:2], 3), overlap),
    )


def _solved(
    photo: np.ndarray,
    field: KernelField,
    solve: Callable[..., Restoration],
    side: int,
    tell: Tell,
) -> np.ndarray:
    """The photo under its field, in tiles of `side`, side by side on all cores."""
    noise = found_noise(jnp.asarray(photo)[None])
    overlap = min(SOLVED_OVERLAP, side // 4)
    places = tiles(photo.shape[:2], side, overlap)

    def one(place: Tile) -> np.ndarray:
        y = jnp.asarray(photo[place.rows, place.columns])[None]
        masks = field.masks[:, place.rows, place.columns]
        x = solve(y, likeliest(field._replace(masks=masks)), noise=noise).x[0]
        return np.asarray(jnp.clip(x, 0, 1))

    # The first alone, so that the program is compiled once.
    found = [one(places[0])]
    tell(1, len(places))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for image in pool.map(one, places[1:]):
            found.append(image)
            tell(len(found), len(places))
    return join(found, places, photo.shape, overlap)


def find_solver(name: str) -> Callable[..., Restoration]:
    """The non-blind solver of a name."""
    if name not in SOLVERS:
        raise UserError(
            f"there is no solver '{name}'; choose one of {', '.join(SOLVERS)}"
        )
    return SOLVERS[name]
