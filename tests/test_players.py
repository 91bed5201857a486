"""One update: parts, averages and sums say what they should."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from kernel_space_jax.training.players import Descent

KEY = jax.random.key(0)
PARAMS = {"w": jax.random.normal(KEY, (4, 3)), "b": jnp.zeros(3)}
BATCH = {
    "x": jax.random.normal(jax.random.key(1), (12, 4)),
    "y": jax.random.normal(jax.random.key(2), (12, 3)),
}


def squares(params, batch, reduce):
    errors = (batch["x"] @ params["w"] + params["b"] - batch["y"]) ** 2
    each = errors.sum(-1)
    return reduce(each), {"error": each.mean()}


@pytest.mark.parametrize("name", ["sum", "mean"])
@pytest.mark.parametrize("parts", [2, 3, 12])
def test_a_batch_in_parts_is_the_batch(name, parts):
    loss = lambda params, batch: squares(params, batch, getattr(jnp, name))
    whole, cut = (Descent(optax.sgd(0.01), parts=n) for n in (1, parts))
    expected, said = whole.step(whole.init(PARAMS), loss, BATCH, reduce=name)
    found, heard = cut.step(cut.init(PARAMS), loss, BATCH, reduce=name)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    jax.tree.map(close, (found, heard), (expected, said))


def test_the_gradient_is_the_losss():
    descent = Descent(optax.sgd(0.5))
    loss = lambda params, batch: squares(params, batch, jnp.mean)
    player, metrics = descent.step(descent.init(PARAMS), loss, BATCH)
    grads = jax.grad(lambda params: loss(params, BATCH)[0])(PARAMS)
    np.testing.assert_allclose(player.params["w"], PARAMS["w"] - 0.5 * grads["w"])
    assert metrics["gradient_norm"] == optax.tree.norm(grads)


def test_the_average_follows_slowly():
    descent = Descent(optax.sgd(0.1), ema=0.9)
    loss = lambda params, batch: squares(params, batch, jnp.mean)
    player = descent.init(PARAMS)
    expected = PARAMS["w"]
    for _ in range(3):
        player, _ = descent.step(player, loss, BATCH)
        expected = 0.9 * expected + 0.1 * player.params["w"]
    np.testing.assert_allclose(player.best["w"], expected, rtol=1e-5)
    assert Descent(optax.sgd(0.1)).init(PARAMS).best is PARAMS
