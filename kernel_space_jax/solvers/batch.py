"""Many independent problems at once: over the devices, and on each of them.

Every search here is of one photo. `spread` makes it one of many, as suits the
platform:

    between devices   shard_map: no device waits for another's photo
    on a CPU          one photo after the other (lax.map), each stops for itself
    elsewhere         all photos of a device at once (vmap; not measured yet)

On a CPU convolutions with weights of their own for each photo are faster one by one;
`scripts/benchmark.py blind` measures it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.sharding import AxisType, PartitionSpec

Way = Literal["map", "vmap"]
AXIS = "photos"


def way_of_platform() -> Way:
    """How the photos of one device are solved."""
    return "map" if jax.default_backend() == "cpu" else "vmap"


def spread(solve: Callable[..., Any], way: Way | None = None) -> Callable[..., Any]:
    """`solve(shared, *one)` for each of a stack: the function of (shared, *stacks).

    All arguments and answers are pytrees of arrays; every leaf of the stacks has n for
    its first axis, those of `shared` belong to all. n may be any number: what is
    missing to a multiple of the devices is filled up with the last problem.
    """

    def here(shared: Any, stacks: tuple) -> Any:
        if (way or way_of_platform()) == "map":
            return lax.map(lambda one: solve(shared, *one), stacks)
        return jax.vmap(lambda *one: solve(shared, *one))(*stacks)

    @jax.jit
    def everywhere(shared: Any, *stacks: Any) -> Any:
        devices = jax.device_count()
        if devices == 1:
            return here(shared, stacks)
        count = jax.tree.leaves(stacks)[0].shape[0]
        missing = -count % devices
        filled = jax.tree.map(partial(_fill, missing=missing), stacks)
        mesh = jax.make_mesh((devices,), (AXIS,), axis_types=(AxisType.Auto,))
        mapped = jax.shard_map(
            here,
            mesh=mesh,
            in_specs=(PartitionSpec(), PartitionSpec(AXIS)),
            out_specs=PartitionSpec(AXIS),
            # The loops inside mix what all share with what differs.
            check_vma=False,
        )
        found = mapped(shared, filled)
        return jax.tree.map(lambda leaf: leaf[:count], found)

    return everywhere


def _fill(stack: Array, missing: int) -> Array:
    if not missing:
        return stack
    last = jnp.repeat(stack[-1:], missing, 0)
    return jnp.concatenate([stack, last])
