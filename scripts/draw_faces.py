"""Draws faces: images of one kind that nobody's face is on, to train a generator.

    python scripts/draw_faces.py -o data/drawn-faces --count 4000

Each has a head at about the same place, with its own skin, hair, eyes, mouth, light and
background; some have glasses. Front view, 64x64 pixels unless --size says otherwise.
"""

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

import kernel_space_jax as ks

# Drawn so many times larger, and made smaller by means of pixels.
OVER = 4
# Drawing is in these units, whatever the size.
UNITS = 64
SKINS = np.array([(0.96, 0.80, 0.69), (0.78, 0.57, 0.42), (0.45, 0.29, 0.20)])
HAIRS = np.array(
    [(0.10, 0.08, 0.07), (0.35, 0.22, 0.12), (0.80, 0.65, 0.35), (0.62, 0.62, 0.62)]
)
EYES = np.array([(0.30, 0.20, 0.12), (0.25, 0.42, 0.60), (0.30, 0.45, 0.28)])

Colour = tuple[float, float, float]
Point = tuple[float, float]


class Page:
    """A picture in `UNITS` a side, drawn over from back to front."""

    def __init__(self, size: int, first: np.ndarray, last: np.ndarray):
        side = OVER * size
        self.scale = side / UNITS
        down = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
        rows = first * (1 - down) + last * down
        self.pixels = np.repeat(rows, side, 1).astype(np.float32)

    def ellipse(self, at: Point, axes: Point, colour: np.ndarray, turn: float = 0.0):
        centre, half = self._placed(at), self._placed(axes)
        cv2.ellipse(self.pixels, centre, half, turn, 0, 360, colour.tolist(), -1)

    def arc(self, at: Point, axes: Point, first: float, last: float, colour, width):
        centre, half = self._placed(at), self._placed(axes)
        thick = max(1, round(width * self.scale))
        values = np.asarray(colour).tolist()
        cv2.ellipse(self.pixels, centre, half, 0, first, last, values, thick)

    def polygon(self, points: list[Point], colour: np.ndarray) -> None:
        places = np.array([self._placed(p) for p in points], np.int32)
        cv2.fillPoly(self.pixels, [places], colour.tolist())

    def lit(self, side: float, strength: float) -> np.ndarray:
        """The picture under light from one side, at its final size."""
        across = np.linspace(-1, 1, self.pixels.shape[1], dtype=np.float32)[:, None]
        light = 1 + strength * side * across
        size = round(self.pixels.shape[0] / OVER)
        shrunk = cv2.resize(
            self.pixels * light, (size, size), interpolation=cv2.INTER_AREA
        )
        return np.clip(shrunk, 0, 1)

    def _placed(self, point: Point) -> tuple[int, int]:
        return round(point[0] * self.scale), round(point[1] * self.scale)


def draw_face(rng: np.random.Generator, size: int = 64) -> np.ndarray:
    """A face (size, size, 3) in [0, 1]."""

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def one_of(colours: np.ndarray, spread: float = 0.05) -> np.ndarray:
        mixed = rng.dirichlet(np.full(len(colours), 0.4)) @ colours
        return np.clip(mixed + rng.normal(0, spread, 3), 0.02, 1)

    page = Page(size, rng.uniform(0.1, 0.95, 3), rng.uniform(0.1, 0.95, 3))
    skin, hair, iris = one_of(SKINS, 0.02), one_of(HAIRS), one_of(EYES)
    x, y = 32 + between(-2, 2), 33 + between(-1.5, 1.5)
    wide, tall = between(13.5, 17), between(18, 21)
    long = between(0, 1) < 0.5
    if long:
        page.ellipse((x, y + 4), (wide + between(4, 7), tall + between(3, 7)), hair)
    shirt = rng.uniform(0.05, 0.95, 3)
    page.ellipse((x, 70), (between(23, 30), between(13, 17)), shirt)
    page.ellipse((x, y + tall), (between(5, 7), 8), skin * 0.82)
    page.ellipse((x, y - 3), (wide + between(1, 3), tall + between(0, 3)), hair)
    for side in (-1, 1):
        page.ellipse((x + side * wide, y + 1), (2.5, 4), skin * 0.9)
    page.ellipse((x, y), (wide, tall), skin)
    # A fringe, from one side to the other.
    part, low = between(-0.8, 0.8) * wide, y - tall * between(0.35, 0.75)
    edge = [(x - wide, y - tall * 0.3), (x + part, low), (x + wide, y - tall * 0.3)]
    top = [
        (x + wide * 0.8, y - tall - 1),
        (x, y - tall - 4),
        (x - wide * 0.8, y - tall),
    ]
    page.polygon([*edge, *top], hair)

    apart, level = wide * between(0.40, 0.50), y - between(1.5, 4)
    look, opened = between(-0.8, 0.8), between(1.4, 2.6)
    for side in (-1, 1):
        place = (x + side * apart, level)
        page.ellipse(place, (3.6, opened), np.full(3, between(0.92, 0.98)))
        page.ellipse((place[0] + look, level), (1.8, min(1.8, opened)), iris)
        page.ellipse((place[0] + look, level), (0.8, 0.8), np.full(3, 0.03))
        brow = (place[0], level - between(2.5, 3.5))
        page.arc(brow, (4.2, 2.2), 200, 340, hair * 0.8, 1.1)
    if between(0, 1) < 0.25:
        for side in (-1, 1):
            place = (x + side * apart, level)
            page.arc(place, (5.4, 4.6), 0, 360, np.full(3, 0.08), 0.8)
        page.arc((x, level), (apart - 5, 1.5), 180, 360, np.full(3, 0.08), 0.8)
    nose = y + tall * between(0.22, 0.3)
    page.arc((x, nose), (between(1.8, 2.8), 1.8), 20, 160, skin * 0.7, 0.9)
    mouth, smile = y + tall * between(0.52, 0.6), between(-1.5, 4.5)
    lips = np.clip(skin * (0.85, 0.55, 0.55), 0, 1)
    bounds = (0, 180) if smile > 0 else (180, 360)
    if smile > 3:
        page.ellipse((x, mouth + 0.5), (between(4.5, 6.5), 2.2), lips)
        page.ellipse((x, mouth + 0.2), (4, 1.1), np.full(3, 0.95))
    else:
        page.arc((x, mouth), (between(4, 6.5), abs(smile)), *bounds, lips, 1.6)
    return page.lit(between(-1, 1), between(0, 0.25))


def main(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of images.")],
    count: Annotated[int, typer.Option(min=1, help="How many faces.")] = 4000,
    size: Annotated[int, typer.Option(min=16, help="Pixels a side.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Other faces.")] = 0,
) -> None:
    for number in range(count):
        face = draw_face(np.random.default_rng([seed, number]), size)
        ks.write(output / f"{number:05d}.png", ks.Photo(face))


if __name__ == "__main__":
    typer.run(main)
