"""Inverses of a blur in one step: one division of spectra for each kernel.

X = conj(H) Y / (|H|^2 + r |D|^2 + e)        y in light, D its differences
"""

from collections.abc import Iterator, Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.operators.camera import GAMMA, to_light
from kernel_space_jax.operators.light import local_contrast, signed_photo
from kernel_space_jax.operators.uniform import fast_size

# r, of little noise and of much, and e.
STRENGTHS = (3e-3, 3e-2)
FLOOR = 1e-4
# The photo is mirrored by so many pixels beyond the reach of the kernels.
MARGIN = 8
# x is clipped at so many times the contrast around it.
STRONGEST = 6.0


def wiener_each(
    plane: Array, kernels: Array, strengths: Sequence[float]
) -> Iterator[Array]:
    """X for each strength r in turn: (N, H, W), (N, T, s, s) -> (N, T, H, W)."""
    size, side = plane.shape[1:], kernels.shape[-1]
    reach = side // 2 + MARGIN
    whole = fast_size(tuple(n + 2 * reach for n in size))
    around = [(reach, w - n - reach) for n, w in zip(size, whole, strict=True)]
    spectrum = jnp.fft.rfft2(jnp.pad(plane, ((0, 0), *around), mode="symmetric"))
    corner = [(0, 0), (0, 0), *((0, w - side) for w in whole)]
    centred = jnp.roll(jnp.pad(kernels, corner), (-(side // 2),) * 2, (-2, -1))
    transfer = jnp.fft.rfft2(centred)
    down, right = np.fft.fftfreq(whole[0]), np.fft.rfftfreq(whole[1])
    differences = np.add.outer(_power(down), _power(right)).astype(np.float32)
    for strength in strengths:
        power = jnp.abs(transfer) ** 2 + (strength * differences + FLOOR)
        x = jnp.fft.irfft2(jnp.conj(transfer) * spectrum[:, None] / power, whole)
        yield x[..., reach : reach + size[0], reach : reach + size[1]]


def undo_each(y: Array, kernels: Array, gamma: float = GAMMA) -> Array:
    """x_t for both strengths, and y: (N, H, W, C), (N, T, s, s) -> (N, T, H, W, 3).

    Grey, as photos, less the mean around each pixel and over the contrast there.
    """
    light = jnp.mean(to_light(y, gamma), -1)
    seen, mean, contrast = local_contrast(y, gamma)
    even = lambda x: (x - mean[..., 0][:, None]) / contrast[..., 0][:, None]
    shown = [
        even(signed_photo(x, gamma)) for x in wiener_each(light, kernels, STRENGTHS)
    ]
    shown.append(jnp.broadcast_to(even(seen[..., 0][:, None]), shown[0].shape))
    return jnp.clip(jnp.stack(shown, -1), -STRONGEST, STRONGEST)


def _power(frequency: np.ndarray) -> np.ndarray:
    """|D|^2 of a first difference."""
    return 4 * np.sin(np.pi * frequency) ** 2
