"""How x and k are found when y = F(x, k) is given."""

from kernel_space_jax.solvers.minimise import Solution, minimise
from kernel_space_jax.solvers.per_pixel.beyond import Restoration
from kernel_space_jax.solvers.per_pixel.half_quadratic import half_quadratic
from kernel_space_jax.solvers.per_pixel.published import published_richardson_lucy
from kernel_space_jax.solvers.per_pixel.richardson_lucy import richardson_lucy
from kernel_space_jax.solvers.uniform.blind_map import blind_map
from kernel_space_jax.solvers.uniform.non_blind import restore, wiener
from kernel_space_jax.solvers.uniform.refine import refine_kernel
from kernel_space_jax.solvers.uniform.residual_score import Blind

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
