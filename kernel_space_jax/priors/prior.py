"""The face of everything that an x or a k may come from."""

from typing import Any, Protocol

import jax.numpy as jnp
from jax import Array


class Prior(Protocol):
    """A value as a pure, differentiable function of parameters that are searched.

    theta = init(key, near),    value = apply(theta, key)

    A prior that can begin at a value begins at `near`, if it is given; a network
    cannot. A key makes `apply` draw what it draws anew at each step of a search;
    without one it gives the value itself. `penalty` is what theta itself costs, beside
    what x and k do; 0 for most. Priors are pytrees, so they may be arguments
    of jitted functions.
    """

    def init(self, key: Array, near: Any = None) -> Any: ...

    def apply(self, theta: Any, key: Array | None = None) -> Any: ...

    def penalty(self, theta: Any) -> Array: ...


class Unpenalised:
    """Of priors whose parameters cost nothing."""

    def penalty(self, theta: Any) -> Array:
        return jnp.zeros(())
