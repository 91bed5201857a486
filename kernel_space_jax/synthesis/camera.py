"""What a camera makes of light: saturation, Bayer mosaic, noise, white balance, sRGB.

Rim et al., "Realistic Blur Synthesis for Learning Image Deblurring" (2022): blur that
is to teach anything about real photos has to go through all of it, and the noise
matters most.
"""

import jax
import jax.numpy as jnp
from jax import Array

# Variances of a Sony A7R III at ISO 100-400 in units of the full range, as RSBlur
# has them: photon noise grows with the light, read noise is always there.
PHOTON = 8.9e-5
READ = 2.9e-5


def camera(
    key: Array,
    light: Array,
    saturated: Array | None = None,
    *,
    amount: tuple[float, float] = (0.25, 1.75),
    red: tuple[float, float] = (1.9, 2.4),
    blue: tuple[float, float] = (1.5, 1.9),
    photon: float = PHOTON,
    read: float = READ,
) -> Array:
    """The photo of blurry light: (H, W, 3) linear -> (H, W, 3) sRGB in [0, 1].

    Of `saturated` (H, W, 3 or 1), the share of the exposure during which each pixel
    was too bright to be measured (see `saturation`), a random `amount` is added: what
    was cut off there. The light is then divided by random gains of the `red` and
    `blue` white balance, seen through an RGGB mosaic with `add_noise`, and the photo
    developed from that.
    """
    glow, balance, sensor = jax.random.split(key, 3)
    if saturated is not None:
        low, high = amount
        light += saturated * jax.random.uniform(glow, minval=low, maxval=high)
    low, high = jnp.array([red, (1.0, 1.0), blue]).T
    gains = low + (high - low) * jax.random.uniform(balance, (3,))
    raw = mosaic(jnp.clip(light, 0, 1) / gains)
    raw = add_noise(sensor, raw, photon=photon, read=read)
    developed = demosaic(raw * mosaic(jnp.broadcast_to(gains, light.shape)))
    return light_to_srgb(jnp.clip(developed, 0, 1))


def saturation(x: Array, threshold: float = 0.99) -> Array:
    """1 where a pixel's brightest channel is cut off: (..., H, W, C) -> (..., H, W, 1).

    Blurred as the picture is, or averaged over its frames, it is `camera`'s
    `saturated`.
    """
    return (jnp.max(x, -1, keepdims=True) >= threshold).astype(x.dtype)


def add_noise(
    key: Array,
    light: Array,
    *,
    photon: float | Array = PHOTON,
    read: float | Array = READ,
) -> Array:
    """light + n, n ~ N(0, photon light + read), any shape.

    The Poisson noise of the photons is taken as normal: at the default a full pixel
    holds 11000 of them.
    """
    deviation = jnp.sqrt(photon * jnp.maximum(light, 0) + read)
    return light + deviation * jax.random.normal(key, light.shape, light.dtype)


def mosaic(x: Array) -> Array:
    """What an RGGB sensor sees: (H, W, 3) -> (H, W)."""
    is_red, is_blue, _ = _pattern(x.shape[0], x.shape[1])
    return jnp.where(is_red, x[..., 0], jnp.where(is_blue, x[..., 2], x[..., 1]))


def demosaic(raw: Array) -> Array:
    """Colours from an RGGB mosaic: (H, W) -> (H, W, 3).

    The 5x5 linear filters of Malvar, He and Cutler (2004): bilinear in the colour that
    is sought, corrected by the Laplacian of the one that is there.
    """
    height, width = raw.shape
    # Reflection keeps the order of the colours.
    padded = jnp.pad(raw, 2, mode="reflect")

    def at(*places: tuple[int, int]) -> Array:
        parts = [padded[2 + y :, 2 + x :][:height, :width] for y, x in places]
        return sum(parts[1:], start=parts[0])

    vertical, horizontal = at((-1, 0), (1, 0)), at((0, -1), (0, 1))
    above, aside = at((-2, 0), (2, 0)), at((0, -2), (0, 2))
    corners = at((-1, -1), (-1, 1), (1, -1), (1, 1))
    green = (4 * raw + 2 * (vertical + horizontal) - above - aside) / 8
    in_row = (5 * raw + 4 * horizontal - aside - corners + above / 2) / 8
    in_column = (5 * raw + 4 * vertical - above - corners + aside / 2) / 8
    across = (6 * raw + 2 * corners - 1.5 * (above + aside)) / 8
    is_red, is_blue, red_row = _pattern(height, width)
    is_green = ~(is_red | is_blue)
    beside = (
        jnp.where(red_row, in_row, in_column),
        jnp.where(red_row, in_column, in_row),
    )
    red, blue = (
        jnp.where(here, raw, jnp.where(is_green, near, across))
        for here, near in zip((is_red, is_blue), beside, strict=True)
    )
    return jnp.stack([red, jnp.where(is_green, raw, green), blue], -1)


def srgb_to_light(x: Array) -> Array:
    """sRGB's own curve (IEC 61966-2-1) to linear light, any shape."""
    x = jnp.maximum(x, 0)
    return jnp.where(x <= 0.04045, x / 12.92, jnp.power((x + 0.055) / 1.055, 2.4))


def light_to_srgb(light: Array) -> Array:
    """The inverse of `srgb_to_light`, of light in [0, inf)."""
    light = jnp.maximum(light, 0)
    steep = 1.055 * jnp.power(light, 1 / 2.4) - 0.055
    return jnp.where(light <= 0.0031308, 12.92 * light, steep)


def _pattern(height: int, width: int) -> tuple[Array, Array, Array]:
    """Where RGGB is red, where blue (H, W), and which rows hold the red (H, 1)."""
    red_row = (jnp.arange(height) % 2 == 0)[:, None]
    red_column = jnp.arange(width) % 2 == 0
    return red_row & red_column, ~red_row & ~red_column, red_row
