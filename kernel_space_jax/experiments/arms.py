"""Arms of an experiment: trainings that one table compares.

RUN/prepared/NAME/    pairs in tiles, to read fast; may be removed
RUN/training/ARM/     a work directory an arm
RUN/ARM.safetensors   what it learned, at its last step
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import jax
import numpy as np

from kernel_space_jax import images
from kernel_space_jax.datasets import open_source
from kernel_space_jax.datasets.prepare import Storage, prepare
from kernel_space_jax.datasets.source import FolderSource, Source
from kernel_space_jax.errors import UserError
from kernel_space_jax.training.data import open_validation
from kernel_space_jax.training.export import export_weights
from kernel_space_jax.training.log import read_log
from kernel_space_jax.training.loop import train
from kernel_space_jax.training.preparation import preparations
from kernel_space_jax.training.task import Config

# Of the pairs in training: decoding whole photos would take longer than learning.
TILES = Storage(tile=512)

# Pixels a side of a photo that is blurred here.
SIDE = 256

Say = Callable[[str], None]


def prepared(run: Path, name: str, source: Source) -> str:
    """The pairs as training reads them: a spec."""
    if not isinstance(source, FolderSource):
        return source.spec
    tiles = run / "prepared" / name
    prepare(source, tiles, TILES)
    return f"prepared:{tiles}"


def render(folder: Path, photos: str, blur: str, config: Config) -> str:
    """Pairs of the middles of photos, each blurred as `config.data` would have it.

    `blur` is "shake" or "scene"; pairs that are there stay. Returns their spec.
    """
    config = config.copy_and_resolve_references().unlock()
    data = config.data
    data.train, data.streams, data.validation = (photos,), {}, photos
    data.crop, data.blur = SIDE, blur
    data.validation_size = len(open_source(photos))
    config.batch_size = 1
    prepare = jax.jit(preparations(data, training=False))
    for batch in open_validation(config):
        name = f"{int(batch['number'][0]):04d}.png"
        files = {part: folder / part / name for part in ("sharp", "blurry")}
        if all(file.exists() for file in files.values()):
            continue
        made = prepare(batch, jax.random.key(config.seed))
        for part, file in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            image = np.clip(np.asarray(made[part][0]), 0, 1)
            images.write(file, images.Photo(image))
    return f"pairs:{folder}"


def check_apart(source: Source, held_out: Source) -> None:
    """A `UserError` if an image is in both, by its name and its pixels."""
    for name in sorted(set(source.names) & set(held_out.names)):
        one, other = (s.pixels(s.names.index(name)) for s in (source, held_out))
        if any(np.array_equal(one[p], other[p]) for p in one if p in other):
            raise UserError(
                f"{name} is in {source.spec} and in {held_out.spec}; "
                "give sets that share no scene"
            )


def trained(run: Path, arm: str, config: Config, say: Say) -> Path:
    """Trains one arm to its last step; the weight file of its first network."""
    say(f"training {arm}")
    workdir = run / "training" / arm
    train(config, workdir, say=say)
    if read_log(workdir / "metrics.jsonl")[-1]["step"] < config.steps:
        raise UserError(
            f"training {arm} was stopped; the same command goes on from there"
        )
    file = run / f"{arm}.safetensors"
    # Not the best: that was chosen on the test pairs.
    export_weights(workdir, file, step=config.steps)
    return file


def draw_arms(picture: Path, run: Path, arms: Iterable[str]) -> None:
    """PSNR on crops of held-out pairs, a line an arm, dashed the input."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axis = figure.subplots()
    floor = 0.0
    for arm in arms:
        log = read_log(run / "training" / arm / "metrics.jsonl")
        seen = [record for record in log if record["kind"] == "validation"]
        steps, found = ([r[key] for r in seen] for key in ("step", "psnr"))
        axis.plot(steps, found, "o-", label=arm, markersize=3)
        floor = seen[-1]["psnr_of_blurry"]
    axis.axhline(floor, linestyle="--", color="grey", label="blurry input")
    axis.set(xlabel="step", ylabel="PSNR on held-out crops (dB)")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.savefig(picture, dpi=110)
