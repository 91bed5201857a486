"""Blur2Blur's four folders: sharp and blurry of two cameras, unknown and known."""

import re
from pathlib import Path

from kernel_space_jax.datasets.entry import Entry, Found, Picture
from kernel_space_jax.datasets.pairing import image_files, join, match_folders
from kernel_space_jax.errors import UserError

# What a picture of each folder is: A, B of the unknown camera, C, D of the known set.
KINDS = {"A": "blurry", "B": "sharp", "C": "blurry", "D": "sharp"}


def blur2blur(root: Path, *, part: str = "A") -> Found:
    """Blur2Blur: trainA..trainD, testA..testD.

    `part` A is the unknown camera's blurry pictures, B its sharp ones of other scenes,
    C and D the known blurry and sharp ones, CD the pairs of these two.
    """
    if part not in (*KINDS, "CD"):
        raise UserError(f"part={part} is unknown; say part=A, B, C, D or CD")
    folders = {
        (match[1], match[2]): folder
        for folder in sorted(root.iterdir())
        if (match := re.fullmatch(r"(train|val|test)([A-D])", folder.name))
    }
    found = []
    for split, letter in folders:
        folder = folders[split, letter]
        if part == "CD" and letter == "C":
            if (split, "D") not in folders:
                problem = f"{folder} has no sister folder {split}D"
                found.append(Found([], [problem]))
                continue
            found.append(match_folders(split, "", folder, folders[split, "D"]))
        elif part == letter:
            found.append(_alone(split, folder, KINDS[letter]))
    return Found.join(found)


def _alone(split: str, folder: Path, kind: str) -> Found:
    entries = []
    for file in image_files(folder):
        name = join(split, file.relative_to(folder).with_suffix("").as_posix())
        entries.append(Entry(name, split=split)._replace(**{kind: Picture(file)}))
    return Found(entries, [])
