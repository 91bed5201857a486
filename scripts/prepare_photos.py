"""Gathers photographs under free licences from packages, to train on.

    apt-get download gcompris-qt-data mate-backgrounds
    python scripts/prepare_photos.py *.deb -o photos

PACKAGES names the photographs. They were looked at one by one; drawings, renders and
photos that are not sharp are not in it. `credits.csv` names authors and licences.
scikit-image's photos are added. The script needs no network.
"""

import csv
import re
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NamedTuple

import cv2
import numpy as np
import skimage
import typer
from archives import IMAGES, Archive, Stanza, matches, read_deb, stanzas

import kernel_space_jax as ks
from kernel_space_jax.errors import UserError

FREE = (
    "CC0-1.0",
    "public-domain",
    *(f"CC-BY-{number}" for number in ("2.0", "2.5", "3.0", "4.0")),
    *(f"CC-BY-SA-{number}" for number in ("2.0", "2.5", "3.0", "4.0")),
    "GFDL",
    *("GPL-2", "GPL-2+", "GPL-3", "GPL-3+"),
    *("LGPL-2.1", "LGPL-2.1+", "LGPL-3", "LGPL-3+"),
)
SMALLEST_SIDE = 256
# Of a photo's mean distance between its highest and lowest channel, of 255.
GREY = 3
# Two photos are one if their thumbnails differ by less, in the mean, of 255.
SAME = 6
THUMBNAIL = (16, 16)


class Package(NamedTuple):
    """Where a package's photographs are, which they are, and who made them.

    `folder` is what stands before their paths, `source` what stands there in the
    source package, which the copyright file describes. `photos` are globs below it,
    of which `unfit` are not taken. `own` credits photos by what the package's own
    files say, where the copyright file does not name their authors.
    """

    folder: str
    photos: tuple[str, ...] = ()
    unfit: tuple[str, ...] = ()
    source: str = ""
    own: tuple[Stanza, ...] = ()


def named(template: str, names: str) -> tuple[str, ...]:
    return tuple(template.format(name) for name in names.split())


def wallpapers(names: str, author: str) -> Stanza:
    return Stanza(named("{}/contents/images/*.jpg", names), author, "LGPL-3")


PACKAGES = {
    "scikit-image": Package(
        "data/",
        own=(
            Stanza(("astronaut.png",), "NASA", "public-domain"),
            Stanza(("chelsea.png",), "Stefan van der Walt", "CC0-1.0"),
            Stanza(("coffee.png",), "Rachel Michetti", "CC0-1.0"),
            Stanza(("rocket.jpg",), "SpaceX", "public-domain"),
        ),
    ),
    "gcompris-qt-data": Package(
        ".rcc/gcompris/src/activities/",
        photos=(
            "erase/resource/*.webp",
            *named("explore_{}/resource/*.webp", "farm_animals monuments"),
            *named("explore_world_{}/resource/*.webp", "animals music"),
        ),
        unfit=named(
            "*/{}.webp",
            "africa castillodeSanMarcos dolphin georgeWashingtonBirthplace jaguar japan"
            " mexico mysorePalace narwhal panda rangGhar redPyramid rocamadour",
        ),
    ),
    "lomiri-wallpapers-16.04": Package(
        "usr/share/backgrounds/",
        photos=(
            *named("*_by_{}.jpg", "Sander_Klootwijk Bolly freespace Jakkub_Mede"),
            *named("*_by_{}.jpg", "Aitzol_Berasategi Clements_Engelhardt"),
            *named("{}_by_Peter_Nerlich.jpg", "free greentock"),
        ),
        source="16.04/",
    ),
    "lomiri-wallpapers-20.04": Package(
        "usr/share/backgrounds/",
        photos=("Kleiber_by_Lukas_Baubkus.jpg",),
        source="20.04/",
    ),
    "lxqt-themes": Package(
        "usr/share/lxqt/wallpapers/",
        own=(
            Stanza(
                (
                    *named("{}.jpg", "after-the-rain this-is-not-windows"),
                    *named("{}.png", "appleflower butterfly drop flowers"),
                ),
                "stefonarch",
                "CC-BY-SA-3.0",
            ),
        ),
    ),
    "mate-backgrounds": Package(
        "usr/share/backgrounds/mate/",
        photos=named(
            "nature/{}.jpg", "Aqua Dune Garden LadyBird TwoWings Wood YellowFlower"
        ),
    ),
    "palapeli-data": Package(
        "usr/share/palapeli/collection/",
        own=(
            Stanza(("castle-maintenon.jpg",), "Eric Pouhier", "GFDL"),
            Stanza(("cincinnati-bridge.jpg",), "Derek Jensen", "public-domain"),
            Stanza(("citrus-fruits.jpg",), "US Dept. of Agriculture", "public-domain"),
            Stanza(("european-honey-bee.jpg",), "John Severns", "public-domain"),
            Stanza(("panther-chameleon-female.jpg",), "B. Navez and others", "GFDL"),
        ),
    ),
    "plasma-workspace-wallpapers": Package(
        "usr/share/wallpapers/",
        own=(
            wallpapers("ColorfulCups", "Dmitri Popov"),
            wallpapers("EveningGlow", "Ian Hex"),
            wallpapers("FallenLeaf", "Martin Klapetek"),
            wallpapers("Kite OneStandsOut Path summer_1am", "Risto Saukonpää"),
        ),
    ),
    "tuxpaint-data": Package(
        "usr/share/tuxpaint/",
        photos=(
            *named("templates/{}.jpg", "burnt_bark cliff corn_maze lighthouse"),
            *named("templates/{}.jpg", "mossy_log mudstone ocean_waves rocks sheep"),
            *named("templates/{}.jpg", "redwoods_above spiders_web"),
            *named("templates/{}.jpg", "sun_behind_leaves wool_mill_machine"),
        ),
    ),
}


class Found(NamedTuple):
    """A photo, its longer side shortened, and the number of its values before."""

    name: str
    source: str
    path: str
    author: str
    licence: str
    pixels: np.ndarray
    size: int


def main(
    debs: Annotated[
        list[Path],
        typer.Argument(
            exists=True, dir_okay=False, metavar="FILE.deb...", help="Debian packages."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of photos.")],
    longest: Annotated[
        int, typer.Option(min=SMALLEST_SIDE, help="Pixels of a longer side, at most.")
    ] = 1024,
) -> None:
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise UserError(f"{output} is not an empty folder; give another with -o.")
    found: list[Found] = []
    left_out: dict[str, Counter[str]] = {}
    for archive in (scikit_image(), *map(read_deb, debs)):
        source = f"{archive.name} {archive.version}"
        left_out[source] = Counter()
        found += photographs(archive, source, longest, left_out[source])
    kept = largest_of_each(found)
    for photo in kept:
        pixels = photo.pixels.astype(np.float32) / 255
        ks.write(output / photo.name, ks.Photo(pixels))
    with (output / "credits.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "source", "original path", "author", "licence"])
        table.writerows(photo[:5] for photo in kept)
    for source, reasons in left_out.items():
        count = sum(photo.source == source for photo in kept)
        all_sizes = sum(photo.source == source for photo in found)
        reasons["another size of a photo"] = all_sizes - count
        others = ", ".join(f"{n} ({reason})" for reason, n in reasons.items() if n)
        print(f"{source}: kept {count}, left out {others or 'none'}")


def scikit_image() -> Archive:
    folder = Path(skimage.__file__).parent / "data"
    files = {f"data/{path.name}": path for path in folder.iterdir() if path.is_file()}
    images = {name: path.read_bytes() for name, path in files.items()}
    return Archive("scikit-image", version("scikit-image"), images)


def photographs(
    archive: Archive, source: str, longest: int, left_out: Counter[str]
) -> list[Found]:
    """Those that may be taken; `left_out` counts the other images by the reason."""
    package, found = PACKAGES.get(archive.name), []
    if package is None:
        debian = ", ".join(name for name in PACKAGES if name != "scikit-image")
        raise UserError(
            f"the script has no list of the photographs in {archive.name}; give some "
            f"of {debian}."
        )
    listed = (*package.photos, *(glob for row in package.own for glob in row.files))
    credits = package.own or copyrights(archive, package)
    for path, data in sorted(archive.files.items()):
        if not path.lower().endswith(IMAGES):
            continue
        inside = path.partition(package.folder)[2]
        if not matches(inside, listed) or matches(inside, package.unfit):
            left_out["not on the list of sharp photographs"] += 1
            continue
        matching = [s for s in credits if matches(package.source + inside, s.files)]
        # The last one counts.
        licence = free_licence(matching[-1].licence) if matching else None
        if licence is None:
            left_out["no free licence"] += 1
            continue
        pixels = decode(data)
        if flaw := what_is_wrong(pixels):
            left_out[flaw] += 1
            continue
        stem = f"{archive.name}/{Path(inside).with_suffix('')}".replace("/", "_")
        small, author = shorten(pixels, longest), matching[-1].author
        photo = Found(f"{stem}.png", source, path, author, licence, small, pixels.size)
        found.append(photo)
    return found


def copyrights(archive: Archive, package: Package) -> list[Stanza]:
    """By the READMEs beside the photos, or else by the copyright file."""
    found = []
    for path, data in archive.files.items():
        inside = path.partition(package.folder)[2]
        if Path(inside).name == "README":
            folder = package.source + inside.removesuffix("README")
            found += stanzas(data.decode(), folder)
    if found:
        return found
    text = archive.files.get(f"usr/share/doc/{archive.name}/copyright", b"").decode()
    if "packaging-manuals/copyright-format" not in text:
        raise UserError(
            f"{archive.name} has no machine-readable copyright file, so nobody knows "
            "the licences of its photos; leave this package out."
        )
    return stanzas(text)


def free_licence(licence: str) -> str | None:
    """Its name in FREE; other capitals and spaces make no difference."""
    name = re.sub(r"\s+", "-", licence).lower()
    return next((known for known in FREE if known.lower() == name), None)


def decode(data: bytes) -> np.ndarray:
    """An image file as (H, W, 3), 8 bits; an unreadable one has no pixels."""
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.empty((0, 0, 3), np.uint8) if bgr is None else bgr[..., ::-1]


def what_is_wrong(pixels: np.ndarray) -> str | None:
    if pixels.size == 0:
        return "unreadable"
    if min(pixels.shape[:2]) < SMALLEST_SIDE:
        return f"a side below {SMALLEST_SIDE} pixels"
    if np.ptp(pixels, axis=2).mean() < GREY:
        return "grey"
    return None


def shorten(pixels: np.ndarray, longest: int) -> np.ndarray:
    """No side above `longest`; each pixel is the mean of those that it covers."""
    height, width = pixels.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return pixels
    size = round(width * scale), round(height * scale)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def largest_of_each(photos: list[Found]) -> list[Found]:
    """Without the smaller copies of a photo, in the same order."""
    kept: dict[int, np.ndarray] = {}
    for i in sorted(range(len(photos)), key=lambda i: -photos[i].size):
        small = cv2.resize(photos[i].pixels, THUMBNAIL, interpolation=cv2.INTER_AREA)
        small = small.astype(float)
        if all(np.abs(small - other).mean() >= SAME for other in kept.values()):
            kept[i] = small
    return [photos[i] for i in sorted(kept)]


if __name__ == "__main__":
    try:
        typer.run(main)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
