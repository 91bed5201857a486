"""Blur of an unknown camera without pairs: translator and adaptation, side by side.

A restorer R learns photos under camera shakes, its known blur. The unknown camera's
photos are scenes whose objects all move differently, with a camera's noise and
saturation. It has blurry photos and, of other scenes, sharp ones:

    alone       R as it is: what the others must beat
    translator  R(T(y)), T by Blur2Blur (Pham et al., CVPR 2024)
    adapted     R that went on learning on kernels of its own answers (adapt.py)
    cyclegan    CycleGAN on the same photos, without R
    paired      R that went on learning on the camera's true pairs: the upper bound

RUN/known/, RUN/unknown/     test photos under both kinds of blur, as pairs
RUN/camera/                  pairs of the camera; blurry/ and sharp/ are what is shown
RUN/...                      the arms (arms.py)
RUN/scores-known/, RUN/scores-unknown/, RUN/examples.png
"""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from kernel_space_jax import images
from kernel_space_jax.datasets import open_source
from kernel_space_jax.evaluation.evaluate import evaluate
from kernel_space_jax.evaluation.methods import Method, from_weights, named, translated
from kernel_space_jax.evaluation.protocols.pairs import PAIRS
from kernel_space_jax.evaluation.store import Settings
from kernel_space_jax.evaluation.tables import Table
from kernel_space_jax.experiments.adapt import adapt
from kernel_space_jax.experiments.arms import Say, check_apart, render, trained
from kernel_space_jax.sheets import contact_sheet
from kernel_space_jax.training.config import load_config
from kernel_space_jax.training.task import Config
from kernel_space_jax.weights import load

# The part of the camera's photos that is blurry; of the rest the sharp ones are shown.
SHARE = 0.6
EXAMPLES = 3


class Photos(NamedTuple):
    """Specs of sharp photos: to learn the known blur, of the camera, and to test."""

    known: str
    camera: str
    test: str


def blur2blur(
    run: Path,
    photos: Photos,
    overrides: Sequence[str] = (),
    *,
    say: Say = lambda text: None,
) -> dict[str, Table]:
    """Trains every arm and scores it; the tables of the known and the unknown blur.

    `overrides` are `--config.key=value` words for every arm's config.
    """
    test = open_source(photos.test)
    for spec in photos[:2]:
        check_apart(open_source(spec), test)
    configured = partial(load_config, overrides=overrides)
    restorer = configured("nafnet_synthetic")
    render(run / "known", photos.test, "shake", restorer)
    for folder, spec in (("unknown", photos.test), ("camera/pairs", photos.camera)):
        render(run / folder, spec, "scene", restorer)
    _show(run / "camera")
    unknown, camera = f"pairs:{run / 'unknown'}", run / "camera"

    alone = _alone(run, restorer, photos, say)
    files = {"alone": alone}
    config = _unlocked(configured("blur2blur_synthetic"))
    # The blur that R knows, with the noise that the config gives it.
    config.data.kernel_size = restorer.data.kernel_size
    noise = config.data.streams.sharp_photos.noise
    shown = _unpaired(camera, unknown, "shake")
    shown["sharp_photos"]["noise"] = noise
    config.data.streams = shown
    config.model.restorer = str(alone)
    files["translator"] = trained(run, "translator", config, say)
    config = _unlocked(configured("cyclegan_synthetic"))
    config.data.streams = _unpaired(camera, unknown, "none")
    files["cyclegan"] = trained(run, "cyclegan", config, say)
    config = _unlocked(configured(f"adapt:{alone}"))
    config.data.validation = unknown
    blurry, sharp = (
        open_source(f"images:{camera / kind}?kind={kind}")
        for kind in ("blurry", "sharp")
    )
    files["adapted"] = adapt(
        run, blurry, sharp, load(alone), config, pairs=2 * len(sharp), say=say
    )
    config.data.train = (f"pairs:{camera / 'pairs'}",)
    files["paired"] = trained(run, "paired", config, say)

    def methods(names: Sequence[str]) -> list[Method]:
        return [
            named("blurry"),
            from_weights(alone),
            translated(files["translator"], alone),
            *(from_weights(files[arm]) for arm in ("adapted", "cyclegan", "paired")),
        ]

    tables = {}
    for name in ("known", "unknown"):
        say(f"scoring on the {name} blur")
        settings = Settings(f"pairs:{run / name}", PAIRS.name)
        tables[name] = evaluate(run / f"scores-{name}", settings, methods)
    _draw(run)
    return tables


def _alone(run: Path, config: Config, photos: Photos, say: Say) -> Path:
    """R on photos under shakes."""
    config = _unlocked(config)
    config.data.train = (photos.known,)
    config.data.validation = f"pairs:{run / 'known'}"
    return trained(run, "alone", config, say)


def _unpaired(camera: Path, test: str, blur: str) -> dict[str, Any]:
    """The streams of the camera's photos; `blur` is put on the sharp ones."""
    sharp = f"images:{camera / 'sharp'}"
    return {
        "blurry_photos": {
            "train": (f"images:{camera / 'blurry'}?kind=blurry",),
            "validation": test,
            "blur": "none",
        },
        "sharp_photos": {"train": (sharp,), "validation": sharp, "blur": blur},
    }


def _unlocked(config: Config) -> Config:
    return config.copy_and_resolve_references().unlock()


def _show(camera: Path) -> None:
    """The blurry halves of the first pairs, and the sharp halves of the others."""
    names = sorted(file.name for file in (camera / "pairs" / "sharp").iterdir())
    at = round(SHARE * len(names))
    for kind, some in (("blurry", names[:at]), ("sharp", names[at:])):
        (camera / kind).mkdir(exist_ok=True)
        for name in some:
            shutil.copyfile(camera / "pairs" / kind / name, camera / kind / name)


def _draw(run: Path) -> None:
    """examples.png: unknown blur, converted, deblurred both ways, truth."""
    from kernel_space_jax.deblur import convert_blur

    kept = run / "scores-unknown" / "images"
    pictures, captions = [], []
    for file in sorted((run / "unknown" / "blurry").iterdir())[:EXAMPLES]:
        y = images.read(file).pixels
        shown = {
            "unknown blur": y,
            "converted": convert_blur(y, run / "translator.safetensors"),
            "restorer alone": images.read(kept / "alone" / file.name).pixels,
            "converted, then restored": images.read(
                kept / "translator" / file.name
            ).pixels,
            "adapted restorer": images.read(kept / "adapted" / file.name).pixels,
            "truth": images.read(run / "unknown" / "sharp" / file.name).pixels,
        }
        pictures += shown.values()
        captions += shown
    sheet = contact_sheet(pictures, captions, columns=len(captions) // EXAMPLES)
    images.write(run / "examples.png", images.Photo(sheet))
