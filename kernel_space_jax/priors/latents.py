"""A generator as the prior: x is one of its images.

    w_l = leaky(a v_l + m),    x = (G(w_1, ..., w_L, n) + 1) / 2,  reduced

v_l are latents like draws of N(0, I), so they lie on a sphere, each layer's on its own.
leaky is the last activation of the mapping; m and a are fitted so that such w are like
styles of the generator. Geocross keeps the w of an image near each other, and the first
maps of noise are searched too: PULSE (Menon et al., CVPR 2020), as Tran et al. use it.
"""

from typing import Any

import flax.linen as nn
import jax
from flax import struct
from flax.typing import VariableDict
from jax import Array, lax

from kernel_space_jax.losses.regularisers import geocross
from kernel_space_jax.models.generators import Generator, fitted
from kernel_space_jax.models.generators.resampling import reduce
from kernel_space_jax.weights import Weights

# The weight of geocross, and the maps of noise that are searched, as published.
GEOCROSS, TRAINED = 0.1, 5


@struct.dataclass
class Latents:
    """The images of a generator; `mean` and `deviation` (S,) are m and a.

    theta: "latents" (1, L, S), and "noise", the first `trained` maps. The others,
    "fixed", no search moves.
    """

    module: Generator = struct.field(pytree_node=False)
    variables: VariableDict
    mean: Array
    deviation: Array
    factor: int = struct.field(pytree_node=False, default=1)
    trained: int = struct.field(pytree_node=False, default=TRAINED)

    def init(self, key: Array, near: Array | None = None) -> dict[str, Any]:
        shapes = self.module.noise_shapes()
        of_latents, *of_maps = jax.random.split(key, 1 + len(shapes))
        shape = (1, *self.module.latents)
        noise = [jax.random.normal(*pair) for pair in zip(of_maps, shapes, strict=True)]
        return {
            "latents": jax.random.normal(of_latents, shape),
            "noise": noise[: self.trained],
            "fixed": noise[self.trained :],
        }

    def apply(self, theta: dict[str, Any], key: Array | None = None) -> Array:
        w = self._styles(theta)
        fixed = lax.stop_gradient(theta["fixed"])
        image = self.module.apply(self.variables, w, *theta["noise"], *fixed)
        assert isinstance(image, Array)
        return reduce((image + 1) / 2, self.factor)

    def penalty(self, theta: dict[str, Any]) -> Array:
        return GEOCROSS * geocross(self._styles(theta))

    def _styles(self, theta: dict[str, Any]) -> Array:
        """w of all layers, (1, L, S)."""
        return nn.leaky_relu(
            theta["latents"] * self.deviation + self.mean, self.module.slope
        )


def latents(generator: Weights, *, factor: int = 1) -> Latents:
    """The prior of a generator's weights; its images are made smaller by `factor`."""
    module, variables = generator
    assert isinstance(module, Generator)
    fit = fitted(module, variables)
    return Latents(module, variables, fit.mean, fit.deviation, factor)
