"""Batches through Grain: threads, or worker processes."""

import atexit
from collections.abc import Iterator
from weakref import WeakSet

import grain
import numpy as np
from absl import flags

from kernel_space_jax.datasets.crops import Draw, read_crop
from kernel_space_jax.datasets.plan import Plan, Stream

_open: WeakSet[grain.DatasetIterator] = WeakSet()


class _Read(grain.transforms.Map):
    """One draw a stream becomes one example: {key: integers (crop, crop, 3)}."""

    def __init__(self, streams: list[Stream], crop: int, bits: int):
        self.streams, self.crop, self.bits = streams, crop, bits

    def map(self, element: tuple[Draw, ...]) -> dict[str, np.ndarray]:
        example = {}
        for stream, drawn in zip(self.streams, element, strict=True):
            source = stream.sources[drawn.source]
            crops = read_crop(source, drawn, self.crop, self.bits)
            example |= {key: crops[part] for part, key in stream.keys.items()}
        return example


def open_at(
    plan: Plan, workers: int, threads: int, start: int
) -> Iterator[dict[str, np.ndarray]]:
    """The batches of a plan from number `start` on."""
    read = _Read(plan.streams, plan.crop, plan.bits)
    # Batches are cut out before work is shared out, so that no worker changes them.
    batched = plan.draws.map(read).batch(plan.batch_size, drop_remainder=True)
    own = max(1, threads // max(1, workers))
    options = grain.ReadOptions(num_threads=own, prefetch_buffer_size=own + 1)
    dataset = batched[start:].to_iter_dataset(options)
    if workers:
        # Grain reads a flag of absl's, which nobody parses in a program without absl.
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        dataset = dataset.mp_prefetch(grain.MultiprocessingOptions(workers))
    iterator = iter(dataset)
    _open.add(iterator)
    return iterator


@atexit.register
def _close() -> None:
    """Ends threads and workers while Python still can; later they complain."""
    for iterator in list(_open):
        iterator.close()
