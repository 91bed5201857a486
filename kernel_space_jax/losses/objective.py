"""What a blind search makes small: a weighted sum of terms, by phases.

L = sum_t w_t L_t(x, k, F(x, k), y)

charbonnier      mean sqrt((F - y)^2 + 1e-6)
square           mean (F - y)^2
structural       1 - SSIM(F, y)
perceptual       VGG19 distance of F and y
code             |k|_2
hyper_laplacian  mean |grad x|^0.66
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from flax import struct
from flax.typing import VariableDict
from jax import Array

from kernel_space_jax.errors import UserError
from kernel_space_jax.losses.perceptual import perceptual
from kernel_space_jax.losses.pixel import charbonnier, structural
from kernel_space_jax.losses.regularisers import code_norm, hyper_laplacian
from kernel_space_jax.models.vgg import VGG19
from kernel_space_jax.weights import Weights


class Phase(NamedTuple):
    """The weight of each term up to the share `until` of a search's steps."""

    until: float = 1.0
    charbonnier: float = 0.0
    square: float = 0.0
    structural: float = 0.0
    perceptual: float = 0.0
    code: float = 0.0
    hyper_laplacian: float = 0.0


class Target(NamedTuple):
    """The photo y (1, H, W, C), and its VGG19 features if the loss needs them."""

    y: Array
    seen: dict[str, Array] | None


@struct.dataclass
class Objective:
    """L of images x and F(x, k), each (1, H, W, C), of a code or kernel k.

    A pytree whose leaves are VGG19's weights, if a phase has a perceptual term.
    """

    phases: tuple[Phase, ...] = struct.field(pytree_node=False)
    vgg: VGG19 | None = struct.field(pytree_node=False, default=None)
    variables: VariableDict | None = None

    def turns(self, steps: int) -> tuple[int, ...]:
        """The steps at which each phase but the first begins."""
        return tuple(round(phase.until * steps) for phase in self.phases[:-1])

    def target(self, y: Array) -> Target:
        """What F(x, k) is compared with; found once before a search."""
        return Target(y, self._see(y) if self._asks("perceptual") else None)

    def __call__(
        self, x: Array, k: Array, blurred: Array, target: Target, phase: Array | int = 0
    ) -> tuple[Array, dict[str, Array]]:
        """L, and its terms with their weights, in the phase of that number."""
        y = target.y
        terms: dict[str, Callable[[], Array]] = {
            "charbonnier": lambda: charbonnier(blurred, y) / y.size,
            "square": lambda: jnp.mean(jnp.square(blurred - y)),
            "structural": lambda: structural(blurred, y),
            "perceptual": lambda: perceptual(self._see(blurred), target.seen or {}),
            "code": lambda: code_norm(k),
            "hyper_laplacian": lambda: hyper_laplacian(x),
        }
        weighted = {}
        for name, term in terms.items():
            if self._asks(name):
                weights = jnp.asarray([getattr(p, name) for p in self.phases])
                weighted[name] = weights[phase] * term()
        return sum(weighted.values(), jnp.zeros(())), weighted

    def _asks(self, name: str) -> bool:
        return any(getattr(phase, name) for phase in self.phases)

    def _see(self, image: Array) -> dict[str, Array]:
        assert self.vgg is not None and self.variables is not None
        if image.shape[-1] == 1:
            image = jnp.repeat(image, 3, -1)
        return self.vgg.apply(self.variables, image)  # type: ignore[return-value]


def objective(*phases: Phase, vgg: Weights | None = None) -> Objective:
    """The objective of these phases; a perceptual term needs the weights of a VGG19."""
    if vgg is None:
        if any(phase.perceptual for phase in phases):
            raise UserError("a perceptual term needs the weights of a VGG19")
        return Objective(phases)
    if not isinstance(vgg.module, VGG19):
        raise UserError(f"these weights are of a {type(vgg.module).__name__}, no VGG19")
    return Objective(phases, vgg.module, vgg.variables)
