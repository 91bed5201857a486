"""One function for every method: `ks.deblur`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from kernel_space_jax import weights as weight_files
from kernel_space_jax.arrays import to_numpy
from kernel_space_jax.deblur.methods import (
    DEFAULT,
    TRANSLATOR,
    find_method,
    network_of,
    settle,
)
from kernel_space_jax.deblur.result import Deblurred
from kernel_space_jax.deblur.view import prepare
from kernel_space_jax.errors import UserError
from kernel_space_jax.images import Photo
from kernel_space_jax.pixels import as_pixels
from kernel_space_jax.tell import Tell, silent
from kernel_space_jax.weights import Weights, network_name


@overload
def deblur(
    photos: list[Any],
    method: str = DEFAULT,
    *,
    weights: Weights | str | Path | None = None,
    tell: Tell = silent,
    **options: Any,
) -> list[Deblurred]: ...


@overload
def deblur(
    photos: Any,
    method: str = DEFAULT,
    *,
    weights: Weights | str | Path | None = None,
    tell: Tell = silent,
    **options: Any,
) -> Deblurred: ...


def deblur(
    photos: Any,
    method: str = DEFAULT,
    *,
    weights: Weights | str | Path | None = None,
    tell: Tell = silent,
    **options: Any,
) -> Deblurred | list[Deblurred]:
    """The sharp image behind a photo, those behind a list, or behind a stack.

    A photo is an array (H, W, C) in [0, 1], or anything else that `pixels.as_pixels`
    takes. Photos of a list may differ in size, and each has its result in the list that
    comes back; what is found of a stack (n, H, W, C) is stacked. Methods, the networks
    whose `weights` they take, and their options are those of the table in
    `deblur/methods.py`; an option that a method lacks is refused. `tell` hears how much
    is done, of how much.
    """
    if isinstance(weights, str | os.PathLike):
        weights = weight_files.load(weights, role="")  # type: ignore[arg-type]
    how: dict[str, Any] = {"weights": weights, "tell": tell, **options}
    if isinstance(photos, list | tuple) and not isinstance(photos, Photo):
        return _each([as_pixels(photo) for photo in photos], method, how)
    if getattr(photos, "ndim", 3) != 4:
        return deblur_all([as_pixels(photos)], method, **how)[0]
    stack = [as_pixels(photo) for photo in to_numpy(photos)]
    parts = zip(*deblur_all(stack, method, **how), strict=True)
    return Deblurred(
        *(
            None if any(value is None for value in values) else np.stack(values)
            for values in parts
        )  # type: ignore[arg-type]
    )


def convert_blur(photos: Any, weights: Weights | str | Path, **options: Any) -> Any:
    """Photos with another blur, by a translator that Blur2Blur has trained.

    `photos` and what comes back are as those of `deblur`, images alone; the only
    option is `tile`.
    """
    if isinstance(weights, str | os.PathLike):
        weights = weight_files.load(weights, role=TRANSLATOR.name)
    # A translator is a network of the table of restorers, which makes images of images.
    found = deblur(photos, network_name(weights.module), weights=weights, **options)
    return [one.image for one in found] if isinstance(found, list) else found.image


def deblur_all(
    photos: Sequence[np.ndarray],
    method: str,
    *,
    weights: Weights | None = None,
    tell: Tell = silent,
    **options: Any,
) -> list[Deblurred]:
    """The sharp images behind photos of one size, one by one or together."""
    row = find_method(method)
    _some(photos)
    given: dict[str, Any] = settle(row, options, photos[0].shape)
    network = network_of(row, weights)
    if network is not None:
        given["network"] = network
    # A method without the option takes the numbers of a photo for its light.
    gamma = given.pop("gamma", 1.0)
    views = [prepare(photo, gamma) for photo in photos]
    if row.together:
        found = row.run(views, tell=tell, **given)
    else:
        found = [row.run(view, tell=tell, **given) for view in views]
    # One that chooses among others says itself which it took.
    return [one if one.method else one._replace(method=method) for one in found]


def _each(
    photos: Sequence[np.ndarray], method: str, how: dict[str, Any]
) -> list[Deblurred]:
    """The sharp image behind each of photos of any sizes, in their order."""
    _some(photos)
    row, groups = find_method(method), of_one_size(photos)
    options = {name: how[name] for name in how if name not in ("weights", "tell")}
    for group in groups:  # before the first of them takes its time
        settle(row, options, photos[group[0]].shape)
    found: dict[int, Deblurred] = {}
    for group in groups:
        stack = [photos[i] for i in group]
        found.update(zip(group, deblur_all(stack, method, **how), strict=True))
    return [found[i] for i in range(len(photos))]


def _some(photos: Sequence[np.ndarray]) -> None:
    if not len(photos):
        raise UserError("there is no photo to deblur; give one or more")


def of_one_size(photos: Sequence[np.ndarray]) -> list[list[int]]:
    """The numbers of the photos, those of one shape together."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for i, photo in enumerate(photos):
        groups.setdefault(photo.shape, []).append(i)
    return list(groups.values())
