"""`check`: reads everything that a spec names, and says what is wrong with it."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from kernel_space_jax.datasets.entry import Entry, Frames
from kernel_space_jax.datasets.source import (
    PARTS,
    FolderSource,
    Source,
    sizes_differ,
)
from kernel_space_jax.datasets.spec import PREPARED, find, open_source, parse
from kernel_space_jax.errors import UserError

Size = tuple[int, int]  # (width, height)


class Report(NamedTuple):
    """What a data set holds, and every problem as a sentence.

    `holds` counts the records that have a blurry picture, a kernel, ...; `sizes`
    counts pictures.
    """

    records: int
    splits: dict[str, int]
    holds: Counter[str]
    sizes: Counter[Size]
    problems: list[str]


class _Seen(NamedTuple):
    """One record, read."""

    holds: list[str]
    sizes: list[Size]
    problems: list[str]


def check(
    spec: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> Report:
    """Reads every picture that `spec` names; `progress` is told (done, total)."""
    parsed = parse(spec)
    if parsed.layout == PREPARED:
        source, problems = open_source(spec), []
        see = lambda index: _see_record(source, index)
    else:
        entries, problems = find(parsed)
        source = FolderSource(parsed.layout, spec, entries)
        see = lambda index: _see_entry(entries[index])
    seen = []
    with ThreadPoolExecutor() as pool:
        for one in pool.map(see, range(len(source))):
            seen.append(one)
            progress(len(seen), len(source))
    return Report(
        len(source),
        source.splits(),
        Counter(key for one in seen for key in one.holds),
        Counter(size for one in seen for size in one.sizes),
        problems + [problem for one in seen for problem in one.problems],
    )


def _see_entry(entry: Entry) -> _Seen:
    """Every file of a record read apart, so that one problem does not hide another."""
    holds, sizes, problems = [], {}, []
    for part in PARTS:
        picture = getattr(entry, part)
        if picture is None:
            continue
        holds.append(part)
        try:
            sizes[part] = picture.read().shape[:2]
        except UserError as error:
            problems.append(str(error))
    if len({*sizes.values()}) > 1:
        problems.append(sizes_differ(entry, sizes["blurry"], sizes["sharp"]))
    for key, load in entry.extras.items():
        holds.append(key)
        try:
            value = load()
            if isinstance(value, Frames):
                problems += _see_frames(value)
        except UserError as error:
            problems.append(str(error))
    return _Seen(holds, [(width, height) for height, width in sizes.values()], problems)


def _see_frames(frames: Frames) -> list[str]:
    """The problems of a video: frames that cannot be read, or of another size."""
    problems, first = [], None
    for index, path in enumerate(frames.paths):
        try:
            height, width = frames[index].shape[:2]
        except UserError as error:
            problems.append(str(error))
            continue
        first = first or (height, width)
        if first != (height, width):
            problems.append(
                f"{path} is {width} x {height} pixels, the frames before it "
                f"{first[1]} x {first[0]}"
            )
    return problems


def _see_record(source: Source, index: int) -> _Seen:
    """A record of a prepared folder, which was checked when it was written."""
    try:
        pixels, extras = source.pixels(index), source.extras(index)
    except UserError as error:
        return _Seen([], [], [str(error)])
    sizes = [(one.shape[1], one.shape[0]) for one in pixels.values()]
    return _Seen([*pixels, *extras], sizes, [])
