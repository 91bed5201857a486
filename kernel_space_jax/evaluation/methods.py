"""What can be evaluated: a method makes an image of a record.

The methods with a name are rows of `METHODS`. `from_weights` makes one of a weight file
and `results.from_folder` one of a folder that any program wrote.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax import weights
from kernel_space_jax.datasets import Record
from kernel_space_jax.deblur import (
    FINDERS,
    LEARNED,
    SEARCHES,
    SHIPPED,
    deblur_automatically,
    deblur_by_search,
    deblur_locally,
    deblur_per_pixel,
    deblur_uniform,
)
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation.protocol import Restored
from kernel_space_jax.evaluation.protocols.common import truth
from kernel_space_jax.images import match_channels
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.operators import Learned, uniform
from kernel_space_jax.solvers import (
    Restoration,
    half_quadratic,
    published_richardson_lucy,
    richardson_lucy,
)
from kernel_space_jax.solvers import restore as restore_with_kernel
from kernel_space_jax.solvers import wiener as wiener_with_kernel
from kernel_space_jax.solvers.search.descent import restore_under
from kernel_space_jax.solvers.search.presets import PRESETS
from kernel_space_jax.synthesis import extract_blur, transfer

_restore_under = jax.jit(restore_under)

# Pixels a side that a fitted kernel has more than the given one: Levin's photos have
# shifted by up to 3 against their true images.
MARGIN = 5


@dataclass(frozen=True)
class Method:
    """`restore` makes the image of a record; `label` names it in every table.

    `identity` tells two methods of one label apart. `stamp` does so for the answers
    about one image: where it has changed, a stored score is made again. `keep` says
    that its images are worth storing, for they are not on disk already.
    """

    label: str
    identity: str
    restore: Callable[[Record], Restored]
    stamp: Callable[[str], str] = lambda name: ""
    keep: bool = True


def observed(record: Record) -> np.ndarray:
    """The blurry image (H, W, C), C 1 where the record is grey."""
    if record.blurry is None:
        raise UserError(f"{record.name} has no blurry image to be restored")
    return match_channels(record.blurry, 1 if record.extras.get("grey") else 3)


def blurry(record: Record) -> Restored:
    """The input itself: what a method must beat."""
    return Restored(observed(record))


def known_kernel(record: Record) -> Restored:
    """Uniform non-blind restoration with the true kernel: the ceiling of blind ones."""
    y, h = observed(record), record.extras.get("kernel")
    if h is None:
        raise UserError(f"{record.name} comes without the kernel of known-kernel")
    x = restore_with_kernel(jnp.asarray(y)[None], jnp.asarray(h))
    return Restored(np.asarray(x[0]))


def fitted_kernel(record: Record) -> Restored:
    """The same with the kernel that fits the true image and the photo best.

    No blind method sees the true image: this says what one kernel can give, where a
    data set's own may be off by a little.
    """
    y, h = observed(record), record.extras.get("kernel")
    if h is None:
        raise UserError(f"{record.name} comes without the kernel of fitted-kernel")
    x = match_channels(truth(record), y.shape[-1])
    photo = jnp.asarray(y)[None]
    fitted = uniform.estimate(jnp.asarray(x)[None], photo, max(h.shape) + 2 * MARGIN)[0]
    x = restore_with_kernel(photo, fitted)
    return Restored(np.asarray(x[0]), np.asarray(fitted))


def known_code(record: Record) -> Restored:
    """Restoration under the shipped F with the true code: the ceiling of blind ones."""
    y, code = observed(record), record.extras.get("code")
    if code is None:
        raise UserError(
            f"{record.name} comes without the code of known-code; "
            "the protocol in-space makes images that have it"
        )
    space = Learned(*weights.load("kernel-space"))
    x = _restore_under(space, jnp.asarray(y)[None], jnp.asarray(code))
    return Restored(np.asarray(jnp.clip(x[0], 0, 1)))


def wiener(record: Record) -> Restored:
    """One division of spectra, with the one kernel and the noise that are known."""
    y, h = observed(record), record.extras.get("kernel")
    if h is None:
        raise UserError(f"{record.name} comes without the kernel of wiener")
    noise = record.extras.get("noise")
    x = wiener_with_kernel(jnp.asarray(y)[None], jnp.asarray(h), noise=noise)
    return Restored(np.asarray(x[0]))


def _per_pixel(solve: Callable[..., Restoration], record: Record) -> Restored:
    y, field = observed(record), record.extras.get("field")
    if field is None:
        raise UserError(
            f"{record.name} comes without kernels for its pixels; "
            "the protocol non-blind makes images that have them"
        )
    x = solve(jnp.asarray(y)[None], jax.tree.map(jnp.asarray, field)).x
    return Restored(np.asarray(jnp.clip(x[0], 0, 1)))


def _moved_blur(space: weights.Weights | None, record: Record) -> Restored:
    """The blur between the images of a pair, put on a target."""
    pair, target = record.extras.get("pair"), record.extras.get("target")
    if pair is None or target is None:
        raise UserError(
            f"{record.name} has no pair to take blur from; "
            "levin-transfer, half-transfer and reconstruction make images that do"
        )
    sharp, blurry = pair
    operator, k = extract_blur(sharp, blurry, space)
    (image,) = transfer(operator, k, [target])
    return Restored(image)


def _found_blur(network: weights.Weights, record: Record) -> Restored:
    """What `--method basis` makes of the photo, told of its camera at most."""
    return Restored(
        deblur_per_pixel(observed(record), network, **_camera(record)).image
    )


def _camera(record: Record) -> dict[str, Any]:
    """The gamma of the camera, where the data set is known to have another."""
    return {"gamma": record.extras["gamma"]} if "gamma" in record.extras else {}


def automatic(record: Record) -> Restored:
    """What `kernel-space deblur` makes of a photo by default."""
    network = weights.load(SHIPPED["auto"])
    found = deblur_automatically(observed(record), network, **_camera(record))
    return Restored(found.image, found.kernel)


def blind_uniform(record: Record) -> Restored:
    """One kernel for the photo, found in it, and so is its size."""
    found = deblur_uniform(observed(record), **_camera(record))
    return Restored(found.image, found.kernel)


def blind_uniform_of_size(record: Record) -> Restored:
    """The same in a box as large as the true kernel's."""
    h = record.extras.get("kernel")
    if h is None:
        raise UserError(f"{record.name} comes without the kernel of map-size-known")
    found = deblur_uniform(observed(record), max(h.shape), **_camera(record))
    return Restored(found.image, found.kernel)


def blind_local(record: Record) -> Restored:
    """A kernel for each tile of the photo, found in it."""
    return Restored(deblur_locally(observed(record), **_camera(record)).image)


def searched(method: str, preset: str, record: Record) -> Restored:
    """x and k searched together; a learned space is the shipped one."""
    space = weights.load("kernel-space") if method in LEARNED else None
    photo = observed(record)[None]
    (found,) = deblur_by_search(photo, method, preset=preset, space=space)
    return Restored(found.image, found.kernel)


METHODS: dict[str, Callable[[Record], Restored]] = {
    "blurry": blurry,
    "known-kernel": known_kernel,
    "fitted-kernel": fitted_kernel,
    "known-code": known_code,
    "wiener": wiener,
    "auto": automatic,
    "map": blind_uniform,
    "map-size-known": blind_uniform_of_size,
    "map-local": blind_local,
    "uniform-transfer": partial(_moved_blur, None),
    "richardson-lucy": partial(_per_pixel, richardson_lucy),
    "half-quadratic": partial(_per_pixel, half_quadratic),
    "published-rl": partial(_per_pixel, partial(published_richardson_lucy, steps=30)),
    **{
        f"{method}-{preset}": partial(searched, method, preset)
        for method in SEARCHES
        for preset in PRESETS
    },
}


def named(name: str) -> Method:
    """The method of a name in the table."""
    if name not in METHODS:
        known = ", ".join(METHODS)
        raise UserError(f"there is no method '{name}'; choose one of {known}")
    return Method(name, name, METHODS[name], keep=name != "blurry")


def from_weights(path: Path) -> Method:
    """The method in a weight file: a restorer, (N, H, W, 3) to the same, or a space.

    A kernel space moves blur, which levin-transfer, half-transfer and reconstruction
    ask for; a judge or a two-headed network finds blur, and a solver takes it out.
    """
    module, variables = weights.load(path)
    kind = type(module).__name__
    digest = weights.read_header(path)["sha256"]
    if isinstance(module, KernelSpace):
        moved = partial(_moved_blur, weights.Weights(module, variables))
        return Method(path.stem, f"{kind} {digest}", moved)
    if isinstance(module, FINDERS):
        found = partial(_found_blur, weights.Weights(module, variables))
        return Method(path.stem, f"{kind} {digest}", found)
    image = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)
    try:
        answer = jax.eval_shape(module.apply, variables, image)
    # A network of another task wants other arguments, and fails in its own way.
    except Exception:
        answer = None
    if getattr(answer, "shape", None) != image.shape:
        raise UserError(
            f"{path} holds a {kind}, which makes no image of an image; "
            "give the weights of a restorer"
        )
    apply = jax.jit(module.apply)

    def restore(record: Record) -> Restored:
        y = match_channels(observed(record), 3)
        x = apply(variables, jnp.asarray(y)[None])
        return Restored(np.asarray(x)[0])

    return Method(path.stem, f"{kind} {digest}", restore)
