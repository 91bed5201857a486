"""A restorer, x = R(y) or R(T(y)): one pass over the whole photo, or over tiles of it.

The translator T turns a blur into another that R knows (Blur2Blur, Pham et al. 2024).

Photos of one size go through together. A pass has no more pixels than one tile, so many
small photos need no more memory than one large photo.
"""

from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax.deblur.network import apply
from kernel_space_jax.deblur.result import OVERLAP, TILE, Deblurred
from kernel_space_jax.deblur.view import View
from kernel_space_jax.errors import UserError
from kernel_space_jax.images import match_channels
from kernel_space_jax.models.restorers import initial, restorer
from kernel_space_jax.solvers.tiles import join, tiles
from kernel_space_jax.tell import Tell, silent
from kernel_space_jax.weights import Weights

# What Flax and the user add to a network's own options.
NOT_OPTIONS = {"parent", "name", "dtype"}


def deblur_by_network(
    photos: Sequence[View],
    *,
    network: Weights,
    translator: Weights | None = None,
    tile: int = TILE,
    tell: Tell = silent,
) -> list[Deblurred]:
    """The network's x of photos of one size, clipped to [0, 1].

    Photos of more than `tile` pixels a side are cut into tiles that overlap, and
    blended. A grey photo goes in as three equal channels and comes back grey.
    """
    overlap = min(OVERLAP, tile // 4)
    places = tiles(photos[0].size, tile, overlap)
    parts = [photo.part(place).y for photo in photos for place in places]
    chain = [translator, network] if translator else [network]
    images = _passes(chain, parts, tile**2, tell)
    count = len(places)
    return [
        Deblurred(join(images[i * count : (i + 1) * count], places, p.y.shape, overlap))
        for i, p in enumerate(photos)
    ]


def _passes(
    chain: Sequence[Weights], parts: Sequence[np.ndarray], most: int, tell: Tell
) -> list[np.ndarray]:
    """What the networks in turn make of each part (H, W, C), `most` pixels a pass."""
    height, width, channels = parts[0].shape
    passes = -(-len(parts) // max(1, most // (height * width)))
    # Passes of one length, so that the network is compiled once.
    length = -(-len(parts) // passes)
    images: list[np.ndarray] = []
    for start in range(0, len(parts), length):
        chunk = [*parts[start : start + length]]
        real = len(chunk)
        chunk += chunk[-1:] * (length - real)
        x = jnp.asarray(match_channels(np.stack(chunk), 3))
        for network in chain:
            x = jnp.clip(apply(network, x), 0, 1)
        images.extend(match_channels(np.asarray(x)[:real], channels))
        tell(len(images), len(parts))
    return images


def check_preset(name: str, given: nn.Module) -> None:
    """A `UserError` where a network of the preset's type has another shape of weights.

    An option that changes no weight, such as a training size, is the file's own.
    """
    wanted = restorer(name)
    differ = {
        option: (getattr(given, option), getattr(wanted, option))
        for option in (field.name for field in fields(wanted))  # type: ignore[arg-type]
        if option not in NOT_OPTIONS
        and getattr(given, option) != getattr(wanted, option)
    }
    if not differ or _shapes(given) == _shapes(wanted):
        return
    theirs = ", ".join(f"{option} {value}" for option, (value, _) in differ.items())
    ours = ", ".join(f"{option} {value}" for option, (_, value) in differ.items())
    raise UserError(
        f"these weights are of a {type(given).__name__} of {theirs}; {name} has {ours}"
    )


def _shapes(module: nn.Module) -> Any:
    # Statistics that a file keeps or leaves out are its own affair.
    made = jax.eval_shape(partial(initial, module), jax.random.key(0))["params"]
    return jax.tree.map(lambda leaf: leaf.shape, made)
