"""The Köhler score on made-up trajectories, against the recipe in NumPy."""

import jax
import numpy as np
from scipy import ndimage

from kernel_space_jax import metrics
from kernel_space_jax.metrics import kohler_frames

SIDE = 176  # the multi-scale score needs 161


def trajectory(frames, seed=0):
    """A sharp view moved a little from frame to frame: (F, H, W, 3) in [0, 1]."""
    rng = np.random.default_rng(seed)
    wide = ndimage.gaussian_filter(rng.random((SIDE + 40, SIDE + 40, 3)), (2, 2, 0))
    wide = (wide - wide.min()) / np.ptp(wide)
    views = [
        wide[20 + i : 20 + i + SIDE, 20 - i : 20 - i + SIDE] for i in range(frames)
    ]
    return np.stack(views).astype(np.float32)


def literal_psnr(frame, z):
    """One frame by the recipe, in float64 on values up to 255."""
    x, z = 255.0 * frame.astype(float), 255.0 * z.astype(float)
    z = (x * z).sum() / (z * z).sum() * z
    spectra = [np.fft.fft2(image.mean(-1)) for image in (x, z)]
    peak = np.abs(np.fft.ifft2(spectra[0] * spectra[1].conj()))
    shift = np.unravel_index(peak.argmax(), peak.shape)
    shift = [s - SIDE if s > SIDE // 2 else s for s in shift]
    moved, mask = (
        ndimage.shift(image, (*shift, 0), order=0, cval=0) for image in (z, 0 * z + 1)
    )
    luma = np.array([0.299, 0.587, 0.114])
    return 10 * np.log10(255**2 / (((x * mask - moved) @ luma) ** 2).mean())


def test_frame_scores_are_the_recipe():
    frames = trajectory(3)
    noise = np.random.default_rng(1).standard_normal(frames[1].shape) / 30
    z = np.clip(0.6 * np.roll(frames[1], (5, -7), (0, 1)) + noise, 0, 1)
    z = z.astype(np.float32)
    found = jax.jit(metrics.kohler_frame_scores)(frames, z)
    expected = [literal_psnr(frame, z) for frame in frames]
    assert np.abs(found.psnr - np.array(expected)).max() < 1e-3
    whole = jax.jit(metrics.kohler)(frames, z)
    assert whole.psnr == found.psnr.max() and whole.ms_ssim == found.ms_ssim.max()


def test_a_frame_itself_is_found_anywhere_on_the_trajectory():
    frames = trajectory(4)
    for frame in (0, 3):
        scores = metrics.kohler_frame_scores(frames, 0.5 * frames[frame])
        assert scores.psnr.argmax() == scores.ms_ssim.argmax() == frame
        assert scores.psnr[frame] > 90 and abs(scores.ms_ssim[frame] - 1) < 1e-5


def test_what_was_shifted_out_is_zero_and_counts():
    """Ten empty rows of 176: the rest is perfect, the score is not."""
    frames = trajectory(1)
    z = np.concatenate([frames[0, 10:], 0.3 * np.ones_like(frames[0, :10])])
    psnr = metrics.kohler_frame_scores(frames, z).psnr[0]
    assert abs(psnr - literal_psnr(frames[0], z)) < 1e-3


def test_the_frames_that_count():
    counts = {
        (image, path): len(kohler_frames(image, path))
        for image in range(1, 5)
        for path in range(1, 13)
    }
    assert len(counts) == 48
    assert counts[2, 11] == 200
    short = {(1, 10), (1, 12), (2, 10), (3, 7), (3, 12), (4, 12), (1, 3)}
    assert {key for key, count in counts.items() if count == 198} == short
    assert sum(counts.values()) == 48 * 199 + 1 - 7
    assert kohler_frames(1, 3) == [*range(1, 30), *range(31, 200)]
