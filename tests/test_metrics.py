"""Scores against the original programs, scikit-image and known answers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import Golden, largest_difference
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from kernel_space_jax import metrics
from kernel_space_jax.metrics import luma

golden = Golden("metrics")
psnr = jax.jit(metrics.psnr, static_argnames="crop")
ssim = jax.jit(metrics.ssim, static_argnames=("crop", "border"))
ssim_3d = jax.jit(metrics.ssim_3d, static_argnames="crop")
FUNCTIONS = [
    metrics.psnr,
    metrics.ssim,
    metrics.ssim_3d,
    partial(metrics.ssim, border="edge"),
    partial(metrics.ssim, border="zero"),
]


def pair(index):
    return [
        jnp.asarray(golden[f"in/{name}{index}"][None], jnp.float32) / 255
        for name in "ab"
    ]


def luma_pair(index, *, bgr=False):
    return [luma(x[..., ::-1] if bgr else x) for x in pair(index)]


@pytest.fixture(scope="module")
def images():
    x, noise = jax.random.uniform(jax.random.key(0), (2, 3, 32, 28, 3))
    return x, 0.9 * x + 0.1 * noise


def recorded(score, programs, index):
    return [golden[f"out/{program}_{score}_{index}"] for program in programs]


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("crop", [0, 4])
def test_psnr_agrees_with_the_originals(index, crop):
    others = ["restormer_utils_psnr", "kernelspace_psnr", "deblurgan_psnr", "b2b_psnr"]
    others += ["nafnet_psnr_float01", "skimage_psnr_01"]
    family = ["basicsr", "nafnet", "restormer", "b2butil"]
    rgb = recorded(f"psnr_rgb_cb{crop}", [*family, "basicsr_pt"], index)
    if crop == 0:
        rgb += [golden[f"out/{name}_{index}"] for name in others]
    actual = psnr(*pair(index), crop=crop)
    assert actual.shape == (1,)
    assert np.abs(actual - np.array(rgb)).max() < 1e-4
    # The same array is BGR to the numpy programs and RGB to BasicSR's torch one.
    as_bgr = psnr(*luma_pair(index, bgr=True), crop=crop)
    as_rgb = psnr(*luma_pair(index), crop=crop)
    bgr = recorded(f"psnr_y_cb{crop}", family, index)
    assert np.abs(as_bgr - np.array(bgr)).max() < 1e-4
    assert abs(as_rgb - golden[f"out/basicsr_pt_psnr_y_cb{crop}_{index}"]) < 1e-4


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("crop", [0, 4])
def test_ssim_agrees_with_the_originals(index, crop):
    others = ["restormer_utils_ssim", "kernelspace_ssim", "nafnet_ssim_rgb_no3d"]
    others += ["skimage_ssim_gauss_01"]
    rgb = recorded(f"ssim_rgb_cb{crop}", ["basicsr", "basicsr_pt"], index)
    if crop == 0:
        rgb += [golden[f"out/{name}_{index}"] for name in others]
    actual = ssim(*pair(index), crop=crop)
    assert actual.shape == (1,)
    assert np.abs(actual - np.array(rgb)).max() < 1e-5
    as_bgr = ssim(*luma_pair(index, bgr=True), crop=crop)
    as_rgb = ssim(*luma_pair(index), crop=crop)
    assert abs(as_bgr - golden[f"out/basicsr_ssim_y_cb{crop}_{index}"]) < 1e-5
    assert abs(as_rgb - golden[f"out/basicsr_pt_ssim_y_cb{crop}_{index}"]) < 1e-5


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("crop", [0, 4])
def test_replicated_borders_agree_with_nafnet_restormer_blur2blur(index, crop):
    programs = ["nafnet", "restormer", "b2butil"]
    rgb = recorded(f"ssim_rgb_cb{crop}", programs, index)
    if crop == 0:
        rgb += [golden[f"out/b2b_ssim_{index}"]]
        rgb += [golden[f"out/nafnet_ssim_float01_{index}"]]
    actual = ssim_3d(*pair(index), crop=crop)
    assert np.abs(actual - np.array(rgb)).max() < 1e-5
    as_bgr = ssim(*luma_pair(index, bgr=True), crop=crop, border="edge")
    expected = np.array(recorded(f"ssim_y_cb{crop}", programs, index))
    assert np.abs(as_bgr - expected).max() < 1e-5


def test_zero_borders_agree_with_the_training_loss():
    recorded_loss = Golden("loss_ssim_hyperlap")
    actual = ssim(
        recorded_loss.image("in/x"), recorded_loss.image("in/y"), border="zero"
    )
    assert largest_difference(actual, recorded_loss["out/ssim_per_image"]) < 1e-5


@pytest.mark.parametrize("index", range(3))
def test_luma_agrees_with_basicsr(index):
    actual = 255 * luma(pair(index)[0][..., ::-1])
    assert largest_difference(actual[0], golden[f"out/y_of_a_{index}"]) < 1e-4


def test_psnr_of_video_frames():
    truth, prediction = (
        jnp.asarray(golden[f"in/vid_{name}01"][0]).transpose(0, 2, 3, 1)
        for name in ("gt", "pred")
    )
    in_order, reversed_order = psnr(truth, prediction), psnr(truth, prediction[::-1])
    assert largest_difference(in_order, golden["out/PSNR_frames"][0]) < 1e-4
    assert largest_difference(reversed_order, golden["out/pPSNR_frames"][0]) < 1e-4


def test_agreement_with_scikit_image(images):
    x, y = images
    for i in range(len(x)):
        a, b = np.asarray(x[i], np.float64), np.asarray(y[i], np.float64)
        decibel = peak_signal_noise_ratio(a, b, data_range=1)
        similarity = structural_similarity(
            a,
            b,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            channel_axis=-1,
        )
        assert abs(psnr(x, y)[i] - decibel) < 1e-4
        assert abs(ssim(x, y)[i] - similarity) < 1e-5


def test_psnr_by_hand():
    black = jnp.zeros((2, 8, 8, 3))
    assert np.allclose(psnr(black, black + 0.1), 20, atol=1e-5)
    assert np.all(np.isposinf(psnr(black, black)))
    assert np.all(np.isposinf(psnr(black, black.at[:, 0].set(1.0), crop=1)))


def test_psnr_is_exact_on_a_large_image():
    x, y = jax.random.uniform(jax.random.key(1), (2, 1, 720, 1280, 3))
    error = np.asarray(x, np.float64) - np.asarray(y, np.float64)
    assert abs(psnr(x, y)[0] + 10 * np.log10(np.mean(error**2))) < 1e-4


@pytest.mark.parametrize("score", FUNCTIONS[1:4])
def test_ssim_by_hand(score):
    score = jax.jit(score)
    x = jax.random.uniform(jax.random.key(2), (1, 16, 16, 3))
    assert abs(score(x, x)[0] - 1) < 1e-6
    # Of two constant images only the luminance term is left.
    a, b = jnp.full_like(x, 0.2), jnp.full_like(x, 0.7)
    expected = (2 * 0.2 * 0.7 + 1e-4) / (0.2**2 + 0.7**2 + 1e-4)
    assert abs(score(a, b)[0] - expected) < 1e-5


def test_luma_by_hand():
    colours = jnp.array([[0.0, 0, 0], [1, 1, 1], [1, 0, 0]])
    expected = np.array([16, 235, 16 + 65.481]) / 255
    assert np.allclose(luma(colours)[:, 0], expected, atol=1e-6)


@pytest.mark.parametrize("score", FUNCTIONS)
def test_jit_and_batches_change_nothing(score, images):
    x, y = images
    expected = score(x, y)
    assert expected.shape == (len(x),)
    score = jax.jit(score)
    singles = jnp.concatenate([score(x[i : i + 1], y[i : i + 1]) for i in range(3)])
    assert np.allclose(score(x, y), expected, rtol=1e-6, atol=1e-6)
    assert np.allclose(singles, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("score", FUNCTIONS[1:])
def test_gradients_are_finite_on_flat_images(score):
    gradient = jax.jit(jax.grad(lambda x, y: score(x, y).sum(), argnums=(0, 1)))
    for value in (0.0, 0.3, 1.0):
        flat = jnp.full((1, 16, 16, 3), value)
        assert np.all(np.isfinite(gradient(flat, flat)))
        assert np.all(np.isfinite(gradient(flat, 1 - flat)))
