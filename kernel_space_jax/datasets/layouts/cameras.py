"""Pairs shot by two cameras through one lens: RealBlur and RSBlur, with their lists."""

from pathlib import Path

from kernel_space_jax.datasets.entry import Entry, Found, Picture
from kernel_space_jax.datasets.pairing import join, pairs_of_folders
from kernel_space_jax.errors import UserError

RSBLUR_BLUR = {
    "real": "real_blur/real_blur.png",
    "synthetic": "avg65_img/avg_blur.png",
}


def realblur(root: Path, *, subset: str = "J") -> Found:
    """RealBlur-J or -R: scenes of {gt/gt_k.png, blur/blur_k.png} and two list files.

    Where RealBlur_J_train_list.txt and its sister lie beside the scenes they say
    what is in which split; without them there are no splits.
    """
    if subset not in ("J", "R"):
        raise UserError(f"subset={subset} is unknown; say subset=J or subset=R")
    folders = sorted(root.glob(f"RealBlur-{subset}*")) or [root]
    found = Found.join(pairs_of_folders(folder, ["blur"], ["gt"]) for folder in folders)
    lists = {
        split: _first(root, f"RealBlur_{subset}_{split}_list.txt")
        for split in ("train", "test")
    }
    return _in_splits(found, lists)


def rsblur(root: Path, *, blur: str = "real") -> Found:
    """RSBlur: DDDD/SSSSSS/{real_blur,avg65_img,gt}/..., and datalist files.

    `blur=synthetic` takes the average of the frames, `extras["mask"]` then says
    which pixels were saturated.
    """
    if blur not in RSBLUR_BLUR:
        raise UserError(f"blur={blur} is unknown; say blur=real or blur=synthetic")
    entries, problems = [], []
    for sharp in sorted(root.rglob("gt/gt_sharp.png")):
        folder = sharp.parent.parent
        blurry = folder / RSBLUR_BLUR[blur]
        if not blurry.is_file():
            problems.append(f"{sharp} has no blurry partner {blurry.name}")
            continue
        mask = folder / "avg65_mask_100/avg_blur.png"
        extras = {}
        if blur == "synthetic" and mask.is_file():
            extras["mask"] = Picture(mask).read
        name = "/".join(folder.parts[-2:])
        entries.append(Entry(name, Picture(blurry), Picture(sharp), "", extras))
    short = "real" if blur == "real" else "syn"
    lists = {
        split: _first(root, f"RSBlur_{short}_{split}.txt")
        for split in ("train", "val", "test")
    }
    return _in_splits(Found(entries, problems), lists)


def _first(root: Path, name: str) -> Path | None:
    """The list file at, below or just above `root`."""
    places = [root / name, root.parent / name, *sorted(root.rglob(name))]
    return next((path for path in places if path.is_file()), None)


def _in_splits(found: Found, lists: dict[str, Path | None]) -> Found:
    """The entries that the lists name, under their splits; all, if there is no list.

    A line of a list is the path of the sharp picture and that of the blurry one.
    """
    if not any(lists.values()):
        return found
    by_sharp = {
        entry.sharp.path.parts[-4:]: entry for entry in found.entries if entry.sharp
    }
    entries, problems = [], list(found.problems)
    for split, file in lists.items():
        for line in file.read_text().splitlines() if file else []:
            if not line.split():
                continue
            sharp = Path(line.split()[0])
            entry = by_sharp.get(sharp.parts[-4:])
            if entry is None:
                problems.append(f"{file} names {sharp}, which is not there")
                continue
            entries.append(entry._replace(name=join(split, entry.name), split=split))
    return Found(entries, problems)
