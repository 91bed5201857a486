"""The same batches through tf.data (the `tf` extra): its threads, its PNG decoder.

TensorFlow is imported when the first batch is asked for, and kept off the accelerator.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from kernel_space_jax.datasets.crops import Draw, as_integers, cut, read_crop
from kernel_space_jax.datasets.entry import Picture
from kernel_space_jax.datasets.plan import Plan
from kernel_space_jax.datasets.source import FolderSource, Part
from kernel_space_jax.errors import UserError

AHEAD = 2  # batches that wait to be fetched


def open_at(plan: Plan, threads: int, start: int) -> Iterator[dict[str, np.ndarray]]:
    """The batches of a plan from number `start` on."""
    tf = _tensorflow()
    keys = [key for stream in plan.streams for key in stream.keys.values()]
    crops = _decoded_by_tf(tf, plan) if _all_png(plan) else _decoded_here(tf, plan)

    def example(number: Any) -> dict[str, Any]:
        shape = (plan.crop, plan.crop, 3)
        return {
            key: tf.ensure_shape(crop, shape)
            for key, crop in zip(keys, crops(number), strict=True)
        }

    first = start * plan.batch_size
    dataset = (
        tf.data.Dataset.range(first, np.iinfo(np.int64).max)
        .map(example, num_parallel_calls=threads, deterministic=True)
        .batch(plan.batch_size, drop_remainder=True)
        .prefetch(AHEAD)
    )
    return _iterate(dataset.as_numpy_iterator(), plan, first, tf.errors.OpError)


def _iterate(
    iterator: Iterator, plan: Plan, number: int, failure: type[Exception]
) -> Iterator[dict[str, np.ndarray]]:
    """TensorFlow's batches from example `number` on; its errors as sentences."""
    while True:
        try:
            batch = next(iterator)
        except failure:
            # Its own words name no file; reading the batch here finds the culprit.
            for example in range(number, number + plan.batch_size):
                _read(plan, example)
            raise
        yield batch
        number += plan.batch_size


def _tensorflow() -> Any:
    try:
        import tensorflow as tf  # pyright: ignore
    except ModuleNotFoundError:
        raise UserError(
            "backend='tf' needs TensorFlow: pip install '.[tf]' in the project's folder"
        ) from None
    # It would take the whole memory of a GPU that it has no use for.
    tf.config.set_visible_devices([], "GPU")
    return tf


def _decoded_here(tf: Any, plan: Plan) -> Any:
    """number -> the crops of an example, read as the Grain pipeline reads them."""
    kind = tf.uint8 if plan.bits == 8 else tf.uint16
    kinds = [kind for stream in plan.streams for _ in stream.keys]

    read = lambda number: _read(plan, int(number))
    return lambda number: tf.numpy_function(read, [number], kinds)


def _read(plan: Plan, number: int) -> list[np.ndarray]:
    """The crops of example `number`, in the order of the batch's keys."""
    crops = []
    for stream, drawn in zip(plan.streams, plan.draw(number), strict=True):
        source = stream.sources[drawn.source]
        read = read_crop(source, drawn, plan.crop, plan.bits)
        crops += [read[part] for part in stream.keys]
    return crops


def _all_png(plan: Plan) -> bool:
    """Whether TensorFlow can decode every picture just as this package does."""
    sources = [source for stream in plan.streams for source in stream.sources]
    return all(
        isinstance(source, FolderSource)
        and source.size is None
        and all(
            picture is None or (not picture.variable and _is_png(picture))
            for entry in source.entries
            for picture in (entry.blurry, entry.sharp)
        )
        for source in sources
    )


def _is_png(picture: Picture) -> bool:
    return picture.path.suffix.lower() == ".png"


def _decoded_by_tf(tf: Any, plan: Plan) -> Any:
    """number -> the crops of an example; only the cutting is ours."""
    parts: list[tuple[int, Part]] = [
        (i, part) for i, stream in enumerate(plan.streams) for part in stream.keys
    ]

    def paths(number: np.int64) -> list[bytes]:
        drawn = plan.draw(int(number))
        return [_path(plan, i, drawn[i], part) for i, part in parts]

    def crops(number: np.int64, *decoded: np.ndarray) -> list[np.ndarray]:
        drawn = plan.draw(int(number))
        sizes = {
            (i, *pixels.shape[:2])
            for (i, _), pixels in zip(parts, decoded, strict=True)
        }
        if len(sizes) > len(plan.streams):
            return _read(plan, int(number))  # says which pair is not of one size
        return [
            as_integers(cut(pixels, drawn[i], plan.crop), plan.bits)
            for (i, _), pixels in zip(parts, decoded, strict=True)
        ]

    kind = tf.uint8 if plan.bits == 8 else tf.uint16

    def read(number: Any) -> Any:
        files = tf.numpy_function(paths, [number], [tf.string] * len(parts))
        # 16 bits hold 8-bit pixels too, and cost no more to decode.
        decoded = [
            tf.io.decode_png(tf.io.read_file(file), channels=3, dtype=tf.uint16)
            for file in files
        ]
        return tf.numpy_function(crops, [number, *decoded], [kind] * len(parts))

    return read


def _path(plan: Plan, stream: int, drawn: Draw, part: Part) -> bytes:
    source = plan.streams[stream].sources[drawn.source]
    assert isinstance(source, FolderSource)
    picture = getattr(source.entries[drawn.index], part)
    return str(picture.path).encode()
