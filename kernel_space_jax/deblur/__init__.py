"""Photos in, sharp photos out: what `kernel-space deblur` and `kernels` call.

A blind method finds k in y alone:

    auto            map or basis, as the photo has it (automatic.py)
    map             one kernel for the whole photo, coarse to fine (uniform.py)
    map-local       one for each tile of the photo, found in the same way
    basis           a network says how each pixel was blurred (per_pixel.py)
    selfdeblur, pixel-kernel, kernel-space, nested
                    x and k searched together, with priors (by_search.py)
"""

from kernel_space_jax.deblur.automatic import deblur_automatically
from kernel_space_jax.deblur.by_search import (
    LEARNED,
    SEARCHES,
    Glimpse,
    deblur_by_search,
)
from kernel_space_jax.deblur.per_pixel import (
    FINDERS,
    SOLVERS,
    deblur_per_pixel,
    find_field,
    find_solver,
)
from kernel_space_jax.deblur.photos import (
    METHODS,
    SHIPPED,
    check_method,
    deblur,
    deblur_all,
    shipped,
)
from kernel_space_jax.deblur.result import TILE, Deblurred
from kernel_space_jax.deblur.uniform import (
    check_kernel_size,
    deblur_locally,
    deblur_uniform,
)

__all__ = [
    "FINDERS",
    "LEARNED",
    "METHODS",
    "SEARCHES",
    "SHIPPED",
    "SOLVERS",
    "TILE",
    "Deblurred",
    "Glimpse",
    "check_kernel_size",
    "check_method",
    "deblur",
    "deblur_all",
    "deblur_automatically",
    "deblur_by_search",
    "deblur_locally",
    "deblur_per_pixel",
    "deblur_uniform",
    "find_field",
    "find_solver",
    "shipped",
]
