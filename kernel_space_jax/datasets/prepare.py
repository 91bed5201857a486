"""`prepare`: read a data set once, write it as ArrayRecord through a TFDS builder.

A run that is killed leaves nothing at the output; finished shards wait in a hidden
folder beside it, and the same command goes on from them.
"""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter

from kernel_space_jax.datasets.prepared import (
    CONTENTS,
    NO_KERNEL,
    NO_SPLIT,
    read_contents,
)
from kernel_space_jax.datasets.source import FolderSource, as_float
from kernel_space_jax.errors import UserError
from kernel_space_jax.files import write_whole

# Memory holds a shard twice over while it is written; a killed run loses at most one.
SHARD_BYTES = 64 * 2**20
THREADS = min(16, os.cpu_count() or 1)
WRITING = ".writing"  # the end of the name of a shard that is not finished
Example = tuple[str, dict[str, Any]]


class Storage(NamedTuple):
    """How pixels are kept: whole or in tiles, 8 or 16 bits, compressed or not."""

    tile: int = 0
    bits: int = 8
    compress: bool = False

    @property
    def dtype(self) -> Any:
        return np.uint8 if self.bits == 8 else np.uint16


def prepare(
    source: FolderSource,
    output: Path,
    storage: Storage,
    *,
    progress: Callable[[int], None] = lambda records: None,
) -> int:
    """Writes `source` to the new folder `output`; returns how many records it holds.

    `progress` is told of every few records done. If `output` is the finished result
    of the same request, nothing is done.
    """
    request = _request(source, storage)
    contents = read_contents(output)
    if contents is None and output.exists() and not _is_empty_folder(output):
        raise UserError(f"{output} is in the way; choose a folder that does not exist")
    if contents is not None and contents["request"] != request:
        raise UserError(
            f"{output} holds {contents['request']['spec']} with other records or "
            "options; choose another folder"
        )
    work = output.parent / f".{output.name}.partial"
    try:
        if contents is None:
            _start(work, request)
            contents = _build(source, storage, work, progress) | {"request": request}
            built = work / "build" / _Builder.name / str(_Builder.VERSION)
            write_whole(built / CONTENTS, json.dumps(contents).encode())
            os.replace(built, output)
        shutil.rmtree(work, ignore_errors=True)
    except UserError:
        # Finished shards are kept for the next run; nothing else is worth keeping.
        if all(file.suffix == WRITING for file in (work / "shards").glob("*")):
            shutil.rmtree(work, ignore_errors=True)
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"{output} cannot be written ({reason}); choose another output folder"
        ) from None
    return sum(len(names) for names in contents["names"].values())


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _request(source: FolderSource, storage: Storage) -> dict[str, Any]:
    """What makes two runs the same."""
    digest = hashlib.sha256("\n".join(source.names).encode()).hexdigest()
    return {"spec": source.spec, "records": digest, **storage._asdict()}


def _start(work: Path, request: dict[str, Any]) -> None:
    """The work folder: with the finished shards of this request, and nothing else."""
    note = work / "request.json"
    if work.exists():
        try:
            same = json.loads(note.read_text()) == request
        except (OSError, ValueError):
            same = False
        if not same:
            shutil.rmtree(work)
    (work / "shards").mkdir(parents=True, exist_ok=True)
    write_whole(note, json.dumps(request).encode())
    shutil.rmtree(work / "build", ignore_errors=True)


def _build(
    source: FolderSource,
    storage: Storage,
    work: Path,
    progress: Callable[[int], None],
) -> dict[str, Any]:
    """Runs the builder in `work`; returns the names by split, and the parts."""
    builder = _Builder(source, storage, work, progress)
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    # TFDS says on stdout that it downloads, which it does not.
    with redirect_stdout(io.StringIO()):
        builder.download_and_prepare(download_config=config)
    names = {
        split: [name for shard in shards for name in shard.names()]
        for split, shards in builder.shards.items()
    }
    return {"names": names, "parts": source.parts()}


class _Shard:
    """Some records of the source, and the file that keeps them once it is finished."""

    def __init__(
        self,
        source: FolderSource,
        storage: Storage,
        indices: list[int],
        file: Path,
        progress: Callable[[int], None],
    ):
        self.source, self.storage, self.indices = source, storage, indices
        self.file, self.progress = file, progress

    def names(self) -> list[str]:
        """Of the examples in the finished file."""
        return json.loads(_names_file(self.file).read_text())

    def __call__(self) -> Iterator[Example]:
        """(name, fields) of each example; of a finished shard the names alone."""
        if self.file.exists():
            yield from ((name, {}) for name in self.names())
            self.progress(len(self.indices))
            return
        with ThreadPoolExecutor(THREADS) as pool:
            for examples in pool.map(self._read, self.indices):
                yield from examples
                self.progress(1)

    def _read(self, index: int) -> list[Example]:
        """A record as one example, or as one a tile."""
        source, name = self.source, self.source.names[index]
        pixels = {
            part: _integers(values, self.storage, source, name)
            for part, values in source.pixels(index).items()
            if part in source.parts()
        }
        h = source.extras(index).get("kernel", NO_KERNEL)
        height, width = next(iter(pixels.values())).shape[:2]
        examples = []
        for place, tile in _tiles(height, width, self.storage.tile):
            fields = {part: values[tile] for part, values in pixels.items()}
            own = f"{name}@{place}" if self.storage.tile else name
            examples.append((own, {"name": own, "kernel": h, **fields}))
        return examples


def _integers(
    values: np.ndarray, storage: Storage, source: FolderSource, name: str
) -> np.ndarray:
    """Pixels (H, W, C) as integers of `storage.bits`."""
    scaled = as_float(values) * np.float32(np.iinfo(storage.dtype).max)
    whole = np.rint(scaled)
    # What resizing makes is rounded as a camera would; a file's own depth is not.
    if (
        storage.bits == 8
        and source.size is None
        and np.abs(scaled - whole).max() > 0.01
    ):
        raise UserError(f"{name} has more than 8 bits a channel; add --bits 16")
    return whole.astype(storage.dtype)


def _tiles(height: int, width: int, size: int) -> Iterator[tuple[str, Any]]:
    """Places "top,left" and slices of the tiles that cover a picture evenly.

    Tiles have `size` pixels a side, or the whole picture's where it has fewer, and
    overlap as little as that allows. Size 0 is one tile, the picture.
    """
    rows, columns = (_starts(length, size) for length in (height, width))
    for top in rows:
        for left in columns:
            tile = (
                slice(top, top + (size or height)),
                slice(left, left + (size or width)),
            )
            yield f"{top},{left}", tile


def _starts(length: int, size: int) -> list[int]:
    if not size or length <= size:
        return [0]
    count = -(-length // size)
    return [round(i * (length - size) / (count - 1)) for i in range(count)]


class _Writer(tfds.core.ExampleWriter):
    """Writes each shard whole, to where the next run finds it, and links it."""

    def __init__(self, finished: Path, compress: bool):
        super().__init__(file_format=tfds.core.FileFormat.ARRAY_RECORD)
        self.finished = finished
        self.options = "group_size:1" + ("" if compress else ",uncompressed")

    def write(self, path: Any, examples: Iterable[tuple[Any, bytes]]) -> None:
        shard = self.finished / Path(path).name
        if not shard.exists():
            names, writing = [], shard.with_name(shard.name + WRITING)
            writer = ArrayRecordWriter(str(writing), self.options)
            try:
                for name, example in examples:
                    writer.write(example)
                    names.append(name)
                writer.close()
            except RuntimeError as error:  # a full disk, among others
                raise OSError(str(error).partition(";")[0]) from None
            # The names come first: a shard that exists has them.
            write_whole(_names_file(shard), json.dumps(names).encode())
            os.replace(writing, shard)
        try:
            os.link(shard, path)
        except OSError:  # a file system without hard links
            shutil.copyfile(shard, path)


class _Builder(tfds.core.ShardBasedBuilder):
    """The TFDS data set of a source; what is read is in `source`, not downloaded."""

    name = "prepared"
    VERSION = tfds.core.Version("1.0.0")
    # Nothing is downloaded. Left to itself, TFDS looks for a list of checksums beside
    # this file, with a package that it does not itself ask for.
    url_infos = {}

    def __init__(
        self,
        source: FolderSource,
        storage: Storage,
        work: Path,
        progress: Callable[[int], None],
    ):
        self.source, self.storage, self.work = source, storage, work
        self.shards = _shards(source, storage, work / "shards", progress)
        super().__init__(data_dir=work / "build", file_format="array_record")

    def _info(self) -> tfds.core.DatasetInfo:
        fields = {"name": tfds.features.Text(), "kernel": _tensor(2, np.float32)}
        for part in self.source.parts():
            fields[part] = _tensor(3, self.storage.dtype)
        features = tfds.features.FeaturesDict(fields)
        told = f"Prepared by kernel_space_jax from {self.source.spec}"
        return tfds.core.DatasetInfo(builder=self, features=features, description=told)

    def _shard_iterators_per_split(self, dl_manager: Any) -> dict[str, list["_Shard"]]:
        return self.shards

    def _example_writer(self) -> _Writer:
        return _Writer(self.work / "shards", self.storage.compress)


def _tensor(rank: int, dtype: Any) -> tfds.features.Tensor:
    """A field of any size, kept as bytes: (H, W, 1 or 3) pixels, (h, w) kernels."""
    return tfds.features.Tensor(shape=(None,) * rank, dtype=dtype, encoding="bytes")


def _shards(
    source: FolderSource,
    storage: Storage,
    finished: Path,
    progress: Callable[[int], None],
) -> dict[str, list[_Shard]]:
    """The records of each split, cut into shards of about `SHARD_BYTES`."""
    size = sum(pixels.size for pixels in source.pixels(0).values())
    each = max(1, SHARD_BYTES // (size * np.dtype(storage.dtype).itemsize))
    by_split: dict[str, list[int]] = {}
    for index, entry in enumerate(source.entries):
        by_split.setdefault(entry.split or NO_SPLIT, []).append(index)
    shards = {}
    for split, indices in by_split.items():
        count = -(-len(indices) // each)
        stem = f"{_Builder.name}-{split}.array_record"
        shards[split] = [
            _Shard(
                source,
                storage,
                indices[i * each : (i + 1) * each],
                finished / f"{stem}-{i:05d}-of-{count:05d}",
                progress,
            )
            for i in range(count)
        ]
    return shards


def _names_file(shard: Path) -> Path:
    return shard.with_name(shard.name + ".json")
