"""Blur found from coarse to fine: one kernel for the whole photo, or for each part.

`map` takes the blur to be the same everywhere, `map-local` within a tile of the photo.
Both look for it in light, y^gamma.
"""

from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.deblur.result import OVERLAP, TILE, Deblurred
from kernel_space_jax.deblur.view import View
from kernel_space_jax.operators import KernelField
from kernel_space_jax.operators.camera import to_light
from kernel_space_jax.solvers import blind_map, half_quadratic, restore
from kernel_space_jax.solvers.per_pixel.richardson_lucy import photo_noise
from kernel_space_jax.solvers.tiles import Tile, blend, join, side_by_side, tiles
from kernel_space_jax.solvers.uniform.blind_map import blind_near
from kernel_space_jax.solvers.uniform.non_blind import noise_strength
from kernel_space_jax.solvers.uniform.residual_score import residual_score, sharp_left
from kernel_space_jax.solvers.uniform.starts import QUICK
from kernel_space_jax.tell import Tell, silent

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
    photo: View,
    *,
    kernel_size: int | None = None,
    preset: str = QUICK,
    tile: int = TILE,
    tell: Tell = silent,
) -> Deblurred:
    """The sharp image behind a photo, one kernel for all pixels.

    The kernel is no larger than `kernel_size` pixels, an odd number, and is found in
    the middle of the photo; without a size, the best of several is taken, and a photo
    that is sharp comes back as it is, with the kernel that does nothing.
    """
    h = kernel_of_middle(photo, kernel_size, preset, tell)
    return undo(photo, h, tile=tile, tell=tell)


def kernel_of_middle(
    photo: View,
    kernel_size: int | None = None,
    preset: str = QUICK,
    tell: Tell = silent,
) -> Array:
    """The kernel (size, size) that `map` finds in the middle of a photo."""
    y = photo.middle(MAP_SIDE).batch
    found = blind_map(y, kernel_size, gamma=photo.gamma, preset=preset, tell=tell)
    return found.h[0]


def deblur_locally(
    photo: View,
    *,
    kernel_size: int | None = None,
    preset: str = QUICK,
    tile: int = LOCAL_SIDE,
    tell: Tell = silent,
) -> Deblurred:
    """The sharp image behind a photo, one kernel for each tile of it.

    The search of each tile starts from the kernel of the photo's middle. The new kernel
    is taken if its residual score on the tile is lower. Where nothing moved in the
    middle, the search starts anew. Sharp tiles stay as they are, unless a
    `kernel_size` is given. Tiles overlap, and are blended without seams.
    """
    tile = min(tile, LOCAL_SIDE)
    overlap = min(LOCAL_OVERLAP, tile // 4)
    places = tiles(photo.size, tile, overlap)
    shared = kernel_of_middle(photo, kernel_size, preset, tell)

    def solve(place: Tile) -> tuple[np.ndarray, Array]:
        part = photo.part(place)
        h = _kernel_of_tile(part, shared, kernel_size)
        return undo(part, h).image, h

    images, kernels = zip(*side_by_side(solve, places, tell), strict=True)
    columns = sum(place.rows == places[0].rows for place in places)
    return Deblurred(
        join(images, places, photo.y.shape, overlap),
        np.stack(kernels).reshape(-1, columns, *kernels[0].shape),
    )


def _kernel_of_tile(part: View, shared: Array, kernel_size: int | None) -> Array:
    """The kernel of a tile, of the same size as the photo's."""
    y, gamma = part.batch, part.gamma
    if shared.max() == 1:
        return blind_map(y, kernel_size, gamma=gamma).h[0]
    found = blind_near(y, shared[None], gamma=gamma)
    light = to_light(y, gamma)
    if residual_score(light, found.h)[0] >= residual_score(light, shared[None])[0]:
        found = found._replace(h=shared[None])
    return (found if kernel_size else sharp_left(y, found)).h[0]


def undo(photo: View, h: Array, *, tile: int = TILE, tell: Tell = silent) -> Deblurred:
    """The photo without the blur of h (size, size), which comes with it."""
    if h.max() == 1:
        return Deblurred(photo.y, np.asarray(h))
    gamma = photo.gamma
    solve = _of_numbers if gamma == 1 else partial(_of_light, gamma=gamma)

    def one(part: np.ndarray) -> np.ndarray:
        return np.asarray(jnp.clip(solve(jnp.asarray(part)[None], h)[0], 0, 1))

    overlap = min(OVERLAP, tile // 4)
    image = blend(one, photo.y, side=tile, overlap=overlap, tell=tell)
    return Deblurred(image, np.asarray(h))


def _of_numbers(y: Array, h: Array) -> Array:
    """x of y = h * x, (1, H, W, C)."""
    least = CAMERA_STRENGTH if y.shape[-1] == 3 else 0.0
    return restore(y, h, strength=jnp.maximum(noise_strength(y), least))


def _of_light(y: Array, h: Array, gamma: float) -> Array:
    """x of y = (h * x^gamma)^(1/gamma), (1, H, W, C)."""
    everywhere = KernelField(h[None, None], jnp.ones((*y.shape[:3], 1)))
    noise = jnp.maximum(photo_noise(y, None), LEAST_NOISE)
    return half_quadratic(y, everywhere, gamma=gamma, noise=noise, steps=3).x
