"""The photo as all methods take it: checked once, and carried on with its camera."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.images import match_channels
from kernel_space_jax.operators.camera import GAMMA
from kernel_space_jax.pixels import as_pixels
from kernel_space_jax.solvers.tiles import Tile


@dataclass(frozen=True)
class View:
    """A photo, or a part of it: y (H, W, 1 or 3), whose light is y^gamma."""

    y: np.ndarray
    gamma: float

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.y.shape[0], self.y.shape[1]

    @property
    def channels(self) -> int:
        """1 or 3."""
        return self.y.shape[-1]

    @cached_property
    def batch(self) -> Array:
        """The photo as a batch of one: (1, H, W, C)."""
        return jnp.asarray(self.y)[None]

    @cached_property
    def known(self) -> Array:
        """What networks have learned from: three colours, gamma 2.2; (1, H, W, 3)."""
        return jnp.asarray(match_channels(self.y, 3))[None] ** (self.gamma / GAMMA)

    def from_known(self, x: np.ndarray) -> np.ndarray:
        """An image x (H, W, 3) like `known`, with the photo's channels and gamma."""
        return match_channels(x ** (GAMMA / self.gamma), self.channels)

    def part(self, place: Tile) -> "View":
        """The pixels of a tile."""
        return View(self.y[place.rows, place.columns], self.gamma)

    def middle(self, side: int) -> "View":
        """The middle of the photo, at most `side` pixels a side."""
        top, left = (max(0, (n - side) // 2) for n in self.size)
        return View(self.y[top : top + side, left : left + side], self.gamma)


def prepare(photo: Any, gamma: float | None = None) -> View:
    """The view of a photo, of any kind that `as_pixels` takes.

    `gamma` is the camera's; by default that of a usual one for a photo in colour, and 1
    for a grey photo, which may come straight from a sensor.
    """
    y = as_pixels(photo)
    if gamma is None:
        gamma = GAMMA if y.shape[-1] == 3 else 1.0
    return View(y, gamma)
