"""Blind deblurring by search: x and k that explain a photo y under any operator F.

    min over theta_x, theta_k   L(x, k, F(x, k), y),   x = X(theta_x),  k = K(theta_k)

*Joint* moves both at each step, as the programs of Tran et al. 2021 and of SelfDeblur
(Ren et al. 2020) do. *Nested* is Algorithm 1 of Tran et al.: before each step of x the
k that fits it best is found by a search of its own. *Alternating* moves x for a while,
then k for a while, and so on, as their program for faces does.

One photo is (1, H, W, C). `solvers/batch.py` solves many at once.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax import Array, lax

from kernel_space_jax.losses.objective import Objective, Target
from kernel_space_jax.operators import Operator
from kernel_space_jax.priors import Prior
from kernel_space_jax.schedules import linear_one_cycle_with_drop, multistep_restarts
from kernel_space_jax.solvers.minimise import State, minimise
from kernel_space_jax.solvers.minimise import advance as advance_minimise
from kernel_space_jax.solvers.minimise import begin as begin_minimise
from kernel_space_jax.solvers.minimise import finish as finish_minimise
from kernel_space_jax.solvers.sphere import on_sphere

Theta = dict[str, Any]
# The learning rate of warm-ups, which lead a prior to a given value.
WARM_UP_RATE = 5e-4


class Nested(NamedTuple):
    """The search of k before each step of x: to `tolerance`, or for `steps`.

    A `cold` search draws a new prior each time, as published; a warm one continues
    from the last k.
    """

    steps: int = 200
    tolerance: float = 1e-3
    patience: int = 20
    cold: bool = False


class Rate(NamedTuple):
    """Adam's learning rate, times `decay` from each step of `at` on, counted from 1."""

    value: float = 5e-4
    decay: float = 1.0
    at: tuple[int, ...] = ()

    def optimiser(self) -> optax.GradientTransformation:
        return optax.adam(multistep_restarts(self.value, self.at, decay=self.decay))


class SphereRate(NamedTuple):
    """Adam on spheres (Menon et al. 2020): one cycle of `steps`, then a drop."""

    value: float = 0.2
    steps: int = 7500

    def optimiser(self) -> optax.GradientTransformation:
        schedule = linear_one_cycle_with_drop(self.value, self.steps)
        return on_sphere(optax.adam(schedule))


class Alternating(NamedTuple):
    """Steps of x, then of k, so many rounds of them."""

    rounds: int = 25
    x: int = 300
    k: int = 200

    @property
    def steps(self) -> int:
        """Steps of x in all: those that a search counts."""
        return self.rounds * self.x


@struct.dataclass
class Search:
    """A whole search; a pytree whose leaves are the weights of networks."""

    operator: Operator
    x: Prior
    k: Prior
    objective: Objective
    steps: int = struct.field(pytree_node=False, default=5000)
    rate_x: Rate | SphereRate = struct.field(pytree_node=False, default=Rate())
    rate_k: Rate = struct.field(pytree_node=False, default=Rate())
    warm_up: int = struct.field(pytree_node=False, default=0)
    tolerance: float = struct.field(pytree_node=False, default=0.0)
    patience: int = struct.field(pytree_node=False, default=200)
    nested: Nested | None = struct.field(pytree_node=False, default=None)
    alternating: Alternating | None = struct.field(pytree_node=False, default=None)


class Two(NamedTuple):
    """The states of an alternating search; its loss and its stop are those of x."""

    x: State
    k: State

    @property
    def loss(self) -> Array:
        return self.x.loss

    @property
    def stopped(self) -> Array:
        return self.x.stopped | self.k.stopped


class Start(NamedTuple):
    """The start of a search, for priors that take one: x (1, H', W', C), k."""

    x: Array | None = None
    k: Array | None = None


NOWHERE = Start()


class Found(NamedTuple):
    """x: (1, H, W, C), as large as the photo; k; and how the search went.

    value: () loss at x and k; loss: (steps + 1,), NaN after the stop; steps: () made.
    """

    x: Array
    k: Any
    value: Array
    loss: Array
    steps: Array


def solve(search: Search, y: Array, key: Array, start: Start = NOWHERE) -> Found:
    """The whole search on one photo (1, H, W, C), as one compiled program."""
    state = begin(search, key, start)
    state = advance(search, y, key, state, search.steps + 1)
    return finish(search, y, state)


def begin(search: Search, key: Array, start: Start = NOWHERE) -> State | Two:
    """The state before the first step, with warmed-up priors if `warm_up` is set."""
    of_x, of_k = jax.random.split(jax.random.fold_in(key, 0))
    theta_x = _warmed(search, search.x, of_x, start.x)
    theta_k = _warmed(search, search.k, of_k, start.k)
    if plan := search.alternating:
        k_steps = plan.rounds * plan.k
        return Two(
            begin_minimise(theta_x, search.rate_x.optimiser(), steps=plan.steps),
            begin_minimise(theta_k, search.rate_k.optimiser(), steps=k_steps),
        )
    if search.nested:
        return begin_minimise(
            theta_x, search.rate_x.optimiser(), steps=search.steps, memory=theta_k
        )
    return begin_minimise(
        {"x": theta_x, "k": theta_k}, _both(search), steps=search.steps
    )


def advance(
    search: Search, y: Array, key: Array, state: Any, until: Array | int
) -> State | Two:
    """The state after `until` evaluations in all, or at the stop.

    An alternating search ends the round that it is in.
    """
    target = search.objective.target(y)
    if search.alternating:
        return _alternated(search, target, key, state, until)
    loss = _nested_loss if search.nested else _joint_loss
    return advance_minimise(
        loss(search, target),
        state,
        search.rate_x.optimiser() if search.nested else _both(search),
        until=until,
        key=jax.random.fold_in(key, 1),
        tolerance=search.tolerance,
        patience=search.patience,
        turns=search.objective.turns(search.steps),
    )


def finish(search: Search, y: Array, state: Any) -> Found:
    """The best so far, also of a search that ended early."""
    if isinstance(state, Two):
        of_x, of_k = map(finish_minimise, state)
        x, k = search.x.apply(of_x.params), search.k.apply(of_k.params)
        return Found(_middle(x, y.shape), k, of_x.value, of_x.loss, of_x.steps)
    found = finish_minimise(state)
    if search.nested:
        theta_x, theta_k = found.params, found.memory
    else:
        theta_x, theta_k = found.params["x"], found.params["k"]
    x, k = search.x.apply(theta_x), search.k.apply(theta_k)
    return Found(_middle(x, y.shape), k, found.value, found.loss, found.steps)


def _both(search: Search) -> optax.GradientTransformation:
    rates = {"x": search.rate_x.optimiser(), "k": search.rate_k.optimiser()}
    return optax.partition(rates, {"x": "x", "k": "k"})  # type: ignore[arg-type]


def _alternated(
    search: Search, target: Target, key: Array, state: Two, until: Array | int
) -> Two:
    """Rounds of x at the best k, then of k at the best x."""
    plan = search.alternating
    assert plan is not None
    of_x, of_k = jax.random.split(jax.random.fold_in(key, 1))

    def unfinished(state: Two) -> Array:
        left = state.x.evaluations < jnp.minimum(until, plan.steps)
        return left & ~state.stopped

    def one_round(state: Two) -> Two:
        done = state.x.evaluations // plan.x + 1
        k = lax.stop_gradient(search.k.apply(state.k.best[0]))

        def for_x(theta: Any, step: Array, key: Array) -> Array:
            x = search.x.apply(theta, key)
            return _value(search, target, x, k, step) + search.x.penalty(theta)

        moved = advance_minimise(
            for_x,
            state.x,
            search.rate_x.optimiser(),
            until=done * plan.x,
            key=of_x,
            turns=tuple(range(plan.x, plan.steps, plan.x)),
        )
        x = lax.stop_gradient(search.x.apply(moved.best[0]))

        def for_k(theta: Any, step: Array, key: Array) -> Array:
            return _value(search, target, x, search.k.apply(theta, key), step)

        of_this = advance_minimise(
            for_k,
            state.k,
            search.rate_k.optimiser(),
            until=done * plan.k,
            key=of_k,
            turns=tuple(range(plan.k, plan.rounds * plan.k, plan.k)),
        )
        return Two(moved, of_this)

    return lax.while_loop(unfinished, one_round, state)


def _joint_loss(search: Search, target: Target) -> Callable[..., Array]:
    def loss(theta: Theta, step: Array, key: Array) -> Array:
        of_x, of_k = jax.random.split(key)
        x = search.x.apply(theta["x"], of_x)
        k = search.k.apply(theta["k"], of_k)
        return _value(search, target, x, k, step) + search.x.penalty(theta["x"])

    return loss


def _nested_loss(search: Search, target: Target) -> Callable[..., Any]:
    plan = search.nested
    assert plan is not None

    def loss(theta_x: Any, theta_k: Any, step: Array, key: Array):
        of_x, of_k, of_search = jax.random.split(key, 3)
        x = search.x.apply(theta_x, of_x)
        fixed = lax.stop_gradient(x)

        def for_k(theta: Any, _: Array, key: Array) -> Array:
            return _value(search, target, fixed, search.k.apply(theta, key), step)

        found = minimise(
            for_k,
            search.k.init(of_k) if plan.cold else lax.stop_gradient(theta_k),
            search.rate_k.optimiser(),
            steps=plan.steps,
            key=of_search,
            tolerance=plan.tolerance,
            patience=plan.patience,
        )
        theta_k = lax.stop_gradient(found.params)
        value = _value(search, target, x, search.k.apply(theta_k), step)
        return value + search.x.penalty(theta_x), theta_k

    return loss


def _value(search: Search, target: Target, x: Array, k: Array, step: Array) -> Array:
    turns = jnp.asarray(search.objective.turns(search.steps), jnp.int32)
    phase = jnp.sum(step >= turns)
    return search.objective(x, k, search.operator(x, k), target, phase)[0]


def _warmed(search: Search, prior: Prior, key: Array, goal: Array | None) -> Any:
    """theta of the prior, drawn, and led to the goal by `warm_up` steps."""
    theta = prior.init(key, goal)
    if goal is None or not search.warm_up:
        return theta
    # Relative: the squares of a kernel's pixels are too small for Adam's epsilon.
    size = jnp.maximum(jnp.sum(jnp.square(goal)), 1e-12)

    def distance(theta: Any, _: Array, key: Array) -> Array:
        return jnp.sum(jnp.square(prior.apply(theta, key) - goal)) / size

    return minimise(
        distance,
        theta,
        optax.adam(WARM_UP_RATE),
        steps=search.warm_up,
        key=jax.random.fold_in(key, 1),
    ).params


def _middle(x: Array, shape: tuple[int, ...]) -> Array:
    """The middle of x, as large as the photo: F may need more than that of x."""
    top, left = ((n - m) // 2 for n, m in zip(x.shape[1:3], shape[1:3], strict=True))
    return x[:, top : top + shape[1], left : left + shape[2]]
