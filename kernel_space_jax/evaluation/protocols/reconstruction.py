"""How well a blur can be said: F(x, G(x, y)) beside the blurry y of a pair."""

from kernel_space_jax.datasets import Record
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation.protocol import Problem, Problems, Protocol
from kernel_space_jax.evaluation.protocols.common import truth
from kernel_space_jax.evaluation.protocols.pairs import PSNR, SSIM, score


class ReconstructionProblems(Problems):
    """Each pair turned round: the blurry image is what is to be made."""

    def __getitem__(self, index: int) -> Problem:  # type: ignore[override]
        record = self.source[index]
        x, y = truth(record), record.blurry
        if y is None:
            raise UserError(f"{record.name} has no blurry image to be made again")
        extras = {**record.extras, "pair": (x, y), "target": x}
        return Problem(Record(record.name, x, y, extras))


RECONSTRUCTION = Protocol(
    "reconstruction",
    "the blur of each pair put back on its own sharp image, beside the blurry one; "
    "the row blurry is the sharp image itself",
    (PSNR, SSIM),
    score,
    problems=ReconstructionProblems,
)
