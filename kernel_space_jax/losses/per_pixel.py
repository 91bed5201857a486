"""The training losses of the two-headed network of Carbajal et al. 2021.

    L_kernel = sum_i w_i || sum_b m_b(i) h_b - h_i ||_p^p      h_i the true kernel of i
    L_reblur = sum_i w_i (v_i - y_i)^2     v the true sharp image, blurred as found

over the pixels i of an image, w_i >= 0 with sum 1; then the mean over images. Neither
decides at the start which kernel belongs where. Our own third term does:

    L_start = sum_i w_i sum_b -t_b(i) log m_b(i)  +  mean_b ||h_b - c_b||^2 / ||c_b||^2

for given centres c, and t(i) the mixture of them that is closest to h_i.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax.operators.camera import GAMMA, Camera
from kernel_space_jax.operators.per_pixel import Basis, KernelField

# No kernel of 65x65 pixels has less power: that is one spread evenly over a third.
SMALLEST_POWER = 7e-4
# Steps and their size for the closest mixture: of 25 centres of camera shakes, and over
# the smallest power, the error is then within 1 % of the least.
MIXTURE_STEPS = 300
LEAST_MASK = 1e-6


def region_weights(masks: Array) -> Array:
    """w that lets every region of masks (N, H, W, B) count alike: (N, H, W).

        w_i = 1/B sum_b m_b(i) / sum_j m_b(j)

    A region that is not in the image gives its part to the others.
    """
    area = jnp.sum(masks, (1, 2), keepdims=True)
    share = jnp.where(area > 0.5, masks / jnp.maximum(area, 0.5), 0)
    w = jnp.sum(share, -1)
    return w / jnp.sum(w, (1, 2), keepdims=True)


def reblur(
    field: KernelField,
    x: Array,
    y: Array,
    *,
    weights: Array | None = None,
    gamma: float = GAMMA,
    saturates: bool = True,
) -> Array:
    """L_reblur of the field that was found in y: x and y (N, H, W, C) -> ().

    x is brighter than 1 where y is clipped, if that is known.
    """
    v = Camera(Basis(), gamma, saturates)(x, field)
    return _weighted(jnp.sum(jnp.square(v - y), -1), weights)


def kernel_error(
    field: KernelField,
    truth: KernelField,
    *,
    weights: Array | None = None,
    p: int = 2,
    relative: bool = False,
) -> Array:
    """L_kernel of a field beside the true one, kernels of one size, p = 1 or 2 -> ().

    `relative` divides a pixel's error by the mean of the two kernels' ||.||_p^p: with
    p = 2 a place without motion, a single point, would otherwise count 30 times as much
    as what is blurred. No kernels are then further apart than 2.

    The kernels of all pixels are never in memory at once: for p = 2 the products of
    the two bases are enough, for p = 1 they are made row by row.
    """
    both = jnp.concatenate([field.kernels, truth.kernels], 1)
    both = both.reshape(*both.shape[:2], -1)
    mixing = jnp.concatenate([field.masks, -truth.masks], -1)
    if p == 2:
        # The small difference of large products: no digit to spare.
        highest = lax.Precision.HIGHEST
        products = jnp.einsum("nbt,nct->nbc", both, both, precision=highest)
        errors = jnp.einsum(
            "nhwb,nbc,nhwc->nhw", mixing, products, mixing, precision=highest
        )
    elif p == 1:

        @jax.checkpoint
        def row(mixing: Array) -> Array:
            return jnp.sum(jnp.abs(jnp.einsum("nwb,nbt->nwt", mixing, both)), -1)

        errors = jnp.moveaxis(lax.map(row, jnp.moveaxis(mixing, 1, 0)), 0, 1)
    else:
        raise ValueError(f"p is 1 or 2, not {p}")
    if relative:
        power = (_power(field, p) + _power(truth, p)) / 2
        errors = errors / jnp.maximum(power, SMALLEST_POWER)
    return _weighted(errors, weights)


def start_error(
    field: KernelField,
    truth: KernelField,
    centres: Array,
    *,
    weights: Array | None = None,
) -> tuple[Array, Array]:
    """The two terms of L_start: fields of one size, centres (B, k, k) -> (), ().

    The first is a classification, with a clear gradient where those of the other losses
    lead to one mean kernel for all pixels; it stays above 0 where kernels are mixed.
    """
    mixing = closest_mixture(truth.kernels, centres)
    wanted = jnp.einsum("nhwr,nrb->nhwb", truth.masks, mixing)
    missed = -jnp.sum(wanted * jnp.log(jnp.maximum(field.masks, LEAST_MASK)), -1)
    power = jnp.sum(jnp.square(centres), (-2, -1))
    apart = jnp.sum(jnp.square(field.kernels - centres), (-2, -1)) / power
    return _weighted(missed, weights), jnp.mean(apart)


def closest_mixture(kernels: Array, centres: Array) -> Array:
    """The mixture of centres (B, k, k) nearest to kernels (..., k, k): (..., B).

        min_t || h - sum_b t_b c_b ||^2,    t >= 0 with sum 1

    by exponentiated gradient descent (Kivinen and Warmuth 1997).
    """
    rows = centres.reshape(len(centres), -1)
    products = rows @ rows.T
    wanted = kernels.reshape(*kernels.shape[:-2], -1) @ rows.T
    rate = 4 / jnp.max(products)

    def step(log: Array, _: None) -> tuple[Array, None]:
        mixing = jax.nn.softmax(log)
        return log - rate * (mixing @ products - wanted), None

    log, _ = lax.scan(step, jnp.zeros_like(wanted), None, MIXTURE_STEPS)
    return jax.nn.softmax(log)


def _power(field: KernelField, p: int) -> Array:
    """||h_i||_p^p of non-negative kernels, for each pixel: (N, H, W)."""
    if p == 1:
        return jnp.sum(field.masks, -1)
    rows = field.kernels.reshape(*field.kernels.shape[:2], -1)
    products = jnp.einsum("nbt,nct->nbc", rows, rows)
    return jnp.einsum("nhwb,nbc,nhwc->nhw", field.masks, products, field.masks)


def _weighted(errors: Array, weights: Array | None) -> Array:
    """sum_i w_i e_i of each image (N, H, W), and its mean; w = 1 / (H W) by default."""
    if weights is None:
        return jnp.mean(errors)
    return jnp.mean(jnp.sum(weights * errors, (1, 2)))
