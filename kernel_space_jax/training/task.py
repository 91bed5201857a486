"""What the engine trains: a task.

A task is pure functions of arrays. It knows its networks and its losses, and nothing
of devices, files, progress or where a batch comes from. The engine (`engine.py`) owns
those, and any object with these methods can be trained by it: one network or two
players, as many updates a step as the task likes.

Networks that do not learn are not closed over: `frozen` names their variables, the
engine places these once on the devices, and every method is given them again.

A batch is a dictionary of arrays with the example as first axis, and of such
dictionaries, one for each named stream (data.py). It always has "number", the running
number of each example; whatever is random about an example is drawn from
`example_keys(key, batch)`, so that the same run on one device, on eight or on a pod
draws the same.
"""

from typing import Any, Protocol

import jax
from jax import Array

from kernel_space_jax.weights import Weights

State = Any
Frozen = dict[str, Any]  # the variables of each network that does not learn, by name
Config = Any  # an ml_collections ConfigDict, which checks its keys and types itself
Batch = dict[str, Any]
Metrics = dict[str, Array]


class Task(Protocol):
    """One training problem; JAX traces `init`, `step`, `evaluate` and `pictures`."""

    @property
    def frozen(self) -> Frozen:
        """The networks that do not learn; {} where all do."""
        ...

    def init(self, key: Array) -> State:
        """The players (`players.py`) to start from, and whatever else is carried on."""
        ...

    def step(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> tuple[State, Metrics]:
        """One step of training; metrics are scalars, "loss" among them."""
        ...

    def evaluate(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> Metrics:
        """Scores of each example: arrays (N,)."""
        ...

    def pictures(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> dict[str, Array]:
        """Images (N, H, W, 3) by name: one row an example on the contact sheet."""
        ...

    def networks(self, state: State) -> dict[str, Weights]:
        """The networks that `export --network NAME` can take out, the best first."""
        ...


def example_keys(key: Array, batch: Batch) -> Array:
    """One key an example (N,), whatever device the example is on."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, batch["number"])
