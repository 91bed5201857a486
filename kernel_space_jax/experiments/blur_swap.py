"""Does data whose blur was swapped train a restorer?

    y'_i = F(x_i, G(x_j, y_j)),  j != i drawn for each i

The same restorer is trained on the pairs (x_i, y_i) and on (x_i, y'_i), by one config,
and scored on pairs that neither saw. Each step keeps what is there, so a run that was
stopped goes on.

RUN/swapped/     the pairs with swapped blur
RUN/...          the arms (arms.py)
RUN/curves.png   PSNR on crops of the test pairs, by step
RUN/scores/      the table: Markdown, JSON, CSV, restored images
"""

from collections.abc import Sequence
from pathlib import Path

from kernel_space_jax.datasets import open_source
from kernel_space_jax.errors import UserError
from kernel_space_jax.evaluation.evaluate import evaluate
from kernel_space_jax.evaluation.methods import Method, from_weights, named
from kernel_space_jax.evaluation.protocols.blur_swap import BLUR_SWAP
from kernel_space_jax.evaluation.store import Settings
from kernel_space_jax.evaluation.tables import Table
from kernel_space_jax.experiments.arms import (
    Say,
    check_apart,
    draw_arms,
    prepared,
    trained,
)
from kernel_space_jax.synthesis.augment import augment, check_pairs
from kernel_space_jax.training.task import Config
from kernel_space_jax.weights import Weights

ORIGINAL, SWAPPED, LEAVES = "original", "swapped", "dead-leaves"


def blur_swap(
    folder: Path,
    pairs: str,
    test: str,
    config: Config,
    weights: Weights,
    *,
    leaves: bool = False,
    say: Say = lambda text: None,
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
    check_apart(source, held_out)
    swapped = folder / "swapped"
    say(f"moving the blur of {len(source)} pairs")
    augment(source, source, swapped, len(source), weights=weights)
    data = {
        ORIGINAL: prepared(folder, ORIGINAL, source),
        SWAPPED: prepared(folder, SWAPPED, open_source(f"pairs:{swapped}")),
    }
    if leaves:
        data[LEAVES] = "synthetic"
    files = []
    for arm, spec in data.items():
        own = config.copy_and_resolve_references().unlock()
        own.data.train, own.data.weights = (spec,), (1.0,)
        own.data.validation = test
        files.append(trained(folder, arm, own, say))
    draw_arms(folder / "curves.png", folder, data)

    def methods(names: Sequence[str]) -> list[Method]:
        return [named("blurry"), *map(from_weights, files)]

    settings = Settings(test, BLUR_SWAP.name)
    return evaluate(folder / "scores", settings, methods)
