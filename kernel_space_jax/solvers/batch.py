"""Many independent problems at once: over the devices, and on each of them.

Every search here is of one photo. `spread` makes it one of many photos, as
suits the platform:

    between devices   shard_map: no device waits for another's photo
    on a CPU          one photo after the other (lax.map), each stops for itself
    elsewhere         as many at once as its memory holds (vmap), chunk after chunk

On a CPU convolutions with weights of their own for each photo are faster one by one;
`scripts/benchmark.py blind` measures it.

`solve_each` is for problems that use one core each: on a CPU threads take them.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.sharding import AxisType, PartitionSpec

from kernel_space_jax import backend
from kernel_space_jax.tell import Tell, silent

Way = Literal["map", "vmap"]
AXIS = "photos"
# The part of a device's memory that the photos of a chunk may fill.
SHARE = 0.8


def way_of_platform() -> Way:
    """How the photos of one device are solved."""
    return "map" if backend.platform() == "cpu" else "vmap"


def spread(
    solve: Callable[..., Any], way: Way | None = None, memory: int | None = None
) -> Callable[..., Any]:
    """`solve(shared, *one)` for each of a stack: the function of (shared, *stacks).

    All arguments and results are pytrees of arrays. Every leaf of the stacks has n as
    its first axis; those of `shared` belong to all. n may be any number: copies of the
    last problem fill it up to a multiple of the devices. `memory` is that of one device
    in bytes, by default as the device reports it.
    """

    def here(shared: Any, stacks: tuple) -> Any:
        chunk = None
        if (way or way_of_platform()) == "vmap":
            chunk = _chunk(solve, shared, stacks, memory or backend.memory())
        return lax.map(lambda one: solve(shared, *one), stacks, batch_size=chunk)

    @jax.jit
    def everywhere(shared: Any, *stacks: Any) -> Any:
        devices = backend.devices()
        if len(devices) == 1:
            return here(shared, stacks)
        count = _count(stacks)
        missing = -count % len(devices)
        filled = jax.tree.map(partial(_fill, missing=missing), stacks)
        kind = (AxisType.Auto,)
        mesh = jax.make_mesh((len(devices),), (AXIS,), kind, devices=devices)
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


def solve_each(
    solve: Callable[..., Any], shared: Any, *stacks: Any, tell: Tell = silent
) -> Any:
    """`solve(shared, *one)` of each problem of the stacks, as `spread` gives them.

    Programs are kept by `solve`: give the same function again, not a new lambda.
    `tell(done, count)` reports progress.
    """
    count = _count(stacks)
    if way_of_platform() != "map" or len(backend.devices()) > 1:
        found = jax.block_until_ready(_spread(solve)(shared, *stacks))
        tell(count, count)
        return found
    ones = [jax.tree.map(lambda a, i=i: a[i], stacks) for i in range(count)]
    program = _program(solve, shared, *ones[0])
    run = lambda one: jax.block_until_ready(program(shared, *one))
    found = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for one in pool.map(run, ones):
            found.append(one)
            tell(len(found), count)
    return jax.tree.map(lambda *parts: jnp.stack(parts), *found)


_spread = cache(spread)


def _program(solve: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """Compiled before the threads start: each would compile it for itself."""
    leaves, tree = jax.tree.flatten(arguments)
    kinds = tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in leaves)
    return _compiled(solve, tree, kinds)


@cache
def _compiled(solve: Callable[..., Any], tree: Any, kinds: tuple) -> Any:
    return jax.jit(solve).lower(*jax.tree.unflatten(tree, kinds)).compile()


def _chunk(solve: Callable, shared: Any, stacks: tuple, memory: int | None) -> int:
    """How many problems of these stacks (n, ...) a device solves at once."""
    count = _count(stacks)
    if memory is None:
        return count
    alone = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), shared)
    one = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), stacks)
    # Compiled for one, to see what it needs: a guess would fill the device or waste it.
    needs = jax.jit(solve).lower(alone, *one).compile().memory_analysis()
    if needs is None:
        return count
    common = sum(a.size * a.dtype.itemsize for a in jax.tree.leaves(shared))
    own = needs.argument_size_in_bytes - common
    # The stack is there twice: as it came, and cut into chunks.
    kept = common + count * (2 * own + needs.output_size_in_bytes)
    room = SHARE * memory - kept
    return max(1, min(count, int(room / max(needs.temp_size_in_bytes, 1))))


def _count(stacks: Any) -> int:
    return jax.tree.leaves(stacks)[0].shape[0]


def _fill(stack: Array, missing: int) -> Array:
    if not missing:
        return stack
    last = jnp.repeat(stack[-1:], missing, 0)
    return jnp.concatenate([stack, last])
