"""Who learns in a task, and how: one optimiser, one average, one state a network.

    grads = sum over micro-batches and devices of dL/dparams   (or their mean)

A task calls `Descent.step` with its loss and never learns in how many parts or on how
many devices the gradient was taken. A network with state beside its parameters
(running statistics) calls `step_with_statistics`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from kernel_space_jax.training.task import Batch, Metrics

Params = Any
Statistics = dict[str, Any]  # collections beside "params": {"batch_stats": ...} or {}
Loss = Callable[[Params, Batch], tuple[Array, Metrics]]
LossWithStatistics = Callable[
    [Params, Statistics, Batch], tuple[Array, tuple[Metrics, Statistics]]
]


class Player(NamedTuple):
    """A network in training: parameters, optimiser's state, their average, the rest."""

    params: Params
    moments: optax.OptState
    average: Params  # exponential moving average; () where none is kept
    statistics: Statistics

    @property
    def best(self) -> Params:
        """The parameters to use: the average where there is one."""
        return self.params if self.average == () else self.average

    @property
    def variables(self) -> dict[str, Any]:
        """What the network is applied to an image with, once it has learned."""
        return {"params": self.best, **self.statistics}


@dataclass(frozen=True)
class Descent:
    """How parameters move: an Optax transform, the average, the parts of a batch.

    `parts` micro-batches are differentiated one after the other, to fit memory.
    `axis` names the devices of a `pmap`; under `jit` with shardings it is None, and
    XLA reduces.
    """

    transform: optax.GradientTransformation
    ema: float = 0.0
    parts: int = 1
    axis: str | None = None

    def init(self, params: Params, statistics: Statistics | None = None) -> Player:
        average = jax.tree.map(jnp.copy, params) if self.ema else ()
        return Player(params, self.transform.init(params), average, statistics or {})

    def step(
        self,
        player: Player,
        loss: Loss,
        batch: Batch,
        *,
        reduce: Literal["sum", "mean"] = "mean",
    ) -> tuple[Player, Metrics]:
        """One update. `loss(params, batch)` is a sum or a mean over its examples.

        Its metrics are means. "loss" and "gradient_norm" are added to them.
        """

        def whole(params: Params, statistics: Statistics, batch: Batch):
            value, metrics = loss(params, batch)
            return value, (metrics, statistics)

        return self.step_with_statistics(player, whole, batch, reduce=reduce)

    def step_with_statistics(
        self,
        player: Player,
        loss: LossWithStatistics,
        batch: Batch,
        *,
        reduce: Literal["sum", "mean"] = "mean",
    ) -> tuple[Player, Metrics]:
        """The same where `loss(params, statistics, batch)` also moves the statistics.

        Micro-batches move them one after the other. On the devices of a `pmap` they
        are to be the same, as those of `layers.BatchNorm` with that axis are.
        """
        statistics, (value, metrics, grads) = self._differentiate(loss, player, batch)
        count = self.parts * (lax.axis_size(self.axis) if self.axis else 1)
        if self.axis:
            value, metrics, grads = lax.psum((value, metrics, grads), self.axis)
        metrics = jax.tree.map(lambda total: total / count, metrics)
        if reduce == "mean":
            value, grads = jax.tree.map(lambda total: total / count, (value, grads))
        norm = optax.tree.norm(grads)
        updates, moments = self.transform.update(grads, player.moments, player.params)
        params = optax.apply_updates(player.params, updates)
        average = player.average
        if self.ema:
            average = optax.incremental_update(params, average, 1 - self.ema)
        metrics = {"loss": value, "gradient_norm": norm, **metrics}
        return Player(params, moments, average, statistics), metrics

    def _differentiate(
        self, loss: LossWithStatistics, player: Player, batch: Batch
    ) -> tuple[Statistics, tuple[Array, Metrics, Params]]:
        """New statistics; value, metrics and gradients, each summed over the parts."""
        derive = jax.value_and_grad(loss, has_aux=True)

        def part(statistics: Statistics, batch: Batch):
            (value, (metrics, statistics)), grads = derive(
                player.params, statistics, batch
            )
            return statistics, (value, metrics, grads)

        if self.parts == 1:
            return part(player.statistics, batch)
        # Every part takes examples from every device, so that none stands idle.
        split = lambda a: a.reshape(-1, self.parts, *a.shape[1:]).swapaxes(0, 1)
        parts = jax.tree.map(split, batch)
        first = jax.tree.map(lambda a: a[0], parts)
        shapes = jax.eval_shape(part, player.statistics, first)[1]
        zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

        def add(carry: tuple, batch: Batch) -> tuple[tuple, None]:
            statistics, total = carry
            statistics, more = part(statistics, batch)
            return (statistics, jax.tree.map(jnp.add, total, more)), None

        return lax.scan(add, (player.statistics, zeros), parts)[0]
