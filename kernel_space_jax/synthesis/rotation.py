"""Camera rotation: blur that turns and stretches over the picture.

A camera that only rotates, by R, moves the picture by the homography K R K^-1 with
K = diag(f, f, 1) about the middle, f the focal length in pixels. The blurry photo is
the mean of the light of all poses (Whyte et al., "Non-uniform Deblurring for Shaken
Images", 2012).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from kernel_space_jax.operators.camera import GAMMA, to_light, to_photo
from kernel_space_jax.synthesis.trajectories import shake_trajectory

STEPS = 1000


def random_focal(key: Array, size: tuple[int, int]) -> Array:
    """A focal length in pixels, wide to tele: max(H, W) 2^(3U - 1), U ~ U(0, 1)."""
    return max(size) * 2 ** (3 * jax.random.uniform(key) - 1)


def rotation_trajectory(
    key: Array,
    size: tuple[int, int],
    focal: Array | float,
    *,
    poses: int = 25,
    length: float = 40.0,
    roll: float = 1.0,
) -> Array:
    """Angles of a hand-held camera at equal times: (poses, 3), radians, of mean 0.

    Columns are pitch, yaw and roll. Pitch and yaw move the middle of an (H, W)
    picture along a `shake_trajectory` of `length` pixels; the roll moves its shorter
    edges as another one does, times `roll`.
    """
    tilt, turn = (
        shake_trajectory(k, steps=STEPS, length=length) for k in jax.random.split(key)
    )
    times = np.linspace(0, STEPS - 1, poses).round().astype(int)
    aim = jnp.arctan2(tilt[times], focal)
    spin = roll * turn[times, :1] / (max(size) / 2)
    angles = jnp.concatenate([aim, spin], -1)
    return angles - jnp.mean(angles, 0)


def blur_rotation(
    x: Array, angles: Array, focal: Array | float, *, gamma: float = GAMMA
) -> Array:
    """The photo of a camera that turns by `angles` (T, 3): (H, W, C) -> (H, W, C).

    y = (1/T sum_t rotate(x^gamma, angles_t))^(1/gamma)
    """
    light = to_light(x, gamma)

    def expose(total: Array, pose: Array) -> tuple[Array, None]:
        return total + rotate(light, pose, focal), None

    total, _ = lax.scan(expose, jnp.zeros_like(light), angles)
    return to_photo(total / len(angles), gamma)


def rotate(x: Array, angles: Array, focal: Array | float) -> Array:
    """What a camera sees that has turned by (pitch, yaw, roll): (H, W, C), bilinear.

    y(p) = x(K R K^-1 p), R = R_roll R_yaw R_pitch: a positive pitch moves what is seen
    up, a positive yaw to the right, and a positive roll turns it clockwise. The border
    is repeated outwards.
    """
    height, width = x.shape[:2]
    middle = (height - 1) / 2, (width - 1) / 2
    v = jnp.arange(height, dtype=x.dtype)[:, None] - middle[0]
    u = jnp.arange(width, dtype=x.dtype) - middle[1]
    m = _matrix(angles)
    ray = [m[i, 0] * u + m[i, 1] * v + m[i, 2] * focal for i in range(3)]
    row = focal * ray[1] / ray[2] + middle[0]
    column = focal * ray[0] / ray[2] + middle[1]
    return _sample(x, row, column)


def _matrix(angles: Array) -> Array:
    """R, which takes where a camera looks after turning to where it looked before."""
    pitch, yaw, roll = angles
    c, s = jnp.cos(angles), jnp.sin(angles)
    zero, one = jnp.zeros(()), jnp.ones(())
    about_x = [[one, zero, zero], [zero, c[0], s[0]], [zero, -s[0], c[0]]]
    about_y = [[c[1], zero, -s[1]], [zero, one, zero], [s[1], zero, c[1]]]
    about_z = [[c[2], s[2], zero], [-s[2], c[2], zero], [zero, zero, one]]
    x, y, z = (
        jnp.stack([jnp.stack(r) for r in m]) for m in (about_x, about_y, about_z)
    )
    exact = lax.Precision.HIGHEST
    return jnp.matmul(z, jnp.matmul(y, x, precision=exact), precision=exact)


def _sample(x: Array, row: Array, column: Array) -> Array:
    """x (H, W, C) at real places (H, W), bilinear, the nearest pixel outside."""
    height, width, channels = x.shape
    row, column = jnp.clip(row, 0, height - 1), jnp.clip(column, 0, width - 1)
    top, left = jnp.floor(row), jnp.floor(column)
    down, right = (row - top)[..., None], (column - left)[..., None]
    top, left = top.astype(jnp.int32), left.astype(jnp.int32)
    below, beside = jnp.minimum(top + 1, height - 1), jnp.minimum(left + 1, width - 1)
    pixels = x.reshape(-1, channels)
    a, b, c, d = (pixels[r * width + q] for r in (top, below) for q in (left, beside))
    upper, lower = a + right * (b - a), c + right * (d - c)
    return upper + down * (lower - upper)
