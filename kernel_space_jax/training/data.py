"""What a run sees: batches from disk, or made on the device, or both.

The keys of `config.data` describe one stream of data, which a step sees as the batch
itself. Beside it, or instead of it (`train=()`), `data.streams` names others; a step
sees each as batch[NAME]. Every stream is drawn by itself and resumed by itself.

A feed hands out this process's rows of each batch (NumPy); preparation.py finishes
them on the device.
"""

import zlib
from typing import TYPE_CHECKING, Any, Protocol

import jax
import numpy as np

from kernel_space_jax.errors import UserError
from kernel_space_jax.training.devices import HostBatch
from kernel_space_jax.training.task import Config

if TYPE_CHECKING:
    from kernel_space_jax.datasets.source import Source

SYNTHETIC = "synthetic"
PIPELINES = ("grain", "tf")
MAIN = ""
# What the batch of a stream may hold.
PARTS = ("number", "sharp", "blurry", "kernel", "kernels", "masks")


class Feed(Protocol):
    """Endless batches whose place can be saved."""

    def __next__(self) -> HostBatch: ...

    def get_state(self) -> dict[str, Any]:
        """The place, as JSON."""
        ...

    def set_state(self, state: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


class Synthetic:
    """The feed of a run whose images are all made on the device."""

    def __next__(self) -> HostBatch:
        return {}

    def get_state(self) -> dict[str, Any]:
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        pass

    def close(self) -> None:
        pass


def streams(data: Config) -> dict[str, Config]:
    """The keys of every stream, by its name; MAIN is that of the short form."""
    common = data.copy_and_resolve_references().unlock()
    del common["streams"]
    found = {MAIN: common} if data.train else {}
    for name, own in data.streams.items():
        unknown = sorted(set(own) - set(common))
        if unknown:
            raise UserError(
                f"config.data.streams.{name} has no key {unknown[0]!r}; "
                f"it has {', '.join(common)}"
            )
        if name in PARTS:
            raise UserError(
                f"a stream cannot be called {name!r}, as a part of a batch is; "
                "choose another name in config.data.streams"
            )
        if not own.get("train"):
            raise UserError(f"config.data.streams.{name} names no data; set its train")
        found[name] = common.copy_and_resolve_references()
        try:
            found[name].update(own)
        except TypeError as error:
            raise UserError(
                f"config.data.streams.{name} does not fit: {error}"
            ) from None
    if not found:
        raise UserError("the config names no data; set data.train or data.streams")
    return found


def open_feed(config: Config) -> Feed:
    """The training batches of a config."""
    feeds = {}
    for name, data in streams(config.data).items():
        seed = (config.seed + zlib.crc32(name.encode())) % 2**32
        feeds[name] = _open_stream(data, config.batch_size, seed)
    return _Streams(feeds)


def _open_stream(data: Config, batch_size: int, seed: int) -> Feed:
    specs = tuple(data.train)
    if data.fresh:
        _check_fresh(data, specs)
    if SYNTHETIC in specs:
        if len(specs) > 1:
            raise UserError("data.train mixes 'synthetic' with data sets; take one")
        return Synthetic()
    if len(data.weights) != len(specs):
        raise UserError(
            f"data.weights has {len(data.weights)} numbers for {len(specs)} data sets"
        )
    from kernel_space_jax.datasets.pipeline import batches

    sources = [_chosen(spec, data.sharpest) for spec in specs]
    return _Stored(
        batches(
            list(zip(sources, data.weights, strict=True)),
            batch_size=batch_size // jax.process_count(),
            crop=_read_crop(data, specs[0], data.fresh),
            seed=seed,
            augment=data.augment,
            workers=data.workers,
            backend=data.pipeline,
        )
    )


def _chosen(spec: str, share: float) -> "Source":
    from kernel_space_jax.datasets import open_source

    source = open_source(spec)
    if share == 1:
        return source
    from kernel_space_jax.datasets.sharpness import sharpest

    return sharpest(source, share)


def _check_fresh(data: Config, specs: tuple[str, ...]) -> None:
    from kernel_space_jax.datasets import open_source

    if data.blur == "none":
        raise UserError("data.fresh asks for new blur; set data.blur to shake or scene")
    for spec in specs:
        if spec == SYNTHETIC or "blurry" not in open_source(spec).parts():
            raise UserError(
                f"{spec} has no blurry images, so all its blur is made here; leave "
                "out data.fresh"
            )


class _Streams:
    """The batches of all streams side by side."""

    def __init__(self, feeds: dict[str, Feed]):
        self._feeds = feeds

    def __next__(self) -> HostBatch:
        return joined({name: next(feed) for name, feed in self._feeds.items()})

    def get_state(self) -> dict[str, Any]:
        return {name: feed.get_state() for name, feed in self._feeds.items()}

    def set_state(self, state: dict[str, Any]) -> None:
        if state.keys() != self._feeds.keys():
            known = ", ".join(name or "data.train" for name in state)
            raise UserError(
                f"the run was made with the data streams {known}; "
                "start in a new work directory for others"
            )
        for name, feed in self._feeds.items():
            feed.set_state(state[name])

    def close(self) -> None:
        for feed in self._feeds.values():
            feed.close()


def joined(parts: dict[str, HostBatch]) -> HostBatch:
    """The batch of each stream under its name; that of MAIN is the batch itself."""
    named = {name: part for name, part in parts.items() if name != MAIN}
    return parts.get(MAIN, {}) | named


class _Stored:
    """Batches as the integers of their files: the device makes floats of them."""

    def __init__(self, batches: Any):
        self._batches = batches
        self.get_state, self.set_state = batches.get_state, batches.set_state
        self.close = batches.close

    def __next__(self) -> HostBatch:
        return self._batches.stored()


def open_validation(config: Config) -> list[HostBatch]:
    """This process's rows of the validation batches, the same at every evaluation.

    The last batch is filled up with the first examples; the loop counts each once.
    """
    size, batch = config.data.validation_size, config.batch_size
    index, count = jax.process_index(), jax.process_count()
    numbers = np.arange(-(-size // batch) * batch, dtype=np.int32) % size
    shares = [rows[index::count] for rows in numbers.reshape(-1, batch)]
    found = streams(config.data)
    return [
        joined({name: _read(data, rows, size) for name, data in found.items()})
        | {"number": rows}
        for rows in shares
    ]


def _read(data: Config, numbers: np.ndarray, size: int) -> HostBatch:
    """The central crops of records spread evenly over the validation set.

    `numbers` are theirs, of `size` in all. {} where they are made on the device.
    """
    if data.validation == SYNTHETIC:
        return {}
    from kernel_space_jax.datasets import open_source
    from kernel_space_jax.datasets.crops import Draw, read_crop

    source = open_source(data.validation)
    side = _read_crop(data, data.validation, fresh=0.0)
    crops = []
    for number in numbers:
        record = int(number) * len(source) // size
        middle = Draw(0, record, row=0.5, column=0.5, flip=False, turns=0)
        crops.append(read_crop(source, middle, side, bits=8))
    return {part: np.stack([crop[part] for crop in crops]) for part in crops[0]}


def _read_crop(data: Config, spec: str, fresh: float) -> int:
    """Pixels a side to read, so that `crop` are left where blur is made here."""
    from kernel_space_jax.datasets import open_source

    made = data.blur != "none" and (
        fresh > 0 or "blurry" not in open_source(spec).parts()
    )
    return wide_crop(data) if made else data.crop


def wide_crop(data: Config) -> int:
    return data.crop + 2 * (data.kernel_size // 2)
