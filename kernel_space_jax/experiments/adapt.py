"""A restorer for one camera, without pairs of it: kernels in place of a critic.

    x'_i = R(y_i)                                what R makes of a blurry photo
    h_it = argmin_h |h * x'_i - y_i|^2           in light, for each tile t
    y_j  = sum_t w_t (h_it * x_j) + n            that blur on a sharp photo, i drawn

and R goes on learning on the pairs (x_j, y_j). w_t blends the tiles, and n is the noise
that x_j lost by its blur. Where R restores half of a blur, h is the other half's: the
kernels are then too short, and the pairs easier than the camera's photos.

RUN/pairs/   the new pairs, as `pairs:` reads them
RUN/...      the training (arms.py)
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernel_space_jax import images
from kernel_space_jax.datasets import open_source
from kernel_space_jax.datasets.source import Source
from kernel_space_jax.deblur import deblur
from kernel_space_jax.errors import UserError
from kernel_space_jax.experiments.arms import Say, prepared, trained
from kernel_space_jax.operators import uniform
from kernel_space_jax.operators.camera import GAMMA, to_light
from kernel_space_jax.solvers.per_pixel.richardson_lucy import photo_noise
from kernel_space_jax.solvers.tiles import Tile, join, tiles
from kernel_space_jax.training.data import SYNTHETIC
from kernel_space_jax.training.task import Config
from kernel_space_jax.weights import Weights, network_name

# Pixels a side of a tile, of what two tiles share, and of a kernel.
TILE, OVERLAP, KERNEL = 160, 48, 31
# A tile with less than this part of the photo's usual gradients says nothing of blur.
FLAT = 0.25


class TileKernels(NamedTuple):
    """Kernels (T, k, k) of a photo's tiles, whose middles (T, 2) are parts of it."""

    kernels: np.ndarray
    middles: np.ndarray


def tile_kernels(x: np.ndarray, y: np.ndarray, size: int = KERNEL) -> TileKernels:
    """h of each tile of a photo y (H, W, C), given x of the same size."""
    if min(y.shape[:2]) < 2 * size:
        raise UserError(
            f"a photo of {y.shape[1]}x{y.shape[0]} is too small for kernels of {size} "
            f"pixels; give photos of at least {2 * size} pixels a side"
        )
    places = tiles(y.shape[:2], TILE, OVERLAP)
    cut = lambda z: np.stack([z[place.rows, place.columns] for place in places])
    kernels, strength = _fitted(jnp.asarray(cut(x)), jnp.asarray(cut(y)), size)
    kernels, strength = np.asarray(kernels), np.asarray(strength)
    middles = _middles(places, y.shape[:2])
    telling = np.flatnonzero(strength >= FLAT * np.median(strength))
    apart = np.linalg.norm(middles[:, None] - middles[telling], axis=-1)
    return TileKernels(kernels[telling[apart.argmin(1)]], middles)


@partial(jax.jit, static_argnums=2)
def _fitted(x: Array, y: Array, size: int) -> tuple[Array, Array]:
    """The kernel of each tile (T, h, w, C), and how strong its gradients are."""
    x, y = (jnp.mean(to_light(z, GAMMA), -1, keepdims=True) for z in (x, y))
    slopes = [jnp.mean(jnp.square(jnp.diff(y, axis=a)), (1, 2, 3)) for a in (1, 2)]
    return uniform.estimate(x, y, size), sum(slopes, jnp.zeros(()))


def blur_like(x: np.ndarray, kernels: TileKernels) -> np.ndarray:
    """A photo x (H, W, C) under the kernels of another photo's tiles, without noise."""
    places = tiles(x.shape[:2], TILE, OVERLAP)
    middles = _middles(places, x.shape[:2])
    nearest = np.linalg.norm(middles[:, None] - kernels.middles, axis=-1).argmin(1)
    reach = kernels.kernels.shape[-1] // 2
    padded = np.pad(x, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    wide = np.stack(
        [
            padded[
                place.rows.start : place.rows.stop + 2 * reach,
                place.columns.start : place.columns.stop + 2 * reach,
            ]
            for place in places
        ]
    )
    blurred = _blurred(jnp.asarray(wide), jnp.asarray(kernels.kernels[nearest]))
    light = join(list(np.asarray(blurred)), places, x.shape, OVERLAP)
    return np.clip(light, 0, 1) ** np.float32(1 / GAMMA)


@jax.jit
def _blurred(x: Array, kernels: Array) -> Array:
    return uniform.Uniform(border="valid")(to_light(x, GAMMA), kernels)


def _middles(places: list[Tile], size: tuple[int, int]) -> np.ndarray:
    found = [
        ((p.rows.start + p.rows.stop) / 2, (p.columns.start + p.columns.stop) / 2)
        for p in places
    ]
    return np.array(found) / np.array(size)


def camera_pairs(
    folder: Path,
    blurry: Source,
    sharp: Source,
    restorer: Weights,
    count: int,
    *,
    seed: int = 0,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Writes pairs (x_j, y_j) into a folder; a call that was stopped goes on."""
    rng = np.random.default_rng(seed)
    donors = rng.integers(len(blurry), size=count)
    known: dict[int, tuple[TileKernels, float]] = {}
    for number, donor in enumerate(map(int, donors)):
        tell(number, count)
        files = [folder / part / f"{number:05d}.png" for part in ("sharp", "blurry")]
        if all(file.exists() for file in files):
            continue
        if donor not in known:
            y = blurry[donor].blurry
            assert y is not None
            x = deblur(y, network_name(restorer.module), weights=restorer).image
            known[donor] = tile_kernels(x, y), _noise(y)
        kernels, noise = known[donor]
        x = sharp[number % len(sharp)].sharp
        assert x is not None
        y = _with_noise(blur_like(x, kernels), x, kernels, noise, [seed, number])
        for file, image in zip(files, (x, y), strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            images.write(file, images.Photo(image))
    tell(count, count)


def _noise(photo: np.ndarray) -> float:
    return float(photo_noise(jnp.asarray(photo)[None], None)[0])


def _with_noise(
    y: np.ndarray, x: np.ndarray, kernels: TileKernels, sigma: float, seed: list[int]
) -> np.ndarray:
    """y with noise of the blurry photos' sigma, less what is left of that of x."""
    left = _noise(x) ** 2 * np.mean(np.sum(np.square(kernels.kernels), (1, 2)))
    more = max(sigma**2 - left, 0) ** 0.5
    noise = np.random.default_rng(seed).standard_normal(y.shape, np.float32)
    return np.clip(y + np.float32(more) * noise, 0, 1)


def adapt(
    run: Path,
    blurry: Source,
    sharp: Source,
    restorer: Weights,
    config: Config,
    *,
    pairs: int,
    say: Say = lambda text: None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """R adapted to the camera: its weight file, RUN/adapted.safetensors.

    `config` is of R's own network (configs/adapt.py); its data sets are set here.
    """
    say(f"putting the blur of {len(blurry)} photos on {len(sharp)} sharp ones")
    camera_pairs(
        run / "pairs", blurry, sharp, restorer, pairs, seed=config.seed, tell=tell
    )
    tiled = prepared(run, "pairs", open_source(f"pairs:{run / 'pairs'}"))
    config = config.copy_and_resolve_references().unlock()
    config.data.train, config.data.weights = (tiled,), (1.0,)
    if config.data.validation == SYNTHETIC:
        config.data.validation = f"pairs:{run / 'pairs'}"
    return trained(run, "adapted", config, say)
