"""Learning rates and optimisers against the original programs."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden import Golden, relative_error

from kernel_space_jax.schedules import (
    constant_then_linear,
    cosine_restarts,
    linear_one_cycle,
    linear_one_cycle_with_drop,
    multistep_restarts,
    step_decay,
)

golden = Golden("lr_schedules_and_adam")


def check(schedule, counts, expected):
    """Every rate to 1e-5 of itself; lr(0) of the originals trains nothing."""
    counts, expected = np.asarray(counts), np.asarray(expected)
    used = counts >= 0
    actual = jax.vmap(schedule)(jnp.asarray(counts[used]))
    np.testing.assert_allclose(actual, expected[used], rtol=1e-5)


@pytest.mark.parametrize("name", ["REDS_woVAE", "GOPRO_wVAE"])
def test_cosine_restarts(name):
    config = json.loads(str(golden[f"meta/{name}"]))
    schedule = cosine_restarts(
        config["lr_G"], config["T_period"], minimum=config["eta_min"]
    )
    counts = golden[f"out/cosine_restart_{name}_iter"] - 1
    check(schedule, counts, golden[f"out/cosine_restart_{name}_lr"])
    assert np.isclose(schedule(700_000), config["eta_min"])


def test_a_period_with_a_minimum_of_its_own():
    """Restormer's: 3e-4 for 92,000 steps, then to 1e-6 by a cosine."""
    schedule = cosine_restarts(3e-4, (92_000, 208_000), minimum=(3e-4, 1e-6))
    counts = np.array([0, 50_000, 91_999, 92_000, 196_000, 299_999])
    phase = np.pi * np.maximum(counts - 92_000, 0) / 208_000
    check(schedule, counts, 1e-6 + (3e-4 - 1e-6) * (1 + np.cos(phase)) / 2)


def test_multistep_restarts():
    schedule = multistep_restarts(
        1e-4,
        [50_000, 100_000, 150_000, 150_000, 200_000, 240_000],
        restarts=[250_000],
        restart_weights=[0.5],
    )
    counts = golden["out/multistep_restart_iter"] - 1
    check(schedule, counts, golden["out/multistep_restart_lr"])


def test_step_decay():
    schedule = step_decay(5e-4, 1000)
    every50 = golden["out/steplr_jointdeblur_used_every50"]
    check(schedule, range(0, 5000, 50), every50)
    edges = [0, 998, 999, 1000, 1001, 1999, 3999, 4999]
    check(schedule, edges, golden["out/steplr_jointdeblur_edges"])


@pytest.mark.parametrize("steps", [100, 7500])
def test_linear_one_cycles(steps):
    counts = golden[f"out/linear1cycledrop_{steps}_x"]
    for name, schedule in (
        ("linear1cycledrop", linear_one_cycle_with_drop),
        ("linear1cycle", linear_one_cycle),
    ):
        check(schedule(1.0, steps), counts, golden[f"out/{name}_{steps}"])
        assert np.isclose(schedule(0.2, steps)(0), 0.02)


def test_constant_then_linear():
    schedule = constant_then_linear(2e-4, constant=100, decay=200, epoch_steps=7)
    expected = golden["out/blur2blur_lr_epoch1_300"]
    first_updates = 7 * np.arange(300)
    check(schedule, first_updates, expected)
    check(schedule, first_updates + 6, expected)


@pytest.mark.parametrize(
    "schedule",
    [
        cosine_restarts(1e-4, [5, 10], minimum=1e-6),
        multistep_restarts(1e-4, [3, 8], restarts=[5], restart_weights=[1.0]),
        step_decay(1e-4, 4),
        linear_one_cycle(1e-4, 20),
        linear_one_cycle_with_drop(1e-4, 20),
        constant_then_linear(1e-4, constant=4, decay=5, epoch_steps=2),
    ],
)
def test_optax_takes_the_schedule(schedule):
    optimiser = optax.sgd(schedule)
    gradient = jnp.ones(())

    def update(state, _):
        step, state = optimiser.update(gradient, state)
        return state, -step

    _, rates = jax.lax.scan(update, optimiser.init(gradient), length=20)
    np.testing.assert_allclose(rates, [schedule(n) for n in range(20)], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "optimiser"),
    [
        ("adam_default", optax.adam(1e-2)),
        ("adam_b99", optax.adam(1e-4, b1=0.9, b2=0.99)),
        ("adam_b05", optax.adam(2e-4, b1=0.5, b2=0.999)),
        ("adamw_nafnet", optax.adamw(1e-3, b1=0.9, b2=0.9, weight_decay=1e-3)),
    ],
)
def test_adam_takes_the_same_steps(name, optimiser):
    p = jnp.asarray(golden["in/adam_p0"])
    state = optimiser.init(p)
    trajectory = []
    for gradient in jnp.asarray(golden["in/adam_grads"]):
        updates, state = optimiser.update(gradient, state, p)
        p = optax.apply_updates(p, updates)
        trajectory.append(p)
    assert relative_error(jnp.stack(trajectory), golden[f"out/{name}"]) < 1e-6
