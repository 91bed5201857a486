"""Networks: read once, and one compiled program for each of their methods."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax

from kernel_space_jax.models.restorers import applied
from kernel_space_jax.weights import Weights, known, load


def apply(network: Weights, *inputs: jax.Array, method: str | None = None) -> Any:
    """What a method of the network makes of these arrays, by default its `__call__`."""
    return _compiled(network.module, method)(network.variables, *inputs)


@cache
def _compiled(module: nn.Module, method: str | None) -> Callable[..., Any]:
    return jax.jit(partial(applied, module, method=method))


def read_once(name: str) -> Weights:
    """Weights that have a name, read and checked once a process."""
    path = known()[name]
    return _read(path, path.stat().st_mtime_ns)


@cache
def _read(path: Path, written: int) -> Weights:
    return load(path)
