"""JPEG and resizing against Pillow's own; Gaussian kernels by their moments."""

from functools import partial
from io import BytesIO

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from kernel_space_jax import synthesis
from kernel_space_jax.metrics import psnr
from kernel_space_jax.synthesis import degrade, gaussian_kernel

jpeg = jax.jit(synthesis.jpeg)
resample = jax.jit(synthesis.resample)


@pytest.fixture(scope="module")
def x():
    """A picture with edges, slopes, texture and colour, of sides no block divides."""
    rng = np.random.default_rng(0)
    coarse = ndimage.gaussian_filter(rng.random((70, 93, 3)), (4, 4, 0))
    coarse = (coarse - coarse.min()) / (coarse.max() - coarse.min())
    coarse[20:50, 30:60] = coarse[20:50, 30:60, ::-1] > 0.5
    noisy = coarse + 0.02 * rng.normal(size=coarse.shape)
    return (np.clip(noisy, 0, 1) * 255).round().astype(np.uint8).astype(
        np.float32
    ) / 255


def pillow_jpeg(x, quality):
    file = BytesIO()
    Image.fromarray((x * 255).round().astype(np.uint8)).save(
        file, "JPEG", quality=quality
    )
    return np.asarray(Image.open(file), np.float32) / 255


def score(a, b):
    return float(psnr(jnp.asarray(a)[None], jnp.asarray(b)[None])[0])


def test_jpeg_is_pillows(x):
    scores = []
    for quality in (5, 20, 50, 75, 90, 100):
        ours, theirs = jpeg(x, quality), pillow_jpeg(x, quality)
        scores.append(score(ours, x))
        assert abs(scores[-1] - score(theirs, x)) < 0.2
        # And the pictures, not only the scores.
        assert score(ours, theirs) > scores[-1] + 5 or score(ours, theirs) > 45
    assert scores == sorted(scores)


@pytest.mark.parametrize("cubic", [False, True])
def test_resizing_is_pillows(x, cubic):
    method = Image.Resampling.BICUBIC if cubic else Image.Resampling.BILINEAR
    for scale in (0.5, 0.73, 0.9):
        height, width = (round(side * scale) for side in x.shape[:2])

        def there_and_back(plane, small=(width, height)):
            image = Image.fromarray(plane).resize(small, method)
            return np.asarray(image.resize(plane.shape[::-1], method))

        expected = np.stack([there_and_back(x[..., i]) for i in range(3)], -1)
        assert np.abs(resample(x, scale, cubic=cubic) - expected).max() < 5e-5
    assert np.abs(resample(x, 1.0, cubic=cubic) - x).max() < 1e-6


def covariance(h):
    place = np.arange(len(h)) - len(h) // 2
    y, x = np.meshgrid(place, place, indexing="ij")
    return np.array([[(h * a * b).sum() for a in (y, x)] for b in (y, x)])


def test_gaussian_kernels():
    keys = jax.random.split(jax.random.key(0), 32)
    kernels = np.asarray(jax.jit(jax.vmap(gaussian_kernel))(keys), np.float64)
    assert kernels.shape == (32, 21, 21) and kernels.min() >= 0
    assert np.abs(kernels.sum((1, 2)) - 1).max() < 1e-6
    # Symmetric about the middle, and so centred.
    assert np.abs(kernels - kernels[:, ::-1, ::-1]).max() < 1e-6
    sizes = {int((h[:, 10] > 0).sum()) for h in kernels}
    assert min(sizes) == 7 and max(sizes) == 21
    assert all(size % 2 for size in sizes)


def test_axes_are_variances():
    draw = jax.jit(partial(gaussian_kernel, sizes=(41, 41), axes=(2.0, 9.0)))
    for key in jax.random.split(jax.random.key(1), 8):
        small, large = np.linalg.eigvalsh(covariance(np.asarray(draw(key), np.float64)))
        assert 1.99 < small < large < 9.01
    h = gaussian_kernel(jax.random.key(2), sizes=(41, 41), width=(2.0, 2.0), axes=None)
    assert np.abs(covariance(np.asarray(h, np.float64)) - 4 * np.eye(2)).max() < 1e-2


def test_degrading_takes_away(x):
    run = jax.jit(jax.vmap(degrade, in_axes=(0, None)))
    ys = np.asarray(run(jax.random.split(jax.random.key(3), 6), x))
    assert ys.shape == (6, *x.shape)
    assert 0 <= ys.min() and ys.max() <= 1
    scores = [score(y, x) for y in ys]
    assert 10 < min(scores) and max(scores) < 35
    # Each otherwise, but the light stays.
    assert len(set(scores)) == 6
    assert np.abs(ys.mean((1, 2, 3)) - x.mean()).max() < 0.02
