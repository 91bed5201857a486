"""Per-pixel blur: a network says how each pixel was blurred (`basis`).

A non-blind solver for the field that it found then gives the sharp image.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax.deblur.result import (
    OVERLAP,
    TILE,
    Deblurred,
    Tell,
    checked,
    silent,
)
from kernel_space_jax.errors import UserError
from kernel_space_jax.images import match_channels
from kernel_space_jax.models.judge import Judge
from kernel_space_jax.models.two_heads import TwoHeads
from kernel_space_jax.operators import KernelField
from kernel_space_jax.operators.basis import reduced
from kernel_space_jax.operators.camera import GAMMA
from kernel_space_jax.solvers import Restoration, half_quadratic, richardson_lucy
from kernel_space_jax.solvers.richardson_lucy import photo_noise
from kernel_space_jax.solvers.tiles import blend
from kernel_space_jax.weights import Weights

# The networks that say it.
FINDERS = (Judge, TwoHeads)
SOLVERS = {"richardson-lucy": richardson_lucy, "half-quadratic": half_quadratic}
# A field that was found is never quite right. Where it hesitates it mixes many kernels,
# and its power of this exponent decides; and what it does not explain is noise to the
# solver, at least this much. Of exponents 1, 2, 3 and noise 0 to 0.06 the best on six
# BSDS images that no table here has.
DECIDED = 3
FOUND_NOISE = 0.03
# A kernel with so much of its light in one pixel does nothing.
STILL = 0.99


def find_field(photo: np.ndarray, network: Weights) -> KernelField:
    """How each pixel of a photo (H, W, C) was blurred: a field for a batch of one."""
    if not isinstance(network.module, FINDERS):
        finders = " or ".join(kind.__name__ for kind in FINDERS)
        raise UserError(
            f"these weights are of a {type(network.module).__name__}; "
            f"kernels are found by those of a {finders}"
        )
    y = jnp.asarray(match_channels(photo, 3))[None]
    kernels, masks = _apply(network.module, network.variables, y)
    return KernelField(kernels, masks)


def decided(field: KernelField) -> KernelField:
    """The field with each pixel nearer to the kernel that it has most of."""
    masks = field.masks**DECIDED
    return field._replace(masks=masks / jnp.sum(masks, -1, keepdims=True))


def stillness(field: KernelField) -> jax.Array:
    """The part of each pixel that no kernel has blurred: (N, H, W, 1).

    There the photo is left as it is, where a solver would take its noise out.
    """
    nothing = jnp.max(field.kernels, (-2, -1)) > STILL
    return jnp.einsum("nhwb,nb->nhw", field.masks, nothing.astype(float))[..., None]


@partial(jax.jit, static_argnames="module")
def _apply(module: Judge | TwoHeads, variables, y: jax.Array):
    return module.apply(variables, y)


def deblur_per_pixel(
    photo: np.ndarray,
    network: Weights,
    *,
    solver: str = "half-quadratic",
    gamma: float = GAMMA,
    saturates: bool = True,
    tile: int = TILE,
    tell: Tell = silent,
) -> Deblurred:
    """The sharp image behind a photo (H, W, C) in [0, 1], each pixel with its kernel.

    `gamma` is that of the camera and `saturates` says that its sensor clips. A photo
    with a side of more than `tile` pixels is cut into tiles of that size; `tell` hears
    how many are done of how many.
    """
    solve = partial(find_solver(solver), gamma=gamma, saturates=saturates)

    def one(part: np.ndarray) -> np.ndarray:
        y = jnp.asarray(part)[None]
        field = decided(find_field(part, network))
        noise = jnp.maximum(photo_noise(y, None), FOUND_NOISE)
        x = jnp.clip(solve(y, reduced(field), noise=noise).x, 0, 1)
        still = stillness(field)
        return np.asarray((still * y + (1 - still) * x)[0])

    overlap = min(OVERLAP, tile // 4)
    return Deblurred(blend(one, checked(photo), side=tile, overlap=overlap, tell=tell))


def find_solver(name: str) -> Callable[..., Restoration]:
    """The non-blind solver of a name."""
    if name not in SOLVERS:
        raise UserError(
            f"there is no solver '{name}'; choose one of {', '.join(SOLVERS)}"
        )
    return SOLVERS[name]
