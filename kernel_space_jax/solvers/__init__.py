"""How x and k are found when y = F(x, k) is given."""

from kernel_space_jax.solvers.minimise import Solution, minimise

__all__ = ["Solution", "minimise"]
