"""Timing with nothing but JAX: turns, compilation apart, memory, flops, the peak."""

import time
from collections.abc import Callable
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp

from kernel_space_jax.backend import compiling_for

Call = Callable[[], object]
Times = dict[str, list[float]]  # milliseconds of each round, by who took them
SIDE, TRIES = 2048, 7


def race(calls: dict[str, Call], rounds: int) -> Times:
    """Milliseconds of each call and round; the calls take turns, after one warm-up.

    A call returns when its work is done: ours blocks until ready, see also `theirs`.
    """
    times: Times = {name: [] for name in calls}
    for warm in (False, *[True] * rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if warm:
                times[name].append(1e3 * (time.perf_counter() - start))
    return times


def compiled(function: Callable, *args: Any, **options: Any) -> tuple[Any, float]:
    """The program of `function` for these arguments, and the seconds it took."""
    lowered = jax.jit(function, **options).lower(*args)
    start = time.perf_counter()
    return lowered.compile(), time.perf_counter() - start


def gigabytes(program: Any) -> float:
    """What a compiled program holds at once: arguments, answers and between."""
    sizes = program.memory_analysis()
    parts = ("argument", "output", "temp")
    return sum(getattr(sizes, f"{part}_size_in_bytes") for part in parts) / 1e9


def gigaflops(function: Callable, *args: Any) -> float:
    """What `function` computes, the body of a loop once.

    Counted in its form for accelerators: on a CPU our convolutions are written out in
    loops, and some of them need fewer products.
    """
    with compiling_for([SimpleNamespace(platform="gpu")]):
        # A new function: what was traced for this platform is not taken for that one.
        costs = jax.jit(partial(function)).lower(*args).cost_analysis()
    return costs["flops"] / 1e9 if costs else float("nan")


@cache
def peak(dtype: str = "float32", side: int = SIDE) -> float:
    """Gigaflops a second of a large matrix product, the best of a few."""
    # Random numbers: a GPU multiplies equal ones faster.
    a = jax.random.normal(jax.random.key(0), (side, side), dtype)
    product = jax.jit(jnp.matmul)
    times = race({"": lambda: jax.block_until_ready(product(a, a))}, TRIES)
    return 2 * side**3 / min(times[""]) / 1e6


def their_device() -> str:
    """Where PyTorch must compute to be compared with JAX."""
    return "cuda" if jax.default_backend() == "gpu" else "cpu"


def theirs(call: Call) -> Call:
    """A call of PyTorch that returns when the device is done."""
    if their_device() == "cpu":
        return call
    import torch

    def finished() -> object:
        answer = call()
        torch.cuda.synchronize()
        return answer

    return finished
