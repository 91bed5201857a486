"""Blur transfer: the blur of one sharp/blurry pair, put on other images.

    k = G(x, y),    y' = F(x', k)

With weights, F and G are the learned blur-operator space. Without, F is convolution
with one kernel and G its least-squares estimate: right for camera shake that is the
same everywhere, blind to blur that varies over the image.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.images import match_channels
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.operators import Learned, Operator, Uniform, uniform
from kernel_space_jax.weights import Weights

DEFAULT_KERNEL_SIZE = 31


def extract_blur(
    sharp: np.ndarray,
    blurry: np.ndarray,
    weights: Weights | None = None,
    *,
    kernel_size: int = DEFAULT_KERNEL_SIZE,
) -> tuple[Operator, Array]:
    """The operator F and the k with which F(sharp, k) is nearest to blurry.

    Images are (H, W, C) in [0, 1] of one size. With `weights`, k is the mean code of
    the kernel space (1, h, w, C); without, a pixel kernel (1, size, size).
    """
    if sharp.shape[:2] != blurry.shape[:2]:
        raise UserError(
            f"the sharp image is {_size(sharp)} and the blurry one {_size(blurry)}; "
            "give two images of one scene and one size"
        )
    channels = 3 if weights else max(sharp.shape[-1], blurry.shape[-1])
    x, y = (
        jnp.asarray(match_channels(image, channels))[None] for image in (sharp, blurry)
    )
    if weights is None:
        most = min(sharp.shape[:2]) // 2
        if kernel_size % 2 == 0 or not 3 <= kernel_size <= most:
            raise UserError(
                f"a kernel size of {kernel_size} does not fit images of "
                f"{_size(sharp)}; give an odd number from 3 to {most}"
            )
        return Uniform(), uniform.estimate(x, y, kernel_size)
    module, variables = weights
    if not isinstance(module, KernelSpace):
        raise UserError(
            f"these weights are a {type(module).__name__}; blur transfer needs those "
            "of a kernel space"
        )
    return Learned(module, variables), _mean_code(module, variables, x, y)


def transfer(
    operator: Operator, k: Array, targets: Iterable[np.ndarray]
) -> Iterator[np.ndarray]:
    """F(x', k) of each target (H, W, C) in [0, 1], with its size and channels."""
    for target in targets:
        channels = target.shape[-1]
        if isinstance(operator, Learned):
            target = match_channels(target, 3)
        blurry = np.asarray(_blur(operator, jnp.asarray(target)[None], k)[0])
        yield match_channels(blurry, channels)


# Compiled once for a network and a size, however many pairs and targets follow.
@partial(jax.jit, static_argnums=0)
def _mean_code(module: KernelSpace, variables: Any, x: Array, y: Array) -> Array:
    mean, _ = module.apply(variables, x, y, method="extract")
    return mean  # type: ignore[return-value]


@jax.jit
def _blur(operator: Operator, x: Array, k: Array) -> Array:
    return jnp.clip(operator(x, k), 0, 1)


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
