"""Does data whose blur was swapped train a restorer?

    y'_i = F(x_i, G(x_j, y_j)),  j != i drawn for each i

The same restorer is trained on the pairs (x_i, y_i) and on (x_i, y'_i), by one config,
and scored on pairs that neither saw. Each step keeps what is there, so a run that was
stopped goes on.

RUN/swapped/          the pairs with swapped blur
RUN/prepared/ARM/     the pairs of an arm in tiles, to read fast; may be removed
RUN/training/ARM/     a work directory an arm; RUN/ARM.safetensors, what it learned
RUN/curves.png        PSNR on crops of the test pairs, by step
RUN/scores/           the table: Markdown, JSON, CSV, restored images
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from kernel_space_jax.datasets import open_source
from kernel_space_jax.datasets.prepare import Storage, prepare
from kernel_space_jax.datasets.source import FolderSource, Source
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation.evaluate import evaluate
from kernel_space_jax.evaluation.methods import Method, from_weights, named
from kernel_space_jax.evaluation.protocols.blur_swap import BLUR_SWAP
from kernel_space_jax.evaluation.store import Settings
from kernel_space_jax.evaluation.tables import Table
from kernel_space_jax.synthesis.augment import augment, check_pairs
from kernel_space_jax.training.export import export_weights
from kernel_space_jax.training.log import read_log
from kernel_space_jax.training.loop import train
from kernel_space_jax.training.task import Config
from kernel_space_jax.weights import Weights

ORIGINAL, SWAPPED, LEAVES = "original", "swapped", "dead-leaves"
# Of the pairs in training: decoding whole photos would take longer than learning.
TILES = Storage(tile=512)


def blur_swap(
    folder: Path,
    pairs: str,
    test: str,
    config: Config,
    weights: Weights,
    *,
    leaves: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Table:
    """Swaps blur, trains, scores; the table of blurry input and every arm.

    `pairs` and `test` are specs of data sets that share no scene. `config` is of the
    task restorer; its data sets are set here. With `leaves` a third arm sees dead
    leaves under camera shakes alone.
    """
    if config.task != "restorer":
        raise UserError(f"the config is of the task {config.task!r}, not 'restorer'")
    source, held_out = open_source(pairs), open_source(test)
    check_pairs(source, least=2)
    check_pairs(held_out)
    shared = sorted(set(source.names) & set(held_out.names))
    if shared:
        raise UserError(
            f"{shared[0]} is in the training pairs and in the test pairs; "
            "give sets that share no scene"
        )
    swapped = folder / "swapped"
    say(f"moving the blur of {len(source)} pairs")
    augment(source, source, swapped, len(source), weights=weights)
    data = {
        ORIGINAL: _prepared(folder, ORIGINAL, source),
        SWAPPED: _prepared(folder, SWAPPED, open_source(f"pairs:{swapped}")),
    }
    if leaves:
        data[LEAVES] = "synthetic"
    files = [_trained(folder, arm, spec, test, config, say) for arm, spec in
             data.items()]  # fmt: skip
    draw_arms(folder, list(data))

    def methods(names: Sequence[str]) -> list[Method]:
        return [named("blurry"), *map(from_weights, files)]

    settings = Settings(test, BLUR_SWAP.name)
    return evaluate(folder / "scores", settings, methods)


def _prepared(folder: Path, arm: str, source: Source) -> str:
    """The pairs as training reads them: a spec."""
    if not isinstance(source, FolderSource):
        return source.spec
    tiles = folder / "prepared" / arm
    prepare(source, tiles, TILES)
    return f"prepared:{tiles}"


def _trained(
    folder: Path,
    arm: str,
    spec: str,
    test: str,
    config: Config,
    say: Callable[[str], None],
) -> Path:
    """Trains one arm to its last step; the weight file."""
    config = config.copy_and_resolve_references().unlock()
    config.data.train, config.data.weights = (spec,), (1.0,)
    config.data.validation = test
    say(f"training on {arm}")
    workdir = folder / "training" / arm
    train(config, workdir, say=say)
    if read_log(workdir / "metrics.jsonl")[-1]["step"] < config.steps:
        raise UserError(
            f"training on {arm} was stopped; the same command goes on from there"
        )
    file = folder / f"{arm}.safetensors"
    # Not the best: that was chosen on the test pairs.
    export_weights(workdir, file, step=config.steps)
    return file


def draw_arms(folder: Path, arms: Sequence[str]) -> None:
    """curves.png: PSNR on crops of the test pairs, a line an arm, dashed the input."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axis = figure.subplots()
    floor = 0.0
    for arm in arms:
        log = read_log(folder / "training" / arm / "metrics.jsonl")
        seen = [record for record in log if record["kind"] == "validation"]
        steps, found = ([r[key] for r in seen] for key in ("step", "psnr"))
        axis.plot(steps, found, "o-", label=arm, markersize=3)
        floor = seen[-1]["psnr_of_blurry"]
    axis.axhline(floor, linestyle="--", color="grey", label="blurry input")
    axis.set(xlabel="step", ylabel="PSNR on held-out crops (dB)")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.savefig(folder / "curves.png", dpi=110)
