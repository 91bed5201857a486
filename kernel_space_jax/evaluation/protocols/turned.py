"""Blind restoration of colour photos by a camera that turned, which we blur ourselves.

    y = (1/T sum_t rotate(x^gamma, angles_t))^(1/gamma) + noise,    noise 0.7 %, 8 bits

of sharp images x (synthesis/rotation.py). The camera aims at other places and rolls, so
the blur differs a little from place to place. Scores are those of the Levin protocol.
"""

import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax.datasets import Record
from kernel_space_jax.evaluation.protocol import Problem, Problems, Protocol
from kernel_space_jax.evaluation.protocols.common import middle, truth
from kernel_space_jax.evaluation.protocols.levin import LEVIN
from kernel_space_jax.evaluation.protocols.shaken import NOISE
from kernel_space_jax.images import match_channels
from kernel_space_jax.synthesis.rotation import (
    blur_rotation,
    random_focal,
    rotation_trajectory,
)

SIDE, MARGIN = 256, 24
# Pixels that the middle of the photo moves along its path, one for each next image.
LENGTHS = (12, 18, 24, 30, 36)
ROLL, POSES = 0.3, 100


class TurnedProblems(Problems):
    """The middle of each sharp image by a turning camera, the same in every run."""

    def __getitem__(self, index: int) -> Problem:  # type: ignore[override]
        record = self.source[index]
        wide = SIDE + 2 * MARGIN
        x = middle(record, match_channels(truth(record), 3), wide)
        zoom, turn, grain = jax.random.split(jax.random.key(index), 3)
        focal, length = random_focal(zoom, (wide, wide)), LENGTHS[index % len(LENGTHS)]
        angles = rotation_trajectory(
            turn, (wide, wide), focal, poses=POSES, length=length, roll=ROLL
        )
        inside = slice(MARGIN, MARGIN + SIDE)
        y = _photo(jnp.asarray(x), angles, focal)[inside, inside]
        y = jnp.clip(y + NOISE * jax.random.normal(grain, y.shape), 0, 1)
        stored = np.rint(255 * np.asarray(y)).astype(np.float32) / np.float32(255)
        return Problem(Record(self.names[index], stored, x[inside, inside], {}))


_photo = jax.jit(blur_rotation)

TURNED = Protocol(
    "turned",
    f"the middle {SIDE}x{SIDE} pixels of sharp images, in colour and in light, by a "
    f"camera that turned along {LENGTHS[0]} to {LENGTHS[-1]} pixels and rolled a "
    "little, noise 0.7 %; scored as levin",
    LEVIN.scores,
    LEVIN.score,
    problems=lambda source: TurnedProblems(source),
)
