"""Prepared folders: a data set as ArrayRecord, read at any place without decoding.

`prepare.prepare` writes them, the spec prepared:DIR opens them. They are TFDS data
sets: `tfds.builder_from_directory(DIR)` reads them too. TensorFlow is not needed.
"""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import tensorflow_datasets as tfds

from kernel_space_jax.datasets.source import Part, Source
from kernel_space_jax.errors import UserError

CONTENTS = "records.json"
# What TFDS calls the records of a data set without splits.
NO_SPLIT = "records"
# Stands for the kernel of a record without one: kernels have sum 1.
NO_KERNEL = np.zeros((1, 1), np.float32)


class PreparedSource(Source):
    """The records of a prepared folder, in `split` or in all of them."""

    def __init__(self, spec: str, root: Path, split: str | None, keep: str | None):
        self.name, self.spec, self.root = "prepared", spec, root
        contents = read_contents(root)
        if contents is None:
            raise UserError(
                f"{root} is not a prepared folder; make one with `kernel-space data "
                "prepare`"
            )
        held: dict[str, list[str]] = contents["names"]
        if split and split not in held:
            has = ", ".join(name for name in held if name != NO_SPLIT)
            raise UserError(
                f"{root} has no split {split!r}; it has {has or 'no splits'}"
            )
        self._splits = [split] if split else list(held)
        self._starts = np.cumsum([0, *(len(held[name]) for name in self._splits)])
        self.names = [name for split in self._splits for name in held[split]]
        parts: list[Part] = contents["parts"]
        self._parts: list[Part] = [part for part in parts if keep in (None, part)]
        if not self._parts:
            raise UserError(f"{root} has no {keep} pictures")
        self._readers: list[Any] = []

    def __getstate__(self) -> dict[str, Any]:
        # Open files do not travel; each process opens its own.
        return self.__dict__ | {"_readers": []}

    def splits(self) -> dict[str, int]:
        counts = zip(self._splits, np.diff(self._starts), strict=True)
        return {split: int(count) for split, count in counts if split != NO_SPLIT}

    def parts(self) -> list[Part]:
        return list(self._parts)

    def pixels(self, index: int) -> dict[Part, np.ndarray]:
        example = self._example(index)
        return {part: example[part] for part in self._parts}

    def extras(self, index: int) -> dict[str, Any]:
        h = self._example(index)["kernel"]
        return {"kernel": h} if h.any() else {}

    def _example(self, index: int) -> dict[str, Any]:
        if not self._readers:
            # Any: its signature is lost among TFDS's decorators.
            builder = cast(Any, tfds.builder_from_directory(self.root))
            self._readers = [
                builder.as_data_source(split=name) for name in self._splits
            ]
        index = range(len(self))[index]
        split = int(np.searchsorted(self._starts, index, side="right")) - 1
        try:
            return self._readers[split][index - self._starts[split]]
        # ArrayRecord and the parser raise many types for damaged bytes.
        except Exception as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"{self.root}: {self.names[index]} cannot be read ({reason}); prepare "
                "the data set again"
            ) from None


def read_contents(root: Path) -> dict[str, Any] | None:
    """What a prepared folder says of itself, or None if it is not one."""
    try:
        return json.loads((root / CONTENTS).read_text())
    except (OSError, ValueError):
        return None
