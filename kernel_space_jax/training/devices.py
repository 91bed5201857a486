"""Where arrays live: one program from a laptop's CPU to a pod of many hosts.

Two modes with the same face and the same numbers. `Sharded` is `jit` over a named
mesh: the batch is cut along "data", parameters are whole on every device or cut along
"model". `Mapped` is `jax.pmap`, one program a device.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import jax
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from kernel_space_jax.backend import devices
from kernel_space_jax.errors import UserError

DATA, MODEL = "data", "model"
# Smaller leaves than this stay whole on every device: cutting them saves nothing.
SMALL = 2**16

HostBatch = dict[str, Any]  # of NumPy arrays, and of such dictionaries


class Placement(Protocol):
    """Puts states and batches on the devices, and compiles for them."""

    axis: str | None  # of `lax.psum` inside the program

    def put(self, state: Any) -> Any:
        """A state that every process holds alike, placed."""
        ...

    def single(self, state: Any) -> Any:
        """The state once, as it is saved: without an axis for the devices."""
        ...

    def batch(self, local: HostBatch) -> Any:
        """This process's share of a batch, placed as part of the whole."""
        ...

    def step(self, function: Callable) -> Callable:
        """(state, frozen, batch) -> (state, scalars), compiled; the state is given up.

        `frozen` are arrays that stay as they are, placed by `put`.
        """
        ...

    def each(self, function: Callable) -> Callable:
        """(state, frozen, batch) -> arrays (N, ...) of the batch, readable anywhere."""
        ...


class Sharded:
    """`jit` over a mesh of (data, model) devices."""

    axis: str | None = None

    def __init__(self, model: int = 1):
        places = devices()
        self.mesh = jax.make_mesh(
            (len(places) // model, model),
            (DATA, MODEL),
            axis_types=(AxisType.Auto,) * 2,
            devices=places,
        )
        self.rows = NamedSharding(self.mesh, P(DATA))
        self.whole = NamedSharding(self.mesh, P())

    def shardings(self, state: Any) -> Any:
        """Large leaves cut along their longest axis that "model" divides."""
        model = self.mesh.shape[MODEL]

        def choose(leaf: Any) -> NamedSharding:
            axes = [i for i, n in enumerate(leaf.shape) if n % model == 0]
            if model == 1 or leaf.size < SMALL or not axes:
                return self.whole
            longest = max(axes, key=lambda i: leaf.shape[i])
            names = [MODEL if i == longest else None for i in range(leaf.ndim)]
            return NamedSharding(self.mesh, P(*names))

        return jax.tree.map(choose, state)

    def put(self, state: Any) -> Any:
        return jax.device_put(state, self.shardings(state))

    def single(self, state: Any) -> Any:
        return state

    def batch(self, local: HostBatch) -> Any:
        place = partial(jax.make_array_from_process_local_data, self.rows)
        return jax.tree.map(place, local)

    def step(self, function: Callable) -> Callable:
        def placed(state: Any, frozen: Any, batch: Any) -> Any:
            state, scalars = function(state, frozen, batch)
            # The new state lies as the old one does; XLA might choose otherwise.
            shardings = self.shardings(state)
            return jax.lax.with_sharding_constraint(state, shardings), scalars

        return jax.jit(placed, donate_argnums=0)

    def each(self, function: Callable) -> Callable:
        return jax.jit(function, out_shardings=self.whole)


class Mapped:
    """`jax.pmap`: every device runs the program on its rows of the batch."""

    axis: str | None = DATA

    def put(self, state: Any) -> Any:
        if not jax.tree.leaves(state):
            return state
        copies = jax.local_device_count()
        repeat = lambda leaf: np.broadcast_to(leaf, (copies, *leaf.shape))
        return jax.pmap(lambda state: state)(jax.tree.map(repeat, state))

    def single(self, state: Any) -> Any:
        return jax.tree.map(lambda leaf: np.asarray(leaf.addressable_data(0)[0]), state)

    def batch(self, local: HostBatch) -> Any:
        copies = jax.local_device_count()
        return jax.tree.map(lambda v: v.reshape(copies, -1, *v.shape[1:]), local)

    def step(self, function: Callable) -> Callable:
        program = jax.pmap(function, axis_name=DATA, donate_argnums=0)

        def once(state: Any, frozen: Any, batch: Any) -> Any:
            state, scalars = program(state, frozen, batch)
            return state, jax.tree.map(lambda s: s.addressable_data(0)[0], scalars)

        return once

    def each(self, function: Callable) -> Callable:
        def gathered(state: Any, frozen: Any, batch: Any) -> Any:
            gather = lambda a: jax.lax.all_gather(a, DATA, tiled=True)
            return jax.tree.map(gather, function(state, frozen, batch))

        program = jax.pmap(gathered, axis_name=DATA)
        first = lambda a: a.addressable_data(0)[0]
        return lambda *arguments: jax.tree.map(first, program(*arguments))


def placement(parallel: str, model: int = 1) -> Placement:
    """The mode that a config names: "jit" or "pmap"."""
    if parallel == "jit":
        return Sharded(model)
    if parallel == "pmap":
        if model != 1:
            raise UserError("parallel='pmap' cannot cut parameters; use parallel='jit'")
        return Mapped()
    raise UserError(f"parallel={parallel!r} is unknown; it is 'jit' or 'pmap'")
