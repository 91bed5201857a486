"""A restorer for one camera, without pairs of it: kernels in place of a critic.

    h_i  = G(y_i)                  a kernel for each pixel of a blurry photo
    y_j  = F(b x_j, h_i) + n       that blur on a sharp photo, i drawn

and R goes on learning on the pairs (b x_j, y_j), clipped at white. G is a network that
finds blur, F works in light, b is drawn from 1 to 2 (so that there is light that no
sensor records), and n is what noise y_i has and F(x_j, h_i) has not, for each
brightness. Half of what R sees may have the blur that it knows, so that it does not
forget: pairs of that blur, or `data.fresh` on the sharp photos.

RUN/pairs/   the new pairs, as `pairs:` reads them
RUN/...      the training (arms.py)
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax import images
from kernel_space_jax.datasets import open_source
from kernel_space_jax.datasets.source import Source
from kernel_space_jax.deblur import find_field
from kernel_space_jax.errors import UserError
from kernel_space_jax.experiments.arms import Say, prepared, trained
from kernel_space_jax.experiments.cameras import are_pairs
from kernel_space_jax.operators import Basis, Camera, KernelField
from kernel_space_jax.operators.camera import GAMMA
from kernel_space_jax.solvers.per_pixel.found import decided, likeliest
from kernel_space_jax.tell import Tell, silent
from kernel_space_jax.training.data import SYNTHETIC
from kernel_space_jax.training.task import Config
from kernel_space_jax.weights import Weights

# G, a network that comes with the package.
FINDER = "judge"
BRIGHTEST = 2.0
KEPT = 0.5  # how much of what R sees has the blur that it knows
# From the darkest pixels to the brightest, as many in each: noise is measured for each.
LEVELS = 12
# The median of |n| over the standard deviation, n normal.
MEDIAN = 0.6745

PARTS = ("sharp", "blurry")


class Noise(NamedTuple):
    """The standard deviation of noise at some brightnesses: two of (L, C)."""

    brightness: np.ndarray
    deviation: np.ndarray

    def at(self, brightness: np.ndarray) -> np.ndarray:
        """For each pixel of (H, W, C)."""
        channels = range(brightness.shape[-1])
        found = [
            np.interp(brightness[..., c], self.brightness[:, c], self.deviation[:, c])
            for c in channels
        ]
        return np.stack(found, -1).astype(np.float32)


def noise_of(y: np.ndarray) -> Noise:
    """Measured on second differences across both axes of a photo (H, W, C).

    Of each level the median, so that few edges do not count: after Immerkaer 1996.
    """
    mask = np.outer((1, -2, 1), (1, -2, 1)).astype(np.float32)
    apart = np.abs(cv2.filter2D(y, -1, mask)) / (np.linalg.norm(mask) * MEDIAN)
    pixels = (-1, y.shape[-1])
    brightness, apart = _smooth(y).reshape(pixels), apart.reshape(pixels)
    order = np.argsort(brightness, axis=0)
    levels = [
        (
            np.mean(np.take_along_axis(brightness, some, 0), 0),
            np.median(np.take_along_axis(apart, some, 0), 0),
        )
        for some in np.array_split(order, LEVELS)
    ]
    return Noise(*map(np.stack, zip(*levels, strict=True)))


def with_noise(made: np.ndarray, noise: Noise, seed: list[int]) -> np.ndarray:
    """`made` (H, W, C) with as much more as it lacks of that noise."""
    brightness = _smooth(made)
    lacks = noise.at(brightness) ** 2 - noise_of(made).at(brightness) ** 2
    n = np.random.default_rng(seed).standard_normal(made.shape, np.float32)
    return np.clip(made + np.sqrt(np.maximum(lacks, 0)) * n, 0, 1)


def _smooth(y: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(y, (0, 0), 2.0)


def blur_like(x: np.ndarray, field: KernelField) -> np.ndarray:
    """A sharp photo x (H, W, C) under the field of another photo, without noise."""
    return np.asarray(_blurred(jnp.asarray(x)[None], field)[0])


def brighter(x: np.ndarray, seed: list[int]) -> np.ndarray:
    """x (H, W, C) with up to BRIGHTEST times its light, not clipped."""
    times = np.random.default_rng(seed).uniform(1, BRIGHTEST)
    return x * np.float32(times ** (1 / GAMMA))


@jax.jit
def _blurred(x: Array, field: KernelField) -> Array:
    field = likeliest(decided(field))
    count = field.masks.shape[-1]
    masks = jax.image.resize(field.masks, (*x.shape[:3], count), "linear")
    y = Camera(Basis(), saturates=False)(x, field._replace(masks=masks))
    return jnp.clip(y, 0, 1)


def camera_pairs(
    folder: Path,
    blurry: Source,
    sharp: Source,
    finder: Weights,
    count: int,
    *,
    seed: int = 0,
    tell: Tell = silent,
) -> None:
    """Writes pairs (x_j, y_j) into a folder; a call that was stopped goes on."""
    donors = np.random.default_rng(seed).integers(len(blurry), size=count)
    made = 0
    for donor in np.unique(donors):
        numbers = np.flatnonzero(donors == donor)
        files = {
            int(number): [folder / part / f"{number:05d}.png" for part in PARTS]
            for number in numbers
        }
        missing = [n for n in files if not all(file.exists() for file in files[n])]
        if missing:
            y = blurry[int(donor)].blurry
            assert y is not None
            field, noise = find_field(y, finder), noise_of(y)
        for number in missing:
            x = sharp[number % len(sharp)].sharp
            assert x is not None
            x, draw = brighter(x, [seed, number, 0]), [seed, number, 1]
            pair = np.clip(x, 0, 1), with_noise(blur_like(x, field), noise, draw)
            for file, image in zip(files[number], pair, strict=True):
                file.parent.mkdir(parents=True, exist_ok=True)
                images.write(file, images.Photo(image))
        made += len(numbers)
        tell(made, count)


def adapt(
    run: Path,
    blurry: Source,
    sharp: Source,
    finder: Weights,
    config: Config,
    *,
    pairs: int,
    say: Say = lambda text: None,
    known: str = "",
    arm: str = "adapted",
    tell: Tell = silent,
) -> Path:
    """R adapted to the camera: its weight file, RUN/adapted.safetensors.

    `config` is of R's own network (configs/adapt.py); its data sets are set here.
    `finder` is G. `known` is the spec of pairs whose blur R is not to forget.
    """
    if known and not are_pairs(known):
        raise UserError(f"{known} holds no pairs; give pairs of the blur to keep")
    say(f"putting the blur of {len(blurry)} photos on {len(sharp)} sharp ones")
    camera_pairs(
        run / "pairs", blurry, sharp, finder, pairs, seed=config.seed, tell=tell
    )
    tiled = prepared(run, "pairs", open_source(f"pairs:{run / 'pairs'}"))
    config = config.copy_and_resolve_references().unlock()
    config.data.train, config.data.weights = (tiled,), (1.0,)
    if known:
        kept = prepared(run, "known", open_source(known))
        config.data.train, config.data.weights = (tiled, kept), (1 - KEPT, KEPT)
    if config.data.validation == SYNTHETIC:
        config.data.validation = f"pairs:{run / 'pairs'}"
    return trained(run, arm, config, say)
