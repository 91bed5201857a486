"""One function for every method: `ks.deblur`."""

from typing import Any

import numpy as np

from kernel_space_jax.deblur.methods import DEFAULT, find_method, network_of, settle
from kernel_space_jax.deblur.result import Deblurred, Tell, silent
from kernel_space_jax.deblur.view import prepare
from kernel_space_jax.weights import Weights


def deblur(
    photos: np.ndarray,
    method: str = DEFAULT,
    *,
    weights: Weights | None = None,
    tell: Tell = silent,
    **options: Any,
) -> Deblurred:
    """The sharp image behind a photo (H, W, C) in [0, 1], or those behind (n, H, W, C).

    What is found of a stack is stacked too. Methods, the networks whose `weights` they
    take, and their options are those of the table in `deblur/methods.py`; an option
    that a method lacks is refused. `tell` hears how much is done, of how much.
    """
    stack = photos if photos.ndim == 4 else photos[None]
    found = deblur_all(stack, method, weights=weights, tell=tell, **options)
    if stack is not photos:
        return found[0]
    return Deblurred(
        *(
            None if any(value is None for value in values) else np.stack(values)
            for values in zip(*found, strict=True)
        )  # type: ignore[arg-type]
    )


def deblur_all(
    photos: np.ndarray,
    method: str,
    *,
    weights: Weights | None = None,
    tell: Tell = silent,
    **options: Any,
) -> list[Deblurred]:
    """The sharp images behind photos (n, H, W, C), one by one or together."""
    row = find_method(method)
    given: dict[str, Any] = settle(row, options, photos.shape[1:])
    network = network_of(row, weights)
    if network is not None:
        given["network"] = network
    # A method without the option takes the numbers of a photo for its light.
    gamma = given.pop("gamma", 1.0)
    views = [prepare(photo, gamma) for photo in photos]
    if row.together:
        return row.run(views, tell=tell, **given)
    return [row.run(view, tell=tell, **given) for view in views]
