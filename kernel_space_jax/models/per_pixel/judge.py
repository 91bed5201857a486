"""Scores 64 candidate kernels at each place of a photo.

The score is high if the photo looks natural after undoing the kernel. The right kernel
gives a natural image; a wrong one leaves ringing or blur. The network need not learn
the traces of each kernel, because its inputs are the images with each one undone:

    X_t = conj(H_t) Y / (|H_t|^2 + r |D|^2 + e)      (operators/inverse.py)

for every candidate h_t and two strengths r. The same small network scores each x_t
beside y; q, the softmax of the scores over t, is the probability that h_t blurred a
cell of 8x8 pixels. It also scores candidates that were not in its training. A second
pass (`closer`) scores variants of the likeliest candidates, because 64 are few.

No paper has this network. Its output has the form of `two_heads`: kernels and masks.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.typing import Dtype
from jax import Array

from kernel_space_jax.models.layers import Conv, crop, pad_to_multiple
from kernel_space_jax.operators.inverse import undo_each

# Pixels a side of a cell.
CELL = 8
# The second pass scores the variants of so many of the likeliest candidates; they are
# ranked by the mean of this power of their masks.
AGAIN = 12
DECIDED = 1.5
# The score of an excluded candidate.
NEVER = -1e4
# Candidates in one step, where all at once would need too much memory. Of a
# 1280x720 photo on two cores, 2 at a time are a fifth faster than 8.
TOGETHER = 2


class Look(nn.Module):
    """The features of one x_t: (N, H, W, 3) -> (N, H / 8, W / 8, width)."""

    width: int
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        layers = ((self.width // 3, 5), (self.width // 2, 3), (self.width, 3))
        for index, (features, kernel) in enumerate(layers):
            name = f"conv{index}"
            x = Conv(features, kernel, stride=2, dtype=self.dtype, name=name)(x)
            x = nn.relu(x)
        return x


class Weigh(nn.Module):
    """Scores of T candidates, compared: (N, T, h, w, width) -> (N, T, h, w)."""

    width: int
    dtype: Dtype | None = None

    @nn.compact
    def __call__(self, seen: Array) -> Array:
        shape = seen.shape
        for index in range(2):
            mean = jnp.mean(seen, 1, keepdims=True)
            x = jnp.concatenate(
                [seen - mean, jnp.broadcast_to(mean, seen.shape)], -1
            ).reshape(-1, *shape[2:4], 2 * self.width)
            for step, kernel in enumerate((1, 5)):
                name = f"block{index}_conv{step}"
                x = nn.relu(Conv(self.width, kernel, dtype=self.dtype, name=name)(x))
            seen = seen + x.reshape(shape)
        score = Conv(1, 1, dtype=self.dtype, name="score")
        return score(seen.reshape(-1, *shape[2:]))[..., 0].reshape(shape[:-1])


class Judge(nn.Module):
    """y (N, H, W, 1 or 3) -> kernels (N, T, s, s) and masks (N, H, W, T), T candidates.

    The candidates are parameters, so that the weight file holds them; they get no
    gradient. The first is no blur; the others may have `variants`.
    """

    width: int = 48
    candidates: int = 64
    variants: int = 0
    kernel_size: int = 33
    gamma: float = 2.2
    dtype: Dtype | None = None

    def setup(self) -> None:
        side = self.kernel_size
        even = nn.initializers.constant(1 / side**2)
        self.kernels = self.param("kernels", even, (self.candidates, side, side))
        if self.variants:
            shape = (self.candidates - 1, self.variants, side, side)
            self.nearer = self.param("variants", even, shape)
        self.look = Look(self.width, self.dtype)
        self.weigh = Weigh(self.width, self.dtype)

    def __call__(self, y: Array, others: Array | None = None) -> tuple[Array, Array]:
        """The candidates of the weights, and the probability of each at every pixel.

        `others` (N, E, s, s) are more candidates, which come last.
        """
        kernels = jax.lax.stop_gradient(self.kernels)
        kernels = jnp.broadcast_to(kernels, (len(y), *kernels.shape))
        if others is not None:
            kernels = jnp.concatenate([kernels, others], 1)
        return kernels, _masks(self.scores(y, kernels, together=TOGETHER), y)

    def closer(self, y: Array, kernels: Array, masks: Array) -> tuple[Array, Array]:
        """The second pass, after a first one with these results: as `__call__`.

        It scores no blur, the variants of the likeliest candidates, and those `others`
        that have any share.
        """
        own = self.candidates
        share = jnp.mean(masks**DECIDED, (1, 2))
        _, likeliest = jax.lax.top_k(share[:, 1:own], min(AGAIN, own - 1))
        variants = jax.lax.stop_gradient(self.nearer)[likeliest]
        variants = variants.reshape(len(y), -1, *kernels.shape[2:])
        kernels = jnp.concatenate([kernels[:, :1], variants, kernels[:, own:]], 1)
        scores = self.scores(y, kernels, together=TOGETHER)
        others = 1 + variants.shape[1]
        barred = jnp.where(share[:, own:] > 0, 0, NEVER)[..., None, None]
        scores = scores.at[:, others:].add(barred)
        return kernels, _masks(scores, y)

    def scores(self, y: Array, kernels: Array, *, together: int | None = None) -> Array:
        """log q + const of kernels (N, T, s, s): (N, T, H / 8, W / 8), rounded up."""
        y, _ = pad_to_multiple(y, CELL)
        count = kernels.shape[1]
        if together is None or self.is_initializing():
            return self.weigh(self._seen(y, kernels))

        def step(judge: Judge, carry: None, kernels: Array) -> tuple[None, Array]:
            return carry, judge._seen(y, kernels)

        # The last group is filled up with the first candidates.
        order = np.arange(-(-count // together) * together).reshape(-1, together)
        groups = jnp.moveaxis(kernels[:, order % count], 1, 0)
        walk = nn.scan(step, variable_broadcast="params", split_rngs={"params": False})
        seen = jnp.moveaxis(walk(self, None, groups)[1], 0, 1)
        seen = seen.reshape(len(y), order.size, *seen.shape[3:])[:, :count]
        return self.weigh(seen)

    def _seen(self, y: Array, kernels: Array) -> Array:
        shown = undo_each(y, kernels, self.gamma)
        seen = self.look(shown.reshape(-1, *shown.shape[2:]))
        return seen.reshape(*shown.shape[:2], *seen.shape[1:])


def _masks(scores: Array, y: Array) -> Array:
    """The probability of each of T at each pixel, by cell scores: (N, H, W, T)."""
    # Turned while they are small: for a large photo each copy takes hundreds of MB.
    scores = jnp.moveaxis(scores, 1, -1)
    size = tuple(CELL * n for n in scores.shape[1:3])
    scores = jax.image.resize(scores, (len(y), *size, scores.shape[-1]), "linear")
    return nn.softmax(crop(scores, (y.shape[1], y.shape[2])))
