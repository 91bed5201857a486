"""Blur as codes of the learned space: new ones, those between two, and what they do.

k ~ N(0, 1) in a variational space,    k(t) = (1 - t) k_0 + t k_1,    y = F(x, k)
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.operators import Learned, Operator, uniform
from kernel_space_jax.synthesis.leaves import dead_leaves
from kernel_space_jax.weights import Weights

# Kernels of this side are looked for in windows of that many pixels.
KERNEL_SIZE = 33
WINDOW = 128


def kernel_space_of(weights: Weights) -> KernelSpace:
    """The module of the weights, which must be a kernel space."""
    if not isinstance(weights.module, KernelSpace):
        raise UserError(
            f"these weights are of a {type(weights.module).__name__}; "
            "a code belongs to a kernel space"
        )
    return weights.module


def random_codes(key: Array, weights: Weights, count: int) -> Array:
    """Codes of new blurs, the same over a whole image: (count, 1, 1, C).

    Only a variational space knows which codes are likely.
    """
    module = kernel_space_of(weights)
    if not module.variational:
        raise UserError(
            "these weights are of a plain kernel space, which cannot draw new blurs; "
            "give those of a variational one"
        )
    return jax.random.normal(key, (count, 1, 1, module.code_width))


def between(first: Array, last: Array, count: int) -> Iterator[Array]:
    """`count` codes from `first` to `last`, both (1, h, w, C), both ends among them."""
    if first.shape != last.shape:
        last = jax.image.resize(last, first.shape, "linear")
    for t in np.linspace(0, 1, count):
        yield (1 - t) * first + t * last


def local_kernels(
    operator: Operator, k: Array, size: tuple[int, int], side: int = KERNEL_SIZE
) -> Array:
    """The kernels that k acts by at a grid of places: (rows, columns, side, side).

    Least squares between dead leaves x of that size (H, W) and F(x, k), in a window
    around each place. A learned F knows pictures; what it makes of single points says
    less of what it does to them.
    """
    height, width = (max(n, WINDOW) for n in size)
    x = dead_leaves(jax.random.key(0), (height, width))[None]
    y = jax.jit(lambda operator, x, k: operator(x, k))(operator, x, k)
    tops, lefts = _places(height), _places(width)

    def windows(image: Array) -> Array:
        return jnp.concatenate(
            [
                image[:, top : top + WINDOW, left : left + WINDOW]
                for top in tops
                for left in lefts
            ]
        )

    found = jax.jit(uniform.estimate, static_argnums=2)(windows(x), windows(y), side)
    return found.reshape(len(tops), len(lefts), side, side)


def _places(length: int) -> list[int]:
    """Where windows start along an axis: half of each overlaps with the next."""
    return list(range(0, length - WINDOW + 1, WINDOW // 2))


def blur_with(weights: Weights) -> Learned:
    """F of a kernel space, as an operator."""
    return Learned(kernel_space_of(weights), weights.variables)
