"""Scoring every image of a data set for every method: resumable, in any order."""

import io
import os
import queue
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import jax
import numpy as np

from kernel_space_jax import images
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation.check import checked
from kernel_space_jax.evaluation.methods import Method
from kernel_space_jax.evaluation.protocol import Problem, Problems, Protocol, Restored
from kernel_space_jax.evaluation.store import Row, Store
from kernel_space_jax.files import write_whole

Devices = queue.SimpleQueue  # of jax.Device

# Reading, checking and scoring overlap; more threads than this only cost memory.
MOST_THREADS = 4


def score_all(
    protocol: Protocol,
    problems: Problems,
    methods: Sequence[Method],
    store: Store,
    *,
    names: Sequence[str] | None = None,
    keep_images: bool = True,
    devices: Sequence | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Adds to the store every row that it lacks.

    Rows with a problem, and those whose result has changed, are made again. Each image
    is restored and scored by itself, so neither order nor number of devices changes
    any digit. `names` are the first names of `problems`, by default all.
    `tell(done, count)` reports progress in rows.
    """
    names = problems.names if names is None else names
    todo = [
        (index, [m for m in methods if not _is_done(store, m, name)])
        for index, name in enumerate(names)
    ]
    total = len(names) * len(methods)
    done = total - sum(len(missing) for _, missing in todo)
    tell(done, total)
    todo = [(index, missing) for index, missing in todo if missing]

    # Each device restores one image at a time.
    devices = jax.local_devices() if devices is None else devices
    free: Devices = queue.SimpleQueue()
    for device in devices:
        free.put(device)

    def work(index: int, missing: Iterable[Method]) -> list[Row]:
        try:
            problem = problems[index]
        except UserError as error:
            return [Row(m.label, names[index], problem=str(error)) for m in missing]
        return [
            _row(protocol, problem, method, store, free, keep_images)
            for method in missing
        ]

    threads = max(len(devices), min(MOST_THREADS, os.cpu_count() or 1))
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work, *task) for task in todo]
        try:
            for future in as_completed(futures):
                for row in future.result():
                    store.add(row)
                    done += 1
                    tell(done, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _is_done(store: Store, method: Method, name: str) -> bool:
    row = store.rows.get((method.label, name))
    return row is not None and not row.problem and row.stamp == method.stamp(name)


def _row(
    protocol: Protocol,
    problem: Problem,
    method: Method,
    store: Store,
    free: Devices,
    keep_images: bool,
) -> Row:
    """One method on one image."""
    record, group = problem
    stamp = method.stamp(record.name)
    try:
        device = free.get()
        try:
            with jax.default_device(device):
                begun = time.perf_counter()
                restored = method.restore(record)
                seconds = time.perf_counter() - begun
        finally:
            free.put(device)
        restored = checked(record, restored)
        scores = protocol.score(record, restored)
    except UserError as error:
        return Row(method.label, record.name, group, problem=str(error), stamp=stamp)
    if keep_images and method.keep:
        _keep(store, method, record.name, restored)
    return Row(
        method.label, record.name, group, scores, "", restored.notes, stamp, seconds
    )


def _keep(store: Store, method: Method, name: str, restored: Restored) -> None:
    """Writes what the report shows."""
    photo = images.Photo(restored.image, bits=restored.bits)
    images.write(store.image_path(method.label, name), photo)
    if restored.kernels is not None:
        buffer = io.BytesIO()
        np.save(buffer, restored.kernels)
        write_whole(store.kernel_path(method.label, name), buffer.getvalue())
