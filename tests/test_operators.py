"""The blur operators: what they compute, their adjoints, and the way back to h."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, signal

from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.operators import Learned, Operator, Uniform
from kernel_space_jax.operators.uniform import adjoint, convolve, estimate, project

BORDERS = ("zero", "reflect", "replicate", "circular", "valid")
METHODS = ("direct", "fft")


def random(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).random(shape), jnp.float32)


def kernel(seed, *shape):
    h = np.random.default_rng(seed).random(shape, np.float32)
    return jnp.asarray(h / h.sum((-2, -1), keepdims=True))


def blur(border, method="auto"):
    return jax.jit(partial(convolve, border=border, method=method))


def relative(a, b):
    return np.linalg.norm(np.subtract(a, b)) / np.linalg.norm(b)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize(
    "size, taps", [((12, 13), (3, 3)), ((11, 12), (2, 3)), ((12, 11), (2, 2))]
)
def test_adjoint_identity(border, method, size, taps):
    @jax.jit
    def both(x, h, y):
        forward = convolve(x, h, border=border, method=method)
        y = y[:, : forward.shape[1], : forward.shape[2]]
        return forward, y, adjoint(y, h, border=border, method=method)

    x, y = random(0, 2, *size, 3) - 0.5, random(1, 2, *size, 3) - 0.5
    h = random(2, *taps) if taps == (3, 3) else random(2, 2, *taps)
    forward, y, back = map(np.asarray, both(x, h, y))
    scale = np.linalg.norm(forward) * np.linalg.norm(y)
    assert abs(np.vdot(forward, y) - np.vdot(x, back)) < 1e-5 * scale


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("taps", [(3, 3), (2, 2)])
def test_gradient_is_the_adjoint(border, taps):
    x, h = random(0, 1, 12, 13, 3), random(1, *taps)

    @jax.jit
    def both(cotangents):
        pulled, expected = [], []
        for method in METHODS:
            f = partial(convolve, h=h, border=border, method=method)
            y, pull = jax.vjp(f, x)
            cotangent = cotangents[:, : y.shape[1], : y.shape[2]]
            pulled.append(pull(cotangent)[0])
            expected.append(adjoint(cotangent, h, border=border, method=method))
        return pulled, expected

    for pulled, expected in zip(*both(random(2, *x.shape)), strict=True):
        assert relative(pulled, expected) < 1e-5


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("taps", [(3, 5), (4, 6), (1, 1)])
def test_direct_is_fft(border, taps):
    x = random(0, 2, 17, 20, 3)
    for h in (kernel(1, *taps), kernel(2, 2, *taps)):
        direct, fft = (blur(border, method)(x, h) for method in METHODS)
        np.testing.assert_allclose(direct, fft, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("border", BORDERS[:-1])
@pytest.mark.parametrize("taps", [(3, 5), (4, 6)])
def test_delta_is_the_identity(border, method, taps):
    x = random(0, 1, 11, 14, 3)
    h = jnp.zeros(taps).at[taps[0] // 2, taps[1] // 2].set(1)
    np.testing.assert_allclose(blur(border, method)(x, h), x, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("taps", [(5, 5), (3, 7)])
def test_scipy(border, method, taps):
    x, h = random(0, 1, 15, 18, 1), kernel(1, *taps)
    image, weights = np.asarray(x[0, ..., 0]), np.asarray(h)
    modes = {"reflect": "mirror", "replicate": "nearest"}
    if border in modes:
        expected = ndimage.convolve(image, weights, mode=modes[border])
    elif border == "valid":
        expected = signal.convolve2d(image, weights, "valid")
    else:
        boundary = {"zero": "fill", "circular": "wrap"}[border]
        expected = signal.convolve2d(image, weights, "same", boundary)
    np.testing.assert_allclose(
        blur(border, method)(x, h)[0, ..., 0], expected, atol=1e-5
    )


@pytest.mark.parametrize("border", BORDERS)
def test_linear_in_image_and_kernel(border):
    x, z, h, g = random(0, 1, 12, 12, 3), random(1, 1, 12, 12, 3), *random(2, 2, 5, 5)
    f = blur(border)
    np.testing.assert_allclose(f(2 * x - z, h), 2 * f(x, h) - f(z, h), atol=1e-4)
    np.testing.assert_allclose(f(x, 2 * h - g), 2 * f(x, h) - f(x, g), atol=1e-4)


def test_batch_is_its_singles():
    x, h = random(0, 3, 16, 16, 3), kernel(1, 3, 5, 5)
    f = blur("reflect")
    singles = jnp.concatenate([f(x[i : i + 1], h[i]) for i in range(3)])
    np.testing.assert_allclose(f(x, h), singles, atol=1e-6)


def test_kernel_larger_than_the_image():
    x, h = random(0, 1, 6, 7, 1), kernel(1, 17, 17)
    expected = ndimage.convolve(np.asarray(x[0, ..., 0]), np.asarray(h), mode="nearest")
    np.testing.assert_allclose(blur("replicate")(x, h)[0, ..., 0], expected, atol=1e-5)


def test_project():
    h = random(0, 5, 5) - 0.5
    near = project(h)
    assert jnp.all(near >= 0)
    np.testing.assert_allclose(jnp.sum(near), 1, atol=1e-6)
    np.testing.assert_allclose(project(near), near, atol=1e-6)
    # The nearest point: no other of the set lies at an acute angle.
    for seed in range(10):
        assert jnp.vdot(h - near, kernel(seed, 5, 5) - near) <= 1e-6


def motion(size):
    """An L of uneven weights: unlike its flip, its transpose and its mirror images."""
    h = np.zeros((size, size), np.float32)
    h[1 : size // 2 + 1, size // 3] = np.linspace(1, 3, size // 2)
    h[size // 2, size // 3 : -2] = 0.7
    return jnp.asarray(h / h.sum())


def textured(seed, *shape):
    """White noise, somewhat smoothed, as images are."""
    image = ndimage.gaussian_filter(np.asarray(random(seed, *shape)), (0, 1, 1, 0))
    return jnp.asarray(0.5 + (image - image.mean()) / image.std() / 6)


@pytest.mark.parametrize("border", ["reflect", "circular"])
def test_estimate_finds_planted_kernels(border):
    x = textured(0, 2, 128, 128, 3)
    h = jnp.stack([motion(15), jnp.flip(motion(15))])
    found = jax.jit(estimate, static_argnums=2)(x, blur(border)(x, h), 15)
    assert found.shape == h.shape
    assert jnp.all(found >= 0)
    np.testing.assert_allclose(jnp.sum(found, (1, 2)), 1, atol=1e-5)
    for f, planted in zip(found, h, strict=True):
        assert relative(f, planted) < 1e-2


@pytest.mark.parametrize("size", [0.0, 1e-8, 1e-7, 1e-6])
def test_estimate_of_next_to_nothing_is_finite(size):
    """Products of what rounding leaves of an even photo are too small for a float."""
    x = size * jax.random.uniform(jax.random.key(0), (1, 40, 40, 1))
    h = jax.jit(estimate, static_argnums=2)(x, x, 9)
    np.testing.assert_allclose(jnp.sum(h), 1, atol=1e-5)


def test_estimate_of_white_noise_in_a_larger_window():
    x, h = random(0, 1, 128, 128, 1), kernel(1, 7, 7)
    found = jax.jit(estimate, static_argnums=2)(x, blur("zero")(x, h), 15)
    assert relative(found[0], jnp.pad(h, 4)) < 1e-2


@pytest.fixture(scope="module")
def learned():
    module = KernelSpace(4, 32, front_blocks=1, back_blocks=1, code_blocks=1)
    init = partial(module.init, method="blur")
    x, k = random(0, 1, 32, 16, 3), random(1, 1, 1, 1, 32)
    # The module's own initialisation takes a minute to compile.
    shapes = jax.eval_shape(init, jax.random.key(0), x, k)
    weights = jax.tree.map(lambda w: 0.2 * random(2, *w.shape) - 0.1, shapes)
    return Learned(module, weights)


def test_learned_is_the_module(learned):
    @jax.jit
    def answers(learned, x, k):
        expected = learned.module.apply(learned.variables, x, k, method="blur")
        grey = jnp.mean(learned(jnp.repeat(x[..., :1], 3, -1), k), -1, keepdims=True)
        return learned(x, k), expected, learned(x[..., :1], k), grey

    colour, expected, grey, expected_grey = answers(
        learned, random(0, 1, 32, 16, 3), random(1, 1, 1, 1, 32)
    )
    np.testing.assert_allclose(colour, expected, atol=1e-5)
    np.testing.assert_allclose(grey, expected_grey, atol=1e-5)


def test_every_operator_has_the_face(learned):
    faces: list[tuple[Operator, jax.Array]] = [
        (Uniform(), kernel(0, 5, 5)),
        (Uniform("zero"), kernel(0, 1, 5, 5)),
        (learned, random(0, 1, 1, 1, 32)),
    ]
    x = random(1, 1, 32, 16, 3)
    for operator, k in faces:
        loss = lambda x, k, f=operator: jnp.mean(f(x, k) ** 2)
        assert jax.eval_shape(jax.jit(operator), x, k).shape == x.shape
        dx, dk = jax.eval_shape(jax.jit(jax.grad(loss, (0, 1))), x, k)
        assert (dx.shape, dk.shape) == (x.shape, k.shape)
