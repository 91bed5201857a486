"""Blur as codes of the learned space: new ones, those between two, and what they do.

k ~ N(0, 1) in a variational space,    k(t) = (1 - t) k_0 + t k_1,    y = F(x, k)
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.models.kernel_space import STRIDE, KernelSpace
from kernel_space_jax.operators import Learned, Operator
from kernel_space_jax.weights import Weights

# A picture of what a code does: points this far apart, on grey.
SPACING = 64
GREY, POINT = 0.25, 1.0


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


def point_responses(
    operator: Operator, k: Array, size: tuple[int, int] | None = None
) -> Array:
    """What k makes of points on grey, the point spread at each place: (H, W, 1).

    Grey itself is taken away, and the brightest response is 1. `size` is that of the
    image which k was found on; by default each position of a code has four points.
    """
    if size is None:
        size = (STRIDE * max(k.shape[1], 2), STRIDE * max(k.shape[2], 2))
    grey = jnp.full((1, *size, 3), GREY)
    first = SPACING // 2
    # Two pixels a side: a single one is more than a photo can hold.
    points = grey
    for row in (0, 1):
        for column in (0, 1):
            points = points.at[
                :, first + row :: SPACING, first + column :: SPACING
            ].set(POINT)
    blur = jax.jit(lambda operator, x, k: operator(x, k))
    response = (blur(operator, points, k) - blur(operator, grey, k))[0]
    response = jnp.clip(jnp.mean(response, -1, keepdims=True), 0, None)
    return response / jnp.maximum(jnp.max(response), 1e-6)


def blur_with(weights: Weights) -> Learned:
    """F of a kernel space, as an operator."""
    return Learned(kernel_space_of(weights), weights.variables)
