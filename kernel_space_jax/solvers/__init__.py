"""How x and k are found when y = F(x, k) is given."""

from kernel_space_jax.solvers.beyond import Restoration
from kernel_space_jax.solvers.blind_map import blind_map
from kernel_space_jax.solvers.half_quadratic import half_quadratic
from kernel_space_jax.solvers.map_doubt import Blind
from kernel_space_jax.solvers.minimise import Solution, minimise
from kernel_space_jax.solvers.non_blind import restore, wiener
from kernel_space_jax.solvers.published import published_richardson_lucy
from kernel_space_jax.solvers.refine import refine_kernel
from kernel_space_jax.solvers.richardson_lucy import richardson_lucy

__all__ = [
    "Blind",
    "Restoration",
    "Solution",
    "blind_map",
    "half_quadratic",
    "minimise",
    "published_richardson_lucy",
    "refine_kernel",
    "restore",
    "richardson_lucy",
    "wiener",
]
