"""What a published restorer takes and gives, where it is not colours in [0, 1].

A network file says so with `face = SIGNED` or a property `face`; whoever applies a
restorer of the table goes through `initial` and `applied`.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.errors import UserError


class Face(NamedTuple):
    """From photos (N, H, W, 3) in [0, 1] to a network's own input, and back."""

    into: Callable[[Array], Array]
    out: Callable[[Array], Array]


def _each_colour(y: Array) -> Array:
    """(N, H, W, 3) -> (3 N, H, W, 1), the colours of a photo side by side."""
    n, h, w, c = y.shape
    return y.transpose(0, 3, 1, 2).reshape(n * c, h, w, 1)


def _in_colour(x: Array) -> Array:
    """What `_each_colour` undoes."""
    n, h, w, _ = x.shape
    return x.reshape(n // 3, 3, h, w).transpose(0, 2, 3, 1)


PLAIN = Face(lambda y: y, lambda x: x)
SIGNED = Face(lambda y: 2 * y - 1, lambda x: (x + 1) / 2)
SINGLE = Face(_each_colour, _in_colour)


# Every network of the table can be initialised with photos of this side.
SIDE = 64


def initial(module: nn.Module, key: Array) -> Any:
    """A restorer's first variables, which belong to photos of any size."""
    return module.init(key, face_of(module).into(jnp.zeros((1, SIDE, SIDE, 3))))


def applied(
    module: nn.Module, variables: Any, y: Array, *others: Array, **more: Any
) -> Any:
    """A restorer's x of y (N, H, W, 3) in [0, 1], in the same range; not clipped.

    Others and more are what `module.apply` takes. With `every` it is all that the
    network gives, with `mutable` that and what has changed.
    """
    face = face_of(module)
    answer = module.apply(variables, face.into(y), *others, **more)
    if "mutable" in more:
        found, changed = answer
        return jax.tree.map(face.out, found), changed
    return jax.tree.map(face.out, answer)


def check_restorer(name: str | Path, module: nn.Module, variables: Any) -> None:
    """A `UserError` unless what the file holds makes an image of an image."""
    y = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)
    try:
        answer: Any = jax.eval_shape(partial(applied, module), variables, y)
    # A network of another task wants other arguments, and fails in its own way.
    except Exception:
        answer = None
    if getattr(answer, "shape", None) != y.shape:
        raise UserError(
            f"{name} holds a {type(module).__name__}, which makes no image of an "
            "image; give the weights of a restorer"
        )


def face_of(module: nn.Module) -> Face:
    """What a restorer takes and gives."""
    return getattr(module, "face", PLAIN)
