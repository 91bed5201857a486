"""The score of Köhler et al. (2012): the best match along the recorded trajectory.

The camera of that set moved along a path, and the truth of one blurry image is the
sharp view from each of its about 199 points. A restoration may look like any of them.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.metrics.aligned import grey, scale
from kernel_space_jax.metrics.multiscale import ms_ssim
from kernel_space_jax.metrics.psnr import psnr

# Image and trajectory of the blurry images that do not have 199 frames.
FRAMES = {(2, 11): 200} | dict.fromkeys(
    [(1, 10), (1, 12), (2, 10), (3, 7), (3, 12), (4, 12)], 198
)
# Left out by the authors' script.
SKIPPED = {(1, 3): {30}}


class KohlerScore(NamedTuple):
    """PSNR and multi-scale SSIM, each its own maximum over the frames."""

    psnr: Array
    ms_ssim: Array


def kohler_frames(image: int, trajectory: int) -> list[int]:
    """The numbers of the ground-truth frames that count, from 1."""
    last = FRAMES.get((image, trajectory), 199)
    skipped = SKIPPED.get((image, trajectory), set())
    return [frame for frame in range(1, last + 1) if frame not in skipped]


def kohler_frame_scores(frames: Array, z: Array) -> KohlerScore:
    """Both scores against each frame: (F, H, W, C), (H, W, C) -> two (F,).

    z is scaled to the frame's brightness, shifted by the whole pixels at which the
    channel means correlate best, zero where nothing was shifted in; the frame is zeroed
    there too, and that border counts. Scores are of 0.299 R + 0.587 G + 0.114 B.
    """

    def against(frame: Array) -> KohlerScore:
        x = frame[None]
        shifted, mask = _register(x, scale(x, z[None]))
        x, shifted = grey(x * mask), grey(shifted)
        return KohlerScore(psnr(x, shifted)[0], ms_ssim(x, shifted)[0])

    return lax.map(against, frames)


def kohler(frames: Array, z: Array) -> KohlerScore:
    """The maxima of `kohler_frame_scores` over the frames: two scalars."""
    scores = kohler_frame_scores(frames, z)
    return KohlerScore(jnp.max(scores.psnr), jnp.max(scores.ms_ssim))


def _register(x: Array, z: Array) -> tuple[Array, Array]:
    """z shifted onto x, and the mask of what it covers: (1, H, W, C), (1, H, W, 1)."""
    size = x.shape[1:3]
    means = [jnp.mean(image, axis=(0, 3)) for image in (x, z)]
    # Without its mean the correlation only loses a constant, and rounding errors.
    spectra = [jnp.fft.rfft2(mean - jnp.mean(mean)) for mean in means]
    correlation = jnp.fft.irfft2(spectra[0] * jnp.conj(spectra[1]), size)
    peak = jnp.unravel_index(jnp.argmax(correlation), size)
    mask = jnp.ones((1, *size, 1), x.dtype)
    for axis, (at, length) in enumerate(zip(peak, size, strict=True), start=1):
        shift = jnp.where(at > length // 2, at - length, at)
        came_from = jnp.arange(length) - shift
        covered = ((came_from >= 0) & (came_from < length)).astype(x.dtype)
        shape = [length if a == axis else 1 for a in range(4)]
        mask *= covered.reshape(shape)
        z = jnp.roll(z, shift, axis)
    return z * mask, mask
