"""How x and k are found when y = F(x, k) is given."""

from kernel_space_jax.solvers.minimise import Solution, minimise
from kernel_space_jax.solvers.non_blind import restore

__all__ = ["Solution", "minimise", "restore"]
