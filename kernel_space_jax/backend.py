"""What programs are compiled for: the devices of this machine, or others.

Layers and solvers choose their forms by `platform()`, meshes are made of `devices()`.
XLA compiles for a TPU slice on a machine that has none: within `compiling_for(devices)`
both functions speak of that slice. Its programs can be read, not run.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax

Device = Any  # a jax.Device, which type checkers take for a variable

_others: ContextVar[tuple[Device, ...]] = ContextVar("others", default=())


def platform() -> str:
    """The kind of the devices: "cpu", "gpu" or "tpu"."""
    others = _others.get()
    return others[0].platform if others else jax.default_backend()


def devices() -> list[Device]:
    """All devices of all processes."""
    return list(_others.get()) or jax.devices()


def memory() -> int | None:
    """The bytes of one device of this process, if it reports them."""
    if _others.get():
        return None
    return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")


@contextmanager
def compiling_for(others: Sequence[Device]) -> Iterator[None]:
    """Within, programs are made for these devices, which need not be here."""
    # What was traced for one platform must not be taken for another.
    jax.clear_caches()
    token = _others.set(tuple(others))
    try:
        yield
    finally:
        _others.reset(token)
        jax.clear_caches()
