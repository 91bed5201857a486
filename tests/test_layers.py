"""Layers that remember or forget, that fold what is around them, and strips."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from kernel_space_jax.models.layers import (
    BatchNorm,
    Conv,
    Dropout,
    Point,
    chain,
    in_strips,
    strips,
)

KEY = jax.random.key(0)
X = 3 + 2 * jax.random.normal(KEY, (6, 5, 4, 3))


def test_running_statistics_come_to_those_of_the_data():
    norm = BatchNorm()
    variables = norm.init(KEY, X)
    for _ in range(200):
        _, moved = norm.apply(variables, X, mutable=["batch_stats"])
        variables = variables | moved
    stats = variables["batch_stats"]
    np.testing.assert_allclose(stats["mean"], X.mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(stats["var"], X.var((0, 1, 2), ddof=1), rtol=1e-4)
    # Then one image alone is normalised as all of them are, up to n / (n - 1).
    alone = BatchNorm(running=True).apply(variables, X[:1])
    together = norm.apply({"params": variables["params"]}, X)
    np.testing.assert_allclose(alone, together[:1] * (119 / 120) ** 0.5, atol=1e-3)


def test_devices_of_a_map_share_their_statistics():
    norm, shared = BatchNorm(), BatchNorm(axis="data")
    variables = norm.init(KEY, X)
    whole = norm.apply(variables, X, mutable=["batch_stats"])
    over = lambda x: shared.apply(variables, x, mutable=["batch_stats"])
    parts, moved = jax.vmap(over, axis_name="data")(X.reshape(3, 2, *X.shape[1:]))
    np.testing.assert_allclose(parts.reshape(X.shape), whole[0], atol=1e-5)
    for name, value in whole[1]["batch_stats"].items():
        for device in moved["batch_stats"][name]:
            np.testing.assert_allclose(device, value, rtol=1e-5)


class Twice(nn.Module):
    @nn.compact
    def __call__(self, x, keys=None):
        return Dropout(0.25, name="a")(x, keys), Dropout(0.25, name="b")(x, keys)


def test_what_is_dropped_belongs_to_the_example():
    ones = jnp.ones((6, 40, 40, 3))
    keys = jax.random.split(KEY, 6)
    first, second = Twice().apply({}, ones, keys)
    # As often as asked, and the mean stays.
    assert abs((first == 0).mean() - 0.25) < 0.02
    assert abs(first.mean() - 1) < 0.02
    assert (first != second).any() and (first[0] != first[1]).any()
    # The same example draws the same wherever it is in a batch.
    moved, _ = Twice().apply({}, ones[:2], keys[3:5])
    np.testing.assert_array_equal(moved, first[3:5])
    np.testing.assert_array_equal(Twice().apply({}, ones)[0], ones)


def test_whole_channels_are_dropped():
    ones = jnp.ones((8, 5, 4, 50))
    found = Dropout(0.25, maps=True).apply({}, ones, jax.random.split(KEY, 8))
    assert abs((found == 0).mean() - 0.25) < 0.05
    np.testing.assert_array_equal(found, jnp.broadcast_to(found[:, :1, :1], ones.shape))
    assert (found[0] != found[1]).any()


def test_a_point_folds_what_is_around_it():
    """((x s + b) w + c) g, computed pixel by pixel."""
    keys = jax.random.split(jax.random.key(0), 4)
    x = jax.random.normal(keys[0], (2, 5, 7, 3))
    s, b = jax.random.normal(keys[1], (2, 3))
    g = jax.random.normal(keys[2], (4,))
    module = Point(4)
    variables = module.init(keys[3], x)
    w, c = (variables["params"][name] for name in ("kernel", "bias"))
    plain = (jnp.einsum("nhwi,io->nhwo", x * s + b, w[0, 0]) + c) * g
    found = module.apply(variables, x, (s, b), gain=g)
    np.testing.assert_allclose(found, plain, atol=1e-5)


@pytest.mark.parametrize("rows", [16, 44])
def test_strips_make_no_difference(rows, monkeypatch):
    """Nor where the last one is shorter than the others."""
    monkeypatch.setattr(strips, "LARGE", 1)
    monkeypatch.setattr(strips, "STRIP", 12 * 12)
    layers = nn.Sequential([Conv(4), nn.relu, Conv(5, stride=2), Conv(6, stride=2)])
    x = jax.random.normal(KEY, (2, rows, 12, 3))
    theta = layers.init(KEY, x)

    def whole(theta, x):
        return jnp.sin(layers.apply(theta, x))

    def stripped(theta, x):
        return jnp.sin(in_strips(partial(layers.apply, theta), x, stride=4, halo=4))

    (y, pull), (y_too, pull_too) = jax.vjp(whole, theta, x), jax.vjp(stripped, theta, x)
    close = partial(np.testing.assert_allclose, atol=1e-5)
    jax.tree.map(close, (y, pull(y)), (y_too, pull_too(y)))


def test_a_chain_is_its_blocks_one_after_the_other():
    """Its gradient too, and the gradient of a function of that."""
    thetas = list(jax.random.normal(KEY, (5, 3, 3)))
    block = lambda x, theta: x + jnp.sin(x @ theta)
    x = jax.random.normal(KEY, (2, 3))

    def plain(x, thetas):
        for theta in thetas:
            x = block(x, theta)
        return jnp.sum(jnp.square(x))

    def chained(x, thetas):
        return jnp.sum(jnp.square(chain(block, x, thetas)))

    def steepness(loss):
        return lambda x, thetas: jnp.sum(jnp.square(jax.grad(loss)(x, thetas)))

    close = partial(np.testing.assert_allclose, rtol=1e-5)
    for ours, theirs in ((chained, plain), (steepness(chained), steepness(plain))):
        found, expected = (
            jax.value_and_grad(loss, (0, 1))(x, thetas) for loss in (ours, theirs)
        )
        jax.tree.map(close, found, expected)
    loops = str(jax.make_jaxpr(jax.grad(chained))(x, thetas)).count("scan[")
    assert loops == 2 and "scan[" not in str(jax.make_jaxpr(chained)(x, thetas))
