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

from kernel_space_jax.deblur.result import (
    OVERLAP,
    TILE,
    Deblurred,
    Tell,
    checked,
    silent,
)
from kernel_space_jax.deblur.uniform import MAP_SIDE, middle
from kernel_space_jax.drawing import draw_field
from kernel_space_jax.errors import UserError
from kernel_space_jax.images import match_channels
from kernel_space_jax.models.judge import Judge
from kernel_space_jax.models.mender import Mender
from kernel_space_jax.models.two_heads import TwoHeads
from kernel_space_jax.operators import KernelField
from kernel_space_jax.operators.camera import GAMMA
from kernel_space_jax.solvers import (
    Restoration,
    blind_map,
    half_quadratic,
    richardson_lucy,
)
from kernel_space_jax.solvers.richardson_lucy import photo_noise
from kernel_space_jax.solvers.tiles import Tile, join, tiles
from kernel_space_jax.weights import Weights

# The networks that say it.
FINDERS = (Judge, Mender, TwoHeads)
DEFAULT_SOLVER = "half-quadratic"
SOLVERS = {
    "richardson-lucy": richardson_lucy,
    "half-quadratic": partial(half_quadratic, likely=True, steps=3),
}
# The solver is given a tile of this side, and of its kernels no more than so many.
SOLVED, SOLVED_OVERLAP, LIKELIEST = 320, 64, 12
# Likelihoods of many candidates are too even: this power of them. No candidate is quite
# right either: what none explains is noise to the solver, at least so much. The best of
# 1, 1.5, 2 and of 0 to 0.04 on six BSDS images that no table has, and on the middles of
# GoPro's pairs.
DECIDED = 1.5
FOUND_NOISE = 0.03
LEAST_MASK = 1e-6
# A kernel with so much of its light in one pixel does nothing.
STILL = 0.99


def find_field(
    photo: np.ndarray, network: Weights, gamma: float = GAMMA
) -> KernelField:
    """How each pixel of a photo (H, W, C) was blurred: a field for a batch of one.

    The last kernel is that of `map`, where the network judges candidates.
    """
    if not isinstance(network.module, FINDERS):
        finders = " or ".join(kind.__name__ for kind in FINDERS)
        raise UserError(
            f"these weights are of a {type(network.module).__name__}; "
            f"kernels are found by those of a {finders}"
        )
    y = _known(photo, gamma)
    others = ()
    if isinstance(network.module, Judge | Mender):
        h = blind_map(jnp.asarray(middle(photo, MAP_SIDE))[None]).h
        others = (_of_side(h, network.module.kernel_size)[:, None],)
    method = "find" if isinstance(network.module, Mender) else None
    return KernelField(*_apply(network, y, *others, method=method))


def _of_side(h: jax.Array, side: int) -> jax.Array:
    """Kernels (N, s, s) of odd s with more or less around them: (N, side, side)."""
    more = side - h.shape[-1]
    if more >= 0:
        return jnp.pad(h, ((0, 0), *[(more // 2, more // 2)] * 2))
    h = h[:, -more // 2 : side - more // 2, -more // 2 : side - more // 2]
    return h / jnp.maximum(jnp.sum(h, (1, 2), keepdims=True), LEAST_MASK)


def decided(field: KernelField) -> KernelField:
    """The field with each pixel nearer to the kernel that it has most of."""
    masks = field.masks**DECIDED
    return field._replace(masks=masks / jnp.sum(masks, -1, keepdims=True))


def likeliest(field: KernelField) -> KernelField:
    """The field with no more kernels than LIKELIEST, those with most of its pixels."""
    share = jnp.mean(field.masks[0], (0, 1))
    kept = jnp.argsort(-share)[:LIKELIEST]
    masks = field.masks[..., kept] + LEAST_MASK
    return KernelField(
        field.kernels[:, kept], masks / jnp.sum(masks, -1, keepdims=True)
    )


def stillness(field: KernelField) -> jax.Array:
    """The part of each pixel that no kernel has blurred: (N, H, W, 1).

    There the photo is left as it is, where a solver would take its noise out.
    """
    nothing = jnp.max(field.kernels, (-2, -1)) > STILL
    return jnp.einsum("nhwb,nb->nhw", field.masks, nothing.astype(float))[..., None]


def mended(
    photo: np.ndarray, field: KernelField, network: Weights, gamma: float = GAMMA
) -> np.ndarray:
    """What a Mender makes of a photo (H, W, C) by the field that it found."""
    y = _known(photo, gamma)
    x = np.clip(_apply(network, y, *field, method="mend")[0], 0, 1)
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
    field: KernelField | None = None,
) -> Deblurred:
    """The sharp image behind a photo (H, W, C) in [0, 1], each pixel with its kernel.

    A Mender makes the image itself; with other networks, or where one is named, a
    solver does, whose camera has this `gamma` and a sensor that clips (`saturates`).
    The network sees a photo of up to `tile` pixels a side as a whole; the solver, which
    wants few kernels at once, a tile of it at a time. `tell` hears how many of these
    are done of how many. A `field` that was found for a photo of one tile is not looked
    for again.
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
        if field is None or len(seen) > 1:
            field = find_field(part, network, gamma)
        drawn.append(np.asarray(draw_field(field, jnp.asarray(part)[None])[0]))
        if mends:
            images.append(mended(part, field, network, gamma))
            tell(len(images), len(seen))
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
    noise = jnp.maximum(photo_noise(jnp.asarray(photo)[None], None), FOUND_NOISE)
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
