"""The inner solve: known answers, its stop, its best, and what vmap makes of it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from kernel_space_jax.solvers.minimise import advance, begin, finish, minimise

KEY = jax.random.key(0)
# f(p) = 1/2 p'Ap - b'p has its minimum at A^-1 b.
A = jnp.array([[3.0, 1.0], [1.0, 2.0]])
B = jnp.array([1.0, -2.0])


def quadratic(p, step, key):
    return 0.5 * p @ A @ p - B @ p


@pytest.mark.parametrize(
    "optimiser",
    [optax.sgd(0.3), optax.adam(0.05), optax.lbfgs()],
    ids=["sgd", "adam", "lbfgs"],
)
def test_quadratic(optimiser):
    found = minimise(quadratic, jnp.zeros(2), optimiser, steps=400, key=KEY)
    answer = jnp.linalg.solve(A, B)
    np.testing.assert_allclose(found.params, answer, atol=1e-3)
    np.testing.assert_allclose(found.value, -0.5 * B @ answer, atol=1e-5)
    assert found.steps == 400
    assert found.loss.shape == (401,)
    assert found.loss[0] == 0


def test_the_last_step_counts():
    loss = lambda p, step, key: p**2
    found = minimise(loss, jnp.float32(1), optax.sgd(0.5), steps=1, key=KEY)
    assert found.params == 0
    assert found.steps == 1
    np.testing.assert_array_equal(found.loss, [1, 0])


def test_stops_at_tolerance():
    def steps(tolerance):
        found = minimise(
            quadratic,
            jnp.ones(2),
            optax.sgd(0.1),
            steps=1000,
            tolerance=tolerance,
            patience=10,
            key=KEY,
        )
        assert np.isnan(found.loss[found.steps + 1 :]).all()
        assert np.isfinite(found.loss[: found.steps + 1]).all()
        return int(found.steps)

    assert steps(0.0) == 1000
    assert 10 < steps(1e-2) < steps(1e-4) < 300


def test_a_loss_at_zero_or_below_does_not_stop_early():
    """The tolerance is relative to the size of the loss, whatever its sign."""
    falling = lambda p, step, key: -p
    found = minimise(
        falling,
        jnp.float32(0),
        optax.sgd(1.0),
        steps=100,
        tolerance=1e-3,
        patience=5,
        key=KEY,
    )
    assert found.steps == 100
    assert found.params == 100


def test_keeps_the_best():
    """Steps that overshoot: the loss rises from the start, and the start is kept."""
    found = minimise(quadratic, 0.1 * B, optax.sgd(2.0), steps=5, key=KEY)
    np.testing.assert_array_equal(found.params, 0.1 * B)
    assert found.value == found.loss[0]
    assert found.loss[5] > found.loss[0]


def test_not_finite_is_a_stop():
    loss = lambda p, step, key: jnp.where(step < 3, (p - 1) ** 2, jnp.nan)
    found = minimise(loss, jnp.float32(0), optax.sgd(0.1), steps=10, key=KEY)
    assert found.steps == 3
    np.testing.assert_allclose(found.params, 0.36, rtol=1e-6)
    assert np.isfinite(found.value)


def test_each_step_has_its_key_and_number():
    loss = lambda p, step, key: 0 * p + jax.random.uniform(key) + 10.0 * step
    found = minimise(loss, jnp.float32(0), optax.sgd(0.1), steps=3, key=KEY)
    draws = [jax.random.uniform(jax.random.fold_in(KEY, i)) for i in range(4)]
    expected = np.array(draws) + 10 * np.arange(4)
    np.testing.assert_allclose(found.loss, expected, rtol=1e-6)


def test_memory_goes_from_call_to_call_and_the_best_one_comes_back():
    def loss(p, memory, step, key):
        return jnp.where(memory == 4, -1.0, p**2), memory + 1

    found = minimise(
        loss,
        jnp.float32(1),
        optax.sgd(0.1),
        steps=8,
        memory=jnp.int32(0),
        key=KEY,
    )
    assert found.value == -1
    assert found.memory == 5
    np.testing.assert_allclose(found.params, 0.8**4, rtol=1e-5)


def test_a_search_inside_a_search():
    """min_x min_k (x - k)^2 + k^2 + (x - 3)^2: x = 2, k = 1."""

    def inner(k, x):
        return (x - k) ** 2 + k**2

    def outer(x, k, step, key):
        fixed = jax.lax.stop_gradient(x)
        found = minimise(
            lambda k, step, key: inner(k, fixed),
            k,
            optax.sgd(0.2),
            steps=50,
            tolerance=1e-4,
            key=key,
        )
        return inner(found.params, x) + (x - 3) ** 2, found.params

    found = minimise(
        outer,
        jnp.float32(0),
        optax.sgd(0.2),
        steps=50,
        memory=jnp.float32(0),
        key=KEY,
    )
    np.testing.assert_allclose(found.params, 2, atol=1e-3)
    np.testing.assert_allclose(found.memory, 1, atol=1e-3)


def test_vmap_is_each_alone():
    """Each problem of a batch stops for itself and gets what it gets alone."""
    curvatures = jnp.array([0.01, 0.1, 1.0])
    keys = jax.random.split(KEY, 3)

    def solve(curvature, key):
        noisy = lambda p, step, key: (
            curvature * jnp.sum((p - 1) ** 2) + 1 + 1e-4 * jax.random.normal(key)
        )
        return minimise(
            noisy,
            jnp.zeros(2),
            optax.sgd(0.4),
            steps=500,
            tolerance=1e-3,
            patience=8,
            key=key,
        )

    together = jax.jit(jax.vmap(solve))(curvatures, keys)
    alone = [jax.jit(solve)(c, k) for c, k in zip(curvatures, keys, strict=True)]
    assert len(set(np.asarray(together.steps).tolist())) == 3
    for i, one in enumerate(alone):
        assert together.steps[i] == one.steps
        np.testing.assert_allclose(together.params[i], one.params, rtol=1e-5)
        np.testing.assert_allclose(together.loss[i], one.loss, rtol=1e-5)


def test_pieces_are_the_whole():
    optimiser = optax.adam(0.1)
    noisy = lambda p, step, key: quadratic(p, step, key) + jax.random.normal(key)
    options = {"key": KEY, "tolerance": 1e-6, "patience": 30}
    whole = minimise(noisy, jnp.zeros(2), optimiser, steps=20, **options)
    state = begin(jnp.zeros(2), optimiser, steps=20)
    for until in (7, 14, 100):
        state = advance(noisy, state, optimiser, until=until, **options)
    jax.tree.map(np.testing.assert_array_equal, finish(state), whole)


def test_one_trace():
    traces = 0

    def loss(p, step, key):
        nonlocal traces
        traces += 1
        return jnp.sum(p**2)

    solve = jax.jit(
        lambda p: minimise(loss, p, optax.adam(0.1), steps=30, key=KEY).value
    )
    solve(jnp.ones(3))
    solve(jnp.zeros(3))
    assert traces == 1


def test_a_turn_is_a_new_loss():
    """From the turn on another minimum counts, however low the first loss was."""

    def loss(params, step, key):
        return jnp.where(step < 30, params**2, 5 + (params - 2) ** 2)

    solution = minimise(
        loss,
        jnp.float32(1),
        optax.sgd(0.1),
        steps=300,
        key=jax.random.key(0),
        tolerance=1e-3,
        patience=20,
        turns=(30,),
    )
    # Without the turn the best would be 0, and the search would stop at step 50.
    assert abs(solution.params - 2) < 0.02
    assert solution.value == pytest.approx(5, abs=1e-3)
    assert 50 < solution.steps < 300
