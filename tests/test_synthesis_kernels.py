"""Camera shakes, the kernels that they draw, and uniform blur."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kernel_space_jax import UserError, synthesis
from kernel_space_jax.synthesis import shake_trajectory as shake

blur_uniform = jax.jit(synthesis.blur_uniform)
draw_kernel = jax.jit(synthesis.draw_kernel, static_argnames="size")
shake_kernel = jax.jit(synthesis.shake_kernel, static_argnames="size")


def centre_of_mass(h):
    place = np.arange(h.shape[-1]) - h.shape[-1] // 2
    return np.array([h.sum(-1) @ place, h.sum(-2) @ place])


def check_kernel(h, size):
    h = np.asarray(h, np.float64)
    assert h.shape == (size, size)
    assert h.min() >= 0
    assert abs(h.sum() - 1) < 1e-6
    assert np.abs(centre_of_mass(h)).max() < 2e-5 * size


@pytest.fixture(scope="module")
def paths():
    keys = jax.random.split(jax.random.key(0), 8)
    return jax.jit(jax.vmap(shake))(keys)


def test_a_shake_has_constant_speed_and_the_length_asked_for(paths):
    steps = np.linalg.norm(np.diff(paths, axis=1), axis=-1)
    assert np.abs(steps - 60 / 1999).max() < 1e-5
    # No two alike.
    ends = np.asarray(paths[:, -1])
    assert len(np.unique(ends.round(3), axis=0)) == len(ends)


def test_a_calm_hand_moves_straight():
    path = np.asarray(shake(jax.random.key(1), anxiety=0.0, length=20.0, steps=101))
    chord = np.linalg.norm(path[-1] - path[0])
    assert abs(chord - 20) < 1e-3


def test_what_shakes_the_hand():
    """The pull keeps the path near its start; tremor and jerks make it wind."""

    @jax.jit
    def mean(**force):
        keys = jax.random.split(jax.random.key(2), 32)
        paths = jax.vmap(lambda key: shake(key, anxiety=0.05, **force))(keys)
        return jnp.linalg.norm(paths - paths.mean(1, keepdims=True), axis=-1).mean()

    calm = mean(tremor=0.0, abrupt=0.0, centripetal=0.0)
    assert abs(calm - 15) < 0.1  # a straight line of 60 px
    assert mean(tremor=0.0, abrupt=0.0, centripetal=40.0) < 0.8 * calm
    assert mean(tremor=10.0, abrupt=0.0, centripetal=0.0) < 0.7 * calm
    assert mean(tremor=0.0, abrupt=0.2, centripetal=0.0) < 0.7 * calm


def test_kernels_of_every_size(paths):
    weights = (jnp.arange(2000) < 1500).astype(jnp.float32)
    for size in (5, 7, 17, 33, 65):
        for path in paths:
            check_kernel(draw_kernel(path * size / 64, weights, size=size), size)


def test_shake_kernels():
    size = 33
    keys = jax.random.split(jax.random.key(3), 16)
    kernels = jax.jit(jax.vmap(partial(synthesis.shake_kernel, size=size)))(keys)
    for h in kernels:
        check_kernel(h, size)
    # Some short, some long.
    widths = [int((h.sum(0) > 0).sum()) for h in np.asarray(kernels)]
    assert min(widths) < size / 2 <= max(widths) + 2


def test_time_spent_becomes_weight():
    path = jnp.array([[0.0, 0.0], [0.0, 3.0], [1.5, 0.0]])
    h = np.asarray(draw_kernel(path, jnp.array([2.0, 1.0, 0.0]), size=7))
    expected = np.zeros((7, 7))
    # The centre of mass is one pixel to the right of the first place.
    expected[3, 2], expected[3, 5] = 2 / 3, 1 / 3
    assert np.abs(h - expected).max() < 1e-6
    between = draw_kernel(jnp.array([[0.0, 0.0], [0.0, 1.0]]), jnp.ones(2), size=3)
    assert np.abs(between[1] - np.array([0.25, 0.5, 0.25])).max() < 1e-6


def test_a_path_too_long_is_shrunk():
    path = jnp.array([[0.0, -30.0], [0.0, 30.0]])
    h = np.asarray(draw_kernel(path, jnp.ones(2), size=5))
    assert np.abs(h[2] - [0.5, 0, 0, 0, 0.5]).max() < 1e-6


def test_a_kernel_has_a_middle():
    with pytest.raises(UserError, match="6 pixels has no middle"):
        synthesis.shake_kernel(jax.random.key(0), 6)


def test_a_delta_is_the_identity():
    x = jax.random.uniform(jax.random.key(4), (40, 37, 3))
    still = draw_kernel(jnp.zeros((3, 2)), jnp.ones(3), size=33)
    assert still[16, 16] == 1
    assert np.abs(blur_uniform(x, still) - x).max() < 2e-6


def test_blur_moves_nothing():
    h = shake_kernel(jax.random.key(5), size=21)
    x = jnp.zeros((61, 61, 1)).at[30, 30].set(1)
    y = np.asarray(blur_uniform(x, h))[..., 0]
    assert np.abs(y[20:41, 20:41] - h).max() < 1e-6
    assert np.abs(centre_of_mass(y)).max() < 1e-3
