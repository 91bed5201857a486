"""What does a critic add, and which blur teaches best? DeblurGAN's two tables.

Kupyn et al. (CVPR 2018) train one generator beside a critic three times, and score it
on GoPro and on Köhler's photos:

    wild   on pairs of blurry and sharp frames
    synth  on sharp photos under random trajectories
    comb   on both: two of three sharp frames of the pairs get new blur

Beside them are `alone`, as synth without a critic, and two that see no pairs,
`cyclegan` and `dualgan`: blurry frames of the pairs, and the sharp photos.

RUN/shaken/       test photos under new trajectories, as pairs
RUN/...           the arms (arms.py)
RUN/curves-SET.png, RUN/scores-SET/   of the sets shaken, test and kohler
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from kernel_space_jax.datasets import open_source
from kernel_space_jax.datasets.source import Source
from kernel_space_jax.errors import unknown
from kernel_space_jax.evaluation.evaluate import evaluate
from kernel_space_jax.evaluation.methods import Method, from_weights, named
from kernel_space_jax.evaluation.protocols.kohler import KOHLER, KOHLER_PROXY
from kernel_space_jax.evaluation.protocols.pairs import PAIRS
from kernel_space_jax.evaluation.store import Settings
from kernel_space_jax.evaluation.tables import Table
from kernel_space_jax.experiments.arms import (
    Say,
    check_apart,
    draw_arms,
    prepared,
    render,
    trained,
)
from kernel_space_jax.synthesis.augment import check_pairs
from kernel_space_jax.training.config import load_config
from kernel_space_jax.training.task import Config

# The part of comb's pairs that gets new blur: the authors mix two to one.
COMB = 2 / 3
WITH_CRITIC, UNPAIRED = ("synth", "wild", "comb"), ("cyclegan", "dualgan")
RECIPES = {
    "small": {
        "alone": "deblurgan_synthetic:generator",
        **dict.fromkeys(WITH_CRITIC, "deblurgan_synthetic:critic"),
        "cyclegan": "cyclegan_synthetic",
        "dualgan": "dualgan_synthetic",
    },
    "published": {
        **dict.fromkeys(WITH_CRITIC, "deblurgan_gopro:vgg"),
        "cyclegan": "cyclegan_blur",
        "dualgan": "dualgan_blur",
    },
}
ON_PHOTOS = ("alone", "synth")


class Sets(NamedTuple):
    """Specs: pairs and sharp photos to learn, the same to test, Köhler's or ""."""

    pairs: str
    photos: str
    test: str
    test_photos: str
    kohler: str = ""


def deblurgan(
    run: Path,
    sets: Sets,
    configs: dict[str, Config],
    *,
    say: Say = lambda text: None,
) -> dict[str, Table]:
    """Trains every arm and scores it; the tables by their set.

    The arms are the keys of `configs`, whose data sets are set here.
    """
    pairs, test = open_source(sets.pairs), open_source(sets.test)
    for source in (pairs, test):
        check_pairs(source)
    check_apart(pairs, test)
    check_apart(open_source(sets.photos), open_source(sets.test_photos))
    small = next(iter(configs.values()))
    shaken = render(run / "shaken", sets.test_photos, "shake", small)
    tiles = prepared(run, "pairs", pairs)
    files = [
        trained(run, arm, _on(arm, config, sets, tiles, shaken), say)
        for arm, config in configs.items()
    ]
    scored = {
        "shaken": Settings(shaken, PAIRS.name),
        "test": Settings(sets.test, PAIRS.name, published="gopro"),
    }
    if sets.kohler:
        kohler = _kohler(open_source(sets.kohler))
        scored["kohler"] = Settings(sets.kohler, kohler)

    def methods(names: Sequence[str]) -> list[Method]:
        return [named("blurry"), *map(from_weights, files)]

    for name, arms in _validated_on(configs).items():
        if arms:
            draw_arms(run / f"curves-{name}.png", run, arms)
    tables = {}
    for name, settings in scored.items():
        say(f"scoring on {settings.data}")
        tables[name] = evaluate(run / f"scores-{name}", settings, methods)
    return tables


def recipe(name: str, overrides: Sequence[str]) -> dict[str, Config]:
    """The configs of a recipe, each with `--config.key=value` words on top."""
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return {arm: load_config(file, overrides) for arm, file in RECIPES[name].items()}


def _on(arm: str, config: Config, sets: Sets, tiles: str, shaken: str) -> Config:
    """The config of an arm, with its data."""
    config = config.copy_and_resolve_references().unlock()
    data = config.data
    if arm in UNPAIRED:
        data.streams.blurry_photos = {
            "train": (f"{tiles}{'&' if '?' in tiles else '?'}keep=blurry",),
            "validation": sets.test,
        }
        data.streams.sharp_photos = {
            "train": (sets.photos,),
            "validation": sets.test_photos,
        }
        data.blur = "none"
        return config
    data.weights = (1.0,)
    data.blur = "shake"
    data.train = (sets.photos if arm in ON_PHOTOS else tiles,)
    data.validation = shaken if arm in ON_PHOTOS else sets.test
    data.fresh = COMB if arm == "comb" else 0.0
    return config


def _validated_on(arms: Iterable[str]) -> dict[str, list[str]]:
    """The arms that are validated on the shaken photos, and those on the test pairs."""
    return {
        "shaken": [arm for arm in arms if arm in ON_PHOTOS],
        "test": [arm for arm in arms if arm not in ON_PHOTOS],
    }


def _kohler(source: Source) -> str:
    """The protocol of Köhler's photos, by how many true frames are at hand."""
    first = source.extras(0).get("frames", ())
    return (KOHLER if len(first) > 1 else KOHLER_PROXY).name
