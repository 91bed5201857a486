"""The convolution is XLA's convolution, and its three faces are one operator."""

import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import relative_error
from jax import lax

from kernel_space_jax.models.layers import (
    around,
    convolution,
    shape,
    window_mean,
    winograd,
)
from kernel_space_jax.models.layers.depthwise import depthwise

CASES = [
    # height, width, channels in, channels out, kernel, stride, pad
    (9, 12, 3, 5, 3, 1, 1),
    (9, 12, 8, 3, 3, 1, 1),
    (24, 20, 8, 3, 7, 1, 0),
    (40, 33, 4, 6, 3, 1, 0),
    (41, 38, 4, 6, 3, 2, 1),
    (40, 32, 4, 6, 4, 2, 1),
    (4, 6, 16, 8, 4, 2, 1),
    (3, 3, 8, 8, 3, 2, 1),
    (17, 23, 4, 6, 1, 1, 0),
    (17, 23, 4, 6, 1, 2, 0),
    # From few features and to few, of images that are large enough.
    (46, 47, 3, 16, 3, 1, 1),
    (48, 46, 1, 17, 7, 1, 3),
    (46, 47, 16, 3, 5, 1, 2),
    (49, 47, 17, 2, 3, 1, 0),
    # Wide enough for the products of `winograd`.
    (22, 33, 32, 40, 3, 1, 1),
    (24, 26, 33, 32, 3, 1, 0),
    (18, 30, 64, 66, 5, 1, 2),
]


def stock(x, w, stride, pad):
    return lax.conv_general_dilated(
        x,
        w,
        (stride, stride),
        ((pad, pad), (pad, pad)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_those_of_xla(case):
    height, width, channels, features, k, stride, pad = case
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (2, height, width, channels))
    w = jax.random.normal(keys[1], (k, k, channels, features))

    expected, pull_expected = jax.vjp(lambda x, w: stock(x, w, stride, pad), x, w)
    actual, pull = jax.vjp(lambda x, w: convolution.convolve(x, w, stride, pad), x, w)
    cotangent = jax.random.normal(keys[2], expected.shape)
    tolerance = 3e-5 if k == 5 else 1e-5
    assert relative_error(actual, expected) < tolerance
    for a, e in zip(pull(cotangent), pull_expected(cotangent), strict=True):
        assert relative_error(a, e) < tolerance


def stock_transposed(y, w, stride, pad, size):
    x = jnp.zeros((len(y), *size, w.shape[2]))
    return jax.vjp(lambda x: stock(x, w, stride, pad), x)[1](y)[0]


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_the_gradient_of_a_gradient_is_that_of_xla(case, transposed):
    """As of a gradient penalty: of the norm of dy/dx with respect to x and w.

    Its convolutions are those written out, none that autodiff derives.
    """
    height, width, channels, features, k, stride, pad = case
    keys = jax.random.split(jax.random.key(0), 2)
    x = jax.random.normal(keys[0], (2, height, width, channels))
    w = jax.random.normal(keys[1], (k, k, channels, features)) / (k * channels**0.5)
    options = (stride, pad)
    functions = stock, convolution.convolve
    if transposed:
        x, options = stock(x, w, stride, pad), (stride, pad, (height, width))
        functions = stock_transposed, convolution.convolve_transposed

    def penalty(convolve, x, w):
        total = lambda x: jnp.sum(jnp.sin(convolve(x, w, *options)))
        return jnp.linalg.norm(jax.grad(total)(x))

    derive = jax.jit(jax.grad(penalty, (1, 2)), static_argnums=0)
    ways, ways_of_ours = (
        set(re.findall(r"Conv\w+\(.*?\)\)", str(jax.make_jaxpr(derive, 0)(f, x, w))))
        for f in functions
    )
    assert len(ways) > 1 >= len(ways_of_ours)
    found = derive(functions[1], x, w)
    # XLA's own rounding is as large as ours: only double precision judges.
    with jax.enable_x64(True):
        double = [np.asarray(array, np.float64) for array in (x, w)]
        expected = derive(functions[0], *double)
    tolerance = 3e-5 if k == 5 else 1e-5
    for a, e in zip(found, expected, strict=True):
        assert relative_error(a, e) < tolerance


@pytest.mark.parametrize("case", CASES)
def test_transposed_is_the_adjoint_with_the_adjoints_gradients(case):
    height, width, channels, features, k, stride, pad = case
    keys = jax.random.split(jax.random.key(1), 4)
    x = jax.random.normal(keys[0], (2, height, width, channels))
    w = jax.random.normal(keys[1], (k, k, channels, features))
    forward = convolution.convolve(x, w, stride, pad)
    y = jax.random.normal(keys[2], forward.shape)

    transposed = lambda y, w: convolution.convolve_transposed(  # noqa: E731
        y, w, stride, pad, (height, width)
    )
    expected = lambda y, w: stock_transposed(y, w, stride, pad, (height, width))  # noqa: E731
    back, pull = jax.vjp(transposed, y, w)
    assert abs(jnp.vdot(forward, y) - jnp.vdot(x, back)) < 1e-4 * jnp.sqrt(
        jnp.vdot(forward, forward) * jnp.vdot(y, y)
    )
    expected_back, pull_expected = jax.vjp(expected, y, w)
    assert relative_error(back, expected_back) < 1e-5
    for a, e in zip(pull(x), pull_expected(x), strict=True):
        assert relative_error(a, e) < 1e-5


def test_mapped_over_weights_of_each_example():
    keys = jax.random.split(jax.random.key(2), 2)
    x = jax.random.normal(keys[0], (3, 1, 12, 10, 4))
    w = jax.random.normal(keys[1], (3, 3, 3, 4, 5))
    loss = lambda x, w: jnp.sum(convolution.convolve(x, w, 1, 1) ** 2)  # noqa: E731
    together = jax.vmap(jax.grad(loss, (0, 1)))(x, w)
    for i, j in itertools.product(range(3), range(2)):
        alone = jax.grad(loss, (0, 1))(x[i], w[i])
        np.testing.assert_allclose(together[j][i], alone[j], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("together", [4, 10**6])
@pytest.mark.parametrize(("k", "tolerance"), [(3, 1e-5), (5, 3e-5)])
def test_fewer_products_are_enough(together, k, tolerance, monkeypatch):
    """Whole or in strips of tiles, under padding that is not the same on all sides."""
    monkeypatch.setattr(winograd, "TOGETHER", together)
    keys = jax.random.split(jax.random.key(3), 3)
    x = jax.random.normal(keys[0], (2, 21, 30, 5))
    w = jax.random.normal(keys[1], (k, k, 5, 7))
    options = {"window_strides": (1, 1), "dimension_numbers": convolution.LAYOUT}
    for pads in ((0, 0), (0, 0)), ((2, 1), (-1, 3)), ((1, 1), (1, 1)):
        expected = lax.conv_general_dilated(x, w, padding=pads, **options)
        found = jax.jit(lambda x, w, pads=pads: winograd.correlate(x, w, pads))(x, w)
        assert found.shape == expected.shape
        assert relative_error(found, expected) < tolerance
    y = jax.random.normal(keys[2], expected.shape)
    _, pull = jax.vjp(lambda w: stock(x, w, 1, 1), w)
    found = jax.jit(lambda x, y: winograd.weight_gradient(x, y, k, 1))(x, y)
    assert relative_error(found, pull(y)[0]) < tolerance


def test_it_is_taken_where_it_pays():
    image = jnp.zeros((1, 64, 64, 64))
    assert winograd.pays(image, (3, 3), 32, (64, 64))
    assert winograd.pays(image, (5, 5), 64, (64, 64))
    for x, kernel, features, size in (
        (image, (5, 5), 32, (64, 64)),
        (image, (7, 7), 64, (64, 64)),
        (image, (3, 3), 16, (64, 64)),
        (image.astype(jnp.bfloat16), (3, 3), 64, (64, 64)),
        (image[:, :8, :8], (3, 3), 64, (8, 8)),
    ):
        assert not winograd.pays(x, kernel, features, size)


@pytest.mark.parametrize("k", [3, 5])
def test_depthwise_is_the_grouped_convolution_of_xla(k):
    keys = jax.random.split(jax.random.key(4), 3)
    x = jax.random.normal(keys[0], (2, 7, 10, 6))
    w = jax.random.normal(keys[1], (k, k, 1, 6))
    pad = ((k - 1) // 2,) * 2
    grouped = lambda x, w: lax.conv_general_dilated(
        x,
        w,
        (1, 1),
        (pad, pad),
        dimension_numbers=convolution.LAYOUT,
        feature_group_count=6,
    )
    expected, pull_expected = jax.vjp(grouped, x, w)
    found, pull = jax.vjp(depthwise, x, w)
    assert relative_error(found, expected) < 1e-6
    g = jax.random.normal(keys[2], x.shape)
    for a, e in zip(pull(g), pull_expected(g), strict=True):
        assert relative_error(a, e) < 1e-6


def test_depthwise_in_half_precision_sums_its_gradient_in_single():
    keys = jax.random.split(jax.random.key(5), 3)
    x, g = (jax.random.normal(key, (1, 40, 40, 4), jnp.bfloat16) for key in keys[:2])
    w = jax.random.normal(keys[2], (3, 3, 1, 4), jnp.bfloat16)
    gradient = lambda *arrays: jax.vjp(depthwise, *arrays[:2])[1](arrays[2])[1]
    found = gradient(x, w, g)
    assert found.dtype == jnp.bfloat16
    wide = gradient(*(array.astype(jnp.float32) for array in (x, w, g)))
    assert relative_error(found.astype(jnp.float32), wide) < 1e-2


@pytest.mark.parametrize("window", [0, 1, 4, 7, 11, 30])
def test_window_means_are_those_of_the_nearest_whole_window(window):
    x = np.random.default_rng(0).random((2, 9, 14, 3), np.float32)
    height, width = (min(window or n, n) for n in x.shape[1:3])
    expected = np.empty_like(x)
    for i, j in np.ndindex(9, 14):
        top = np.clip(i - (height - 1) // 2, 0, 9 - height)
        left = np.clip(j - (width - 1) // 2, 0, 14 - width)
        seen = x[:, top : top + height, left : left + width]
        expected[:, i, j] = seen.mean((1, 2))
    found = around(window_mean(jnp.asarray(x), window), (9, 14))
    np.testing.assert_allclose(np.broadcast_to(found, x.shape), expected, atol=1e-6)


def test_running_sums_are_differences_of_cumulative_sums():
    x = jax.random.normal(jax.random.key(6), (2, 12, 9, 3))
    for axis, size in ((1, 5), (2, 9), (2, 1)):
        running = jax.vjp(lambda x: shape._running_sums(x, axis, size), x)  # noqa: B023
        other = jax.vjp(lambda x: shape._sum_differences(x, axis, size), x)  # noqa: B023
        np.testing.assert_allclose(running[0], other[0], atol=1e-5)
        g = jax.random.normal(jax.random.key(7), other[0].shape)
        np.testing.assert_allclose(running[1](g)[0], other[1](g)[0], atol=1e-5)
