"""`kernel-space VERB`: each verb is a call or two of the public face."""

import sys

from rich.markup import escape
from typer.exceptions import TyperException

from kernel_space_jax.cli.app import app, err
from kernel_space_jax.errors import UserError


def main() -> None:
    """The entry point: what a person did wrong is one sentence and exit code 2."""
    try:
        code = app(standalone_mode=False, prog_name="kernel-space")
    except UserError as error:
        code = _refuse(str(error))
    except TyperException as error:
        code = _refuse(" ".join(error.format_message().split()))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        code = _refuse(f"{where}{error.strerror or error}")
    sys.exit(code if isinstance(code, int) else 0)


def _refuse(sentence: str) -> int:
    # Without arguments the help is shown, and nothing is left to say.
    if sentence:
        err.print(f"[bold red]error:[/] {escape(sentence)}")
    return 2
