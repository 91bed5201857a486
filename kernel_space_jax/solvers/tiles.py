"""Large photos: overlapping tiles, blended without seams."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np

from kernel_space_jax.tell import Tell, silent

Answer = TypeVar("Answer")


class Tile(NamedTuple):
    """Where a tile lies in the photo, and its number of all."""

    rows: slice
    columns: slice
    number: int
    count: int


def tiles(size: tuple[int, int], side: int, overlap: int) -> list[Tile]:
    """Tiles of one shape over a photo (H, W), at most `side` pixels a side."""
    starts = [_starts(n, min(n, side), overlap) for n in size]
    corners = [(row, column) for row in starts[0] for column in starts[1]]
    height, width = (min(n, side) for n in size)
    return [
        Tile(slice(r, r + height), slice(c, c + width), number, len(corners))
        for number, (r, c) in enumerate(corners)
    ]


def _starts(length: int, side: int, overlap: int) -> list[int]:
    """First pixels of tiles that overlap by `overlap` or more, evenly spread."""
    if side <= overlap < length - side:
        raise ValueError(f"tiles of {side} pixels cannot overlap by {overlap}")
    count = 1 if length <= side else -(-(length - overlap) // (side - overlap))
    return [round(i * (length - side) / max(count - 1, 1)) for i in range(count)]


def blend(
    solve: Callable[[np.ndarray], np.ndarray],
    photo: np.ndarray,
    *,
    side: int,
    overlap: int,
    tell: Tell = silent,
) -> np.ndarray:
    """`solve` of a photo (H, W, C), tile by tile: (H, W, C).

    Results of overlapping tiles are mixed, with weights that fall to zero at a tile's
    edge, so no seam shows. `tell(done, count)` reports progress.
    """
    places = tiles(photo.shape[:2], side, overlap)
    found = []
    for place in places:
        found.append(solve(photo[place.rows, place.columns]))
        tell(place.number + 1, place.count)
    return join(found, places, photo.shape, overlap)


def side_by_side(
    solve: Callable[[Tile], Answer],
    places: Sequence[Tile],
    tell: Tell = silent,
) -> list[Answer]:
    """`solve` of each tile, on all cores, for solvers that use only one.

    `tell(done, count)` reports progress.
    """
    # The first alone, so that its programs are compiled once.
    found = [solve(places[0])]
    tell(1, len(places))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for answer in pool.map(solve, places[1:]):
            found.append(answer)
            tell(len(found), len(places))
    return found


def join(
    found: Sequence[np.ndarray],
    places: Sequence[Tile],
    shape: tuple[int, ...],
    overlap: int,
) -> np.ndarray:
    """The photo of that shape whose tiles (h, w, C) these are, without seams."""
    total = np.zeros(shape, np.float32)
    weight = np.zeros((*shape[:2], 1), np.float32)
    for tile, part in zip(places, found, strict=True):
        ramp = np.multiply.outer(*_ramps(part.shape[:2], overlap))[..., None]
        total[tile.rows, tile.columns] += ramp * part
        weight[tile.rows, tile.columns] += ramp
    return total / weight


def _ramps(shape: tuple[int, ...], overlap: int) -> Iterator[np.ndarray]:
    """1 in the middle of a tile, falling towards its edges over the overlap."""
    for n in shape:
        edge = np.minimum(np.arange(n), np.arange(n)[::-1]) + 1
        yield np.minimum(edge / (overlap + 1), 1).astype(np.float32)
