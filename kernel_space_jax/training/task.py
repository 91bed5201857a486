"""What the engine trains: a task.

A task is pure functions of arrays. It knows its networks and its losses, and nothing
of devices, files, progress or where a batch comes from. The engine (`loop.py`) owns
those, and any object with these methods can be trained by it: one network or two
players, as many updates a step as the task likes.

A batch is a dictionary of arrays with the example as first axis. It always has
"number", the running number of each example; whatever is random about an example is
drawn from `example_keys(key, batch)`, so that the same run on one device, on eight or
on a pod draws the same.
"""

from typing import Any, Protocol

import flax.linen as nn
import jax
from jax import Array

State = Any
Config = Any  # an ml_collections ConfigDict, which checks its keys and types itself
Batch = dict[str, Array]
Metrics = dict[str, Array]


class Task(Protocol):
    """One training problem; every method is traced by JAX but `weights`."""

    def init(self, key: Array) -> State:
        """The parameters and optimiser states to start from."""
        ...

    def step(self, state: State, batch: Batch, key: Array) -> tuple[State, Metrics]:
        """One update; metrics are scalars, "loss" among them."""
        ...

    def evaluate(self, state: State, batch: Batch, key: Array) -> Metrics:
        """Scores of each example: arrays (N,)."""
        ...

    def pictures(self, state: State, batch: Batch, key: Array) -> dict[str, Array]:
        """Images (N, H, W, 3) by name: one row an example on the contact sheet."""
        ...

    def weights(self, state: State) -> tuple[nn.Module, dict[str, Any]]:
        """The network worth keeping, and its variables."""
        ...


def example_keys(key: Array, batch: Batch) -> Array:
    """One key an example (N,), whatever device the example is on."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, batch["number"])
