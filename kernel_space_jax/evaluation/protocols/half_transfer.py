"""Blur moved within one photo: taken from one half of a pair, put on the other half.

    k = G(x_a, y_a),    F(x_b, k) beside y_b

with a the left half and b the right one, and the other way round. A moving camera blurs
both halves much alike, so y_b is a truth that a real camera made.
"""

from kernel_space_jax.datasets import Record, Source
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation.protocol import Problem, Problems, Protocol
from kernel_space_jax.evaluation.protocols.common import truth
from kernel_space_jax.evaluation.protocols.pairs import PSNR, SSIM, score
from kernel_space_jax.images import SMALLEST_SIDE

WAYS = ("left-to-right", "right-to-left")


class HalfTransferProblems(Problems):
    """Two for each pair: NAME/left-to-right and NAME/right-to-left."""

    def __init__(self, source: Source):
        super().__init__(source)
        self.names = [f"{name}/{way}" for name in source.names for way in WAYS]

    def __getitem__(self, index: int) -> Problem:  # type: ignore[override]
        number, way = divmod(index, len(WAYS))
        record = self.source[number]
        x, y = truth(record), record.blurry
        if y is None:
            raise UserError(f"{record.name} has no blurry image to take blur from")
        # Of an odd width the middle column is left out.
        half = x.shape[1] // 2
        if half < SMALLEST_SIDE:
            raise UserError(
                f"{record.name} has halves of {half} pixels; they need {SMALLEST_SIDE}"
            )
        halves = [(x[:, :half], y[:, :half]), (x[:, -half:], y[:, -half:])]
        x_b, y_b = halves[1 - way]
        extras = {**record.extras, "pair": halves[way], "target": x_b}
        return Problem(Record(self.names[index], x_b, y_b, extras))


HALF_TRANSFER = Protocol(
    "half-transfer",
    "the blur of one half of each pair put on the other sharp half, beside the blurry "
    "one, both ways; the row blurry is the sharp half itself",
    (PSNR, SSIM),
    score,
    problems=HalfTransferProblems,
)
