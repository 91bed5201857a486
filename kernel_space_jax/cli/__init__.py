"""`kernel-space VERB`: each verb is a call or two of the public face."""

import sys

from rich.markup import escape

# Importing a file of verbs adds them to the program, in this order.
from kernel_space_jax.cli import (  # noqa: F401
    blur,
    data,
    deblur,
    evaluate,
    synthesise,
    train,
    weights,
)
from kernel_space_jax.cli.app import app, err
from kernel_space_jax.errors import UserError


def main() -> None:
    """The entry point: what a person did wrong is one sentence and exit code 2."""
    try:
        app()
    except UserError as error:
        err.print(f"[bold red]error:[/] {escape(str(error))}")
        sys.exit(2)
