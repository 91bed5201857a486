"""What a restorer's answers and the sharp image are compared by: losses by name.

    L = sum_s sum_l w_l L_l(R_s(y), x_s)

over the losses l of `config.model.losses` and the answers s of R. x_s is x made as
small: by means of its pixels, or by taking every n-th of them if R is `strided`. Losses
of `SEEN` look through a VGG, whose weights `config.model.vgg` names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from ml_collections import ConfigDict

from kernel_space_jax import weights
from kernel_space_jax.errors import UserError
from kernel_space_jax.losses.perceptual import SEEN
from kernel_space_jax.losses.pixel import RESTORATION
from kernel_space_jax.models.vgg import VGG
from kernel_space_jax.training.task import Config, Frozen

SEER = "vgg"


def options() -> Config:
    """Keys of `config.model`: the weights w_l, and where the VGG is."""
    model: Config = ConfigDict()
    model.losses = ConfigDict({"charbonnier": 1.0}, type_safe=False)
    model.vgg = ""  # a weight file of the VGG that losses look through
    return model


@dataclass(frozen=True)
class Content:
    """L of the weights w_l by name; `strided` as the restorer is."""

    losses: dict[str, float]
    strided: bool = False
    vgg: VGG | None = None

    def __call__(self, answers: Sequence[Array], x: Array, frozen: Frozen) -> Array:
        """Answers (N, h, w, 3), and x (N, H, W, 3), in [0, 1] -> ()."""
        total = jnp.zeros(())
        for answer in answers:
            target = self._resized(x, answer.shape)
            for name, weight in self.losses.items():
                total += weight * self._loss(name, answer, target, frozen)
        return total

    def _loss(self, name: str, answer: Array, x: Array, frozen: Frozen) -> Array:
        if name in RESTORATION:
            return RESTORATION[name](answer, x)
        assert self.vgg
        module = self.vgg.clone(layers=SEEN[name].layers)
        see: Any = lambda image: module.apply(frozen[SEER], image)
        return SEEN[name].loss(see, answer, x)

    def _resized(self, x: Array, shape: tuple[int, ...]) -> Array:
        """x as small as an answer, from the pixels that the answer stands for."""
        if shape == x.shape:
            return x
        if self.strided:
            down, across = (-(-x.shape[axis] // shape[axis]) for axis in (1, 2))
            return x[:, ::down, ::across]
        return jax.image.resize(x, shape, "linear", antialias=False)


def build(config: Config, restorer: nn.Module) -> tuple[Content, Frozen]:
    """The losses that a config weighs, and the networks that they look through."""
    losses = {name: float(w) for name, w in config.model.losses.items() if w}
    unknown = sorted(losses.keys() - RESTORATION.keys() - SEEN.keys())
    if unknown or not losses:
        raise UserError(
            f"model.losses names {unknown[0]!r}; it takes weights of "
            f"{', '.join([*RESTORATION, *SEEN])}"
            if unknown
            else "model.losses is empty; give a weight to one, as in {'l1': 1.0}"
        )
    strided = getattr(restorer, "strided", False)
    seeing = sorted(losses.keys() & SEEN.keys())
    if not seeing:
        return Content(losses, strided), {}
    needed = {SEEN[name].vgg for name in seeing}
    if len(needed) > 1:
        raise UserError(
            f"the losses {' and '.join(seeing)} look through different networks; take "
            "one of them"
        )
    (kind,) = needed
    if not config.model.vgg:
        raise UserError(
            f"the loss {seeing[0]!r} needs {kind.__name__}; name its weight file in "
            "config.model.vgg (docs/weights.md says where to get it)"
        )
    vgg, variables = weights.load(config.model.vgg)
    if type(vgg) is not kind:
        raise UserError(
            f"model.vgg={config.model.vgg!r} holds a {type(vgg).__name__}, no "
            f"{kind.__name__}"
        )
    assert isinstance(vgg, VGG)
    vgg = vgg.clone(dtype=jnp.dtype(config.dtype))
    return Content(losses, strided, vgg), {SEER: variables}
