"""The way that suits a photo: one kernel for all of it, or one for each pixel (`auto`).

`map` is the best of these methods where the blur is the same everywhere and it finds
its kernel, and harms the photo where not. It cannot tell these cases apart, but the
judge can: it is asked about map's kernel beside many others, at each place. Where it is
not sure two other parts of the photo are asked: if the same kernel is found in them, it
is right. A photo in which `map` finds no blur may still have some in places, or one too
large for `map`: `basis` looks at it, and leaves a sharp photo nearly as it is. The
judge knows photos in colour; a grey one, which may as well come straight from a sensor,
is map's.
"""

from itertools import combinations

from jax import Array

from kernel_space_jax.deblur.field import judged, share_of_map
from kernel_space_jax.deblur.per_pixel import deblur_per_pixel
from kernel_space_jax.deblur.result import TILE, Deblurred, Tell, silent
from kernel_space_jax.deblur.uniform import deblur_uniform, kernel_of_middle, undo
from kernel_space_jax.deblur.view import View
from kernel_space_jax.metrics import kernel_similarity
from kernel_space_jax.weights import Weights

# The part of a photo where map's kernel is the likeliest, if it is the right one for
# all of it: 0.85 and more where it is, 0.7 and less where it is not, on a few photos
# that we blurred and the middles of GoPro's.
EVERYWHERE = 0.8
# Where it is the likeliest for a part between these two, it is right if the halves of
# the photo have kernels so alike. On seven of Kodak's photos that we blurred by turning
# a camera, with kernels alike from 0.77 on, `map` was 0.7 to 3.2 dB better than
# `basis`; where it was worse, one with several blurs has 0.87 and one of GoPro's 0.85.
# One of Köhler's, which `map` makes 3 dB better, has it for 0.28 of its pixels.
SOMEWHERE = 0.2
ALIKE = 0.9


def deblur_automatically(
    photo: View,
    *,
    network: Weights,
    kernel_size: int | None = None,
    tile: int = TILE,
    tell: Tell = silent,
) -> Deblurred:
    """The sharp image behind a photo, by `map` or by `basis`, as its `method` says.

    The weights are those of a Mender or a Judge. A `kernel_size` asks for one kernel.
    """
    if kernel_size is not None or photo.channels == 1:
        found = deblur_uniform(photo, kernel_size=kernel_size, tile=tile, tell=tell)
        return found._replace(method="map")
    field = judged(photo.middle(tile), network)
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
