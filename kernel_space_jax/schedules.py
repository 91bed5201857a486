"""Learning rates of the published programs, as optax schedules.

A schedule takes optax's count, the number of updates already made. Those programs step
their schedulers before the optimiser, so the first update (count 0) uses the rate that
they number 1: `schedule(count) = lr(count + 1)`. The one-cycle schedules step after
the optimiser: `schedule(count) = lr(count)`.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
import optax


def cosine_restarts(
    learning_rate: float, periods: Sequence[int], *, minimum: float | Sequence[float]
) -> optax.Schedule:
    """minimum + (learning_rate - minimum) cos^2(pi t / 2T) in a period T (Tran 2021).

    Each period may have its own minimum, as Restormer's: a rate that stays where it is,
    then a cosine, are two periods, and the first one's minimum is the learning rate.

    The first training step uses lr(1), so t = count + 1 in the first period. Later
    periods restart at lr(restart + 1), so there t = count - restart. After the last
    period the rate stays at the minimum.
    """
    ends = np.cumsum(periods)
    lowest = np.broadcast_to(minimum, len(ends))
    starts = np.concatenate([[-1], ends[:-1]])

    def schedule(count):
        period = jnp.searchsorted(jnp.asarray(ends[:-1]), count, side="right")
        length = jnp.asarray(periods)[period]
        left = jnp.clip(length - (count - jnp.asarray(starts)[period]), 0, length)
        # sin^2 of what is left, not 1 + cos, keeps float32 digits near the minimum.
        height = jnp.sin(jnp.pi / 2 * left / length) ** 2
        least = jnp.asarray(lowest, jnp.float32)[period]
        return least + (learning_rate - least) * height

    return schedule


def multistep_restarts(
    learning_rate: float,
    milestones: Sequence[int],
    *,
    decay: float = 0.5,
    restarts: Sequence[int] = (),
    restart_weights: Sequence[float] = (),
) -> optax.Schedule:
    """learning_rate * decay^(milestones passed), weight * learning_rate at a restart.

    The first training step uses lr(1). A milestone m takes effect at lr(m), twice if
    named twice; a restart r at lr(r + 1), as in `cosine_restarts`.
    """
    starts = {r + 1: w for r, w in zip(restarts, restart_weights, strict=True)}
    steps = sorted({*milestones, *starts})
    rates = [learning_rate]
    for step in steps:
        if step in starts:
            rates.append(learning_rate * starts[step])
        else:
            rates.append(rates[-1] * decay ** list(milestones).count(step))

    def schedule(count):
        passed = jnp.searchsorted(jnp.asarray(steps), count + 1, side="right")
        return jnp.asarray(rates)[passed]

    return schedule


def step_decay(
    learning_rate: float, every: int, *, decay: float = 0.7
) -> optax.Schedule:
    """learning_rate * decay^floor((count + 1) / every): the first step uses lr(1).

    JointDeblur decays every fifth of its steps, one update early because of lr(1).
    """

    def schedule(count):
        return learning_rate * decay ** ((count + 1) // every)

    return schedule


def linear_one_cycle(learning_rate: float, steps: int) -> optax.Schedule:
    """From 0.1 up to 1 and back to 0.1 times learning_rate over steps, lr(0) first."""
    return _linear_between([0, steps / 2, steps], [0.1, 1.0, 0.1], learning_rate)


def linear_one_cycle_with_drop(learning_rate: float, steps: int) -> optax.Schedule:
    """One cycle in 0.9 steps, then down to 0.001 times learning_rate, lr(0) first."""
    return _linear_between(
        [0, 0.45 * steps, 0.9 * steps, steps], [0.1, 1.0, 0.1, 0.001], learning_rate
    )


def constant_then_linear(
    learning_rate: float, *, constant: int, decay: int, epoch_steps: int
) -> optax.Schedule:
    """learning_rate * min(1, (constant + decay - e) / (decay + 1)) in epoch e >= 1.

    Blur2Blur: 100 constant and 200 decaying epochs of epoch_steps updates; the first
    epoch of training uses lr(1), and the rate of the last epoch is 0.
    """

    def schedule(count):
        epoch = count // epoch_steps + 1
        return learning_rate * jnp.clip((constant + decay - epoch) / (decay + 1), 0, 1)

    return schedule


def _linear_between(
    steps: Sequence[float], factors: Sequence[float], learning_rate: float
) -> optax.Schedule:
    def schedule(count):
        return learning_rate * jnp.interp(
            count, jnp.asarray(steps), jnp.asarray(factors)
        )

    return schedule
