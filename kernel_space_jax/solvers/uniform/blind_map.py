"""Blind deblurring of uniform blur, coarse to fine: the MAP start.

    min over x, h   |M (h * x - y)|^2 + lambda |grad x|_0,    h >= 0, sum h = 1

After Xu, Zheng and Jia (2013) and Pan et al. (2014): at each scale of a pyramid the
latent x, of few and strong edges, and the kernel h that explains y by it take turns
(map_turns.py). The search runs from several starts (starts.py); residual scores
(residual_score.py) choose among the kernels found.
"""

import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.operators.camera import to_light
from kernel_space_jax.solvers.uniform.map_turns import CUT, cleaned, in_turns
from kernel_space_jax.solvers.uniform.refine import refined
from kernel_space_jax.solvers.uniform.residual_score import Blind, sharp_left
from kernel_space_jax.solvers.uniform.starts import (
    QUICK,
    SMALLEST,
    find_preset,
    search,
)
from kernel_space_jax.tell import Tell, silent

# From a kernel that is nearly right. Within 0.02 dB of the best of five pairs, up to
# 4e-3 and 20, on eight photos that we blurred by turning a camera, and on two halves.
NEAR_STRENGTH, NEAR_TURNS = 1e-3, 10
# Rounds of the refinement there: where a kernel changes from place to place, a second
# one wins nothing.
NEAR_ROUNDS = 1
# Pixels a side of the kernels that are looked for, and in smaller photos.
SIZES = (29, 21, 13)


def blind_map(
    y: Array,
    size: int | None = None,
    *,
    gamma: float = 1.0,
    preset: str = QUICK,
    tell: Tell = silent,
) -> Blind:
    """The kernel (size, size), size odd, behind each photo y (N, H, W, C) in [0, 1].

    It is looked for in y^gamma, the light that was blurred.

    The search runs from each start of the preset (starts.py); `tell(done, total)` hears
    how many searches are done. Without a size a sharp photo gets the kernel that does
    nothing, because the search finds some blur in any photo.

    Do not jit it as a whole: its searches run side by side, because one of them uses
    one core only.
    """
    found, _ = from_starts(y, size, gamma=gamma, preset=preset, tell=tell)
    best = jax.tree.map(lambda part: part[:, 0], found)
    return best if size else sharp_left(_plane(y, gamma), best)


def from_starts(
    y: Array,
    size: int | None = None,
    *,
    gamma: float = 1.0,
    preset: str = QUICK,
    tell: Tell = silent,
) -> tuple[Blind, Array]:
    """The kernels (N, K, size, size) that the searches of `blind_map` end with.

    And their residual scores (N, K), the lowest first.
    """
    # A kernel of more than half the photo leaves too few pixels.
    largest = next((n for n in SIZES if 2 * n <= min(y.shape[1:3])), SMALLEST)
    light = _plane(y, gamma)[..., 0]
    return search(light, find_preset(preset), size or largest, tell)


def blind_near(y: Array, h: Array, *, gamma: float = 1.0) -> Blind:
    """The kernels near h (N, size, size) behind photos y (N, H, W, C) in [0, 1].

    For parts of a photo whose kernel is close to h, for example where a camera turned:
    x and h in turns, at full resolution only.
    """
    light = _plane(y, gamma)
    return _near(light, h, jax.random.key(0))


def _plane(y: Array, gamma: float) -> Array:
    """The grey light (N, H, W, 1): photos in grey and in colour share programs."""
    return jnp.mean(to_light(y, gamma), -1, keepdims=True)


@jax.jit
def _near(y: Array, h: Array, key: Array) -> Blind:
    def one(plane: Array, h: Array) -> Blind:
        strength = jnp.float32(NEAR_STRENGTH)
        h, _, error = in_turns(plane, h, strength, NEAR_TURNS)
        h = refined(plane, cleaned(h, CUT), key, NEAR_ROUNDS)
        return Blind(h, error)

    return jax.vmap(one)(y[..., 0], h)
