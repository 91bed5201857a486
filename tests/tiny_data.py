"""Data sets of a few small pictures, laid out as the field's are downloaded."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

HEIGHT, WIDTH = 24, 30


def picture(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A picture (H, W, 3), uint8, whose pixels say where they are: number, row, column.

    Its blurry partner is its negative, so a pair shows whether it is one.
    """
    rows, columns = np.mgrid[:height, :width]
    return np.stack([np.full_like(rows, number), rows, columns], -1).astype(np.uint8)


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    assert cv2.imwrite(str(path), colour)


def write_pairs(names: Iterable[tuple[str, str]], root: Path, first: int = 0) -> None:
    """Pair number i at `root / blurry name` and `root / sharp name`."""
    for number, (blurry, sharp) in enumerate(names, start=first):
        write(root / blurry, 255 - picture(number))
        write(root / sharp, picture(number))


def gopro(root: Path, train: int = 3, test: int = 2) -> Path:
    """GoPro as its authors lay it out, with `blur_gamma` beside."""
    for first, (split, count) in enumerate([("train", train), ("test", test)]):
        folder = f"{split}/GOPR0{first}_11_00"
        names = [f"{number:06d}.png" for number in range(1, count + 1)]
        pairs = [(f"{folder}/blur/{n}", f"{folder}/sharp/{n}") for n in names]
        write_pairs(pairs, root, first=100 * first)
        for n in names:
            write(root / folder / "blur_gamma" / n, 0 * picture(0) + 7)
    return root


def two_sets(root: Path) -> list[str]:
    """The specs of two sets of pairs: five numbered from 0, three numbered from 100."""
    specs = []
    for first, count in ((0, 5), (100, 3)):
        names = [(f"blur/{n}.png", f"sharp/{n}.png") for n in range(count)]
        write_pairs(names, root / str(first), first)
        specs.append(f"pairs:{root}/{first}")
    return specs


def damage(path: Path) -> None:
    """Spoils the pixels of a file, but not its beginning or its end."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 8] = bytes(8)
    path.write_bytes(bytes(data))
