"""One kernel for the whole photo, a restorer, or a kernel for each pixel (`auto`).

Each is right for other photos, and two measures tell which. The judge, a network that
compares kernels at each place, rates map's kernel among many others: its share is the
part of the photo where it is the likeliest. And where blur was taken out, edges are
sparser: |grad x|_1 / |grad x|_2 falls.

    as it is  map finds no blur, and its share is above `SHARP`
    map       map's share is above `SHARE`, and its edges sparser than the restorer's
    restorer  its edges are sparser than the photo's by `SPARSER`
    basis     otherwise

Restorers are those that the user has installed; without one, the share alone decides.
The judge learned from colour photos, so grey photos are given to `map`.
"""

import jax.numpy as jnp
import numpy as np

from kernel_space_jax.deblur.by_network import deblur_by_network
from kernel_space_jax.deblur.field import judged, share_of_map
from kernel_space_jax.deblur.network import read_once
from kernel_space_jax.deblur.per_pixel import deblur_per_pixel
from kernel_space_jax.deblur.result import TILE, Deblurred
from kernel_space_jax.deblur.uniform import MAP_SIDE, deblur_uniform, undo
from kernel_space_jax.deblur.view import View
from kernel_space_jax.errors import UserError, nearest
from kernel_space_jax.models.restorers import NETWORKS, names_of
from kernel_space_jax.solvers.uniform.residual_score import edges
from kernel_space_jax.solvers.uniform.starts import QUICK
from kernel_space_jax.tell import Tell, silent
from kernel_space_jax.weights import Weights, installed

# Chosen on photos that we blurred: shakes, turned cameras, averages of a 240 fps clip,
# moving objects, sharp ones (docs/history/measurements.md).
SHARE, SPARSER = 0.64, 0.05
# Sharp photos come back 1.5 dB nearer to themselves than by basis, and those with a
# small object that moved lose 0.1.
SHARP = 0.9

# Of several installed restorers the first is taken; those that published the highest
# scores on GoPro come first. `BEST` asks for it, `NONE` for none.
ORDER = (
    *("nafnet", "restormer", "maxim", "mimo_unet"),
    *("srn", "deblurgan_v2", "deblurgan", "compact"),
)
BEST, NONE = "best", "none"


def deblur_automatically(
    photo: View,
    *,
    network: Weights,
    kernel_size: int | None = None,
    preset: str = QUICK,
    restorer: str = BEST,
    tile: int = TILE,
    tell: Tell = silent,
) -> Deblurred:
    """The sharp image behind a photo, found in the way that its `method` says.

    The weights are those of a Mender or a Judge. A `kernel_size` asks for one kernel.
    """
    if kernel_size is not None or photo.channels == 1:
        found = deblur_uniform(
            photo, kernel_size=kernel_size, preset=preset, tile=tile, tell=tell
        )
        return found._replace(method="map")
    field = judged(photo.middle(tile), network, preset, tell)
    h, share = field.kernels[0, -1], share_of_map(field)
    still = bool(h.max() == 1)
    likely = bool(share > SHARE) and not still
    if still and share > SHARP:
        return undo(photo, h)._replace(method="map")
    name = named(restorer)
    if name is not None:
        middle, other = photo.middle(MAP_SIDE), _restorer(name)
        (restored,) = deblur_by_network([middle], network=other, tile=tile, tell=tell)
        if likely:
            solved = undo(middle, h, tile=tile, tell=tell)
            likely = spread(solved.image) < spread(restored.image)
        if not likely and spread(restored.image) < spread(middle.y) - SPARSER:
            if middle.size != photo.size:
                (restored,) = deblur_by_network(
                    [photo], network=other, tile=tile, tell=tell
                )
            return restored._replace(method=name)
    if likely:
        return undo(photo, h, tile=tile, tell=tell)._replace(method="map")
    found = deblur_per_pixel(photo, network=network, first=field, tile=tile, tell=tell)
    return found._replace(method="basis")


def named(restorer: str) -> str | None:
    """The name of the weights that are meant, None for none."""
    there = installed()
    if restorer == BEST:
        names = (name for network in ORDER for name in names_of(network))
        return next((name for name in names if name in there), None)
    if restorer == NONE:
        return None
    if restorer not in there:
        choices = [*there, BEST, NONE]
        raise UserError(
            f"no weights are installed as {restorer!r}{nearest(restorer, choices)}; "
            f"choose one of {', '.join(choices)}"
        )
    return restorer


def _restorer(name: str) -> Weights:
    network = read_once(name)
    if type(network.module) not in NETWORKS.values():
        kind = type(network.module).__name__
        raise UserError(
            f"the weights installed as {name} are of a {kind}, which is no restorer; "
            f"choose another restorer, or {NONE}"
        )
    return network


def spread(x: np.ndarray) -> float:
    """log |grad x|_1 / |grad x|_2 of the middle of an image (H, W, C)."""
    return float(edges(jnp.asarray(x)[None])[0])
