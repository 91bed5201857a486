"""Computes the sharp x from a judge's scores of all candidate kernels.

A judge (judge.py) gives q_t(i), the probability that candidate t blurred the place i,
and x_t, the photo with candidate t undone. No candidate is exactly right, and restoring
with the likeliest one rings where it is wrong. The x of least mean square error is the
mean of x given y; a U-Net learns it from these inputs at each pixel:

    x = y + u + sum_j g_j c_j,    c = sum_t q_t x_t,  sum_t q_t^3 x_t,  s
    u, g = U( y, c, sqrt var_t x_t, q_still, max q )

The c are differences from y, in grey. s is a solver's x for the likeliest kernels
(solvers/per_pixel/found.py). The U-Net learns the weights g, and to leave a photo
without motion as it is. No paper has this network.
"""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from flax.typing import Dtype
from jax import Array, lax

from kernel_space_jax.models.per_pixel.judge import TOGETHER, Judge
from kernel_space_jax.models.restorers.compact import Compact
from kernel_space_jax.operators.inverse import undo_each
from kernel_space_jax.operators.light import local_contrast

# The power of q in the second mean, which is nearer to the likeliest candidate.
DECIDED = 3
# The changes are about a tenth of the photo's values.
SCALE = 4.0
# The channels of the guide that are the c.
CHANGES = (0, 1, 4, 5, 6)
TINY = 1e-6


class Mender(nn.Module):
    """Blurry y (N, H, W, 3) to sharp x of the same size; not clipped."""

    width: int = 48
    candidates: int = 64
    variants: int = 0
    kernel_size: int = 33
    gamma: float = 2.2
    restorer_width: int = 32
    scales: int = 3
    blocks: int = 2
    dtype: Dtype | None = None

    def setup(self) -> None:
        self.judge = Judge(
            self.width,
            self.candidates,
            self.variants,
            self.kernel_size,
            self.gamma,
            self.dtype,
        )
        self.restorer = Compact(
            self.restorer_width, self.scales, self.blocks, self.dtype
        )

    def __call__(self, y: Array, solved: Array) -> Array:
        return self.mend(y, *self.find(y), solved)

    def find(self, y: Array, others: Array | None = None) -> tuple[Array, Array]:
        """The judge's kernels and masks."""
        return self.judge(y, others)

    def closer(self, y: Array, kernels: Array, masks: Array) -> tuple[Array, Array]:
        """The judge's kernels and masks after its second pass."""
        return self.judge.closer(y, kernels, masks)

    def mend(self, y: Array, kernels: Array, masks: Array, solved: Array) -> Array:
        """x from the judge's kernels and masks, and the solver's x.

        The kernels are (N, T, s, s), the first is no blur; `solved` is (N, H, W, 1).
        """
        return self.answer(y, guide(y, kernels, masks, solved, self.gamma))

    def answer(self, y: Array, given: Array) -> Array:
        """x from the photo and the `guide`."""
        return self.restorer(y, given, given[..., np.array(CHANGES)] / SCALE)


def guide(y: Array, kernels: Array, masks: Array, solved: Array, gamma: float) -> Array:
    """The inputs of the U-Net beside y (N, H, W, 3): (N, H, W, 9)."""
    seen, _, contrast = local_contrast(y, gamma)
    count = kernels.shape[1]
    # The last group is filled up with candidates that have no share in it.
    total = -(-count // TOGETHER) * TOGETHER
    order = np.arange(total) % count
    real = (np.arange(total) < count)[:, None, None, None]
    share = real * jnp.moveaxis(masks, -1, 0)[order]
    groups = lambda a: a.reshape(-1, TOGETHER, *a.shape[1:])

    def step(sums: Array, group: tuple[Array, Array]) -> tuple[Array, None]:
        h, q = group
        shown = undo_each(y, jnp.moveaxis(h, 0, 1), gamma)
        change = shown[..., :2] - shown[..., 2:]
        more = [
            jnp.einsum("tnhw,nthwc->nhwc", weight, part)
            for weight, part in (
                (q, change),
                (q, jnp.square(change)),
                (q**DECIDED, change),
            )
        ]
        return sums + jnp.concatenate(more, -1), None

    start = jnp.zeros((*y.shape[:3], 6))
    sums, _ = lax.scan(
        step, start, (groups(jnp.moveaxis(kernels, 1, 0)[order]), groups(share))
    )
    mean, square, decided = jnp.split(sums, 3, -1)
    decided = decided / jnp.sum(masks**DECIDED, -1, keepdims=True)
    spread = jnp.sqrt(jnp.maximum(square - jnp.square(mean), 0) + TINY)
    given = [
        SCALE * contrast * jnp.concatenate([mean, spread, decided], -1),
        SCALE * (solved - seen),
        masks[..., :1],
        jnp.max(masks, -1, keepdims=True),
    ]
    return lax.stop_gradient(jnp.concatenate(given, -1))
