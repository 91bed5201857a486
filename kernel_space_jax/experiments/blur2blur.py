"""Blur of an unknown camera without pairs: translator and adaptation, side by side.

A restorer R knows one blur, and a camera has another. Of the camera there are blurry
photos and, of other scenes, sharp ones (cameras.py):

    alone       R as it is: what the others must beat
    translator  R(T(y)), T by Blur2Blur (Pham et al., CVPR 2024)
    adapted     R that went on learning on kernels found in y (adapt.py)
    both        the same, half of its pairs with the blur that R knows
    rsblur      R that went on learning on the sharp ones under shakes, as RSBlur's
                camera would see them
    bsrgan      the same under BSRGAN's degradations
    cyclegan, dualgan   on the same photos, without R
    paired      R that went on learning on the camera's true pairs: the upper bound

RUN/known/, RUN/unknown/, RUN/camera/   the data (cameras.py)
RUN/...                                 the arms (arms.py)
RUN/scores-known/, RUN/scores-unknown/
RUN/examples.png                        where there are translator and adapted
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kernel_space_jax import images, weights
from kernel_space_jax.datasets import open_source
from kernel_space_jax.errors import UserError, unknown
from kernel_space_jax.evaluation.evaluate import evaluate
from kernel_space_jax.evaluation.methods import Method, from_weights, named, translated
from kernel_space_jax.evaluation.protocols.pairs import PAIRS
from kernel_space_jax.evaluation.store import Settings
from kernel_space_jax.evaluation.tables import Table, grouped
from kernel_space_jax.experiments.adapt import FINDER, KEPT, adapt
from kernel_space_jax.experiments.arms import Say, prepared, trained
from kernel_space_jax.experiments.cameras import (
    Cameras,
    Sets,
    are_pairs,
    cameras,
    check_sets,
)
from kernel_space_jax.models.restorers import check_restorer
from kernel_space_jax.sheets import contact_sheet
from kernel_space_jax.training.config import load_config
from kernel_space_jax.training.task import Config

# The configs of the arms. R goes on learning by "adapt", in four of them.
CONFIGS = {
    "restorer": "nafnet_synthetic",
    "translator": "blur2blur_synthetic",
    "cyclegan": "cyclegan_synthetic",
    "dualgan": "dualgan_synthetic",
    "adapt": "adapt",
}
UNPAIRED, DEGRADED = ("cyclegan", "dualgan"), ("rsblur", "bsrgan")
ARMS = ("translator", *UNPAIRED, "adapted", "both", *DEGRADED, "paired")
EXAMPLES = 3
PAIRS_EACH = 5  # of a sharp photo, under the blur of so many others


def blur2blur(
    run: Path,
    sets: Sets,
    words: Sequence[str] = (),
    *,
    restorer: str = "",
    arms: Sequence[str] = ARMS,
    say: Say = lambda text: None,
) -> dict[str, Table]:
    """Trains the arms and scores them; the tables of the known and the unknown blur.

    `restorer` is a weight file or the name of one; without it, R learns here. `words`
    are --config.key=value for every config, or --translator.key=value for that one.
    """
    check_sets(sets)
    for arm in arms:
        if arm not in ARMS:
            raise unknown("arm", arm, ARMS)
    if restorer:
        check_restorer(restorer, *weights.load(restorer, role=""))
        _check_unused(words)
    given = {name: _words(name, words) for name in CONFIGS}
    if are_pairs(sets.known) and not restorer:
        raise UserError(
            f"{sets.known} holds pairs; give the restorer that knows their blur"
        )

    def config_of(name: str, word: str = "") -> Config:
        config = load_config(CONFIGS[name] + word, given[name])
        return config.copy_and_resolve_references().unlock()

    first = config_of("restorer")
    here = cameras(run, sets, first)
    alone = run / "alone.safetensors"
    if restorer:
        run.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(weights.known().get(restorer, Path(restorer)), alone)
    else:
        first.data.train, first.data.validation = (sets.known,), here.known
        alone = trained(run, "alone", first, say)
    files = {"alone": alone}

    if "translator" in arms:
        config = config_of("translator")
        shown = _unpaired(here)
        if are_pairs(sets.known):
            shown["known_pairs"] = {"train": (sets.known,), "validation": sets.known}
            config.model.kernel_space = "kernel-space"
        else:
            # The blur that R knows, with the noise that its config gives it.
            shown["sharp_photos"] |= {"blur": "shake", "noise": first.data.noise}
            config.data.kernel_size = first.data.kernel_size
        config.data.streams = shown
        config.model.restorer = str(alone)
        files["translator"] = trained(run, "translator", config, say)

    for arm in [arm for arm in UNPAIRED if arm in arms]:
        config = config_of(arm)
        config.data.streams = _unpaired(here)
        files[arm] = trained(run, arm, config, say)

    config = config_of("adapt", f":{alone}")
    config.data.validation = here.unknown
    config.data.kernel_size = first.data.kernel_size
    blurry, sharp = open_source(here.blurry), open_source(here.sharp)
    finder, count = weights.load(FINDER), PAIRS_EACH * len(sharp)
    photos = (blurry, sharp, finder)
    if "adapted" in arms:
        files["adapted"] = adapt(run, *photos, config, pairs=count, say=say)
    if "both" in arms:
        mixed = config.copy_and_resolve_references().unlock()
        kept = sets.known if are_pairs(sets.known) else ""
        if not kept:
            mixed.data.blur, mixed.data.fresh = "shake", KEPT
            mixed.data.noise = first.data.noise
        files["both"] = adapt(
            run, *photos, mixed, pairs=count, known=kept, arm="both", say=say
        )
    config.data.train = (here.sharp,)
    for arm in [arm for arm in DEGRADED if arm in arms]:
        config.data.blur = arm
        files[arm] = trained(run, arm, config, say)
    if "paired" in arms:
        config.data.blur = "none"
        config.data.train = (prepared(run, "camera", open_source(here.pairs)),)
        files["paired"] = trained(run, "paired", config, say)

    def methods(names: Sequence[str]) -> list[Method]:
        return [
            from_weights(alone),
            named("blurry"),
            *(
                translated(file, alone) if arm == "translator" else from_weights(file)
                for arm, file in files.items()
                if arm != "alone"
            ),
        ]

    tables = {}
    for name, spec in (("known", here.known), ("unknown", here.unknown)):
        say(f"scoring on the {name} blur")
        settings = Settings(spec, PAIRS.name)
        tables[name] = evaluate(run / f"scores-{name}", settings, methods)
    if {"translator", "adapted"} <= files.keys():
        draw_examples(run / "examples.png", run, here.unknown)
    return tables


def over_seeds(
    run: Path,
    seeds: int,
    sets: Sets,
    words: Sequence[str] = (),
    *,
    restorer: str = "",
    arms: Sequence[str] = ARMS,
    say: Say = lambda text: None,
) -> dict[str, Table]:
    """The tables of RUN/seed-0/, RUN/seed-1/, ... in one, a group each."""
    if any(word.startswith("--config.seed=") for word in words):
        raise UserError("the seeds are 0, 1, ...; say with --seeds how many")
    found = {}
    for seed in range(seeds):
        word = f"--config.seed={seed}"
        found[f"seed-{seed}"] = blur2blur(
            run / f"seed-{seed}",
            sets,
            [*words, word],
            restorer=restorer,
            arms=arms,
            say=say,
        )
    names = next(iter(found.values()))
    return {
        name: grouped({seed: tables[name] for seed, tables in found.items()})
        for name in names
    }


def _check_unused(words: Sequence[str]) -> None:
    """A `UserError` if a word is for the training of an R that is given."""
    for word in words:
        if re.match(r"--restorer\.(?!data\.)", word):
            raise UserError(f"{word} does not apply to a restorer that is given")


def _words(name: str, words: Sequence[str]) -> list[str]:
    """The words for one config, as `load_config` reads them."""
    found = []
    for word in words:
        match = re.fullmatch(r"--(\w+)\.(.*)", word, re.DOTALL)
        if not match:
            raise UserError(f"'{word}' is not understood; write --config.KEY=VALUE")
        if match[1] not in ("config", *CONFIGS):
            raise unknown("config", match[1], ("config", *CONFIGS))
        if match[1] in ("config", name):
            found.append(f"--config.{match[2]}")
    return found


def _unpaired(here: Cameras) -> dict[str, Any]:
    """The streams of what is shown of the camera, without any new blur."""
    return {
        "blurry_photos": {
            "train": (here.blurry,),
            "validation": here.unknown,
            "blur": "none",
        },
        "sharp_photos": {
            "train": (here.sharp,),
            "validation": here.sharp,
            "blur": "none",
        },
    }


def draw_examples(picture: Path, run: Path, unknown: str) -> None:
    """Some pairs of a spec: unknown blur, converted, deblurred both ways, truth."""
    from kernel_space_jax.deblur import convert_blur, deblur

    translator, alone, adapted = (
        weights.load(run / f"{arm}.safetensors", role="translator" if first else "")
        for first, arm in ((True, "translator"), (False, "alone"), (False, "adapted"))
    )
    source, pictures, captions = open_source(unknown), [], []
    for number in range(min(EXAMPLES, len(source))):
        record = source[number]
        assert record.blurry is not None and record.sharp is not None

        def restored(y: np.ndarray, network: weights.Weights) -> np.ndarray:
            method = weights.network_name(network.module)
            return deblur(y, method, weights=network).image

        converted = convert_blur(record.blurry, translator)
        shown = {
            "unknown blur": record.blurry,
            "converted": converted,
            "restorer alone": restored(record.blurry, alone),
            "converted, then restored": restored(converted, alone),
            "adapted restorer": restored(record.blurry, adapted),
            "truth": record.sharp,
        }
        pictures += shown.values()
        captions += shown
    sheet = contact_sheet(pictures, captions, columns=6)
    images.write(picture, images.Photo(sheet))
