"""One name and one path say which data set is meant: gopro:/data/GOPRO?split=test."""

import inspect
import re
from pathlib import Path
from typing import NamedTuple

from kernel_space_jax.datasets.entry import Entry, Found
from kernel_space_jax.datasets.layouts import LAYOUTS
from kernel_space_jax.datasets.source import PARTS, FolderSource, Source
from kernel_space_jax.errors import UserError, nearest

# Options of every data set: a split; one half of the pairs; a size to resize to.
COMMON = ("split", "keep", "resize")
PREPARED = "prepared"


class Spec(NamedTuple):
    """The parts of NAME:PATH?option=value&option=value."""

    text: str
    layout: str
    root: Path
    options: dict[str, str]


def parse(text: str) -> Spec:
    """The parts of a spec; a `UserError` if the name or an option is unknown."""
    layout, colon, rest = text.partition(":")
    names = [*LAYOUTS, PREPARED]
    if not colon or layout not in names:
        near = nearest(layout, names) if colon else ""
        raise UserError(
            f"{text} does not name a data set{near}; write NAME:PATH, where NAME is "
            f"one of {', '.join(names)}"
        )
    path, _, query = rest.partition("?")
    if not path:
        raise UserError(f"{text} has no path; write {layout}:PATH")
    known = _options(layout)
    options: dict[str, str] = {}
    for part in query.split("&") if query else []:
        key, _, value = part.partition("=")
        if not (key and value):
            raise UserError(f"{text}: {part!r} is not option=value")
        if key not in known:
            raise UserError(
                f"{text}: {layout} has no option {key!r}{nearest(key, known)}; it has "
                f"{', '.join(known)}"
            )
        if key in options:
            raise UserError(f"{text}: {key} is given twice")
        options[key] = value
    _size(options.get("resize"))
    if options.get("keep", "sharp") not in PARTS:
        raise UserError(f"{text}: say keep=blurry or keep=sharp")
    return Spec(text, layout, Path(path).expanduser(), options)


def absolute(text: str) -> str:
    """The same spec, with a path that does not depend on the current folder."""
    spec = parse(text)
    _, asks, query = text.partition("?")
    return f"{spec.layout}:{spec.root.absolute()}{asks}{query}"


def _options(layout: str) -> list[str]:
    """What may follow the question mark: the keyword-only arguments of the finder."""
    if layout == PREPARED:
        return ["split", "keep"]
    finder = inspect.signature(LAYOUTS[layout].find).parameters.values()
    own = [p.name for p in finder if p.kind is inspect.Parameter.KEYWORD_ONLY]
    return [*COMMON, *own]


def find(spec: Spec) -> Found:
    """What the folder of a spec holds in the split that it asks for.

    Raises a `UserError` if there is nothing; single problems are for the caller.
    """
    if not spec.root.is_dir():
        what = "is not a folder" if spec.root.exists() else "does not exist"
        raise UserError(f"{spec.root} {what}; give the folder of the data set")
    own = {key: spec.options[key] for key in spec.options if key not in COMMON}
    entries, problems = LAYOUTS[spec.layout].find(spec.root, **own)
    if not entries and not problems:
        raise UserError(
            f"{spec.root} holds nothing laid out as {spec.layout}: "
            f"{LAYOUTS[spec.layout].pattern}"
        )
    if split := spec.options.get("split"):
        splits = sorted({entry.split for entry in entries} - {""})
        if split not in splits:
            has = f"it has {', '.join(splits)}" if splits else "it has no splits"
            raise UserError(f"{spec.root} has no split {split!r}; {has}")
        entries = [entry for entry in entries if entry.split == split]
    return Found([_kept(entry, spec) for entry in entries], problems)


def _kept(entry: Entry, spec: Spec) -> Entry:
    """The entry with the half that `keep` names alone, if it names one."""
    keep = spec.options.get("keep")
    if keep is None:
        return entry
    if getattr(entry, keep) is None:
        raise UserError(f"{spec.text}: {entry.name} has no {keep} picture")
    return entry._replace(**{"sharp" if keep == "blurry" else "blurry": None})


def open_source(spec: str, split: str | None = None) -> Source:
    """The data set of a spec, ready to read: NAME:PATH?option=value&...

    NAME is a layout (gopro, reds, ..., pairs, images), or prepared. `split` stands for
    the option of that name; without one every split is opened. A half without partner,
    or any other thing wrong with the folder, is a `UserError`: nothing is left out
    silently.
    """
    parsed = parse(spec)
    if split is not None:
        parsed.options["split"] = split
    if parsed.layout == PREPARED:
        # TFDS is slow to import, and only its own folders need it.
        from kernel_space_jax.datasets.prepared import PreparedSource

        get = parsed.options.get
        return PreparedSource(spec, parsed.root, get("split"), get("keep"))
    entries, problems = find(parsed)
    if problems:
        more = f", and {len(problems) - 1} more problems" if len(problems) > 1 else ""
        raise UserError(
            f"{problems[0]}{more}; mend or remove the files, "
            f"`kernel-space data check '{spec}'` lists all"
        )
    size = _size(parsed.options.get("resize"))
    return FolderSource(parsed.layout, spec, entries, size)


def _size(text: str | None) -> tuple[int, int] | int | None:
    """`resize=512`, the shorter side, or `resize=640x360`, width and height."""
    if text is None:
        return None
    parts = re.fullmatch(r"([0-9]{1,5})(?:x([0-9]{1,5}))?", text)
    sides = [int(side) for side in parts.groups() if side] if parts else []
    if not sides or min(sides) < 1:
        raise UserError(f"resize={text} is not a size; say resize=512 or 640x360")
    return (sides[0], sides[1]) if len(sides) == 2 else sides[0]
