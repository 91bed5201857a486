"""Loss terms against the original programs and known answers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import Golden, relative_error

from kernel_space_jax.losses import (
    charbonnier,
    code_norm,
    hyper_laplacian,
    kl,
    structural,
)
from kernel_space_jax.losses.pixel import edges, frequency

golden = Golden("loss_ssim_hyperlap")
PAIRS = [charbonnier, structural, kl]
SINGLES = [hyper_laplacian, code_norm]
SUMS = [charbonnier, kl, code_norm]
MEANS = [structural, hyper_laplacian]


@pytest.fixture(scope="module")
def images():
    return jax.random.uniform(jax.random.key(0), (2, 3, 24, 20, 3))


def call(loss, x, y):
    return loss(x) if loss in SINGLES else loss(x, y)


jitted = jax.jit(call, static_argnums=0)
gradients = jax.jit(jax.grad(call, argnums=(1, 2)), static_argnums=0)


def test_values_agree_with_the_originals():
    x, y = golden.image("in/x"), golden.image("in/y")
    assert relative_error(jitted(structural, x, y), 1 - golden["out/ssim"]) < 3e-5
    assert relative_error(jitted(hyper_laplacian, x, y), golden["out/hyperlap"]) < 1e-6
    assert relative_error(code_norm(golden.image("in/k")), golden["out/norm_k"]) < 1e-6


def test_the_spectrum_of_known_images():
    """A constant is one term, 6 x 8 c; a wave of 3 columns in 8 two, 24 each, real."""
    y = jnp.full((2, 6, 8, 3), 0.5)
    assert frequency(y, y) == 0
    np.testing.assert_allclose(frequency(y + 0.25, y), 0.25 / 2, rtol=1e-6)
    wave = jnp.cos(2 * jnp.pi * 3 * jnp.arange(8) / 8)[:, None]
    np.testing.assert_allclose(frequency(y + wave, y), 1 / 2, rtol=1e-5)
    # Quarter of a wave later the terms are imaginary.
    np.testing.assert_allclose(frequency(y + jnp.roll(wave, 2, 0), y), 1 / 2, rtol=1e-5)


def test_edges_of_known_images():
    """A slope of a in each column is one of 2a and of 4a at the coarser scales."""
    y = jax.random.uniform(jax.random.key(1), (2, 16, 24, 3))
    np.testing.assert_allclose(edges(y + 0.25, y), 0, atol=1e-6)
    slope = 0.01 * jnp.arange(24)[:, None]
    np.testing.assert_allclose(edges(y + slope, y), 0.07 / 3, rtol=1e-4)
    np.testing.assert_allclose(edges(y - slope, y, scales=1), 0.01, rtol=1e-4)
    rows = slope[:16, None] + 2 * slope
    np.testing.assert_allclose(edges(y, y + rows), 3 * 0.07 / 3, rtol=1e-4)
    # Each other pixel: nothing of it is left in the means.
    board = (-1.0) ** (jnp.arange(16)[:, None] + jnp.arange(24))[..., None]
    np.testing.assert_allclose(edges(y + 0.1 * board, y), 0.4 / 3, rtol=1e-4)


def test_gradients_agree_with_the_originals():
    # The recorded float32 gradients are themselves 3e-4 and 4e-4 from float64 ones.
    x, y = golden.image("in/x"), golden.image("in/y")
    expected = golden.image("out/hyperlap_grad")
    assert relative_error(gradients(hyper_laplacian, x, y)[0], expected) < 5e-4
    expected = golden.image("out/one_minus_ssim_grad")
    assert relative_error(gradients(structural, x, y)[0], expected) < 5e-4


@pytest.mark.parametrize(
    ("loss", "tolerance"), [(hyper_laplacian, 1e-5), (structural, 2e-4)]
)
def test_gradients_agree_with_float64(loss, tolerance):
    x, y = golden.image("in/x"), golden.image("in/y")
    actual = gradients(loss, x, y)[0]
    with jax.enable_x64(True):
        wide = [jnp.asarray(np.asarray(image), jnp.float64) for image in (x, y)]
        expected = gradients(loss, *wide)[0]
    assert expected.dtype == np.float64
    assert relative_error(actual, expected) < tolerance


def test_charbonnier_by_hand():
    x = jnp.zeros((2, 4, 5, 3))
    assert np.isclose(charbonnier(x, x), 120 * 1e-3)
    assert np.isclose(charbonnier(x, x + 3, epsilon=16.0), 120 * 5)


def test_structural_of_equal_images_is_zero(images):
    assert abs(jitted(structural, images[0], images[0])) < 1e-6


def test_hyper_laplacian_by_hand():
    # A ramp of slope 0.1 in three channels: the Sobel response is 8 * 0.1 * 3 inside.
    ramp = jnp.broadcast_to(0.1 * jnp.arange(3.0)[None, None, :, None], (1, 3, 3, 3))
    padded = np.pad(0.3 * np.arange(3.0) * np.ones((3, 1)), 1)
    smooth, slope = np.array([1, 2, 1]), np.array([-1, 0, 1])
    total = 0.0
    for i in range(3):
        for j in range(3):
            patch = padded[i : i + 3, j : j + 3]
            squares = (smooth @ patch @ slope) ** 2 + (slope @ patch @ smooth) ** 2
            total += (squares + 1e-6) ** 0.4 / 9
    assert np.isclose(padded[1:4, 1:4][1] @ slope * 4, 2.4)
    assert np.isclose(hyper_laplacian(ramp, alpha=0.8), total)
    assert np.isclose(hyper_laplacian(jnp.zeros((1, 8, 8, 3))), 1e-6**0.33)


def test_code_norm_by_hand():
    code = jnp.zeros((2, 2, 2, 8)).at[0, 0, 0, 0].set(3).at[0, 1, 1, 7].set(-4)
    value, gradient = jax.value_and_grad(code_norm)(code)
    assert np.isclose(value, 5)
    assert np.allclose(gradient, code / 5)
    assert np.all(jax.grad(code_norm)(jnp.zeros_like(code)) == 0)


def test_kl_by_hand():
    mean, sigma = jnp.zeros((1, 2, 2, 4)), jnp.ones((1, 2, 2, 4))
    assert abs(kl(mean, sigma)) < 1e-4
    assert np.isclose(kl(mean + 2, -sigma), 10 * 16 * 4)
    expected = 3 * 16 * (4 - np.log(4) - 1)
    assert np.isclose(kl(mean, 2 * sigma, weight=3.0), expected)
    assert np.isfinite(kl(mean, mean))


@pytest.mark.parametrize("loss", PAIRS + SINGLES)
def test_jit_changes_nothing(loss, images):
    expected = call(loss, *images)
    assert expected.shape == ()
    actual = jitted(loss, *images)
    assert np.isclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("loss", SUMS + MEANS)
def test_a_batch_is_the_sum_or_the_mean_of_its_images(loss, images):
    x, y = images
    singles = [jitted(loss, x[i : i + 1], y[i : i + 1]) for i in range(len(x))]
    expected = np.sum(singles) if loss in SUMS else np.mean(singles)
    assert np.isclose(jitted(loss, x, y), expected, rtol=1e-5)


@pytest.mark.parametrize("loss", PAIRS + SINGLES)
def test_gradients_are_finite_on_flat_images(loss):
    for value in (0.0, 0.3, 1.0):
        flat = jnp.full((1, 16, 16, 3), value)
        for other in (flat, 1 - flat):
            assert np.all(np.isfinite(gradients(loss, flat, other)))
