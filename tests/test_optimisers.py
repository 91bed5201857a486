"""Optimisers from a config: each network learns as its own keys say."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden import Golden, relative_error

from kernel_space_jax.errors import UserError
from kernel_space_jax.training.config import defaults
from kernel_space_jax.training.optimisers import build_descents

PLAYERS = ("generator", "critic")


def descents(**keys):
    config = defaults("kernel_space")
    config.update(keys)
    return build_descents(config, PLAYERS)


def walk(transform, p, gradients):
    """Where an optimiser goes from p by these gradients, one after the other."""
    state, path = transform.init(p), []
    for gradient in gradients:
        updates, state = transform.update(gradient, state, p)
        p = optax.apply_updates(p, updates)
        path.append(p)
    return jnp.stack(path)


def test_adamw_decays_as_the_authors_does():
    """NAFNet's AdamW, decoupled decay: twenty recorded steps."""
    golden = Golden("lr_schedules_and_adam")
    keys = {"optimiser": "adamw", "learning_rate": 1e-3, "b1": 0.9, "b2": 0.9}
    made = descents(**keys, weight_decay=1e-3, decays="all")
    start, gradients = (jnp.asarray(golden[f"in/adam_{k}"]) for k in ("p0", "grads"))
    path = walk(made["generator"].transform, start, gradients)
    assert relative_error(path, golden["out/adamw_nafnet"]) < 1e-6


def test_decay_leaves_biases_and_scales_alone():
    made = descents(optimiser="adamw", weight_decay=0.5, learning_rate=0.1)
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    transform = made["critic"].transform
    still = jax.tree.map(jnp.zeros_like, params)
    updates, _ = transform.update(still, transform.init(params), params)
    np.testing.assert_allclose(updates["kernel"], -0.05, rtol=1e-6)
    np.testing.assert_array_equal(updates["bias"], 0)


def test_each_player_has_its_own():
    own = {"optimiser": "sgd", "learning_rate": 0.5, "ema": 0.9, "momentum": 0.5}
    made = descents(learning_rate=0.25, optimiser="sgd", players={"critic": own})
    ones = jnp.ones((3, 1))
    path = walk(made["generator"].transform, jnp.zeros(1), ones)[:, 0]
    np.testing.assert_allclose(path, [-0.25, -0.5, -0.75])
    # Momentum: steps of 1, 1.5 and 1.75 gradients.
    path = walk(made["critic"].transform, jnp.zeros(1), ones)[:, 0]
    np.testing.assert_allclose(path, [-0.5, -1.25, -2.125])
    assert made["critic"].ema == 0.9 and made["generator"].ema == 0


def test_the_rate_warms_up_and_then_follows_its_schedule():
    keys = {"optimiser": "sgd", "learning_rate": 1.0, "schedule": "cosine", "steps": 8}
    cold, warm = (descents(**keys, warm_up=n)["critic"].transform for n in (0, 4))
    ones = jnp.ones((8, 1))
    cold, warm = (
        -np.diff(walk(t, jnp.zeros(1), ones)[:, 0], prepend=0) for t in (cold, warm)
    )
    np.testing.assert_allclose(warm[:4], cold[:4] * [0.25, 0.5, 0.75, 1], rtol=1e-5)
    np.testing.assert_allclose(warm[4:], cold[4:], rtol=1e-4)


def test_all_updates_of_a_step_have_its_rate():
    """A critic of five updates a step warms up and ends its schedule as others do."""
    config = defaults("kernel_space")
    config.update(optimiser="sgd", learning_rate=1.0, schedule="cosine", steps=4)
    config.warm_up = 2
    made = build_descents(config, PLAYERS, updates={"critic": 5})
    once, five = (
        -np.diff(
            walk(made[n].transform, jnp.zeros(1), jnp.ones((k, 1)))[:, 0], prepend=0
        )
        for n, k in (("generator", 4), ("critic", 20))
    )
    np.testing.assert_allclose(five, np.repeat(once, 5), atol=1e-6)


def test_the_polynomial_rate_ends_with_the_run():
    """end + (rate - end) (1 - t / T)^power, T all steps (SRN; Tao et al. 2018)."""
    options = {"end_value": 0.1, "power": 0.3}
    keys = {"optimiser": "sgd", "learning_rate": 1.0, "steps": 8}
    made = descents(**keys, schedule="polynomial", schedule_options=options)
    path = walk(made["critic"].transform, jnp.zeros(1), jnp.ones((10, 1)))[:, 0]
    left = np.maximum(1 - np.arange(10) / 8, 0)
    np.testing.assert_allclose(
        -np.diff(path, prepend=0), 0.1 + 0.9 * left**0.3, rtol=1e-5
    )


@pytest.mark.parametrize(
    "keys, said",
    [
        ({"optimiser": "lion"}, "optimiser='lion' is unknown; it is adam, adamw"),
        ({"weight_decay": 0.1}, "weight_decay is for adamw"),
        ({"optimiser": "adamw", "decays": "norms"}, "decays='norms' is unknown"),
        ({"players": {"judge": {}}}, "names no network that learns in the task"),
        ({"players": {"critic": {"rate": 1}}}, "players.critic has no key 'rate'"),
        ({"players": {"critic": {"ema": "x"}}}, "players.critic does not fit"),
    ],
)
def test_a_mistake_is_one_sentence(keys, said):
    with pytest.raises(UserError, match=said) as error:
        descents(**keys)
    assert "\n" not in str(error.value)
