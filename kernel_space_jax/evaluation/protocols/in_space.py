"""Blind restoration of photos with blur from the shipped kernel space.

    y = F(x, k), 8 bits,    k = G(o, h * o)

of sharp images x, with o the next image of the set, under a camera shake h. What a
search in the space can find, it can find here.
"""

import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax import weights
from kernel_space_jax.datasets import Record, Source
from kernel_space_jax.evaluation.protocol import Problem, Problems, Protocol
from kernel_space_jax.evaluation.protocols.common import middle, truth
from kernel_space_jax.evaluation.protocols.pairs import PSNR, SSIM, score
from kernel_space_jax.images import match_channels
from kernel_space_jax.operators import uniform
from kernel_space_jax.synthesis import extract_blur, shake_kernel, transfer

SIDE = 256
SIZE = 25


class InSpaceProblems(Problems):
    """The middle of each sharp image under F, the same in every run."""

    def __init__(self, source: Source):
        super().__init__(source)
        self.space = weights.load("kernel-space")

    def __getitem__(self, index: int) -> Problem:  # type: ignore[override]
        x, other = self._middle(index), self._middle((index + 1) % len(self))
        h = shake_kernel(jax.random.key(index), SIZE, exposures=(1.0,))
        moved = uniform.convolve(jnp.asarray(other)[None], h, border="reflect")[0]
        operator, k = extract_blur(other, np.asarray(moved), self.space)
        (y,) = transfer(operator, k, [x])
        stored = np.rint(255 * y).astype(np.float32) / np.float32(255)
        # F was put on the numbers of x, not on its light.
        extras = {"code": np.asarray(k), "gamma": 1.0}
        return Problem(Record(self.names[index], stored, x, extras))

    def _middle(self, index: int) -> np.ndarray:
        record = self.source[index]
        return middle(record, match_channels(truth(record), 3), SIDE)


IN_SPACE = Protocol(
    "in-space",
    f"the middle {SIDE}x{SIDE} pixels of sharp images, blurred by F of the shipped "
    f"kernel space with the code of a camera shake of {SIZE} pixels; PSNR and SSIM of "
    "RGB, nothing cropped",
    (PSNR, SSIM),
    score,
    problems=lambda source: InSpaceProblems(source),
)
