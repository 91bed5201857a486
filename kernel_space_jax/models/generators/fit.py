"""How the styles of a generator are spread, as three vectors."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax.typing import VariableDict
from jax import Array

from kernel_space_jax.models.generators.generator import Generator

DRAWS = 100_000
# The collection of a weight file that holds it.
FIT = "fit"


class Fit(NamedTuple):
    """Of styles w = leaky(t): the mean and the deviation of t, and the mean of w.

    Each is (S,).
    """

    mean: Array
    deviation: Array
    average: Array


def fitted(module: Generator, variables: VariableDict, draws: int = DRAWS) -> Fit:
    """The fit of styles mapped from random z; a weight file holds it already."""
    if FIT in variables:
        return Fit(**variables[FIT])

    @jax.jit
    def fit(variables: VariableDict) -> Fit:
        z = jax.random.normal(jax.random.key(0), (draws, module.latents[1]))
        w = module.apply(variables, z, method="mapped")
        assert isinstance(w, Array)
        t = jnp.where(w < 0, w / module.slope, w)
        return Fit(jnp.mean(t, 0), jnp.std(t, 0), jnp.mean(w, 0))

    return fit(variables)


def with_fit(module: Generator, variables: VariableDict) -> VariableDict:
    """The variables, and the fit beside them."""
    return {**variables, FIT: fitted(module, variables)._asdict()}
