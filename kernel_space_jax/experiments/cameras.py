"""The two blurs of blur2blur.py: one that a restorer knows, and that of a camera.

Sharp photos are blurred here: under shakes for the known blur, and for the camera as
scenes whose objects all move differently, with noise and saturation. Pairs stay as
they are: then the camera is a real one, and the known blur is that of its pairs.

RUN/known/, RUN/unknown/   sharp test photos under both blurs, as pairs
RUN/camera/pairs/          of sharp photos, the camera's pairs
RUN/camera/blurry/, RUN/camera/sharp/   what is shown of the camera: no scene is in both
"""

from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from kernel_space_jax import images
from kernel_space_jax.datasets import open_source
from kernel_space_jax.errors import UserError
from kernel_space_jax.experiments.arms import check_apart, render
from kernel_space_jax.training.task import Config

# The part of the camera's photos that is blurry; of the rest the sharp ones are shown.
SHARE = 0.6


class Sets(NamedTuple):
    """Specs of sharp photos, or of pairs.

    known: to learn the known blur from; pairs are under a blur that R knows already.
    camera, test: of the unknown camera, and of other scenes.
    """

    known: str
    camera: str
    test: str


class Cameras(NamedTuple):
    """Specs of what was made of the sets: pairs, but for blurry and sharp photos."""

    known: str
    unknown: str
    pairs: str
    blurry: str
    sharp: str


def are_pairs(spec: str) -> bool:
    return "blurry" in open_source(spec).parts()


def check_sets(sets: Sets) -> None:
    """A `UserError` if two sets share an image."""
    for one, other in combinations(map(open_source, sets), 2):
        check_apart(one, other)


def cameras(run: Path, sets: Sets, config: Config) -> Cameras:
    """Makes what is not there; the blur is that of `config.data`."""
    unknown, pairs, known = sets.test, sets.camera, sets.known
    if not are_pairs(sets.test):
        unknown = render(run / "unknown", sets.test, "scene", config)
    still = pairs
    if not are_pairs(sets.camera):
        pairs = render(run / "camera" / "pairs", sets.camera, "scene", config)
        # A camera's sharp photos have its noise too.
        at_rest = config.copy_and_resolve_references().unlock()
        at_rest.data.still = 1.0
        still = render(run / "camera" / "still", sets.camera, "scene", at_rest)
    if not are_pairs(sets.known):
        photos = sets.test if not are_pairs(sets.test) else _keep(unknown, "sharp")
        known = render(run / "known", photos, "shake", config)
    part = "sharp" if still == sets.camera else "blurry"
    count = len(open_source(pairs))
    at = round(SHARE * count)
    if not 0 < at < count:
        raise UserError(
            f"{sets.camera} has {count} photo{'s'[: count != 1]}; give three or more, "
            "to show blurry ones and, of other scenes, sharp ones"
        )
    _show(run / "camera" / "blurry", _keep(pairs, "blurry"), range(at))
    _show(run / "camera" / "sharp", _keep(still, part), range(at, count))
    shown = [f"images:{run / 'camera' / kind}" for kind in ("blurry", "sharp")]
    return Cameras(known, unknown, pairs, f"{shown[0]}?kind=blurry", shown[1])


def _keep(spec: str, part: str) -> str:
    return f"{spec}{'&' if '?' in spec else '?'}keep={part}"


def _show(folder: Path, spec: str, numbers: range) -> None:
    """Writes photos of a source into a folder; those that are there stay."""
    source = open_source(spec)
    for number in numbers:
        file = folder / f"{number:04d}.png"
        if file.exists():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        record = source[number]
        photo = record.blurry if record.sharp is None else record.sharp
        assert photo is not None
        images.write(file, images.Photo(photo))
