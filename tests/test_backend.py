"""Programs for other devices than those of this machine."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp

from kernel_space_jax import backend
from kernel_space_jax.models.layers.convolution import convolve
from kernel_space_jax.solvers.batch import way_of_platform


def test_a_program_for_a_tpu_has_its_forms():
    """What was traced on one platform is not taken for the other."""
    x, w = jnp.zeros((1, 32, 32, 4)), jnp.zeros((3, 3, 4, 4))
    program = jax.jit(convolve)
    here = lambda: "custom_vjp" in str(jax.make_jaxpr(program)(x, w))
    chip: Any = SimpleNamespace(platform="tpu")
    assert here() and way_of_platform() == "map"
    with backend.compiling_for([chip, chip]):
        assert not here() and way_of_platform() == "vmap"
        assert backend.devices() == [chip, chip]
        assert backend.memory() is None
    assert here() and backend.devices() == jax.devices()
