"""Folders without a name of their own: pairs, and single images."""

from pathlib import Path

from kernel_space_jax.datasets.entry import Entry, Found, Picture
from kernel_space_jax.datasets.pairing import (
    BLURRY,
    SHARP,
    image_files,
    join,
    match,
    pairs_of_folders,
    split_of,
    stem_key,
)
from kernel_space_jax.errors import UserError


def pairs(root: Path, *, blurry: str = "", sharp: str = "") -> Found:
    """Two sister folders (blur and sharp, input and target, ...) anywhere below `root`.

    `blurry` and `sharp` say what the two are called, if it is none of the usual
    names. Without such folders, files that a word tells apart: a_blurry, a_sharp.
    """
    if bool(blurry) != bool(sharp):
        raise UserError("give both blurry=FOLDER and sharp=FOLDER, or neither")
    if blurry:
        return pairs_of_folders(root, [blurry.lower()], [sharp.lower()])
    found = pairs_of_folders(root)
    return found if found.entries else _pairs_of_files(root)


def _pairs_of_files(root: Path) -> Found:
    halves: dict[bool, list[Path]] = {True: [], False: []}
    for file in image_files(root):
        words = set(file.stem.lower().replace("-", "_").split("_"))
        if words & {*BLURRY}:
            halves[True].append(file)
        elif words & {*SHARP}:
            halves[False].append(file)

    def key(file: Path) -> str:
        return (file.relative_to(root).parent / stem_key(file)).as_posix()

    return match("", "", halves[True], halves[False], key)


def single(root: Path, *, kind: str = "sharp") -> Found:
    """Every image at or below `root`, as `kind`: sharp or blurry."""
    if kind not in ("sharp", "blurry"):
        raise UserError(f"kind={kind} is unknown; say kind=sharp or kind=blurry")
    entries, taken, problems = [], {}, []
    for file in image_files(root):
        split, folder = split_of(root, file.parent)
        name = join(split, folder, file.stem)
        if name in taken:
            problems.append(f"{file} has the same name as {taken[name].name}")
            continue
        taken[name] = file
        entries.append(Entry(name, split=split)._replace(**{kind: Picture(file)}))
    return Found(entries, problems)
