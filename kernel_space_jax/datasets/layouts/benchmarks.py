"""The small sets that scores are compared on: Köhler, Lai and Levin."""

import re
from functools import partial
from pathlib import Path
from typing import Any

from kernel_space_jax.datasets.entry import (
    Entry,
    Found,
    Frames,
    Picture,
    read_flipped_kernel,
    read_kernel,
)
from kernel_space_jax.datasets.pairing import SHARP, image_files


def kohler(root: Path) -> Found:
    """Köhler: Blurry{p}_{t}.png, Image{p}/Kernel{t}/GroundTruth{p}_{t}_{f}.png.

    `extras["frames"]` are the true frames of the trajectory, by their number f; a score
    takes the best of them. `sharp` is the middle one, for looking at. `extras["gamma"]`
    is 1: these photographs are linear.
    """
    blurry: dict[tuple[int, int], Path] = {}
    frames: dict[tuple[int, int], list[tuple[int, Path]]] = {}
    for file in image_files(root):
        if parts := re.fullmatch(r"Blurry(\d+)_(\d+)", file.stem):
            blurry[int(parts[1]), int(parts[2])] = file
        elif parts := re.fullmatch(r"GroundTruth(\d+)_(\d+)_(\d+)", file.stem):
            image, trajectory, number = map(int, parts.groups())
            frames.setdefault((image, trajectory), []).append((number, file))
    entries = []
    for image, trajectory in sorted(blurry):
        own = [file for _, file in sorted(frames.pop((image, trajectory), []))]
        name, photo = f"Blurry{image}_{trajectory}", blurry[image, trajectory]
        extras: dict[str, Any] = {"gamma": partial(float, 1)}
        entry = Entry(name, Picture(photo), extras=extras)
        if own:
            middle, lazy = Picture(own[len(own) // 2]), partial(Frames, own)
            entry = entry._replace(sharp=middle, extras=extras | {"frames": lazy})
        entries.append(entry)
    problems = [f"{files[0][1]} has no blurry partner" for files in frames.values()]
    return Found(entries, problems)


def lai(root: Path) -> Found:
    """Lai: {manmade,natural,people,saturated,text}_0i_{kernel,gyro}_0j.png.

    The sharp picture is ground_truth/manmade_0i.png; `extras["kernel"]` the kernel
    kernel_0j.png of a uniform blur, as it is stored.
    """
    blurry: dict[tuple[str, str], Path] = {}
    sharp, kernels = {}, {}
    for file in image_files(root):
        if parts := re.fullmatch(r"([a-z]+_\d+)_((?:kernel|gyro)_\d+)", file.stem):
            blurry[parts[1], parts[2]] = file
        elif re.fullmatch(r"kernel_\d+", file.stem):
            kernels[file.stem] = file
        elif parts := re.fullmatch(rf"([a-z]+_\d+)(_({'|'.join(SHARP)}))?", file.stem):
            sharp[parts[1]] = file
    entries = []
    for (scene, blur), file in sorted(blurry.items()):
        truth = Picture(sharp[scene]) if scene in sharp else None
        extras = (
            {"kernel": partial(read_kernel, kernels[blur])} if blur in kernels else {}
        )
        entries.append(Entry(f"{scene}_{blur}", Picture(file), truth, "", extras))
    return Found(entries, [])


def levin(root: Path) -> Found:
    """Levin: im0i_ker0j.mat, or images in blurry, sharp and kernels (.npy or image).

    `extras["kernel"]` (h, w) is turned so that the true convolution of `sharp` with it
    is `blurry`, but for a shift of up to four pixels that the set has. In the .mat
    files, blurry is a correlation with f: f is flipped here.
    """
    pattern = r"im(?:age)?_?(\d+)_(?:ker|kernel|flit)_?(\d+)(?:_\w+)?"
    mats = [(parts, file) for file in sorted(root.rglob("*.mat"))
            if (parts := re.fullmatch(pattern, file.stem))]  # fmt: skip
    if mats:
        return Found([_of_mat(parts, file) for parts, file in mats], [])
    found: dict[str, dict[Any, Path]] = {"blurry": {}, "sharp": {}, "kernel": {}}
    for file in [*image_files(root), *sorted(root.rglob("*.npy"))]:
        is_sharp = bool({*SHARP} & {part.lower() for part in file.parts})
        if parts := re.fullmatch(pattern, file.stem):
            found["sharp" if is_sharp else "blurry"][_numbers(parts)] = file
        elif parts := re.fullmatch(r"im(?:age)?_?(\d+)", file.stem):
            found["sharp"][int(parts[1]), None] = file
        elif parts := re.fullmatch(r"ker(?:nel)?_?(\d+)", file.stem):
            found["kernel"][int(parts[1])] = file
    entries, problems = [], []
    for (image, kernel), file in sorted(found["blurry"].items()):
        own = found["sharp"].get((image, kernel)) or found["sharp"].get((image, None))
        if own is None:
            problems.append(f"{file} has no sharp partner")
            continue
        h = found["kernel"].get(kernel)
        extras = {} if h is None else {"kernel": partial(read_kernel, h)}
        name = f"im{image}_ker{kernel}"
        entries.append(Entry(name, Picture(file), Picture(own), "", extras))
    return Found(entries, problems)


def _of_mat(parts: re.Match[str], file: Path) -> Entry:
    image, kernel = _numbers(parts)
    extras = {"kernel": partial(read_flipped_kernel, file, "f")}
    name = f"im{image}_ker{kernel}"
    return Entry(name, Picture(file, "y"), Picture(file, "x"), "", extras)


def _numbers(parts: re.Match[str]) -> tuple[int, int]:
    return int(parts[1]), int(parts[2])
