"""Many equal blocks one after the other, with gradients that are fast on CPU.

    x_{i+1} = x_i + block(x_i; theta_i)

The gradient in x_i is a sum over all later blocks. XLA on CPU joins this sum with each
of its readers, and so finds it anew for every block. In a loop it is found once. A loop
is slower where no gradient is asked for, so only that is one.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.backend import platform

Block = Callable[[Array, Any], Array]
MANY = 4  # with fewer blocks there is little to find anew


def chain(block: Block, x: Array, thetas: Sequence[Any]) -> Array:
    """block(... block(x, thetas[0]) ..., thetas[-1]), each of the shape of x."""
    if platform() == "cpu" and len(thetas) >= MANY:
        return _looped(block, x, tuple(thetas))
    return _unrolled(block, x, thetas)


def _unrolled(block: Block, x: Array, thetas: Sequence[Any]) -> Array:
    for theta in thetas:
        x = block(x, theta)
    return x


_looped = partial(jax.custom_vjp, nondiff_argnums=(0,))(_unrolled)


def _forward(block: Block, x: Array, thetas: Sequence[Any]) -> tuple[Array, Any]:
    def loop(x: Array, thetas: Sequence[Any]) -> Array:
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *thetas)
        return jax.lax.scan(lambda x, theta: (block(x, theta), None), x, stacked)[0]

    return jax.vjp(loop, x, thetas)


def _backward(block: Block, pull: Any, g: Array) -> tuple[Array, Any]:
    return pull(g)


_looped.defvjp(_forward, _backward)
