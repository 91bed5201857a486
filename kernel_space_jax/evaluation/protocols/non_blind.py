"""Restoration where the blur is known and differs from pixel to pixel.

    y = ( sum_b m_b . (h_b * x^2.2) )^(1/2.2) + noise,    noise 1 %, 8 bits

of sharp images x: three objects before a background, and a camera shake for each.
The method is given the kernels and masks; one that takes a single kernel is given
their mean over all pixels.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax.datasets import Record
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation.protocol import Problem, Problems, Protocol
from kernel_space_jax.evaluation.protocols.common import truth
from kernel_space_jax.evaluation.protocols.pairs import PSNR, SSIM, score
from kernel_space_jax.operators import Basis, KernelField
from kernel_space_jax.operators.camera import to_light, to_photo
from kernel_space_jax.synthesis import blur_masks, random_masks, shake_kernel

KERNEL_SIZE = 33
OBJECTS = 3
NOISE = 0.01
# The middle of a larger image: every image of a set then compiles once.
SIDE = 256


class NonBlindProblems(Problems):
    """Each sharp image under a blur of its own, the same in every run."""

    def __getitem__(self, index: int) -> Problem:  # type: ignore[override]
        record = self.source[index]
        x = truth(record)
        side = SIDE + KERNEL_SIZE - 1
        if min(x.shape[:2]) < side:
            raise UserError(
                f"{record.name} is {x.shape[1]}x{x.shape[0]} pixels; "
                f"this protocol wants at least {side} a side"
            )
        top, left = ((n - side) // 2 for n in x.shape[:2])
        x = x[top : top + side, left : left + side]
        seen, field = jax.device_get(_photo(jax.random.key(index), jnp.asarray(x)))
        stored = np.rint(255 * seen).astype(np.uint8)
        mean = np.einsum("hwb,bij->ij", field.masks[0], field.kernels[0])
        extras = {
            "field": field,
            "kernel": mean / mean.sum(),
            "noise": NOISE,
            "grey": record.extras.get("grey", False),
        }
        border = KERNEL_SIZE // 2
        sharp = x[border:-border, border:-border]
        y = stored.astype(np.float32) / np.float32(255)
        return Problem(Record(self.names[index], y, sharp, extras))


@jax.jit
def _photo(key: jax.Array, x: jax.Array) -> tuple[jax.Array, KernelField]:
    """y (H, W, 3) of x (H + k - 1, W + k - 1, 3): nothing is made up at the border."""
    shape, shake, grain = jax.random.split(key, 3)
    masks = random_masks(shape, (SIDE, SIDE), OBJECTS)
    shakes = jax.random.split(shake, OBJECTS + 1)
    kernels = jax.vmap(partial(shake_kernel, size=KERNEL_SIZE))(shakes)
    field = KernelField(kernels[None], blur_masks(masks, kernels)[None])
    y = to_photo(Basis(border="valid")(to_light(x)[None], field)[0])
    noise = NOISE * jax.random.normal(grain, y.shape)
    return jnp.clip(y + noise, 0, 1), field


NON_BLIND = Protocol(
    "non-blind",
    f"the middle {SIDE}x{SIDE} pixels of sharp images under known kernels of "
    f"{KERNEL_SIZE}x{KERNEL_SIZE}, one for each of {OBJECTS + 1} regions, noise 1 %, "
    "gamma 2.2; PSNR and SSIM of RGB, nothing cropped",
    (PSNR, SSIM),
    score,
    problems=lambda source: NonBlindProblems(source),
)
