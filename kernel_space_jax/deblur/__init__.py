"""Photos in, sharp photos out: what `kernel-space deblur` and `kernels` call.

`methods.py` is the table of the methods, `options.py` has what they can be told, and
each way has its file:

    automatic.py    one kernel for the photo or one for each pixel, as it has them
    uniform.py      one kernel for the whole photo, or for each tile
    field.py, per_pixel.py
                    a network says how each pixel was blurred
    by_search.py    x and k searched together, with priors
    by_generator.py the image of a generator, and its blur, in turns
    by_network.py   a restorer network, in one pass

A photo enters as a `View` (view.py), and comes back as a `Deblurred` (result.py).
"""

from kernel_space_jax.deblur.by_search import Glimpse
from kernel_space_jax.deblur.field import find_field
from kernel_space_jax.deblur.methods import METHODS
from kernel_space_jax.deblur.photos import convert_blur, deblur, deblur_all, of_one_size
from kernel_space_jax.deblur.result import Deblurred
from kernel_space_jax.deblur.row import Method, Option
from kernel_space_jax.deblur.view import View

__all__ = [
    "METHODS",
    "Deblurred",
    "Glimpse",
    "Method",
    "Option",
    "View",
    "convert_blur",
    "deblur",
    "deblur_all",
    "find_field",
    "of_one_size",
]
