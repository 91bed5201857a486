"""The program `kernel-space` and what its verbs share."""

from pathlib import Path
from typing import Annotated

import jax
import typer
from rich.console import Console

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
