"""Scenes whose objects move apart, against their ground truth."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kernel_space_jax.synthesis import blur_masks, dead_leaves, random_masks, scene

SIZE = (56, 64)
SILENT = {"photon": 0.0, "read": 0.0}

compiled = jax.jit(scene, static_argnames=("size", "objects"))
make = partial(compiled, size=17)


@pytest.fixture(scope="module")
def x():
    return jax.jit(partial(dead_leaves, size=SIZE))(jax.random.key(0))


@pytest.fixture(scope="module")
def silent(x):
    return make(jax.random.key(1), x, brightness=2.0, **SILENT)


def test_the_truth_reblurs_the_sharp_photo(silent):
    """y_i = clip(sum_a k_i[a] light[i - a])^(1/2.2), k_i = sum_b m_b(i) h_b."""
    x, y, kernels, masks = (np.asarray(part, np.float64) for part in silent)
    reach = kernels.shape[-1] // 2
    light = np.pad(x**2.2, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    assert light.max() > 1  # there is saturation to survive
    k = np.einsum("hwb,bij->hwij", masks, kernels)
    # windows[h, w, c, a, b] = light[h + a - reach, w + b - reach, c]
    windows = np.lib.stride_tricks.sliding_window_view(light, k.shape[2:], (0, 1))
    gathered = np.einsum("hwcij,hwij->hwc", windows, k[:, :, ::-1, ::-1])
    # Photos of black are infinitely steep in light: compare what is seen.
    expected = np.clip(gathered, 0, 1) ** (1 / 2.2)
    assert np.abs(expected - y).max() < 1e-5
    assert np.abs(masks.sum(-1) - 1).max() < 1e-6
    assert masks.min() >= 0
    # The objects do move apart.
    assert np.abs(kernels[0] - kernels[1]).sum() > 0.1
    assert len(kernels) == 4


def test_a_batch_is_its_scenes(x, silent):
    keys = jax.random.split(jax.random.key(1), 1)
    options = {"size": 17, "brightness": 2.0, **SILENT}
    batch = jax.jit(jax.vmap(lambda key: scene(key, x, **options)))(keys)
    alone = make(keys[0], x, brightness=2.0, **SILENT)
    for one, many in zip(alone, batch, strict=True):
        assert np.abs(one - many[0]).max() < 1e-4
    assert np.abs(alone.y - silent.y).max() > 1e-2


def test_one_pixel_kernels_are_the_identity(x):
    same = compiled(jax.random.key(2), x, size=1, brightness=0.0, **SILENT)
    assert np.abs(same.x - x).max() < 1e-5
    assert np.abs(same.y - x).max() < 2e-4
    assert np.abs(same.kernels - 1).max() < 1e-6


def test_brightness_saturates(x):
    for key in jax.random.split(jax.random.key(3), 4):
        bright = make(key, x, brightness=2.0, **SILENT)
        gain = (np.asarray(bright.x) ** 2.2).sum() / (np.asarray(x) ** 2.2).sum()
        assert 1 < gain < 3
        assert bright.y.max() <= 1


def test_noise_is_what_was_asked_for(x):
    asked = {"photon": 4e-4, "read": 1e-4}
    for key in jax.random.split(jax.random.key(4), 2):
        clean, noisy = (
            np.asarray(make(key, x, brightness=0.0, **noise).y, np.float64) ** 2.2
            for noise in (SILENT, asked)
        )
        seen = (clean > 0.1) & (clean < 0.85)
        deviation = np.sqrt(asked["photon"] * clean + asked["read"])
        error = ((noisy - clean) / deviation)[seen]
        assert abs(error.mean()) < 0.05
        assert abs(error.std() - 1) < 0.05


def test_masks_that_are_given(x):
    left = (jnp.arange(SIZE[1]) < 32)[None, :, None] * jnp.ones((*SIZE, 1))
    given = jnp.concatenate([left, 1 - left], -1)
    seen = compiled(jax.random.key(5), x, given, size=9)
    assert seen.kernels.shape == (2, 9, 9)
    # Further from the edge than the kernels reach there is one object.
    assert np.abs(seen.masks[:, :28] - given[:, :28]).max() < 1e-6
    assert np.abs(seen.masks[:, 36:] - given[:, 36:]).max() < 1e-6


def test_uncovered_ground_is_somebodys():
    """Two halves that move apart leave a gap that no kernel's mask reaches."""
    left = jnp.zeros((9, 24)).at[:, :12].set(1)
    h = jnp.zeros((2, 9, 9)).at[0, 4, 1].set(1).at[1, 4, 7].set(1)
    masks = jax.jit(blur_masks)(jnp.stack([left, 1 - left], -1), h)
    assert np.isfinite(masks).all()
    assert np.abs(masks.sum(-1) - 1).max() < 1e-6
    assert masks[4, 11, 0] > 0.999 and masks[4, 12, 1] > 0.999


def test_random_masks():
    keys = jax.random.split(jax.random.key(6), 16)
    masks = np.asarray(jax.jit(jax.vmap(lambda k: random_masks(k, SIZE, 3)))(keys))
    assert masks.shape == (16, *SIZE, 4)
    assert masks.min() >= 0
    assert np.abs(masks.sum(-1) - 1).max() < 1e-6
    shares = masks.mean((0, 1, 2))
    # Neither does the background fill the picture, nor an object.
    assert 0.3 < shares[0] < 0.8 and shares[1:].min() > 0.03
    # Edges are smooth, and thin.
    assert 0.005 < ((masks > 0.01) & (masks < 0.99)).mean() < 0.1
    assert (random_masks(keys[0], SIZE, 0) == np.ones((*SIZE, 1))).all()
