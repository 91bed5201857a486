"""What a run sees: batches from disk, or made on the device, or both.

The keys of `config.data` describe one stream of data, which a step sees as the batch
itself. Beside it, or instead of it (`train=()`), `data.streams` names others; a step
sees each as batch[NAME]. Every stream is drawn by itself and resumed by itself.

A feed hands out this process's rows of each batch (NumPy), and a pure function
`prepare(batch, keys)` finishes them on the device inside the compiled step: integers
become floats, sharp images are drawn if there are none, and blurred if they have no
blurry partner, or if `fresh` blur takes its place.
"""

import zlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.synthesis import blur_uniform, dead_leaves, scene, shake_kernel
from kernel_space_jax.synthesis.camera import PHOTON, READ
from kernel_space_jax.synthesis.degradations import resample
from kernel_space_jax.training.devices import HostBatch
from kernel_space_jax.training.task import Batch, Config, example_keys

if TYPE_CHECKING:
    from kernel_space_jax.datasets.source import Source

SYNTHETIC = "synthetic"
PIPELINES = ("grain", "tf")
MAIN = ""
# What the batch of a stream may hold.
IMAGES = ("sharp", "blurry")
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
        return _joined({name: next(feed) for name, feed in self._feeds.items()})

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


def _joined(parts: dict[str, HostBatch]) -> HostBatch:
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
        _joined({name: _read(data, rows, size) for name, data in found.items()})
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
    return _wide_crop(data) if made else data.crop


def _wide_crop(data: Config) -> int:
    return data.crop + 2 * (data.kernel_size // 2)


def preparations(
    data: Config, *, training: bool = True
) -> Callable[[Batch, Array], Batch]:
    """The on-device half of a feed: (batch, a key) -> batch, all streams finished.

    Each stream has the "number" of the batch too. Validation pairs stay as they are.
    """
    found = streams(data)
    for stream in found.values():
        stream.fresh = stream.fresh if training else 0.0
    finish = {name: preparation(stream) for name, stream in found.items()}

    def prepare(batch: Batch, key: Array) -> Batch:
        prepared = {}
        for name in finish:
            part = batch[name] if name else batch
            part = {k: v for k, v in part.items() if k not in finish}
            part["number"] = batch["number"]
            here = jax.random.fold_in(key, zlib.crc32(name.encode()))
            prepared[name] = finish[name](part, example_keys(here, part))
        return {"number": batch["number"]} | _joined(prepared)

    return prepare


def preparation(data: Config) -> Callable[[Batch, Array], Batch]:
    """The same of one stream: (batch, one key an example) -> batch.

    "shake": y = h * x + noise with a fresh camera shake, and h as "kernel".
    "scene": a `synthesis.scene` of x, with its "kernels" and "masks"; "sharp" is
    brighter than 1 where the photo is clipped.
    Pixels beyond the crop take part in both. Pairs stay as they are, but for the part
    `data.fresh`: its sharp images are blurred so, and only images are in the batch.
    """
    side = _wide_crop(data) if data.blur != "none" else data.crop
    blur = BLURS[data.blur]

    def prepare(batch: Batch, keys: Array) -> Batch:
        batch = {name: _as_floats(value) for name, value in batch.items()}
        if "blurry" in batch and not data.fresh:
            return batch
        stored = {name: batch[name] for name in IMAGES if name in batch}
        keys = jax.vmap(jax.random.split)(keys)
        x = batch.get("sharp")
        if x is None or data.leaves:
            drawn = jax.vmap(lambda key: dead_leaves(key, (side, side)))(keys[:, 0])
            x = drawn if x is None else _some(data.leaves, keys[:, 0], drawn, x)
        if data.soft < 1:
            x = jax.vmap(partial(_soft, data.soft))(keys[:, 0], x)
        made = jax.vmap(partial(blur, data))(keys[:, 1], x)
        if "blurry" not in batch:
            return batch | made
        inner = jax.vmap(partial(_inner, data))(stored)
        chosen = jax.vmap(partial(jax.random.fold_in, data=2))(keys[:, 0])
        return batch | {
            name: _some(data.fresh, chosen, made[name], inner[name]) for name in IMAGES
        }

    return prepare


def _some(share: float, keys: Array, images: Array, others: Array) -> Array:
    """Each of the images with the probability `share`, else the other: (N, ...)."""
    chance = jax.vmap(lambda key: jax.random.uniform(jax.random.fold_in(key, 0)))(keys)
    return jnp.where((chance < share)[:, None, None, None], images, others)


def _soft(least: float, key: Array, x: Array) -> Array:
    """x, or with even chances x with from `least` to all of its resolution."""
    key, kind = jax.random.split(jax.random.fold_in(key, 1))
    scale = jax.random.uniform(key, minval=2 * least - 1, maxval=1.0)
    soft = resample(x, jnp.maximum(scale, least), cubic=jax.random.bernoulli(kind))
    return jnp.where(scale < least, x, jnp.clip(soft, 0, 1))


def _unblurred(data: Config, key: Array, x: Array) -> Batch:
    return {"sharp": x}


def _shaken(data: Config, key: Array, x: Array) -> Batch:
    shake, grain = jax.random.split(key)
    h = shake_kernel(shake, data.kernel_size)
    y = blur_uniform(x, h)
    if data.noise:
        y = y + data.noise * jax.random.normal(grain, y.shape)
    return _inner(data, {"sharp": x, "blurry": jnp.clip(y, 0.0, 1.0)}) | {"kernel": h}


def _moving(data: Config, key: Array, x: Array) -> Batch:
    least, most = jnp.log(jnp.asarray(data.grain))
    draw = jax.random.uniform(jax.random.fold_in(key, 0))
    grain = jnp.exp(least + (most - least) * draw)
    made = scene(
        key,
        x,
        objects=data.objects,
        size=data.kernel_size,
        still=data.still,
        photon=grain * PHOTON,
        read=grain * READ,
    )
    images = {"sharp": made.x, "blurry": made.y, "masks": made.masks}
    return _inner(data, images) | {"kernels": made.kernels}


BLURS = {"shake": _shaken, "scene": _moving, "none": _unblurred}


def _inner(data: Config, images: Batch) -> Batch:
    """The crop in the middle of the wide one."""
    inner = slice(data.kernel_size // 2, data.kernel_size // 2 + data.crop)
    return {name: image[inner, inner] for name, image in images.items()}


def _as_floats(stored: Array) -> Array:
    """Pixels as float32 in [0, 1]; what is no picture stays as it is."""
    if not jnp.issubdtype(stored.dtype, jnp.unsignedinteger):
        return stored
    return stored.astype(jnp.float32) / jnp.iinfo(stored.dtype).max
