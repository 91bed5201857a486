"""How the styles of a generator are spread, as two vectors."""

import jax
import jax.numpy as jnp
from flax.typing import VariableDict
from jax import Array

from kernel_space_jax.models.generators.generator import Generator

DRAWS = 100_000
# The collection of a weight file that holds it.
FIT = "fit"


def fitted(
    module: Generator, variables: VariableDict, draws: int = DRAWS
) -> tuple[Array, Array]:
    """m and a, each (S,): the mean and the deviation of t over styles leaky(t) = w.

    w are mapped from random z. A file of weights holds m and a already.
    """
    if FIT in variables:
        return variables[FIT]["mean"], variables[FIT]["deviation"]

    @jax.jit
    def fit(variables: VariableDict) -> tuple[Array, Array]:
        z = jax.random.normal(jax.random.key(0), (draws, module.latents[1]))
        w = module.apply(variables, z, method="mapped")
        assert isinstance(w, Array)
        t = jnp.where(w < 0, w / module.slope, w)
        return jnp.mean(t, 0), jnp.std(t, 0)

    return fit(variables)


def with_fit(module: Generator, variables: VariableDict) -> VariableDict:
    """The variables, and m and a beside them."""
    mean, deviation = fitted(module, variables)
    return {**variables, FIT: {"mean": mean, "deviation": deviation}}
