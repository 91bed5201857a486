"""Blur found from coarse to fine: one kernel for the whole photo, or for each part.

`map` takes the blur to be the same everywhere, `map-local` within a tile of the photo.
The first looks for it in light, y^gamma; the second in the numbers of the photo.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.deblur.result import (
    OVERLAP,
    TILE,
    Deblurred,
    Tell,
    checked,
    silent,
)
from kernel_space_jax.errors import UserError
from kernel_space_jax.operators import KernelField
from kernel_space_jax.operators.camera import GAMMA
from kernel_space_jax.solvers import blind_map, half_quadratic, restore
from kernel_space_jax.solvers.blind_map import doubt
from kernel_space_jax.solvers.non_blind import noise_strength
from kernel_space_jax.solvers.richardson_lucy import photo_noise
from kernel_space_jax.solvers.tiles import blend, join, tiles

# The kernel is looked for in the middle of the photo, and in this size of it.
MAP_SIDE = 512
# A tile with a kernel of its own: large enough to show it, and what it shares.
LOCAL_SIDE, LOCAL_OVERLAP = 256, 64
# The least strength of the prior on a photo in colour: its camera has smoothed and
# packed it, and more of its detail is gone than the noise that is left says. GoPro's
# and Köhler's photographs come out best between 6e-4 and 2.4e-3; Levin's, which are
# grey and straight from the sensor, would lose 1.5 dB at 6e-4 already.
CAMERA_STRENGTH = 1.2e-3
# In light another solver counts the errors in the photo; it is told of no less noise,
# for the kernel is not sure. The best of 0.01, 0.02 and 0.03 on eight photos that we
# blurred by turning a camera, and on the middles of three of GoPro's.
LEAST_NOISE = 0.02


def deblur_uniform(
    photo: np.ndarray,
    kernel_size: int | None = None,
    *,
    gamma: float | None = None,
    tile: int = TILE,
    tell: Tell = silent,
) -> Deblurred:
    """The sharp image behind a photo (H, W, C) in [0, 1], one kernel for all pixels.

    The kernel is no larger than `kernel_size` pixels, an odd number, and is found in
    the middle of the photo; without a size, the best of several is taken, and a photo
    that is sharp comes back as it is, with the kernel that does nothing. `gamma` is the
    camera's: by default the usual one for a photo in colour, and 1 for a grey one,
    which may as well come straight from a sensor.
    """
    check_kernel_size(photo, kernel_size)
    photo = checked(photo)
    if gamma is None:
        gamma = GAMMA if photo.shape[-1] == 3 else 1.0
    h = kernel_of_middle(photo, kernel_size, gamma)
    image = undo(photo, h, gamma=gamma, tile=tile, tell=tell)
    return Deblurred(image, np.asarray(h))


def kernel_of_middle(
    photo: np.ndarray, kernel_size: int | None = None, gamma: float = 1.0
) -> Array:
    """The kernel (size, size) that `map` finds in the middle of a photo (H, W, C)."""
    y = jnp.asarray(middle(photo, MAP_SIDE))[None]
    return blind_map(y, kernel_size, gamma=gamma).h[0]


def deblur_locally(
    photo: np.ndarray,
    kernel_size: int | None = None,
    *,
    tile: int = LOCAL_SIDE,
    tell: Tell = silent,
) -> Deblurred:
    """The sharp image behind a photo (H, W, C) in [0, 1], one kernel for each tile.

    A tile takes the kernel that is found in it, unless that of the photo's middle is
    the less to be doubted there, or there and in each tile beside it. Tiles overlap,
    and are blended without seams.
    """
    check_kernel_size(photo, kernel_size)
    photo = checked(photo)
    tile = min(tile, LOCAL_SIDE)
    overlap = min(LOCAL_OVERLAP, tile // 4)
    places = tiles(photo.shape[:2], tile, overlap)
    parts = [photo[place.rows, place.columns] for place in places]
    shared = kernel_of_middle(photo, kernel_size)[None]
    search = lambda part: blind_map(jnp.asarray(part)[None], kernel_size).h
    # The first alone, so that its programs are compiled once; then side by side, since
    # a search keeps no more than one core busy.
    found = [search(parts[0])]
    tell(1, len(parts))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for h in pool.map(search, parts[1:]):
            found.append(h)
            tell(len(found), len(parts))
        columns = sum(place.rows == places[0].rows for place in places)
        kernels = _believed(parts, found, shared, columns)
        images = list(pool.map(lambda part, h: undo(part, h[0]), parts, kernels))
    field = np.stack([np.asarray(h[0]) for h in kernels])
    return Deblurred(
        join(images, places, photo.shape, overlap),
        field.reshape(-1, columns, *field.shape[1:]),
    )


def _believed(
    parts: list[np.ndarray], found: list[Array], shared: Array, columns: int
) -> list[Array]:
    """For each tile, in rows of `columns`, its own kernel or the shared one.

    A tile with little to see can seem well explained by a kernel that is wrong; all
    tiles beside it then speak against it. Of what moves by itself a tile beside it
    shows more. Sharp ones have no say, and stay.
    """
    blurred = [i for i, h in enumerate(found) if h.max() < 1]

    def against(i: int, h: Array) -> float:
        return float(doubt(jnp.asarray(parts[i])[None], h)[0])

    others = {i: against(i, shared) for i in blurred}
    kernels = list(found)
    for i in blurred:
        beside = {i - columns, i + columns}
        beside |= {j for j in (i - 1, i + 1) if j // columns == i // columns}
        here = against(i, found[i]) - others[i]
        around = [against(j, found[i]) - others[j] for j in beside if j in others]
        if here >= 0 or here + min(around, default=0) >= 0:
            kernels[i] = shared
    return kernels


def undo(
    photo: np.ndarray,
    h: jnp.ndarray,
    *,
    gamma: float = 1.0,
    tile: int = TILE,
    tell: Tell = silent,
) -> np.ndarray:
    """The photo (H, W, C) without the blur of h (size, size): the same size."""
    if h.max() == 1:
        return photo
    solve = _of_numbers if gamma == 1 else partial(_of_light, gamma=gamma)

    def one(part: np.ndarray) -> np.ndarray:
        return np.asarray(jnp.clip(solve(jnp.asarray(part)[None], h)[0], 0, 1))

    overlap = min(OVERLAP, tile // 4)
    return blend(one, photo, side=tile, overlap=overlap, tell=tell)


def _of_numbers(y: Array, h: Array) -> Array:
    """x of y = h * x, (1, H, W, C)."""
    least = CAMERA_STRENGTH if y.shape[-1] == 3 else 0.0
    return restore(y, h, strength=jnp.maximum(noise_strength(y), least))


def _of_light(y: Array, h: Array, gamma: float) -> Array:
    """x of y = (h * x^gamma)^(1/gamma), (1, H, W, C)."""
    everywhere = KernelField(h[None, None], jnp.ones((*y.shape[:3], 1)))
    noise = jnp.maximum(photo_noise(y, None), LEAST_NOISE)
    return half_quadratic(y, everywhere, gamma=gamma, noise=noise, steps=3).x


def middle(photo: np.ndarray, side: int) -> np.ndarray:
    """The middle of a photo (H, W, C), at most `side` pixels a side."""
    top, left = (max(0, (n - side) // 2) for n in photo.shape[:2])
    return photo[top : top + side, left : left + side]


def check_kernel_size(photo: np.ndarray, kernel_size: int | None) -> None:
    """A `UserError` for a size that no kernel of this photo can have."""
    most = min(photo.shape[:2]) // 2
    if kernel_size is None:
        return
    if kernel_size % 2 == 0 or not 3 <= kernel_size <= most:
        raise UserError(
            f"a kernel of {kernel_size} pixels does not fit a photo of "
            f"{photo.shape[1]}x{photo.shape[0]}; give an odd size from 3 to {most}"
        )
