"""One update of one network: gradients, accumulated and reduced, then Optax.

    grads = sum over micro-batches and devices of dL/dparams   (or their mean)

A task calls `Descent.step` with its loss and never learns in how many parts or on how
many devices the gradient was taken.
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
Loss = Callable[[Params, Batch], tuple[Array, Metrics]]


class Player(NamedTuple):
    """A network in training: its parameters, its optimiser's state, their average."""

    params: Params
    moments: optax.OptState
    average: Params  # exponential moving average; () where none is kept

    @property
    def best(self) -> Params:
        """The parameters to use: the average where there is one."""
        return self.params if self.average == () else self.average


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

    def init(self, params: Params) -> Player:
        average = jax.tree.map(jnp.copy, params) if self.ema else ()
        return Player(params, self.transform.init(params), average)

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
        value, metrics, grads = self._differentiate(loss, player.params, batch)
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
        return Player(params, moments, average), metrics

    def _differentiate(
        self, loss: Loss, params: Params, batch: Batch
    ) -> tuple[Array, Metrics, Params]:
        """Value, metrics and gradients, each summed over the micro-batches."""

        def part(batch: Batch) -> tuple[Array, Metrics, Params]:
            (value, metrics), grads = jax.value_and_grad(loss, has_aux=True)(
                params, batch
            )
            return value, metrics, grads

        if self.parts == 1:
            return part(batch)
        # Every part takes examples from every device, so that none stands idle.
        split = lambda a: a.reshape(-1, self.parts, *a.shape[1:]).swapaxes(0, 1)
        parts = jax.tree.map(split, batch)
        first = jax.tree.map(lambda a: a[0], parts)
        zeros = jax.tree.map(
            lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(part, first)
        )
        add = lambda total, batch: (jax.tree.map(jnp.add, total, part(batch)), None)
        return lax.scan(add, zeros, parts)[0]
