"""Blind restoration of photos that we blur ourselves: what its settings are chosen on.

    y = h * x + noise,    noise 0.7 %, 8 bits

of sharp grey images x, each under a camera shake h of its own, from 13 to 31 pixels
wide. Scores are those of the Levin protocol.
"""

import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax.datasets import Record
from kernel_space_jax.evaluation.protocol import Problem, Problems, Protocol
from kernel_space_jax.evaluation.protocols.common import middle, truth
from kernel_space_jax.evaluation.protocols.levin import LEVIN, relative
from kernel_space_jax.images import match_channels
from kernel_space_jax.operators import uniform
from kernel_space_jax.synthesis import shake_kernel

SIZES = (13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
NOISE = 0.007
# As large as Levin's photos: the middle of a larger image.
SIDE = 255


class ShakenProblems(Problems):
    """The middle of each sharp image under a shake, the same in every run."""

    def __getitem__(self, index: int) -> Problem:  # type: ignore[override]
        record = self.source[index]
        size = SIZES[index % len(SIZES)]
        x = middle(record, match_channels(truth(record), 1), SIDE + size - 1)
        shake, grain = jax.random.split(jax.random.key(index))
        # The whole exposure, and a path long enough to fill the box.
        h = shake_kernel(shake, size, exposures=(1.0,), length=1.6 * size)
        y = uniform.convolve(jnp.asarray(x)[None], h, border="valid")[0]
        y = jnp.clip(y + NOISE * jax.random.normal(grain, y.shape), 0, 1)
        stored = np.rint(255 * np.asarray(y)).astype(np.float32) / np.float32(255)
        reach = size // 2
        sharp = x[reach : reach + SIDE, reach : reach + SIDE]
        extras = {"kernel": np.asarray(h), "grey": True}
        return Problem(Record(self.names[index], stored, sharp, extras))


SHAKEN = Protocol(
    "shaken",
    f"the middle {SIDE}x{SIDE} pixels of sharp images, grey, each under a camera shake "
    f"of {SIZES[0]} to {SIZES[-1]} pixels, noise 0.7 %; scored as levin",
    LEVIN.scores,
    LEVIN.score,
    problems=lambda source: ShakenProblems(source),
    relative=relative(),
)
