"""Restoration with a known kernel: the border, the batch, colour and odd inputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kernel_space_jax.metrics import psnr
from kernel_space_jax.operators.uniform import convolve
from kernel_space_jax.solvers.canvas import (
    canvas,
    difference,
    difference_adjoint,
    difference_power,
)
from kernel_space_jax.solvers.uniform.non_blind import noise_level, restore, wiener


def scene(seed, height, width, channels=1):
    """Discs and boxes of random grey on a ramp: (1, height, width, channels)."""
    rng = np.random.default_rng(seed)
    down, right = np.mgrid[:height, :width].astype(np.float32)
    image = np.repeat((0.3 + 0.2 * right / width)[..., None], channels, -1)
    for _ in range(30):
        y, x = rng.uniform(0, height), rng.uniform(0, width)
        radius = rng.uniform(3, 20)
        square = max if rng.random() < 0.5 else lambda a, b: a + b
        inside = (np.vectorize(square)(abs(down - y), abs(right - x))) < radius
        image[inside] = rng.uniform(0.05, 0.95, channels)
    return jnp.asarray(image, jnp.float32)[None]


def shake(seed, size):
    """A kernel (size, size) along a random path."""
    rng = np.random.default_rng(seed)
    path = np.cumsum(np.cumsum(rng.normal(size=(200, 2)), 0), 0)
    path -= path.min(0)
    path *= (size - 1) / path.max()
    h = np.zeros((size, size), np.float32)
    np.add.at(h, tuple(np.rint(path).astype(int).T), 1)
    return jnp.asarray(h / h.sum())


def blurred(x, h, noise=0.0):
    """What is seen of x through h: the pixels whose neighbours are all known."""
    y = convolve(x, h, border="valid")
    rows, columns = (k // 2 for k in h.shape)
    inner = x[:, rows : rows + y.shape[1], columns : columns + y.shape[2]]
    return inner, y + noise * jax.random.normal(jax.random.key(0), y.shape)


@pytest.mark.parametrize("name", ["x", "y", "xx", "yy", "xy"])
def test_difference(name):
    x, u = jax.random.normal(jax.random.key(1), (2, 12, 15))
    left = jnp.vdot(difference(x, name), u)
    np.testing.assert_allclose(left, jnp.vdot(x, difference_adjoint(u, name)), 1e-4)
    both = jnp.fft.rfft2(difference_adjoint(difference(x, name), name))
    expected = difference_power((12, 15), name) * jnp.fft.rfft2(x)
    np.testing.assert_allclose(both, expected, atol=1e-4)


@pytest.mark.parametrize("kernel", [(5, 5), (4, 7), (1, 1)])
def test_on_the_canvas_blur_is_the_operator(kernel):
    """The photo sees no pixel that the circle brought round."""
    h = jax.random.uniform(jax.random.key(2), kernel)
    x = jax.random.uniform(jax.random.key(3), (23, 30))
    domain = canvas((23, 30), kernel)
    x = jax.random.uniform(jax.random.key(3), domain.size)
    y = domain.inverse(domain.kernel(h) * domain.transform(x))
    expected = convolve(x[None, ..., None], h, border="zero")[0, ..., 0]
    np.testing.assert_allclose(domain.cut(y), domain.cut(expected), atol=1e-5)
    assert domain.mask().sum() == 23 * 30


def test_restores_to_the_edge():
    """Far better than the photo over all, and nearly perfect away from its edge."""
    x, y = blurred(scene(0, 100, 90), shake(0, 11), noise=0.003)
    restored = restore(y, shake(0, 11))
    assert restored.shape == y.shape
    assert psnr(restored, x)[0] > psnr(y, x)[0] + 10
    inner = (slice(None), slice(10, -10), slice(10, -10))
    assert psnr(restored[inner], x[inner])[0] > 38


def test_noise_is_not_brought_up():
    x, y = blurred(scene(1, 100, 90), shake(1, 11), noise=0.03)
    assert psnr(restore(y, shake(1, 11)), x)[0] > psnr(y, x)[0] + 2
    np.testing.assert_allclose(noise_level(y), 0.03, rtol=0.2)


def test_a_batch_with_its_own_kernels_is_each_alone():
    pairs = [blurred(scene(i, 100, 90, 3), shake(i, 11)) for i in range(2)]
    y = jnp.concatenate([y for _, y in pairs])
    h = jnp.stack([shake(i, 11) for i in range(2)])
    together = restore(y, h)
    for i in range(2):
        alone = restore(y[i : i + 1, ..., 1:2], h[i])
        np.testing.assert_allclose(together[i, ..., 1], alone[0, ..., 0], atol=1e-3)


@pytest.mark.parametrize("size", [(16, 16), (17, 40)])
def test_odd_inputs_stay_finite(size):
    drawn = jax.random.normal(jax.random.key(0), (1, *size, 1))
    constant = jnp.full_like(drawn, 0.5)
    saturated = jnp.where(drawn > 0, 1.0, 0.9)
    photos = [constant, jnp.zeros_like(drawn), saturated, drawn]
    restored = restore(jnp.concatenate(photos), shake(0, 15))
    assert jnp.isfinite(restored).all()
    np.testing.assert_allclose(restored[:1], constant, atol=1e-3)


def test_nothing_to_undo():
    """A sharp photo under a kernel of one tap comes back."""
    x = scene(3, 90, 101, 3)
    assert psnr(restore(x, jnp.ones((1, 1))), x)[0] > 40


def test_wiener_weighs_noise_against_blur():
    """Better than plain division, which noise drowns, and than nothing."""
    x = scene(5, 96, 112, 3)
    h = shake(2, 7)
    inner, y = blurred(x, h, 0.01)
    gains = [
        float(psnr(jnp.clip(wiener(y, h, noise=n), 0, 1), inner)[0])
        for n in (0.01, 1e-5)
    ]
    assert gains[0] > max(gains[1], float(psnr(y, inner)[0])) + 1


def test_wiener_of_a_delta_is_the_photo():
    x = scene(6, 40, 52)
    delta = jnp.zeros((5, 5)).at[2, 2].set(1)
    np.testing.assert_allclose(wiener(x, delta, noise=1e-6), x, atol=1e-4)
