"""Whether what a method made can be scored, and what is odd about it."""

import numpy as np

from kernel_space_jax.datasets import Record
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation.protocol import Restored


def checked(record: Record, restored: Restored) -> Restored:
    """The image as it would be read from an 8-bit file, with notes.

    Published scores are of images on disk, so ours are: clipped, 256 levels. Another
    size, or a value that is no number, is a `UserError`.
    """
    image, notes = restored.image, list(restored.notes)
    expected = record.sharp if record.sharp is not None else record.blurry
    if expected is not None and image.shape[:2] != expected.shape[:2]:
        raise UserError(
            f"the result for {record.name} is {_size(image)} pixels and the truth "
            f"{_size(expected)}; results must have the size of the truth"
        )
    wrong = int(np.size(image) - np.isfinite(image).sum())
    if wrong:
        raise UserError(
            f"the result for {record.name} has {wrong} values that are no numbers "
            "(NaN or infinite)"
        )
    if restored.bits != 8:
        notes.append(f"it has {restored.bits} bits a channel, not 8, and kept them")
        return restored._replace(notes=tuple(notes))
    image = np.rint(np.clip(image, 0, 1) * np.float32(255)) / np.float32(255)
    return restored._replace(image=image.astype(np.float32), notes=tuple(notes))


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
