"""Finds the field of a photo, the kernel of each pixel, by a network.

A judge scores its own candidates and the kernel that `map` finds in the middle of the
photo. For uniform blur that kernel is nearer to the truth than any fixed candidate;
where it is wrong, its score is low. A two-headed network computes kernels itself.
"""

from typing import Any

import jax
import jax.numpy as jnp

from kernel_space_jax.deblur.network import apply
from kernel_space_jax.deblur.uniform import kernel_of_middle
from kernel_space_jax.deblur.view import View, prepare
from kernel_space_jax.errors import UserError
from kernel_space_jax.models.per_pixel.judge import Judge
from kernel_space_jax.models.per_pixel.mender import Mender
from kernel_space_jax.models.per_pixel.two_heads import TwoHeads
from kernel_space_jax.operators import KernelField
from kernel_space_jax.operators.camera import GAMMA
from kernel_space_jax.solvers.uniform.starts import QUICK
from kernel_space_jax.tell import Tell, silent
from kernel_space_jax.weights import Weights

# The networks that find a field.
FINDERS = (Mender, Judge, TwoHeads)
# The kernel of map counts if it is the likeliest in this part of a photo. Wrong ones
# reach up to 0.7 (six BSDS images that no table has, one of GoPro's), right ones more.
BELIEVED = 0.7
# The least sum of a cropped kernel, to divide by.
LEAST_KERNEL = 1e-6


def find_field(photo: Any, network: Weights, gamma: float = GAMMA) -> KernelField:
    """How each pixel of a photo was blurred: a field for a batch of one.

    The photo is of any kind that `pixels.as_pixels` takes.

    With a judge the last kernel is that of `map`. Its mask is zero unless it is the
    likeliest widely (`believed`).
    """
    if not isinstance(network.module, FINDERS):
        finders = " or ".join(kind.__name__ for kind in FINDERS)
        raise UserError(
            f"these weights are of a {type(network.module).__name__}; "
            f"kernels are found by those of a {finders}"
        )
    return field_of(prepare(photo, gamma), network)


def field_of(
    photo: View, network: Weights, first: KernelField | None = None
) -> KernelField:
    """The same for a view; `first` is its `judged` field, if known."""
    if isinstance(network.module, TwoHeads):
        return KernelField(*apply(network, photo.known))
    field = believed(judged(photo, network) if first is None else first)
    if not network.module.variants:  # type: ignore[attr-defined]
        return field
    return KernelField(*apply(network, photo.known, *field, method="closer"))


def judged(
    photo: View, network: Weights, preset: str = QUICK, tell: Tell = silent
) -> KernelField:
    """The first pass of a Judge or Mender: its candidates, and last that of `map`."""
    h = kernel_of_middle(photo, preset=preset, tell=tell)[None]
    other = _of_side(h, network.module.kernel_size)[:, None]  # type: ignore[attr-defined]
    method = "find" if isinstance(network.module, Mender) else None
    return KernelField(*apply(network, photo.known, other, method=method))


@jax.jit
def believed(field: KernelField) -> KernelField:
    """The field without its last kernel, unless that is the likeliest widely."""
    others = field.masks.at[..., -1].set(0)
    others = others / jnp.sum(others, -1, keepdims=True)
    widely = share_of_map(field) >= BELIEVED
    return field._replace(masks=jnp.where(widely, field.masks, others))


@jax.jit
def share_of_map(field: KernelField) -> jax.Array:
    """The part of the pixels for which the last kernel is the likeliest: a number."""
    # Where nothing moved, map's kernel is also the first.
    winner = jnp.argmax(field.masks[0], -1)
    last, first = winner == field.masks.shape[-1] - 1, winner == 0
    same = jnp.max(field.kernels[0, -1]) == 1
    return jnp.mean(last | (first & same))


def _of_side(h: jax.Array, side: int) -> jax.Array:
    """Kernels (N, s, s) of odd s with more or less around them: (N, side, side)."""
    more = side - h.shape[-1]
    if more >= 0:
        return jnp.pad(h, ((0, 0), *[(more // 2, more // 2)] * 2))
    h = h[:, -more // 2 : side - more // 2, -more // 2 : side - more // 2]
    return h / jnp.maximum(jnp.sum(h, (1, 2), keepdims=True), LEAST_KERNEL)
