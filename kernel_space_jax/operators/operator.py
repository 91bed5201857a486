"""The face of every blur: y = F(x, k)."""

from typing import Any, Protocol

from jax import Array


class Operator(Protocol):
    """A pure, differentiable function that shows the sharp image x under the blur k.

    x and y are (N, H, W, C) in [0, 1]; what k is, each operator says for itself.
    """

    def __call__(self, x: Array, k: Any) -> Array: ...
