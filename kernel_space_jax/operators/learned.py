"""The learned blur operator of a kernel space."""

import flax.linen as nn
import jax.numpy as jnp
from flax import struct
from flax.typing import VariableDict
from jax import Array


# Hashed by identity, since the weights have no hash and jit asks for one.
@struct.dataclass(eq=False)
class Learned:
    """F(x, k) = module.blur(x, k) with the weights `variables`.

    x is (N, H, W, 3), or (N, H, W, 1) for grey, and k the code that the module takes.
    A pytree whose leaves are the weights, so it may be an argument of a jitted
    function.
    """

    module: nn.Module = struct.field(pytree_node=False)
    variables: VariableDict

    def __call__(self, x: Array, k: Array) -> Array:
        if x.shape[-1] == 1:
            return jnp.mean(self(jnp.repeat(x, 3, -1), k), -1, keepdims=True)
        y = self.module.apply(self.variables, x, k, method="blur")
        assert isinstance(y, Array)
        return y
