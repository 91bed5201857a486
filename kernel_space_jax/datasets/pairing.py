"""Finding image files, and who belongs to whom."""

import os
import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from kernel_space_jax.datasets.entry import Entry, Found, Picture
from kernel_space_jax.images import FORMATS

SPLITS = ("train", "val", "validation", "test")
# What the field calls the two halves of a pair.
BLURRY = ("blur", "blurry", "blurred", "input", "blur_imgs", "lq", "blur_gamma")
SHARP = ("sharp", "target", "gt", "sharp_imgs", "groundtruth", "ground_truth", "hq")


def image_files(folder: Path) -> list[Path]:
    """Every image at or below `folder`, sorted; hidden ones are passed over."""
    found = []
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in files if _is_image(name)]
    return sorted(found)


def _is_image(name: str) -> bool:
    suffix = os.path.splitext(name)[1].lower()
    return suffix in FORMATS and not name.startswith(".")


def split_of(root: Path, place: Path) -> tuple[str, str]:
    """The split that a folder below `root` is in, and the path below that split.

    `root` may be the split's own folder: GOPRO/train gives "train" as well.
    """
    parts = place.relative_to(root).parts
    if parts and parts[0].lower() in SPLITS:
        return parts[0].lower(), "/".join(parts[1:])
    split = root.name.lower() if root.name.lower() in SPLITS else ""
    return split, "/".join(parts)


def join(*parts: str) -> str:
    """A record's name: its non-empty parts with slashes between."""
    return "/".join(part for part in parts if part)


def stem_key(file: Path) -> str:
    """The name without suffix and without the words that tell the halves apart.

    blur_7.png and gt_7.png, leaves_blurry.png and leaves_sharp.png share their key.
    """
    words = re.split(r"([-_. ]+)", file.stem)
    kept = [word for word in words if word.lower() not in {*BLURRY, *SHARP}]
    return "".join(kept).strip("-_. ") or file.stem


def match(
    split: str,
    group: str,
    blurry: Iterable[Path],
    sharp: Iterable[Path],
    key: Callable[[Path], str],
) -> Found:
    """Pairs of equal key; whoever has no partner is a problem."""
    halves, problems = [], []
    for files in (blurry, sharp):
        by_key: dict[str, Path] = {}
        for file in files:
            first = by_key.setdefault(key(file), file)
            if first != file:
                problems.append(f"{file} has the same name as {first.name}")
        halves.append(by_key)
    ours, theirs = halves
    entries = [
        Entry(
            join(split, group, name), Picture(ours[name]), Picture(theirs[name]), split
        )
        for name in sorted(ours.keys() & theirs.keys())
    ]
    problems += [
        f"{half[name]} has no {kind} partner"
        for half, other, kind in ((ours, theirs, "sharp"), (theirs, ours, "blurry"))
        for name in sorted(half.keys() - other.keys())
    ]
    return Found(entries, problems)


def match_folders(split: str, group: str, blurry: Path, sharp: Path) -> Found:
    """The pairs of two folders, by the path of each file within its folder."""

    def key(file: Path) -> str:
        folder = blurry if file.is_relative_to(blurry) else sharp
        return (file.relative_to(folder).parent / stem_key(file)).as_posix()

    return match(split, group, image_files(blurry), image_files(sharp), key)


def pairs_of_folders(
    root: Path, blurry: Collection[str] = BLURRY, sharp: Collection[str] = SHARP
) -> Found:
    """The pairs of every two sister folders, one of each list of names, below `root`.

    Of several blurry sisters the first in the list counts.
    """
    found = []
    for place, folders, _ in os.walk(root, followlinks=True):
        folders.sort()
        names = {name.lower(): name for name in folders}
        left = next((names[name] for name in blurry if name in names), None)
        right = next((names[name] for name in sharp if name in names), None)
        if left is None and right is None:
            continue
        # What lies within a half is its pictures, not more halves.
        folders[:] = [n for n in folders if n.lower() not in {*blurry, *sharp}]
        here = Path(place)
        split, group = split_of(root, here)
        if left and right:
            found.append(match_folders(split, group, here / left, here / right))
        elif any(image_files(here / (left or right or ""))):
            wanted = sharp if left else blurry
            missing = f"{here / (left or right or '')} has no sister folder named "
            found.append(Found([], [missing + " or ".join(wanted)]))
    return Found.join(found)
