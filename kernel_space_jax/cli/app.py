"""The program `kernel-space`: its verbs, and what they share.

`VERBS` says in which file each verb is. Help and errors need no more; the file, and
JAX with it, is imported when the verb is run.
"""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup

from kernel_space_jax.errors import unknown


class Verb(NamedTuple):
    """The file that defines a verb, its line in the help, and the heading above it."""

    file: str
    says: str
    heading: str


DEBLUR, BLUR = "Take blur out of photos", "Move and make blur"
TRAIN, SCORE = "Train, and look after weights and data", "Measure"
VERBS = {
    "deblur": Verb("deblur", "Take the blur out of photos.", DEBLUR),
    "convert-blur": Verb(
        "deblur", "Turn the blur of photos into a blur that a restorer knows.", DEBLUR
    ),
    "kernels": Verb(
        "deblur",
        "Draw how each place of a photo was blurred, and write the kernels beside it.",
        DEBLUR,
    ),
    "transfer": Verb(
        "blur", "Put the blur between a sharp and a blurry image on other images.", BLUR
    ),
    "sample": Verb(
        "synthesise",
        "Blur an image with new blurs, drawn from a variational kernel space.",
        BLUR,
    ),
    "interpolate": Verb(
        "synthesise", "Blur an image with the blurs between those of two pairs.", BLUR
    ),
    "show-kernel": Verb(
        "synthesise", "Draw the kernels between a sharp and a blurry image.", BLUR
    ),
    "augment": Verb(
        "synthesise",
        "Give sharp images the blur of another data set, as pairs to train on.",
        BLUR,
    ),
    "evaluate": Verb(
        "evaluate",
        "Score methods, weights or folders of results on a data set, as papers do.",
        SCORE,
    ),
    "report": Verb(
        "evaluate", "Put runs of evaluate on one page: images, curves, tables.", SCORE
    ),
    "adapt": Verb(
        "experiments",
        "Adapt a restorer to your camera, from photos without pairs.",
        TRAIN,
    ),
    "blur-swap": Verb(
        "experiments",
        "Train a restorer on pairs, and on the same pairs with their blur swapped.",
        SCORE,
    ),
    "deblurgan": Verb(
        "experiments",
        "Train DeblurGAN on pairs, on synthetic blur, on both; CycleGAN and DualGAN "
        "too.",
        SCORE,
    ),
    "blur2blur": Verb(
        "experiments",
        "Deblur an unknown camera's photos without pairs: Blur2Blur and adaptation.",
        SCORE,
    ),
    "train": Verb("train", "Train a network; run it again to go on.", TRAIN),
    "export": Verb(
        "train",
        "Take the trained network out of a work directory, as one weight file.",
        TRAIN,
    ),
    "export-program": Verb(
        "train",
        "Write a network with its weights as StableHLO, to run without this package.",
        TRAIN,
    ),
    "import-weights": Verb(
        "weights",
        "Turn the authors' checkpoint of a network into a weight file of ours.",
        TRAIN,
    ),
    "weights": Verb(
        "weights", "List the weights at hand, and say how others are had.", TRAIN
    ),
    "describe": Verb(
        "weights", "Say what a weight file holds, and check that it is whole.", TRAIN
    ),
    "data": Verb("data", "Look at data sets, and prepare them.", TRAIN),
}


class Verbs(TyperGroup):
    """The verbs of the table, each imported when it is run."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*VERBS, *(name for name in self.commands if name not in VERBS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb where it is imported, else its line in the help."""
        if cmd_name in self.commands or cmd_name not in VERBS:
            return self.commands.get(cmd_name)
        row = VERBS[cmd_name]
        return TyperCommand(cmd_name, help=row.says, rich_help_panel=row.heading)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name in VERBS:
            import_module(f"{__package__}.{VERBS[name].file}")
            group = typer.main.get_command(app)
            assert isinstance(group, TyperGroup)
            self.commands = group.commands
        elif name not in self.commands and not name.startswith("-"):
            raise unknown("verb", name, self.list_commands(ctx))
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

WeightFile = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        help="A weight file of a kernel space, a network that has learned blur from "
        "pairs; or the name of one that comes with the package.",
    ),
]


@app.callback()
def program() -> None:
    """Find, move and undo blur in images: y = F(x, k).

    `kernel-space VERB --help` lists the options of a verb.
    """
