"""The light of a photo in grey, and its mean and contrast around each pixel."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.operators.camera import GAMMA, to_light

# Added to a plane before a root of it, whose slope at 0 is infinite.
FLOOR = 1e-4
# The deviation of the Gaussian around a pixel, and the least contrast that is not
# noise, of a photo in [0, 1].
AROUND = 8.0
FAINT = 0.01
# The same of light.
FAINT_LIGHT = 0.02


def in_grey(y: Array, gamma: float = GAMMA) -> Array:
    """The photo of the mean of the colours' light: (N, H, W, C) -> (N, H, W, 1)."""
    light = jnp.mean(to_light(y, gamma), -1, keepdims=True)
    return signed_photo(light, gamma)


def signed_photo(light: Array, gamma: float = GAMMA) -> Array:
    """light^(1/gamma), and of negative light the same with its sign."""
    return jnp.sign(light) * (jnp.abs(light) + FLOOR) ** (1 / gamma)


def local_contrast(y: Array, gamma: float = GAMMA) -> tuple[Array, Array, Array]:
    """A photo (N, H, W, C) in grey, the mean and the contrast around each pixel.

    Each is (N, H, W, 1).
    """
    grey = in_grey(y, gamma)
    mean = smooth(grey, AROUND)
    contrast = jnp.sqrt(smooth(jnp.square(grey - mean), AROUND) + FAINT**2)
    return grey, mean, contrast


def even_contrast(light: Array) -> Array:
    """Light (N, H, W, C) with the same contrast at every place.

        (l - g * l) / sqrt(g * mean_c (l - g * l)^2 + e^2)   g a Gaussian

    The shape of edges shows the blur; their contrast does not. A network cannot divide
    by the contrast itself.
    """
    around = light - smooth(light, AROUND)
    power = smooth(jnp.mean(jnp.square(around), -1, keepdims=True), AROUND)
    return around / jnp.sqrt(power + FAINT_LIGHT**2)


def smooth(x: Array, deviation: float) -> Array:
    """The Gaussian mean around each pixel of (N, H, W, C), within the image."""
    for axis in (1, 2):
        band = _band(x.shape[axis], deviation)
        x = jnp.moveaxis(band @ jnp.moveaxis(x, axis, -2), -2, axis)
    return x


def _band(size: int, deviation: float) -> np.ndarray:
    """The matrix of a Gaussian along `size` pixels, whose rows sum to 1."""
    places = np.arange(size)
    distance = np.square(places[:, None] - places)
    taps = np.exp(-distance / (2 * deviation**2))
    return (taps / taps.sum(1, keepdims=True)).astype(np.float32)
