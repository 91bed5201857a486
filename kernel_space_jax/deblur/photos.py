"""One function for every method: `ks.deblur`."""

from typing import Any

import numpy as np

from kernel_space_jax.deblur.automatic import deblur_automatically
from kernel_space_jax.deblur.by_search import LEARNED, SEARCHES, deblur_by_search
from kernel_space_jax.deblur.per_pixel import FINDERS, deblur_per_pixel
from kernel_space_jax.deblur.result import Deblurred
from kernel_space_jax.deblur.uniform import deblur_locally, deblur_uniform
from kernel_space_jax.errors import UserError
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.models.per_pixel.judge import Judge
from kernel_space_jax.models.per_pixel.mender import Mender
from kernel_space_jax.weights import Weights, load

METHODS = ("auto", "map", "map-local", "basis", *SEARCHES)
# The networks that each method may have, of which it needs one.
NETWORKS = {
    "auto": (Mender, Judge),
    "basis": FINDERS,
    **dict.fromkeys(LEARNED, (KernelSpace,)),
}
# The weights that come with the package for it.
SHIPPED = {
    "auto": "mender",
    "basis": "mender",
    **dict.fromkeys(LEARNED, "kernel-space"),
}


def deblur(
    photos: np.ndarray,
    method: str = METHODS[0],
    *,
    weights: Weights | None = None,
    **options: Any,
) -> Deblurred:
    """The sharp image behind a photo (H, W, C) in [0, 1], or those behind (n, H, W, C).

    What is found of a stack is stacked too. `weights` are those of the network that
    the method needs, by default the shipped ones: a mender or a judge for auto and
    basis, a two-headed network for basis, a kernel space for kernel-space and nested.
    Options are those of `deblur_automatically`, `deblur_uniform`, `deblur_locally`,
    `deblur_per_pixel` and `deblur_by_search`.
    """
    if photos.ndim == 3:
        return deblur_all(photos[None], method, weights=weights, **options)[0]
    columns = zip(*deblur_all(photos, method, weights=weights, **options), strict=True)
    return Deblurred(
        *(
            None if any(value is None for value in values) else np.stack(values)
            for values in columns
        )  # type: ignore[arg-type]
    )


def deblur_all(
    photos: np.ndarray,
    method: str,
    *,
    weights: Weights | None = None,
    **options: Any,
) -> list[Deblurred]:
    """The sharp images behind photos (n, H, W, C), one by one or searched together."""
    weights = weights or shipped(method)
    check_method(method, weights)
    if method in SEARCHES:
        return deblur_by_search(photos, method, space=weights, **options)
    if weights is None:
        find = deblur_locally if method == "map-local" else deblur_uniform
        return [find(photo, **options) for photo in photos]
    ask = deblur_automatically if method == "auto" else deblur_per_pixel
    return [ask(photo, weights, **options) for photo in photos]


def shipped(method: str) -> Weights | None:
    """The weights that come with the package for a method, where it needs any."""
    return load(SHIPPED[method]) if method in SHIPPED else None


def check_method(method: str, weights: Weights | None) -> None:
    """A `UserError` for a method that does not exist, or has not what it needs."""
    if method not in METHODS:
        known = ", ".join(METHODS)
        raise UserError(f"there is no method '{method}'; choose one of {known}")
    wanted = NETWORKS.get(method)
    if wanted is None and weights is not None:
        raise UserError(f"the method {method} uses no weights")
    if wanted is None:
        return
    names = " or ".join(kind.__name__ for kind in wanted)
    if weights is None:
        raise UserError(f"the method {method} needs the weights of a {names}")
    if not isinstance(weights.module, wanted):
        raise UserError(
            f"these weights are of a {type(weights.module).__name__}; "
            f"the method {method} needs those of a {names}"
        )
