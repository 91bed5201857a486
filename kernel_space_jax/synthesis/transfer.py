"""Blur transfer: the blur of one sharp/blurry pair, put on other images.

    k = G(x, y),    y' = F(x', k)

With weights, F and G are the learned blur-operator space. Without, F is convolution
with one kernel and G its least-squares estimate: right for camera shake that is the
same everywhere, blind to blur that varies over the image.
"""

import os
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from PIL import Image

from kernel_space_jax.errors import UserError
from kernel_space_jax.images import Photo, match_channels
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.operators import Learned, Operator, Uniform, uniform
from kernel_space_jax.pixels import as_pixels
from kernel_space_jax.weights import Weights

DEFAULT_KERNEL_SIZE = 31


def extract_blur(
    sharp: Any,
    blurry: Any,
    weights: Weights | None = None,
    *,
    kernel_size: int = DEFAULT_KERNEL_SIZE,
) -> tuple[Operator, Array]:
    """The operator F and the k with which F(sharp, k) is nearest to blurry.

    Both are photos, as `pixels.as_pixels` takes them, of one size. With `weights`, k is
    the mean code of the kernel space (1, h, w, C); without, a pixel kernel (1, size,
    size).
    """
    sharp, blurry = as_pixels(sharp), as_pixels(blurry)
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
    operator: Operator, k: Array, targets: Iterable[Any]
) -> Iterator[np.ndarray]:
    """F(x', k) of each target, a photo x' as `pixels.as_pixels` takes it.

    Each comes back as float32 (H, W, 1 or 3) in [0, 1], of its size and colours.
    """
    one = isinstance(targets, str | os.PathLike | Photo | Image.Image)
    if one or getattr(targets, "ndim", 4) < 4:
        raise UserError(
            "transfer takes a list of photos; put the photo in one: [photo]"
        )
    return (_blurred(operator, k, as_pixels(target)) for target in targets)


def _blurred(operator: Operator, k: Array, target: np.ndarray) -> np.ndarray:
    x = match_channels(target, 3) if isinstance(operator, Learned) else target
    blurry = np.asarray(_blur(operator, jnp.asarray(x)[None], k)[0])
    return match_channels(blurry, target.shape[-1])


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
