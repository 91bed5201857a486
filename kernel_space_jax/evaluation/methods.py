"""What can be evaluated: a method computes an image from a record.

These are the methods of `deblur`, and those of `METHODS`, which use more than the
photo. `from_weights` makes a method from a weight file, `results.from_folder` from a
folder of any program.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax import weights
from kernel_space_jax.datasets import Record
from kernel_space_jax.deblur import deblur
from kernel_space_jax.deblur.automatic import BEST, NONE
from kernel_space_jax.deblur.automatic import named as restorer_named
from kernel_space_jax.deblur.by_network import deblur_by_network
from kernel_space_jax.deblur.field import FINDERS
from kernel_space_jax.deblur.methods import at_hand, find_method, network_of, table
from kernel_space_jax.deblur.network import read_once
from kernel_space_jax.deblur.uniform import MAP_SIDE, undo
from kernel_space_jax.deblur.view import prepare
from kernel_space_jax.errors import UserError, unknown
from kernel_space_jax.evaluation.protocol import Restored
from kernel_space_jax.evaluation.protocols.common import truth
from kernel_space_jax.images import match_channels
from kernel_space_jax.metrics import best_shift, psnr
from kernel_space_jax.models.generators import Generator
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.models.restorers import check_restorer
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
from kernel_space_jax.solvers.uniform.blind_map import from_starts
from kernel_space_jax.solvers.uniform.starts import PRESETS
from kernel_space_jax.synthesis import extract_blur, transfer

_restore_under = jax.jit(restore_under)

# Pixels a side that a fitted kernel has more than the given one: Levin's photos have
# shifted by up to 3 against their true images.
MARGIN = 5


@dataclass(frozen=True)
class Method:
    """`restore` makes the image of a record; `label` names it in every table.

    `identity` distinguishes methods of one label. `stamp` does so for the results of
    one image: where it has changed, a stored score is computed again. With `keep` its
    images are stored, because they are not on disk yet.
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

    Blind methods cannot use the true image. The row shows what one kernel can reach; a
    data set's own kernel may be slightly wrong.
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
    space = Learned(*read_once("kernel-space"))
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


def deblurred(
    method: str,
    record: Record,
    *,
    network: weights.Weights | None = None,
    **options: Any,
) -> Restored:
    """The result of `kernel-space deblur`, with at most the camera's gamma known.

    A data set may be known to have another camera than the usual one.
    """
    if "gamma" in record.extras and find_method(method).has("gamma"):
        options["gamma"] = record.extras["gamma"]
    found = deblur(observed(record), method, weights=network, **options)
    return Restored(found.image, found.kernel)


def blind_uniform_of_size(record: Record) -> Restored:
    """`map` in a box as large as the true kernel's."""
    h = record.extras.get("kernel")
    if h is None:
        raise UserError(f"{record.name} comes without the kernel of map-size-known")
    return deblurred("map", record, kernel_size=max(h.shape))


def best_start(preset: str, record: Record) -> Restored:
    """`map` with the best of its kernels by the true image: the ceiling of its choice.

    Blind methods cannot use the true image. The row shows what choosing costs.
    """
    photo = prepare(observed(record), record.extras.get("gamma"))
    y = photo.middle(MAP_SIDE).batch
    found, _ = from_starts(y, gamma=photo.gamma, preset=preset)
    results = [undo(photo, h) for h in found.h[0]]
    true = match_channels(truth(record), photo.channels)
    x, z = (jnp.asarray(a) for a in (true, np.stack([r.image for r in results])))
    shifted = best_shift(jnp.broadcast_to(x, z.shape), z)
    best = results[int(jnp.argmax(psnr(shifted.x, shifted.z)))]
    return Restored(best.image, best.kernel)


def _in_one_pass(
    network: weights.Weights,
    record: Record,
    *,
    translator: weights.Weights | None = None,
) -> Restored:
    """What a restorer of any size makes of the photo."""
    (found,) = deblur_by_network(
        [prepare(observed(record))], network=network, translator=translator
    )
    return Restored(found.image)


METHODS: dict[str, Callable[[Record], Restored]] = {
    "blurry": blurry,
    "known-kernel": known_kernel,
    "auto-alone": partial(deblurred, "auto", restorer=NONE),
    "fitted-kernel": fitted_kernel,
    "known-code": known_code,
    "wiener": wiener,
    "map-size-known": blind_uniform_of_size,
    **{f"best-start-{name}": partial(best_start, name) for name in PRESETS},
    "uniform-transfer": partial(_moved_blur, None),
    "richardson-lucy": partial(_per_pixel, richardson_lucy),
    "half-quadratic": partial(_per_pixel, half_quadratic),
    "published-rl": partial(_per_pixel, partial(published_richardson_lucy, steps=30)),
}


def known() -> dict[str, Callable[[Record], Restored]]:
    """All that can be evaluated by name: also what `deblur` has, searches at each cost.

    A method for which no weights ship is none of them, for it is named by a file.
    """
    rows = [row for row in table().values() if row.ships or not row.networks]
    return {
        **METHODS,
        **{row.name: partial(deblurred, row.name) for row in rows},
        **{
            f"{row.name}-{preset}": partial(deblurred, row.name, preset=preset)
            for row in rows
            if row.has("preset")
            for preset in row.option("preset").choices
        },
    }


def named(name: str) -> Method:
    """The method of a name."""
    made = known()
    if name in made:
        identity = _identity(name, _restorer_of(made[name]))
        return Method(name, identity, made[name], keep=name != "blurry")
    if name in table():
        row = find_method(name)
        network = network_of(row)  # a sentence where none are installed
        restore = partial(deblurred, name, network=network)
        return Method(name, _identity(name, at_hand(row)), restore)
    raise unknown("method", name, [*made, *(row for row in table() if row not in made)])


def _restorer_of(restore: Callable[[Record], Restored]) -> str | None:
    """The installed restorer that is among the ways of `auto`."""
    if not isinstance(restore, partial) or restore.args != ("auto",):
        return None
    return restorer_named(restore.keywords.get("restorer", BEST))


def _identity(name: str, used: str | None) -> str:
    """The name, and the digest of installed weights that the method takes."""
    return name if used is None else f"{name} {weights.read_header(used)['sha256']}"


def chosen(names: Sequence[str], files: Sequence[Path]) -> list[Method]:
    """The methods of these names and weight files.

    A name for which no weights ship may be that of files: one that has its network is
    then the method. If none has, its installed weights are taken.
    """
    made = known()
    unshipped = [name for name in names if name in table() and name not in made]
    of_files = [name for name in unshipped if files and _is_in(name, files)]
    by_name = [name for name in names if name not in of_files]
    return [*map(named, by_name), *map(from_weights, files)]


def _is_in(name: str, files: Sequence[Path]) -> bool:
    """Whether one of the files will do for a method.

    A `UserError` where none will, and no weights of it are installed.
    """
    row, problem = find_method(name), None
    for file in files:
        try:
            network_of(row, weights.load(file))
            return True
        except UserError as error:
            problem = error
    if at_hand(row) is None and problem is not None:
        raise problem
    return False


def from_weights(path: Path) -> Method:
    """The method in a weight file: a restorer, (N, H, W, 3) to the same, or a space.

    A kernel space moves blur, which levin-transfer, half-transfer and reconstruction
    ask for; a mender, a judge or a two-headed network finds blur, as in `basis`; and a
    generator is the prior of `face`.
    """
    network = weights.load(path, role="")
    module, variables = network
    kind = type(module).__name__
    digest = weights.read_header(path)["sha256"]
    if isinstance(module, KernelSpace):
        restore = partial(_moved_blur, network)
    elif isinstance(module, FINDERS):
        restore = partial(deblurred, "basis", network=network)
    elif isinstance(module, Generator):
        restore = partial(deblurred, "face", network=network)
    else:
        check_restorer(path, *network)
        restore = partial(_in_one_pass, network)
    return Method(path.stem, f"{kind} {digest}", restore)


def translated(translator: Path, restorer: Path) -> Method:
    """A restorer of photos whose blur a translator changed before, by its label."""
    first = weights.load(translator, role="translator")
    network = weights.load(restorer, role="")
    digests = [weights.read_header(path)["sha256"] for path in (translator, restorer)]
    restore = partial(_in_one_pass, network, translator=first)
    return Method(translator.stem, " ".join(digests), restore)
