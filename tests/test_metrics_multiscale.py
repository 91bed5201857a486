"""Multi-scale SSIM, the scores of sequences, and LPIPS."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import Golden, largest_difference
from scipy import ndimage
from skimage.metrics import structural_similarity

from kernel_space_jax import UserError, metrics
from kernel_space_jax.weights import Weights, from_torch

ms_ssim = jax.jit(metrics.ms_ssim)


def smooth_pair(size, seed=0, noise=0.1):
    """A random smooth image with edges, and a noisy darker copy of it."""
    rng = np.random.default_rng(seed)
    x = ndimage.gaussian_filter(rng.random(size), (3, 3, 0))
    x = (x - x.min()) / np.ptp(x)
    x = np.where(x > 0.6, 1 - x, x)
    y = np.clip(0.95 * x + noise * rng.standard_normal(size), 0, 1)
    return x.astype(np.float32), y.astype(np.float32)


def literal_ms_ssim(x, y):
    """Wang's recipe on one grey image (H, W), in float64 with SciPy."""

    def mean(image):
        taps = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
        for axis in (0, 1):
            image = ndimage.convolve1d(image, taps / taps.sum(), axis)
        return image[5:-5, 5:-5]

    product = 1.0
    for scale, weight in enumerate([0.0448, 0.2856, 0.3001, 0.2363, 0.1333]):
        mx, my = mean(x), mean(y)
        variances = mean(x * x) - mx**2 + mean(y * y) - my**2
        structure = (2 * (mean(x * y) - mx * my) + 9e-4) / (variances + 9e-4)
        luminance = (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4)
        term = structure * luminance if scale == 4 else structure
        product *= term.mean() ** weight
        # imfilter(image, ones(2) / 4, "symmetric"), every second pixel.
        x, y = (
            ndimage.uniform_filter(i, 2, mode="reflect", origin=-1)[::2, ::2]
            for i in (x, y)
        )
    return product


@pytest.mark.parametrize("size", [(176, 192), (161, 203)])
def test_ms_ssim_is_the_recipe(size):
    x, y = smooth_pair((*size, 3))
    each = [
        literal_ms_ssim(*(i[..., c].astype(float) for i in (x, y))) for c in range(3)
    ]
    assert abs(ms_ssim(x[None], y[None])[0] - np.mean(each)) < 1e-5


def test_ms_ssim_by_hand():
    x, y = smooth_pair((176, 176, 1))
    assert abs(ms_ssim(x[None], x[None])[0] - 1) < 1e-6
    # An inverted image has negative structure, and no real score: zero.
    assert ms_ssim(x[None], 1 - x[None])[0] == 0
    # A shift of brightness is only seen at the coarsest scale.
    flat, brighter = jnp.full((1, 176, 176, 1), 0.2), jnp.full((1, 176, 176, 1), 0.7)
    luminance = (2 * 0.2 * 0.7 + 1e-4) / (0.2**2 + 0.7**2 + 1e-4)
    assert abs(ms_ssim(flat, brighter)[0] - luminance**0.1333) < 1e-4


def test_ms_ssim_of_a_small_image_is_refused():
    with pytest.raises(UserError, match="160x200"):
        metrics.ms_ssim(jnp.zeros((1, 200, 160, 3)), jnp.zeros((1, 200, 160, 3)))


@pytest.mark.parametrize("size", [(15, 12), (42, 43), (52, 85)])
def test_ssim_of_any_size_is_scikit_images(size):
    """The window runs in blocks: sizes below, at and beyond a block."""
    x, y = smooth_pair((*size, 3))
    expected = structural_similarity(
        x.astype(float), y.astype(float), gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=1, channel_axis=-1,
    )  # fmt: skip
    assert abs(metrics.ssim(x[None], y[None])[0] - expected) < 1e-5


def test_the_better_direction_of_a_sequence_counts():
    truth, prediction = (
        jnp.asarray(Golden("metrics")[f"in/vid_{name}01"]).transpose(0, 1, 3, 4, 2)
        for name in ("gt", "pred")
    )
    recorded = Golden("metrics")
    forwards = recorded["out/PSNR_frames"].mean()
    backwards = recorded["out/pPSNR_frames"].mean()
    assert abs(metrics.p_psnr(truth, prediction)[0] - max(forwards, backwards)) < 1e-4
    flipped = prediction[:, ::-1]
    for score in (metrics.p_psnr, metrics.p_ssim):
        assert abs(score(truth, flipped)[0] - score(truth, prediction)[0]) < 1e-6
    frames = metrics.ssim(truth[0], prediction[0]).mean()
    frames_back = metrics.ssim(truth[0], flipped[0]).mean()
    expected = max(frames, frames_back)
    assert abs(metrics.p_ssim(truth, prediction)[0] - expected) < 1e-6
    # Frame by frame the direction is not chosen: the whole sequence has one.
    assert jnp.isposinf(metrics.p_psnr(truth, truth[:, ::-1])[0])


@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_lpips_agrees_with_the_authors_package(backbone):
    golden = Golden("lpips_detweights")
    state = golden.weights(meta=f"meta/{backbone}")
    # The published heads are non-negative, and saved under two names.
    state = {k: abs(v) if k.startswith("lin") else v for k, v in state.items()}
    twice = {f"lins.{k[3]}{k[4:]}": v for k, v in state.items() if k[:3] == "lin"}
    constants = {"scaling_layer.shift": np.zeros((1, 3, 1, 1), np.float32)}
    weights = Weights(*from_torch("lpips", {**state, **twice, **constants}))
    x, y = (golden.image(f"in/{name}").astype(jnp.float32) / 255 for name in "xy")
    distance = jax.jit(lambda x, y: metrics.lpips(x, y, weights))
    assert largest_difference(distance(x, y), golden[f"out/{backbone}"]) < 1e-6
    assert largest_difference(distance(x, x), np.zeros(2)) < 1e-12


def test_lpips_without_its_weights_says_what_to_do():
    images = jnp.zeros((1, 64, 64, 3))
    with pytest.raises(UserError, match="import-weights lpips"):
        metrics.lpips(images, images, None)
