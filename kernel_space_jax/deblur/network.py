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
    return jax.jit(partial(applied, module, method=method), compiler_options=frugal())


def frugal() -> dict[str, Any]:
    """Options of `jax.jit` for a pass over a large photo: what is computed when.

    By default XLA on CPU orders a program for many cores, and a deep network then holds
    two to five times as many images at once; the time is the same on a few cores.
    """
    if jax.default_backend() != "cpu":
        return {}
    return {"xla_cpu_enable_concurrency_optimized_scheduler": False}


def read_once(name: str) -> Weights:
    """Weights that have a name, read and checked once a process."""
    path = known()[name]
    return _read(path, path.stat().st_mtime_ns)


@cache
def _read(path: Path, written: int) -> Weights:
    return load(path)
