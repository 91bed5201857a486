"""Scenes whose objects move apart: blur that differs from pixel to pixel.

Carbajal et al., "Non-uniform Blur Kernel Estimation via Adaptive Basis Decomposition"
(2021): every object has a kernel of its own, and so has what lies behind them all.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.operators import uniform
from kernel_space_jax.operators.camera import GAMMA, to_light, to_photo
from kernel_space_jax.operators.per_pixel import Basis, KernelField
from kernel_space_jax.operators.uniform import Border
from kernel_space_jax.synthesis.camera import PHOTON, READ, add_noise
from kernel_space_jax.synthesis.kernels import shake_kernel
from kernel_space_jax.synthesis.leaves import random_masks

# Where no object's blur reaches a pixel, the pixel keeps this much of its own.
LEAST = 1e-3


class Scene(NamedTuple):
    """A sharp and a blurry photo of one scene, and the blur between them.

    x: (H, W, C), the sharp one. It is brighter than 1 where the sensor cannot follow,
        and only so does it say what is in y: clip it to look at it.
    y: (H, W, C) in [0, 1].
    kernels: (B, k, k), one an object; the first is the background's.
    masks: (H, W, B), how much of each kernel a pixel sees; they sum to 1.
    """

    x: Array
    y: Array
    kernels: Array
    masks: Array


def scene(
    key: Array,
    x: Array,
    masks: Array | None = None,
    *,
    objects: int = 3,
    size: int = 33,
    still: float = 0.0,
    gamma: float = GAMMA,
    brightness: float = 2.0,
    photon: float | Array = PHOTON,
    read: float | Array = READ,
) -> Scene:
    """x (H, W, C) in [0, 1] as a camera sees it whose objects all move differently.

    `masks` (H, W, B) says which object each pixel belongs to, and sums to 1; without,
    there are `objects` random ones before a background. The light x^gamma is made
    (1 + brightness U) times as strong, U ~ U(0, 1), blurred by `blur_varying`, given
    the noise of a sensor (its variance is photon * light + read), clipped and turned
    back into a photo. The kernels are camera shakes of `size` pixels, but each object
    does not move at all with the probability `still`.
    """
    shape, shake, lamp, sensor = jax.random.split(key, 4)
    if masks is None:
        masks = random_masks(shape, (x.shape[0], x.shape[1]), objects)
    count = masks.shape[-1]
    kernels = jax.vmap(lambda k: shake_kernel(k, size))(jax.random.split(shake, count))
    if still:
        delta = jnp.zeros((size, size)).at[size // 2, size // 2].set(1)
        rests = jax.random.uniform(jax.random.fold_in(shake, 0), (count, 1, 1)) < still
        kernels = jnp.where(rests, delta, kernels)
    masks = blur_masks(masks, kernels)
    light = to_light(x, gamma) * (1 + brightness * jax.random.uniform(lamp))
    blurry = blur_varying(light, kernels, masks)
    noisy = add_noise(sensor, blurry, photon=photon, read=read)
    y = to_photo(jnp.clip(noisy, 0, 1), gamma)
    return Scene(to_photo(light, gamma), y, kernels, masks)


def blur_masks(masks: Array, kernels: Array, *, border: Border = "reflect") -> Array:
    """How much of each kernel a pixel sees: (H, W, B), (B, k, k) -> (H, W, B).

    m_b = (h_b * o_b) / sum_c (h_c * o_c),    o the objects' own masks
    """
    own = jnp.moveaxis(masks, -1, 0)[..., None]
    spread = jnp.maximum(uniform.convolve(own, kernels, border=border), 0)
    # Two objects that both leave a place uncover what nobody has seen.
    spread = jnp.moveaxis(spread[..., 0], 0, -1) + LEAST * masks
    return spread / jnp.sum(spread, -1, keepdims=True)


def blur_varying(
    x: Array, kernels: Array, masks: Array, *, border: Border = "reflect"
) -> Array:
    """y_i = sum_b m_b(i) (h_b * x)(i): x (H, W, C), (B, k, k), (H, W, B) -> (H, W, C).

    Blurred first and mixed after: the kernel of pixel i, which gathers light around
    it, is sum_b m_b(i) h_b.
    """
    field = KernelField(kernels[None], masks[None])
    return Basis(border=border)(x[None], field)[0]
