"""The type of every blur operator: y = F(x, k)."""

from typing import Any, Protocol

from jax import Array


class Operator(Protocol):
    """A pure, differentiable function that blurs the sharp image x with k.

    x and y are (N, H, W, C) in [0, 1]. Each operator defines what k is.
    """

    def __call__(self, x: Array, k: Any) -> Array: ...
