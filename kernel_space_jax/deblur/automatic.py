"""One kernel for the whole photo, or one for each pixel (`auto`).

`map` gives the best result where one kernel blurred the whole photo and `map` finds it;
elsewhere it harms the photo. The judge, a network that compares kernels at each place,
rates map's kernel among many others. Where it is the likeliest in most of the photo,
`map` goes on. Where it is so in a part, the kernels of the photo's two halves decide.
Otherwise, and where `map` finds no blur, `basis` finds a kernel for each pixel; it
changes a sharp photo very little. The judge learned from colour photos, so grey photos
are given to `map`.
"""

from itertools import combinations

from jax import Array

from kernel_space_jax.deblur.field import judged, share_of_map
from kernel_space_jax.deblur.per_pixel import deblur_per_pixel
from kernel_space_jax.deblur.result import TILE, Deblurred
from kernel_space_jax.deblur.uniform import deblur_uniform, kernel_of_middle, undo
from kernel_space_jax.deblur.view import View
from kernel_space_jax.metrics import kernel_similarity
from kernel_space_jax.solvers.uniform.starts import QUICK
from kernel_space_jax.tell import Tell, silent
from kernel_space_jax.weights import Weights

# The share of a photo in which map's kernel is the likeliest of all. Chosen on few
# photos, GoPro's among them (docs/history/measurements.md): its table is no proof.
EVERYWHERE = 0.8
# From this share on, the kernels of the two halves decide, if they are so alike.
SOMEWHERE = 0.2
ALIKE = 0.9


def deblur_automatically(
    photo: View,
    *,
    network: Weights,
    kernel_size: int | None = None,
    preset: str = QUICK,
    tile: int = TILE,
    tell: Tell = silent,
) -> Deblurred:
    """The sharp image behind a photo, by `map` or by `basis`, as its `method` says.

    The weights are those of a Mender or a Judge. A `kernel_size` asks for one kernel.
    """
    if kernel_size is not None or photo.channels == 1:
        found = deblur_uniform(
            photo, kernel_size=kernel_size, preset=preset, tile=tile, tell=tell
        )
        return found._replace(method="map")
    field = judged(photo.middle(tile), network, preset, tell)
    h = field.kernels[0, -1]
    if _is_everywhere(photo, h, share_of_map(field)):
        return undo(photo, h, tile=tile, tell=tell)._replace(method="map")
    found = deblur_per_pixel(photo, network=network, first=field, tile=tile, tell=tell)
    return found._replace(method="basis")


def _is_everywhere(photo: View, h: Array, share: Array) -> bool:
    """Whether h (size, size), likeliest for a part of the photo, blurred all of it."""
    if h.max() == 1:
        return False
    unsure = SOMEWHERE < share <= EVERYWHERE
    return bool(share > EVERYWHERE or (unsure and likeness(photo, h) > ALIKE))


def likeness(photo: View, h: Array) -> float:
    """How alike h (size, size) and the kernels of the photo's halves are, from 0 to 1.

    The least `kernel_similarity` of any two. The halves are left and right: above and
    below photos differ, and a sky shows no kernel.
    """
    kernels = [h, *map(kernel_of_middle, photo.halves())]
    return min(
        float(kernel_similarity(one[None], other[None])[0])
        for one, other in combinations(kernels, 2)
    )
