"""A network applied to a photo: one compiled program for each of its methods."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import flax.linen as nn
import jax

from kernel_space_jax.models.restorers import applied
from kernel_space_jax.weights import Weights


def apply(network: Weights, *inputs: jax.Array, method: str | None = None) -> Any:
    """What a method of the network makes of these arrays, by default its `__call__`."""
    return _compiled(network.module, method)(network.variables, *inputs)


@cache
def _compiled(module: nn.Module, method: str | None) -> Callable[..., Any]:
    return jax.jit(partial(applied, module, method=method))
