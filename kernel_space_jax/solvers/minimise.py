"""The one inner solve: min over params of a loss, as one compiled loop.

Every search in this package is a call of `minimise`: warm-ups, the k-search inside
an x-search, latents on a sphere. It is pure and may be jitted, vmapped (each problem
then stops by itself) or mapped over devices.

To report progress, run the same loop in pieces: `begin`, then `advance` as often as
needed, then `finish`. The result is that of `minimise`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

# loss(params, step, key) -> value, or with a memory
# loss(params, memory, step, key) -> (value, memory).
Loss = Callable[..., Any]

# The part of the past in the smoothed loss, which averages about ten steps.
SMOOTHING = 0.9


class Solution(NamedTuple):
    """The best of all params that the search has seen.

    value: () loss at params; loss: (steps + 1,) loss at the start and after each
    step, NaN after the stop; steps: () steps made; memory: what the loss returned
    together with that value.
    """

    params: Any
    value: Array
    loss: Array
    steps: Array
    memory: Any = None


class State(NamedTuple):
    """What the loop carries from one evaluation to the next."""

    params: Any
    optimiser: optax.OptState
    memory: Any
    best: Any  # (params, memory) where the loss was smallest
    value: Array  # and that loss
    smoothed: Array
    reference: Array  # the smoothed loss that counts as the last progress
    waited: Array  # evaluations since then
    evaluations: Array
    stopped: Array
    loss: Array


def minimise(
    loss: Loss,
    params: Any,
    optimiser: optax.GradientTransformation,
    *,
    steps: int,
    key: Array,
    tolerance: float | Array = 0.0,
    patience: int = 50,
    memory: Any = None,
    turns: tuple[int, ...] = (),
) -> Solution:
    """The params of least loss, after at most `steps` steps of the optimiser.

    The loss is `loss(params, step, key) -> value`, with a new key each step. A loss
    may pass a value to its next call (a warm start). Give the first one as `memory`;
    the loss is then `loss(params, memory, step, key) -> (value, memory)`.

    The search stops when its smoothed loss has not fallen by the relative
    `tolerance` within `patience` steps (0: never), or when the loss is not finite.
    `turns` are the steps at which the loss becomes another function: the best of the
    function before then counts no more.
    """
    state = begin(params, optimiser, steps=steps, memory=memory)
    state = advance(
        loss,
        state,
        optimiser,
        until=steps + 1,
        key=key,
        tolerance=tolerance,
        patience=patience,
        turns=turns,
    )
    return finish(state)


def begin(
    params: Any,
    optimiser: optax.GradientTransformation,
    *,
    steps: int,
    memory: Any = None,
) -> State:
    """The state before the first evaluation of a search of `steps` steps."""
    # Weakly typed numbers would change their type in the loop, and compile again.
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), params)
    infinite = jnp.float32(jnp.inf)
    return State(
        params=params,
        optimiser=optimiser.init(params),
        memory=memory,
        best=(params, memory),
        value=infinite,
        smoothed=jnp.float32(0),
        reference=infinite,
        waited=jnp.int32(0),
        evaluations=jnp.int32(0),
        stopped=jnp.bool_(False),
        loss=jnp.full(steps + 1, jnp.nan),
    )


def advance(
    loss: Loss,
    state: State,
    optimiser: optax.GradientTransformation,
    *,
    until: int | Array,
    key: Array,
    tolerance: float | Array = 0.0,
    patience: int = 50,
    turns: tuple[int, ...] = (),
) -> State:
    """The state after `until` evaluations in all, or at the stop.

    A search of n steps has n + 1 evaluations: the loss after the last step counts
    too. Arguments are those of `minimise`, the same in every call.
    """
    optimiser = optax.with_extra_args_support(optimiser)
    until = jnp.minimum(until, state.loss.size)
    starts = jnp.asarray((0, *turns))

    def cond(state: State) -> Array:
        return ~state.stopped & (state.evaluations < until)

    def body(state: State) -> State:
        step = state.evaluations
        step_key = jax.random.fold_in(key, step)

        def value_fn(params: Any) -> tuple[Array, Any]:
            if state.memory is None:
                return loss(params, step, step_key), None
            return loss(params, state.memory, step, step_key)

        evaluate = jax.value_and_grad(value_fn, has_aux=True)
        (value, memory), gradient = evaluate(state.params)
        # value, grad and value_fn serve optimisers that search along a line.
        updates, optimiser_state = optimiser.update(
            gradient,
            state.optimiser,
            state.params,
            value=value,
            grad=gradient,
            value_fn=lambda params: value_fn(params)[0],
        )
        age = step - jnp.max(jnp.where(starts <= step, starts, 0))
        new = age == 0
        least = jnp.where(new, jnp.inf, state.value)
        better = value < least
        smoothed = SMOOTHING * jnp.where(new, 0, state.smoothed)
        smoothed = smoothed + (1 - SMOOTHING) * value
        # Without the correction the smoothed loss would start from 0.
        level = smoothed / (1 - SMOOTHING ** (age + 1.0))
        reference = jnp.where(new, jnp.inf, state.reference)
        # An infinite reference times the tolerance would be NaN.
        margin = jnp.where(jnp.isfinite(reference), tolerance * jnp.abs(reference), 0)
        progress = level < reference - margin
        waited = jnp.where(progress, 0, state.waited + 1)
        stalled = (jnp.asarray(tolerance) > 0) & (waited >= patience)
        return State(
            params=optax.apply_updates(state.params, updates),
            optimiser=optimiser_state,
            memory=memory,
            best=jax.tree.map(
                lambda new, old: jnp.where(better, new, old),
                (state.params, memory),
                state.best,
            ),
            value=jnp.where(better, value, least),
            smoothed=smoothed,
            reference=jnp.where(progress, level, reference),
            waited=waited,
            evaluations=step + 1,
            stopped=stalled | ~jnp.isfinite(value),
            loss=state.loss.at[step].set(value),
        )

    return lax.while_loop(cond, body, state)


def finish(state: State) -> Solution:
    """The best so far, also of a search that ended early."""
    params, memory = state.best
    # The first evaluation is that of the start, before any step.
    steps = jnp.maximum(state.evaluations - 1, 0)
    return Solution(params, state.value, state.loss, steps, memory)
