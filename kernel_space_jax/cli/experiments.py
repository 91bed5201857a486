"""Verbs that train and then score, or make data and train on them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.cli.app import app, err, out
from kernel_space_jax.cli.evaluate import InMarkdown, check_table, write_table
from kernel_space_jax.cli.outputs import Overwrite, claim, claim_folder, folder_of
from kernel_space_jax.cli.progress import Bar
from kernel_space_jax.files import write_whole

# Keys of a config may follow: --config.steps=1000.
EXPERIMENT = {"allow_extra_args": True, "ignore_unknown_options": True}
RunFolder = Annotated[Path, typer.Option("-o", "--output", help="Folder of the run.")]
Title = Annotated[str, typer.Option(help="The table's title.")]


@app.command("blur-swap", context_settings=EXPERIMENT)
def blur_swap(
    context: typer.Context,
    pairs: Annotated[str, typer.Option("--train", help="Pairs to learn, NAME:PATH.")],
    test: Annotated[str, typer.Option(help="Pairs of other scenes, NAME:PATH.")],
    output: RunFolder,
    config: Annotated[
        Path,
        typer.Option(
            help="The config of a restorer, a file or the name of one that comes with "
            "the package."
        ),
    ] = Path("restorer"),
    weight_file: Annotated[
        Path,
        typer.Option(
            "--weights",
            help="The kernel space that moves blur between pairs, a weight file.",
        ),
    ] = Path("kernel-space"),
    leaves: Annotated[
        bool,
        typer.Option(
            "--leaves",
            help="Also train on made-up pictures of dead leaves, to compare.",
        ),
    ] = False,
    title: Title = "Blur swap",
    table: InMarkdown = None,
) -> None:
    """Train a restorer on pairs, and on the same pairs with their blur swapped.

    Both are scored on the test pairs. Any key of the config may follow:
    --config.steps=1000. Run it again after an interruption: it goes on.
    """
    from kernel_space_jax.experiments.blur_swap import blur_swap as run
    from kernel_space_jax.training.config import load_config

    _claim_run(output, [pairs, test], table, "swapped")
    found = run(
        output,
        pairs,
        test,
        load_config(config, context.args),
        weights.load(weight_file),
        leaves=leaves,
        say=lambda text: err.print(escape(text)),
    )
    write_table(output / "scores", found, title, table)
    out.print(f"written to {escape(str(output))}")


@app.command("deblurgan", context_settings=EXPERIMENT)
def deblurgan(
    context: typer.Context,
    pairs: Annotated[str, typer.Option("--train", help="Pairs to learn, NAME:PATH.")],
    photos: Annotated[
        str, typer.Option("--photos", help="Sharp photos to learn, NAME:PATH.")
    ],
    test: Annotated[str, typer.Option(help="Pairs of other scenes, NAME:PATH.")],
    test_photos: Annotated[str, typer.Option(help="Other sharp photos, NAME:PATH.")],
    output: RunFolder,
    kohler: Annotated[
        str, typer.Option(help="Köhler's photos, to score too: kohler:PATH.")
    ] = "",
    recipe: Annotated[
        str,
        typer.Option(
            help="small: minutes on two cores for each network. published: the "
            "authors' schedules, and weights of VGG19."
        ),
    ] = "small",
    title: Title = "DeblurGAN",
    table: InMarkdown = None,
) -> None:
    """Train DeblurGAN on pairs, on synthetic blur, on both; CycleGAN and DualGAN too.

    All are scored on the test pairs, on the other photos under new camera shakes, and
    on Köhler's photos. Any key of the configs may follow: --config.steps=1000. Run it
    again after an interruption: it goes on.
    """
    from kernel_space_jax.experiments import deblurgan as experiment

    _claim_run(output, [pairs, photos, test, test_photos], table, "shaken")
    found = experiment.deblurgan(
        output,
        experiment.Sets(pairs, photos, test, test_photos, kohler),
        experiment.recipe(recipe, context.args),
        say=lambda text: err.print(escape(text)),
    )
    for name, one in found.items():
        write_table(output / f"scores-{name}", one, f"{title}, {name}", table)
    out.print(f"written to {escape(str(output))}")


@app.command("blur2blur", context_settings=EXPERIMENT)
def blur2blur(
    context: typer.Context,
    known: Annotated[
        str,
        typer.Option(
            help="Sharp photos to learn the known blur from, NAME:PATH; or pairs whose "
            "blur --restorer knows."
        ),
    ],
    camera: Annotated[
        str,
        typer.Option(help="Sharp photos for the unknown camera, or its pairs."),
    ],
    test: Annotated[str, typer.Option(help="The same of other scenes.")],
    output: RunFolder,
    restorer: Annotated[
        str,
        typer.Option(
            help="A weight file or the name of installed ones; else one learns here."
        ),
    ] = "",
    arm: Annotated[
        list[str] | None,
        typer.Option(
            help="What is trained and scored, by default all of docs/protocols/"
            "blur2blur.md; may be repeated."
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="How often everything is done.")
    ] = 1,
    title: Title = "Blur2Blur",
    table: InMarkdown = None,
) -> None:
    """Deblur an unknown camera's photos without pairs: Blur2Blur and adaptation.

    A small restorer learns photos under camera shakes. The unknown camera's photos are
    made of moving things, with noise and saturation. Any key of the configs may follow,
    of all (--config.steps=400) or of one (--translator.steps=400). Run it again after
    an interruption: it goes on.
    """
    from kernel_space_jax.experiments import blur2blur as experiment

    _claim_run(output, [known, camera, test], table, "seed-0")
    found = experiment.over_seeds(
        output,
        seeds,
        experiment.Sets(known, camera, test),
        context.args,
        restorer=restorer,
        arms=arm or experiment.ARMS,
        say=lambda text: err.print(escape(text)),
    )
    for name, one in found.items():
        write_table(output / f"scores-{name}", one, f"{title}, {name} blur", table)
    out.print(f"written to {escape(str(output))}")


@app.command("adapt", context_settings=EXPERIMENT)
def adapt(
    context: typer.Context,
    blurry: Annotated[Path, typer.Option(help="A folder of your blurry photos.")],
    sharp: Annotated[
        Path, typer.Option(help="A folder of sharp photos by the same camera.")
    ],
    start: Annotated[
        str,
        typer.Option(
            help="The restorer: a weight file, or the name of installed ones."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The weight file.")],
    run: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the new pairs and of the training. Without it NAME-run "
            "beside the weight file."
        ),
    ] = None,
    pairs: Annotated[int, typer.Option(min=1, max=10**6, help="How many pairs.")] = 64,
    known: Annotated[
        str,
        typer.Option(
            help="Pairs whose blur the restorer is not to forget, NAME:PATH: half of "
            "what it learns from."
        ),
    ] = "",
    overwrite: Overwrite = False,
) -> None:
    """Adapt a restorer to your camera, from photos without pairs.

    A network finds the blur of your blurry photos, for each pixel. It is put on sharp
    photos, and the restorer learns from these pairs. Any key of configs/adapt.py
    may follow: --config.steps=2000. Run it again after an interruption: it goes on.
    """
    from kernel_space_jax.datasets import open_source
    from kernel_space_jax.experiments.adapt import FINDER
    from kernel_space_jax.experiments.adapt import adapt as learn
    from kernel_space_jax.training.config import load_config

    folder = run or output.with_name(f"{output.stem}-run")
    claim([output], overwrite=overwrite)
    sets = [f"images:{blurry}", f"images:{sharp}", *([known] if known else [])]
    _claim_run(folder, sets, None, "pairs")
    with Bar("making pairs:") as bar:
        file = learn(
            folder,
            open_source(f"images:{blurry}?kind=blurry"),
            open_source(f"images:{sharp}"),
            weights.load(FINDER),
            load_config(f"adapt:{start}", context.args),
            pairs=pairs,
            known=known,
            say=lambda text: err.print(escape(text)),
            tell=bar.tell,
        )
    write_whole(output, file.read_bytes())
    out.print(escape(str(output)))


def _claim_run(output: Path, specs: list[str], table: Path | None, made: str) -> None:
    """A `UserError` if the folder holds something else; a run's holds `made`."""
    from absl import logging

    claim_folder(output, [folder_of(spec) for spec in specs])
    if output.exists() and any(output.iterdir()) and not (output / made).exists():
        raise ks.UserError(
            f"{output} holds something other than such a run; give a new folder with -o"
        )
    check_table(table)
    # What Orbax logs in pages, the error says in a sentence.
    logging.set_verbosity(logging.FATAL)
