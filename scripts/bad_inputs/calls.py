"""Calls of the Python face: those to be refused, and those to be understood."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import kernel_space_jax as ks
from kernel_space_jax.deblur import METHODS, Deblurred, Method

PHOTO = np.random.default_rng(0).random((48, 56, 3)).astype(np.float32)
EIGHT_BITS = np.rint(255 * PHOTO).astype(np.uint8)
NAN = np.where(PHOTO > 0.9, np.nan, PHOTO)
# A method that gives back what it sees, so that what it was given can be compared.
SEEN = "as-seen"


def see_all() -> None:
    """Adds the method that gives the photo back."""
    METHODS[SEEN] = Method(
        SEEN, "gives the photo back", lambda photo, tell: Deblurred(np.asarray(photo.y))
    )


def seen(photo: Any) -> np.ndarray:
    return np.asarray(ks.deblur(photo, SEEN).image)


def refused() -> dict[str, Callable[[], Any]]:
    """Calls that must raise a UserError of one sentence, by what is wrong."""
    photos: dict[str, Any] = {
        "0..255 floats": PHOTO * 255,
        "-1..1 floats": PHOTO * 2 - 1,
        "channels first": PHOTO.transpose(2, 0, 1),
        "NaN": NAN,
        "infinity": np.where(PHOTO > 0.9, np.inf, PHOTO),
        "empty": PHOTO[:0],
        "below 16 pixels": PHOTO[:8],
        "five channels": np.zeros((48, 56, 5), np.float32),
        "one dimension": PHOTO.ravel(),
        "five dimensions": PHOTO[None, None],
        "complex": PHOTO.astype(np.complex64),
        "words": np.full((48, 56, 3), "x"),
        "objects": np.full((48, 56, 3), None),
        "None": None,
        "a number": 3,
        "a missing path": "missing.png",
        "an empty list": [],
        "a dict": {"photo": PHOTO},
    }
    options: dict[str, dict[str, Any]] = {
        "an unknown method": {"method": "mpa"},
        "no method": {"method": None},
        "an unknown option": {"method": "map", "kernel_sise": 9},
        "an option of another method": {"method": "map", "preset": "full"},
        "an even kernel": {"method": "map", "kernel_size": 8},
        "a huge kernel": {"method": "map", "kernel_size": 999},
        "a kernel in words": {"method": "map", "kernel_size": "nine"},
        "half a kernel": {"method": "map", "kernel_size": 9.5},
        "a negative tile": {"method": "map", "tile": -5},
        "a huge gamma": {"method": "map", "gamma": 1e9},
        "no gamma": {"method": "map", "gamma": float("nan")},
        "a gamma in words": {"method": "map", "gamma": "sRGB"},
        "a negative seed": {"method": "selfdeblur", "seed": -1},
        "an unknown preset": {"method": "selfdeblur", "preset": "fast"},
        "an unknown solver": {"method": "basis", "solver": "fast"},
        "saturates in words": {"method": "basis", "saturates": "yes"},
        "no weights for a network": {"method": "nafnet-32"},
        "weights for none": {"method": "map", "weights": ks.load("mender")},
        "weights of another": {"method": "basis", "weights": ks.load("kernel-space")},
        "vgg of another": {"method": "nested", "vgg": ks.load("mender")},
        "vgg in words": {"method": "nested", "vgg": "vgg.safetensors"},
    }
    pairs = {
        "two sizes": (PHOTO, PHOTO[:40], {}),
        "an even kernel size": (PHOTO, PHOTO, {"kernel_size": 4}),
        "a huge kernel size": (PHOTO, PHOTO, {"kernel_size": 99}),
        "a negative kernel size": (PHOTO, PHOTO, {"kernel_size": -3}),
        "weights of another network": (PHOTO, PHOTO, {"weights": ks.load("mender")}),
    }
    return {
        **{f"deblur: {what}": lambda p=p: seen(p) for what, p in photos.items()},
        **{
            f"deblur: {what}": lambda o=o: ks.deblur(PHOTO, **o)
            for what, o in options.items()
        },
        **{
            f"extract_blur: {what}": lambda a=a, b=b, o=o: ks.extract_blur(a, b, **o)
            for what, (a, b, o) in pairs.items()
        },
        **{
            f"read: {name}": lambda name=name: ks.read(name)
            for name in ("missing.png", "folder", "empty.png", "text.png", "loop.png",
                         "truncated.png", "truncated.jpg", "tiny.png", "numbers.npy")
        },
        **{
            f"load: {name}": lambda name=name: ks.load(name)
            for name in ("missing", "kernel-spce", "folder", "empty.safetensors",
                         "text.safetensors", "truncated.safetensors", "sharp.png",
                         "damaged.safetensors")
        },
        **{
            f"write: {name}": lambda name=name: ks.write(name, ks.Photo(PHOTO))
            for name in ("new.txt", "new", "folder", "text.png/new.png")
        },
        "from_torch: unknown": lambda: ks.from_torch("nafnt", {}),
        "from_torch: empty": lambda: ks.from_torch("nafnet", {}),
        "from_torch: of another": lambda: ks.from_torch("nafnet", {"a": np.zeros(3)}),
    }  # fmt: skip


def understood() -> dict[str, tuple[Callable[[], np.ndarray], np.ndarray]]:
    """Calls that must give a photo back, and the photo, by the form it is given in."""
    import jax.numpy as jnp

    forms: dict[str, tuple[Any, np.ndarray]] = {
        "float32": (PHOTO, PHOTO),
        "float64": (PHOTO.astype(float), PHOTO),
        "float16": (PHOTO.astype(np.float16), PHOTO),
        "uint8": (EIGHT_BITS, PHOTO),
        "uint16": (np.rint(65535 * PHOTO).astype(np.uint16), PHOTO),
        "bool": (PHOTO > 0.5, (PHOTO > 0.5).astype(np.float32)),
        "JAX": (jnp.asarray(PHOTO), PHOTO),
        "PIL": (Image.fromarray(EIGHT_BITS), PHOTO),
        "Photo": (ks.Photo(PHOTO), PHOTO),
        "a path": (Path("sharp.png"), ks.read("sharp.png").pixels),
        "a word": ("sharp.png", ks.read("sharp.png").pixels),
        "grey, no channels": (PHOTO[..., 0], PHOTO[..., :1]),
        "RGBA": (np.dstack([EIGHT_BITS, EIGHT_BITS[..., :1]]), PHOTO),
        "a stack": (PHOTO[None].repeat(2, 0), PHOTO[None].repeat(2, 0)),
    }
    return {
        f"deblur: {form}": (lambda given=given: seen(given), photo)
        for form, (given, photo) in forms.items()
    }
