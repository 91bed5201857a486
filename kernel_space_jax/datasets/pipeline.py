"""Endless training batches from data sets on disk.

    for batch in batches("gopro:/data/GOPRO?split=train", batch_size=8): ...

What comes when is drawn by Grain from the seed and the number of the batch alone. So
the batches do not depend on threads, worker processes or backend, a run resumes at the
exact batch from one number, and the hosts of a pod share one stream: host h of n takes
examples h, h + n, h + 2n, ... of what a single host would see.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, Self

import jax
import numpy as np

from kernel_space_jax.datasets import grain_backend
from kernel_space_jax.datasets.crops import Augment
from kernel_space_jax.datasets.plan import Mixture, make_plan
from kernel_space_jax.errors import UserError

Batch = dict[str, np.ndarray]
Backend = Literal["grain", "tf"]
MOST_THREADS = 16


def batches(
    sources: Mixture | None = None,
    *,
    batch_size: int,
    crop: int = 256,
    augment: Augment = "turn",
    unpaired: Mapping[str, Mixture] | None = None,
    seed: int = 0,
    bits: int = 8,
    workers: int = 0,
    threads: int | None = None,
    process: tuple[int, int] | None = None,
    backend: Backend = "grain",
) -> "Batches":
    """Endless batches of random crops: {"blurry", "sharp"} or the one that there is.

    Args:
      sources: a spec such as "gopro:/data/GOPRO?split=train", a `Source`, or several
        of them, each with a weight or none: [("reds:/r", 1), ("gopro:/g", 10)]. Without
        weights every record is as likely as any other.
      batch_size: examples of this process.
      crop: pixels a side; smaller pictures are mirrored out to it.
      augment: "turn" for flips and quarter turns, "mirror" for flips, or "none".
      unpaired: more keys of the batch, each with a mixture of its own of single
        pictures, drawn apart: {"unknown": "blur2blur:/b?part=A"}.
      seed: the same seed, the same batches.
      bits: 8 or 16, the depth that pictures are carried in to the device.
      workers: processes that read; 0 reads in threads of this one.
      threads: that read at once, over all workers; the default is a thread a core.
      process: (index, count) of this host among those of a pod; by default JAX's.
      backend: "grain", or "tf" for tf.data (needs the `tf` extra): the same batches.
    """
    if bits not in (8, 16):
        raise UserError(f"bits={bits} is unknown; it is 8 or 16")
    if min(batch_size, crop) < 1 or workers < 0:
        raise UserError("batch_size and crop must be at least 1, workers at least 0")
    process = process or (jax.process_index(), jax.process_count())
    plan = make_plan(
        sources,
        unpaired or {},
        batch_size=batch_size,
        crop=crop,
        augment=augment,
        bits=bits,
        seed=seed,
        process=process,
    )
    threads = threads or min(MOST_THREADS, os.cpu_count() or 1)
    if backend == "grain":
        open_at = partial(grain_backend.open_at, plan, workers, threads)
    elif backend == "tf":
        from kernel_space_jax.datasets import tf_backend

        open_at = partial(tf_backend.open_at, plan, threads)
    else:
        raise UserError(f"backend={backend!r} is unknown; it is 'grain' or 'tf'")
    return Batches(open_at, bits)


class Batches(Iterator[Batch]):
    """Batches {"blurry", "sharp", ...}: float32 (N, crop, crop, 3) in [0, 1].

    `get_state` and `set_state` save and restore the place: a dict fit for JSON.
    """

    def __init__(self, open_at: Callable[[int], Iterator[Batch]], bits: int):
        self._open_at = open_at
        self._most = np.float32(2**bits - 1)
        self._number = 0
        self._iterator: Iterator[Batch] | None = None

    def __next__(self) -> Batch:
        return {k: v.astype(np.float32) / self._most for k, v in self.stored().items()}

    def stored(self) -> Batch:
        """The next batch as the integers that it is stored in."""
        if self._iterator is None:
            self._iterator = self._open_at(self._number)
        batch = next(self._iterator)
        self._number += 1
        return batch

    def get_state(self) -> dict[str, int]:
        """The place: how many batches were handed out."""
        return {"batches": self._number}

    def set_state(self, state: dict[str, int]) -> None:
        """Goes to the place of a saved state, at no cost."""
        self.close()
        self._number = state["batches"]

    def close(self) -> None:
        """Ends threads and worker processes; the next batch starts them again."""
        if self._iterator is not None:
            end = getattr(self._iterator, "close", None)
            self._iterator = None
            if end:
                end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on_device(
        self, place: Callable[[Batch], Any] = jax.device_put, ahead: int = 2
    ) -> "DeviceBatches":
        """The same batches as arrays on the device, `ahead` of them on their way.

        `place` puts a dict of NumPy arrays on the devices, sharded or not.
        """
        return DeviceBatches(self, place, ahead)


class DeviceBatches(Iterator[dict[str, jax.Array]]):
    """Batches on the device: integers cross the bus, floats are made of them there."""

    def __init__(self, batches: Batches, place: Callable[[Batch], Any], ahead: int):
        self._batches, self._place, self._ahead = batches, place, ahead
        self._waiting: deque[dict[str, jax.Array]] = deque()

    def __next__(self) -> dict[str, jax.Array]:
        while len(self._waiting) <= self._ahead:
            self._waiting.append(_as_floats(self._place(self._batches.stored())))
        return self._waiting.popleft()

    def get_state(self) -> dict[str, int]:
        """The place of the last batch handed out, not of those on their way."""
        state = self._batches.get_state()
        return {"batches": state["batches"] - len(self._waiting)}

    def set_state(self, state: dict[str, int]) -> None:
        """Goes to the place of a saved state."""
        self._waiting.clear()
        self._batches.set_state(state)

    def close(self) -> None:
        """Ends threads and worker processes."""
        self._batches.close()


@jax.jit
def _as_floats(stored: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Unsigned integers as float32 in [0, 1]."""
    return {k: v.astype(np.float32) / np.iinfo(v.dtype).max for k, v in stored.items()}
