"""What is made of a batch on the device, inside the compiled step.

A pure function prepare(batch, keys) finishes what a feed hands out: integers become
floats, sharp images are drawn if there are none, and blurred if they have no blurry
partner, or if `fresh` blur takes its place.
"""

import zlib
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from kernel_space_jax.synthesis import (
    blur_uniform,
    camera,
    dead_leaves,
    degrade,
    resample,
    saturation,
    scene,
    shake_kernel,
    srgb_to_light,
)
from kernel_space_jax.synthesis.camera import PHOTON, READ
from kernel_space_jax.training.data import joined, streams, wide_crop
from kernel_space_jax.training.task import Batch, Config, example_keys

IMAGES = ("sharp", "blurry")


def preparations(
    data: Config, *, training: bool = True
) -> Callable[[Batch, Array], Batch]:
    """The on-device half of a feed: (batch, a key) -> batch, all streams finished.

    Each stream has the "number" of the batch too. Validation pairs stay as they are.
    """
    found = streams(data)
    for stream in found.values():
        stream.fresh = stream.fresh if training else 0.0
    finish = {name: preparation(stream) for name, stream in found.items()}

    def prepare(batch: Batch, key: Array) -> Batch:
        prepared = {}
        for name in finish:
            part = batch[name] if name else batch
            part = {k: v for k, v in part.items() if k not in finish}
            part["number"] = batch["number"]
            here = jax.random.fold_in(key, zlib.crc32(name.encode()))
            prepared[name] = finish[name](part, example_keys(here, part))
        return {"number": batch["number"]} | joined(prepared)

    return prepare


def preparation(data: Config) -> Callable[[Batch, Array], Batch]:
    """The same of one stream: (batch, one key an example) -> batch.

    "shake": y = h * x + noise with a fresh camera shake, and h as "kernel".
    "scene": a `synthesis.scene` of x, with its "kernels" and "masks"; "sharp" is
    brighter than 1 where the photo is clipped.
    "rsblur": a shake of light, then RSBlur's camera: saturation, mosaic, noise.
    "bsrgan": Gaussians, resizing, noise and JPEG in the manner of BSRGAN.
    Pixels beyond the crop take part in both. Pairs stay as they are, but for the part
    `data.fresh`: its sharp images are blurred so, and only images are in the batch.
    """
    side = wide_crop(data) if data.blur != "none" else data.crop
    blur = BLURS[data.blur]

    def prepare(batch: Batch, keys: Array) -> Batch:
        batch = {name: _as_floats(value) for name, value in batch.items()}
        if "blurry" in batch and not data.fresh:
            return batch
        stored = {name: batch[name] for name in IMAGES if name in batch}
        keys = jax.vmap(jax.random.split)(keys)
        x = batch.get("sharp")
        if x is None or data.leaves:
            drawn = jax.vmap(lambda key: dead_leaves(key, (side, side)))(keys[:, 0])
            x = drawn if x is None else _some(data.leaves, keys[:, 0], drawn, x)
        if data.soft < 1:
            x = jax.vmap(partial(_soft, data.soft))(keys[:, 0], x)
        made = jax.vmap(partial(blur, data))(keys[:, 1], x)
        if "blurry" not in batch:
            return batch | made
        inner = jax.vmap(partial(_inner, data))(stored)
        chosen = jax.vmap(partial(jax.random.fold_in, data=2))(keys[:, 0])
        return batch | {
            name: _some(data.fresh, chosen, made[name], inner[name]) for name in IMAGES
        }

    return prepare


def _some(share: float, keys: Array, images: Array, others: Array) -> Array:
    """Each of the images with the probability `share`, else the other: (N, ...)."""
    chance = jax.vmap(lambda key: jax.random.uniform(jax.random.fold_in(key, 0)))(keys)
    return jnp.where((chance < share)[:, None, None, None], images, others)


def _soft(least: float, key: Array, x: Array) -> Array:
    """x, or with even chances x with from `least` to all of its resolution."""
    key, kind = jax.random.split(jax.random.fold_in(key, 1))
    scale = jax.random.uniform(key, minval=2 * least - 1, maxval=1.0)
    soft = resample(x, jnp.maximum(scale, least), cubic=jax.random.bernoulli(kind))
    return jnp.where(scale < least, x, jnp.clip(soft, 0, 1))


def _unblurred(data: Config, key: Array, x: Array) -> Batch:
    return {"sharp": x}


def _shaken(data: Config, key: Array, x: Array) -> Batch:
    shake, grain = jax.random.split(key)
    h = shake_kernel(shake, data.kernel_size)
    y = blur_uniform(x, h)
    if data.noise:
        y = y + data.noise * jax.random.normal(grain, y.shape)
    return _inner(data, {"sharp": x, "blurry": jnp.clip(y, 0.0, 1.0)}) | {"kernel": h}


def _moving(data: Config, key: Array, x: Array) -> Batch:
    least, most = jnp.log(jnp.asarray(data.grain))
    draw = jax.random.uniform(jax.random.fold_in(key, 0))
    grain = jnp.exp(least + (most - least) * draw)
    made = scene(
        key,
        x,
        objects=data.objects,
        size=data.kernel_size,
        still=data.still,
        photon=grain * PHOTON,
        read=grain * READ,
    )
    images = {"sharp": made.x, "blurry": made.y, "masks": made.masks}
    return _inner(data, images) | {"kernels": made.kernels}


def _photographed(data: Config, key: Array, x: Array) -> Batch:
    shake, sensor = jax.random.split(key)
    h = shake_kernel(shake, data.kernel_size)
    light = jnp.maximum(blur_uniform(srgb_to_light(x), h), 0)
    y = camera(sensor, light, blur_uniform(saturation(x), h))
    return _inner(data, {"sharp": x, "blurry": y}) | {"kernel": h}


def _degraded(data: Config, key: Array, x: Array) -> Batch:
    return _inner(data, {"sharp": x, "blurry": degrade(key, x)})


BLURS = {
    "shake": _shaken,
    "scene": _moving,
    "rsblur": _photographed,
    "bsrgan": _degraded,
    "none": _unblurred,
}


def _inner(data: Config, images: Batch) -> Batch:
    """The crop in the middle of the wide one."""
    inner = slice(data.kernel_size // 2, data.kernel_size // 2 + data.crop)
    return {name: image[inner, inner] for name, image in images.items()}


def _as_floats(stored: Array) -> Array:
    """Pixels as float32 in [0, 1]; what is no picture stays as it is."""
    if not jnp.issubdtype(stored.dtype, jnp.unsignedinteger):
        return stored
    return stored.astype(jnp.float32) / jnp.iinfo(stored.dtype).max
