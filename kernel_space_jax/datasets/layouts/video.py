"""Pairs cut from videos: GoPro, REDS, the kernel space's own layout, RB2V."""

import re
from functools import partial
from pathlib import Path

from kernel_space_jax.datasets.entry import Entry, Found, Frames, Picture
from kernel_space_jax.datasets.pairing import (
    image_files,
    join,
    match_folders,
    pairs_of_folders,
    split_of,
)
from kernel_space_jax.errors import UserError


def gopro(root: Path, *, blur: str = "") -> Found:
    """GoPro as its authors, MPRNet, NAFNet or MIMO-UNet lay it out.

    `blur=blur_gamma` takes the pictures averaged with the camera's response.
    """
    blurry = [blur.lower()] if blur else ["blur", "input", "blurry"]
    return pairs_of_folders(root, blurry, ["sharp", "target"])


def reds(root: Path, *, blur: str = "blur", every: str = "1") -> Found:
    """REDS: train_blur and train_sharp, val_blur and val_sharp, wherever below `root`.

    `blur=blur_comp` takes another of the published blurs. `every=10` keeps the frames
    9, 19, ... of each video: split val is then REDS-val-300.
    """
    if not every.isdigit() or int(every) < 1:
        raise UserError(f"every={every} is not a number of frames; say every=10")
    found = []
    for sharp in sorted(root.rglob("*_sharp")):
        split = sharp.name.removesuffix("_sharp")
        blurry = sharp.with_name(f"{split}_{blur}")
        if blurry.is_dir():
            found.append(match_folders(split, "", blurry, sharp))
        else:
            found.append(Found([], [f"{sharp} has no sister folder {blurry.name}"]))
    entries, problems = Found.join(found)
    step = int(every)
    kept = [e for e in entries if step == 1 or _number(e) % step == step - 1]
    return Found(kept, problems)


def _number(entry: Entry) -> int:
    """The frame's number, from a name that ends in it."""
    digits = re.search(r"\d+$", entry.name)
    return int(digits[0]) if digits else 0


def kernel_space(root: Path) -> Found:
    """The kernel space's: {blur_imgs,sharp_imgs}/000/00000000.png."""
    return pairs_of_folders(root, ["blur_imgs"], ["sharp_imgs"])


def rb2v(root: Path) -> Found:
    """RB2V: ID/blur/0000.png beside its seven frames ID/sharp/0000_1..7.png.

    `sharp` is the middle frame; `extras["frames"]` are all, in their order.
    """
    entries, problems = [], []
    for folder in sorted(root.rglob("blur")):
        split, group = split_of(root, folder.parent)
        frames: dict[str, list[tuple[int, Path]]] = {}
        for file in image_files(folder.with_name("sharp")):
            if parts := re.fullmatch(r"(.+)_(\d+)", file.stem):
                frames.setdefault(parts[1], []).append((int(parts[2]), file))
        for file in image_files(folder):
            own = [path for _, path in sorted(frames.pop(file.stem, []))]
            if not own:
                problems.append(f"{file} has no sharp partner")
                continue
            entries.append(
                Entry(
                    join(split, group, file.stem),
                    Picture(file),
                    Picture(own[len(own) // 2]),
                    split,
                    {"frames": partial(Frames, own)},
                )
            )
        problems += [
            f"{files[0][1]} has no blurry partner" for files in frames.values()
        ]
    return Found(entries, problems)
