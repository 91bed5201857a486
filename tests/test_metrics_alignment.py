"""Scores that align first: planted shifts, gains and homographies are found again."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import Golden
from scipy import ndimage
from skimage.metrics import structural_similarity

from kernel_space_jax import UserError, metrics
from kernel_space_jax.metrics.aligned import grey, scale
from kernel_space_jax.metrics.warp import coordinates, sample

SIZE = (96, 128)
MOTION = np.array([[1.004, 0.006, 2.3], [-0.005, 0.997, -1.6], [2e-5, -1e-5, 1]])
aligned_psnr_ssim = jax.jit(metrics.aligned_psnr_ssim)
homography = jax.jit(metrics.homography)
best_shift = jax.jit(metrics.best_shift, static_argnames=("crop", "reach", "parts"))


def picture(size=SIZE, channels=3, seed=0):
    """A random image that is smooth enough to be moved by fractions of a pixel."""
    rng = np.random.default_rng(seed)
    x = ndimage.gaussian_filter(rng.random((*size, channels)), (2, 2, 0))
    return ((x - x.min()) / np.ptp(x)).astype(np.float32)


def warped(x, matrix):
    """x seen through a homography, beyond its borders reflected."""
    rows, columns = coordinates(jnp.asarray(matrix, jnp.float32), x.shape[:2])
    return np.asarray(sample(x, rows, columns, interpolation="cubic", border="reflect"))


def as_grey(x):
    return grey(jnp.asarray(x)[None])[..., 0]


def corner_error(found, planted):
    """How far apart two homographies put the image's corners, in pixels."""
    h, w = SIZE
    corners = np.array([[0, w - 1, 0, w - 1], [0, 0, h - 1, h - 1], [1, 1, 1, 1]])
    a, b = (m @ corners for m in (np.asarray(found, float), planted))
    return np.abs(a[:2] / a[2] - b[:2] / b[2]).max()


def test_warp_is_opencvs():
    x = picture()
    rows, columns = coordinates(jnp.asarray(MOTION, jnp.float32), SIZE)
    forms = {
        ("linear", "zero"): (cv2.INTER_LINEAR, cv2.BORDER_CONSTANT),
        ("cubic", "reflect"): (cv2.INTER_CUBIC, cv2.BORDER_REFLECT),
    }
    for (interpolation, border), (flag, mode) in forms.items():
        # remap keeps coordinates to 1/32 pixel: ours may differ by slope / 64.
        ours = sample(x, rows, columns, interpolation=interpolation, border=border)
        there = cv2.warpPerspective(
            x, MOTION, SIZE[::-1], flags=flag | cv2.WARP_INVERSE_MAP, borderMode=mode
        )
        slope = np.abs(np.gradient(x, axis=(0, 1))).max()
        edge = slice(4, -4)  # a zero border has a slope of its own
        assert np.abs(ours - there)[edge, edge].max() < slope / 16


def test_a_planted_homography_is_found():
    x = picture()
    z = 0.7 * warped(x, np.linalg.inv(MOTION)) + 0.1
    found = homography(as_grey(x), as_grey(z))
    assert corner_error(found.matrix[0], MOTION) < 0.15
    assert found.correlation[0] > 0.99
    assert found.steps[0] < 30
    psnr, ssim = aligned_psnr_ssim(x[None], (z / 0.7 - 1 / 7)[None])
    assert psnr[0] > 35 and ssim[0] > 0.99
    assert metrics.psnr(x[None], z[None])[0] < 20


def test_a_planted_gain_is_found():
    x = picture()
    assert np.allclose(scale(x[None], 0.37 * x[None])[0], x, atol=1e-6)
    psnr, ssim = aligned_psnr_ssim(x[None], 0.37 * x[None])
    assert psnr[0] > 60 and ssim[0] > 0.9999


def opencv_aligned(x, z):
    """The same score by OpenCV and scikit-image, 100 steps each: two floats."""
    z = ((x * z).sum() / (z * z).sum() * z).astype(np.float32)
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (x, z)]
    start = np.eye(3, dtype=np.float32)
    steps = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 0)
    homography = cv2.MOTION_HOMOGRAPHY
    _, matrix = cv2.findTransformECC(*greys, start, homography, steps, None, 5)
    size, inverse = x.shape[1::-1], cv2.WARP_INVERSE_MAP
    cubic, nearest = cv2.INTER_CUBIC | inverse, cv2.INTER_NEAREST | inverse
    reflect = cv2.BORDER_REFLECT
    z = cv2.warpPerspective(z, matrix, size, flags=cubic, borderMode=reflect)
    mask = cv2.warpPerspective(np.ones_like(z), matrix, size, flags=nearest)
    x, z = x * mask, np.clip(z, 0, 1) * mask
    error = ((x - z).astype(float) ** 2).sum() / mask.sum()
    _, similarity = structural_similarity(
        x.astype(float), z.astype(float), gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=1, channel_axis=-1, full=True,
    )  # fmt: skip
    inner = (slice(5, -5), slice(5, -5))
    ssim = (similarity * mask)[inner].sum() / mask[inner].sum()
    return -10 * np.log10(error), ssim


def test_aligned_scores_agree_with_opencv():
    x = picture((240, 320))
    blurry = ndimage.gaussian_filter(0.8 * x, (1.5, 1.5, 0))
    z = np.clip(warped(blurry, np.linalg.inv(MOTION)), 0, 1)
    psnr, ssim = aligned_psnr_ssim(x[None], z[None])
    expected = opencv_aligned(x, z)
    assert abs(psnr[0] - expected[0]) < 0.01
    assert abs(ssim[0] - expected[1]) < 2e-4


@pytest.mark.parametrize("index", range(3))
def test_aligned_scores_agree_with_the_recorded_program(index):
    """Noise of 33 to 96 pixels a side: OpenCV's rounded coordinates show.

    Two of the three never converge, and single precision would steer where their 100
    steps end; OpenCV sums in double too.
    """
    golden = Golden("metrics")
    x, z = (golden[f"in/{name}{index}"][None].astype(float) / 255 for name in "ab")
    with jax.enable_x64(True):
        psnr, ssim = (score.item() for score in aligned_psnr_ssim(x, z))
    assert abs(psnr - golden[f"out/realblur_aligned_psnr_{index}"]) < 0.01
    assert abs(ssim - golden[f"out/realblur_aligned_ssim_{index}"]) < 2e-3


def test_batches_change_no_alignment():
    """Each image takes its own number of steps."""
    x = np.stack([picture(seed=1), picture(seed=2)])
    z = np.stack([x[0], warped(x[1], np.linalg.inv(MOTION))])
    both = homography(grey(x)[..., 0], grey(z)[..., 0])
    assert both.steps[0] < both.steps[1]
    for i in range(2):
        alone = homography(as_grey(x[i]), as_grey(z[i]))
        assert np.array_equal(alone.matrix[0], both.matrix[i])


def test_images_with_nothing_in_common_end_with_a_number():
    x, z = picture(seed=1), picture(seed=2)
    psnr, ssim = aligned_psnr_ssim(x[None], z[None])
    assert np.isfinite(psnr[0]) and np.isfinite(ssim[0])


def literal_search(x, z, crop):
    """The smallest SSD over 41 x 41 shifts, one by one in float64, and its shift."""
    h, w = x.shape[:2]
    truth = x[crop : h - crop, crop : w - crop].astype(float)
    rows, columns = np.mgrid[crop : h - crop, crop : w - crop].astype(float)
    best = (np.inf, None)
    for down in np.arange(-5, 5.01, 0.25):
        for right in np.arange(-5, 5.01, 0.25):
            at = [rows + down, columns + right]
            moved = [
                ndimage.map_coordinates(z[..., c].astype(float), at, order=1)
                for c in range(z.shape[-1])
            ]
            error = ((np.stack(moved, -1) - truth) ** 2).sum()
            best = min(best, (error, (down, right)), key=lambda found: found[0])
    return best


@pytest.mark.parametrize("crop", [15, 5])
def test_the_shift_search_is_the_literal_loop(crop):
    x = np.stack([picture((50, 58), channels=2, seed=s) for s in range(3)])
    moves = [(2.75, -3.5), (-5.0, 5.0), (0.3, 1.9)]
    noise = 0.05 * np.random.default_rng(1).standard_normal(x.shape)
    z = np.stack(
        [ndimage.shift(i, (*m, 0), order=1) for i, m in zip(x, moves, strict=True)]
    )
    z = (z + noise).astype(np.float32)
    found = best_shift(x, z, crop=crop)
    for i in range(len(x)):
        error, shift = literal_search(x[i], z[i], crop)
        assert abs(found.ssd[i] / error - 1) < 1e-5
        assert tuple(np.asarray(found.shift[i])) == shift
    assert np.allclose(metrics.levin_ssd(x, z), best_shift(x, z).ssd)


def test_a_planted_shift_is_undone_to_the_last_digit():
    x = picture((60, 64), channels=1)
    z = np.roll(x, (-4, 3), (0, 1))
    found = best_shift(x[None], z[None])
    assert found.ssd[0] == 0
    assert found.shift[0].tolist() == [-4, 3]
    psnr, ssim = metrics.shifted_psnr_ssim(x[None], z[None])
    assert np.isposinf(psnr[0]) and abs(ssim[0] - 1) < 1e-6


def test_a_shift_search_needs_room():
    small = jnp.zeros((1, 30, 40, 1))
    with pytest.raises(UserError, match="40x30"):
        metrics.best_shift(small, small)


def test_error_ratios():
    # So rough an image that no shift but none comes into question.
    rng = np.random.default_rng(0)
    x = rng.random((1, 70, 72, 1)).astype(np.float32)
    error = rng.standard_normal(x.shape).astype(np.float32) / 50
    known, blind = x + error, x + 2 * error
    # Twice the error is four times the energy, and twice the singular value.
    ratio = metrics.error_ratio(
        metrics.levin_ssd(x, blind), metrics.levin_ssd(x, known)
    )
    assert abs(ratio[0] - 4) < 1e-3
    spectral = [metrics.spectral_error(x, z) for z in (blind, known)]
    assert abs(metrics.error_ratio(*spectral)[0] - 2) < 1e-3
    inner = error[0, 10:-10, 10:-10, 0]
    assert abs(spectral[1][0] / np.linalg.norm(inner, 2) - 1) < 1e-4
    shares = metrics.success(jnp.array([1.0, 2.0, 2.5, 9.0]), jnp.array([2.0, 3.0]))
    assert shares.tolist() == [0.5, 0.75]


def test_lai_scores_are_of_luma():
    x = picture((70, 72))
    z = np.roll(x, 2, 1)
    # Colour may be anything as long as 65.481 R + 128.553 G + 24.966 B stays.
    z[..., 0] += 0.05 * 128.553 / 65.481
    z[..., 1] -= 0.05
    assert metrics.lai_psnr_ssim(x[None], z[None])[0][0] > 90
    assert metrics.shifted_psnr_ssim(x[None], z[None])[0][0] < 40


def test_kernel_similarity_knows_no_shift_and_no_scale():
    rng = np.random.default_rng(0)
    h = rng.random((2, 9, 7)).astype(np.float32)
    moved = np.zeros((2, 15, 12), np.float32)
    moved[:, 4:13, 3:10] = 3 * h
    assert np.allclose(metrics.kernel_similarity(h, moved), 1, atol=1e-6)
    assert np.allclose(metrics.kernel_similarity(moved, h), 1, atol=1e-6)
    # A line across and a line down of n pixels share one: 1 / n.
    lines = np.zeros((2, 5, 5), np.float32)
    lines[0, 2], lines[1, :, 1] = 1, 1
    assert abs(metrics.kernel_similarity(lines[:1], lines[1:])[0] - 0.2) < 1e-6
    assert metrics.kernel_similarity(lines[:1], 0 * lines[:1])[0] == 0
