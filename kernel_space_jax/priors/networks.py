"""Untrained networks as priors (Ulyanov et al. 2018): value = module(z; theta)."""

from typing import Any

import flax.linen as nn
import jax
from flax import struct
from jax import Array, lax

from kernel_space_jax.priors.prior import Unpenalised


@struct.dataclass
class Network(Unpenalised):
    """A network with weights of its own for one value, and fixed noise z for input.

    z is uniform in [0, scale); each step of a search adds `jitter` N(0, 1) to it.
    """

    module: nn.Module = struct.field(pytree_node=False)
    z_shape: tuple[int, ...] = struct.field(pytree_node=False)
    scale: float = struct.field(pytree_node=False, default=0.1)
    jitter: float = struct.field(pytree_node=False, default=1e-3)

    def init(self, key: Array, near: Array | None = None) -> dict[str, Any]:
        of_z, of_weights = jax.random.split(key)
        z = self.scale * jax.random.uniform(of_z, self.z_shape)
        return {"weights": self.module.init(of_weights, z)["params"], "z": z}

    def apply(self, theta: dict[str, Any], key: Array | None = None) -> Array:
        # z lies with the weights, for it belongs to them, but no search moves it.
        z = lax.stop_gradient(theta["z"])
        if key is not None and self.jitter:
            z = z + self.jitter * jax.random.normal(key, z.shape)
        value = self.module.apply({"params": theta["weights"]}, z)
        assert isinstance(value, Array)
        return value
