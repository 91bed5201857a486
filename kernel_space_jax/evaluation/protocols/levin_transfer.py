"""The table of blur transfer in the CVPR 2021 talk of Tran et al.

For each kernel h of a set: an image A is blurred by h, the blur is extracted from A and
h * A, put on another image B, and compared with h * B. The mean is over all pairs of
images A and B.
"""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax import metrics
from kernel_space_jax.datasets import Record, Source
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation.protocol import (
    Problem,
    Problems,
    Protocol,
    Published,
    Restored,
)
from kernel_space_jax.evaluation.protocols.common import (
    Scores,
    as_floats,
    batch_of_one,
    truth,
)
from kernel_space_jax.evaluation.protocols.levin import group
from kernel_space_jax.evaluation.protocols.pairs import PSNR
from kernel_space_jax.operators import uniform

TALK = (49.48, 51.93, 52.06, 53.74, 49.91, 49.49, 51.43, 50.38)


class TransferProblems(Problems):
    """One for each kernel and ordered pair of sharp images: kernel/A-to-B."""

    def __init__(self, source: Source):
        super().__init__(source)
        kernels: dict[str, int] = {}
        sharp: dict[str, int] = {}
        for index, name in enumerate(source.names):
            image, _, _ = name.partition("_")
            kernels.setdefault(group(name) or name, index)
            sharp.setdefault(image, index)
        self.cases = [
            (kernel, where, sharp[a], sharp[b], f"{kernel}/{a}-to-{b}")
            for kernel, where in kernels.items()
            for a, b in permutations(sharp, 2)
        ]
        self.names = [case[-1] for case in self.cases]

    def __getitem__(self, index: int) -> Problem:  # type: ignore[override]
        kernel, where, first, second, name = self.cases[index]
        h = self.source.extras(where).get("kernel")
        if h is None:
            raise UserError(f"{self.source.names[where]} comes without its kernel")
        a, b = (truth(self.source[i]) for i in (first, second))
        blurred_a, blurred_b = (np.asarray(_blurred(image, h)) for image in (a, b))
        grey = self.source[first].extras.get("grey", False)
        extras = {"pair": (a, blurred_a), "target": b, "kernel": h, "grey": grey}
        return Problem(Record(name, b, blurred_b, extras), kernel)


@jax.jit
def _blurred(x: np.ndarray, h: np.ndarray) -> jax.Array:
    y = uniform.convolve(jnp.asarray(x)[None], jnp.asarray(h), border="reflect")
    return jnp.clip(y[0], 0, 1)


@jax.jit
def _scores(y: jax.Array, found: jax.Array) -> dict[str, jax.Array]:
    return {"PSNR": metrics.psnr(y, found)}


def score(record: Record, restored: Restored) -> Scores:
    """PSNR of the transferred blur beside B under the same kernel."""
    return as_floats(_scores(*batch_of_one(record, restored)))


LEVIN_TRANSFER = Protocol(
    "levin-transfer",
    "blur extracted from image A and put on B, beside B under the same kernel, "
    "mean over all ordered pairs; borders by reflection, nothing cropped",
    (PSNR,),
    score,
    problems=lambda source: TransferProblems(source),
    published=tuple(
        Published(
            f"kernel space, kernel {number}",
            {PSNR.name: value},
            "all pairs of images, one of 8 kernels",
            "the CVPR 2021 talk, with the authors' full-size model",
        )
        for number, value in enumerate(TALK, start=1)
    ),
)
