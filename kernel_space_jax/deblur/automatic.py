"""The way that suits a photo: one kernel for all of it, or one for each pixel (`auto`).

`map` is the best of these methods where the blur is the same everywhere and it finds
its kernel, and harms the photo where not. It cannot tell these cases apart, but the
judge can: it is asked about map's kernel beside many others, at each place. It knows
photos in colour; a grey one, which may as well come straight from a sensor, is map's.
"""

import numpy as np

from kernel_space_jax.deblur.per_pixel import (
    deblur_per_pixel,
    find_field,
    share_of_map,
)
from kernel_space_jax.deblur.result import TILE, Deblurred, Tell, checked, silent
from kernel_space_jax.deblur.uniform import camera_gamma, deblur_uniform, middle, undo
from kernel_space_jax.weights import Weights

# The part of a photo where map's kernel is the likeliest, if it is the right one for
# all of it: 0.85 and more where it is, 0.7 and less where it is not, on a few photos
# that we blurred and the middles of GoPro's.
EVERYWHERE = 0.8


def deblur_automatically(
    photo: np.ndarray,
    network: Weights,
    *,
    kernel_size: int | None = None,
    gamma: float | None = None,
    tile: int = TILE,
    tell: Tell = silent,
) -> Deblurred:
    """The sharp image behind a photo (H, W, C) in [0, 1], by `map` or by `basis`.

    The weights are those of a Mender or a Judge; `gamma` is the camera's, by default
    as `deblur_uniform` says. A `kernel_size` asks for one kernel.
    """
    if kernel_size is not None or photo.shape[-1] < 3:
        return deblur_uniform(photo, kernel_size, gamma=gamma, tile=tile, tell=tell)
    photo = checked(photo)
    gamma = camera_gamma(photo, gamma)
    field = find_field(middle(photo, tile), network, gamma)
    if share_of_map(field) > EVERYWHERE:
        h = field.kernels[0, -1]
        image = undo(photo, h, gamma=gamma, tile=tile, tell=tell)
        return Deblurred(image, np.asarray(h))
    return deblur_per_pixel(
        photo, network, gamma=gamma, tile=tile, tell=tell, field=field
    )
