"""The program `kernel-space` and what its verbs share."""

from pathlib import Path
from typing import Annotated

import jax
import typer
from rich.console import Console

from kernel_space_jax import images
from kernel_space_jax.errors import UserError

app = typer.Typer(
    help="Find, move and undo blur: y = F(x, k).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

WeightFile = Annotated[
    Path | None,
    typer.Option("--weights", help="A weight file of a kernel space."),
]


@app.callback()
def settings() -> None:
    """Find, move and undo blur: y = F(x, k)."""
    # Compiled programs are kept, so that the second run of a verb starts at once.
    cache = Path.home() / ".cache" / "kernel_space_jax"
    jax.config.update("jax_compilation_cache_dir", str(cache))


def result_paths(
    targets: list[Path], output: Path, reserved: str | None = None
) -> list[Path]:
    """Where each result goes: the names of the targets, in the output folder."""
    results = [output / target.name for target in targets]
    names = [path.name for path in results] + ([reserved] if reserved else [])
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UserError(
            f"two results would be called {twice}; rename one or run them apart"
        )
    for target, result in zip(targets, results, strict=True):
        if result.resolve() == target.resolve():
            raise UserError(
                f"{result} would overwrite its own input; give another folder with -o"
            )
        images.check_suffix(result)
    return results
