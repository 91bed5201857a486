"""What a table of the field is: which images, which scores, which published rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kernel_space_jax.datasets import Record, Source


class Restored(NamedTuple):
    """What a method made: an image (H, W, 1 or 3) in [0, 1], and kernels if it has any.

    Kernels are (h, w), or a field of them (rows, columns, h, w). `bits` is the depth of
    the file that the image was read from; `notes` are sentences about it.
    """

    image: np.ndarray
    kernels: np.ndarray | None = None
    bits: int = 8
    notes: tuple[str, ...] = ()


class Score(NamedTuple):
    """A column of the table."""

    name: str
    unit: str = ""
    digits: int = 2
    lower_is_better: bool = False


class Relative(NamedTuple):
    """A column that sets an image beside what `reference` made of it."""

    score: Score
    reference: str
    compute: Callable[[Mapping[str, float], Mapping[str, float]], float]


class Published(NamedTuple):
    """A row that others printed: values by column, on which images, and where.

    It is shown beside results on data sets of the layout `data`, "" for all.
    """

    label: str
    values: Mapping[str, float]
    images: str
    source: str
    data: str = ""


class Problem(NamedTuple):
    """One image of a protocol, and the group whose mean it joins ("" for none)."""

    record: Record
    group: str = ""


class Problems(Sequence[Problem]):
    """The images that a protocol puts to the methods, read one at a time."""

    names: list[str]

    def __init__(self, source: Source, group: Callable[[str], str] = lambda name: ""):
        self.source, self.group = source, group
        self.names = source.names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Problem:  # type: ignore[override]
        return Problem(self.source[index], self.group(self.names[index]))


@dataclass(frozen=True)
class Protocol:
    """How one table is made.

    `score` gives the values of one image by column name; a column that it leaves out
    stays empty. A `UserError` of it is a problem of that image, listed by name.
    `data` are the layouts of data sets that call for this protocol.
    """

    name: str
    summary: str
    scores: tuple[Score, ...]
    score: Callable[[Record, Restored], dict[str, float]]
    data: tuple[str, ...] = ()
    problems: Callable[[Source], Problems] = Problems
    relative: tuple[Relative, ...] = ()
    published: tuple[Published, ...] = ()

    @property
    def columns(self) -> tuple[Score, ...]:
        """All columns, those beside a reference last."""
        return self.scores + tuple(column.score for column in self.relative)
