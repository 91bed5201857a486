"""Tries bad inputs and options on every verb and on the Python face.

    python scripts/try_bad_inputs.py            # a table of what went wrong
    python scripts/try_bad_inputs.py --all      # a table of every try

A command must end with exit code 2 and one sentence, a call with a `UserError`, and
every file must be what and where it was. Exits with 1 if a try ended otherwise.
"""

import io
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from unittest.mock import patch

import numpy as np
import typer
from bad_inputs import calls, commands, world
from rich.console import Console
from rich.table import Table

from kernel_space_jax import cli
from kernel_space_jax.errors import UserError

# Results may differ from a photo of 8 bits by its rounding.
ROUNDING = 0.51 / 255


class Outcome(NamedTuple):
    """What was tried, what was said, and what was wrong with that, if anything was."""

    tried: str
    said: str
    wrong: str


def try_commands(words: Sequence[str], root: Path) -> Iterator[Outcome]:
    """Runs commands in this process, in the folder `root`."""
    before = world.snapshot(root)
    for line in words:
        code, said, err = _run(line.split())
        after = world.snapshot(root)
        yield Outcome(line, err.strip(), _wrong(line, code, said, err, before, after))
        before = after


def try_calls(root: Path) -> Iterator[Outcome]:
    """Makes calls of the Python face, in the folder `root`."""
    calls.see_all()
    for what, call in calls.refused().items():
        before = world.snapshot(root)
        said = _called(call)
        wrong = "" if said.startswith("UserError: ") else "not refused"
        if before != world.snapshot(root):
            wrong = "files changed"
        yield Outcome(what, said, wrong)
    for what, (call, photo) in calls.understood().items():
        try:
            found = call()
        except Exception as error:
            yield Outcome(what, f"{type(error).__name__}: {error}", "not understood")
            continue
        same = found.shape == photo.shape and np.abs(found - photo).max() < ROUNDING
        yield Outcome(what, f"{found.shape}", "" if same else "another photo")


def _run(words: list[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `kernel-space ...`; a traceback is code -1."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["kernel-space", *words]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException:
            code = -1
            traceback.print_exc(limit=-1)
    return code, out.getvalue(), err.getvalue()


def _wrong(line: str, code: int, said: str, err: str, before: dict, after: dict) -> str:
    """What is wrong with the end of a command, or nothing."""
    changed = sorted(k for k in before if after.get(k) != before[k])
    if changed:
        return f"{changed[0]} changed"
    if new := sorted(after.keys() - before.keys()):
        return f"{new[0]} was left"
    if code == -1:
        return "traceback"
    # It says on stdout what is wrong with a data set.
    if line.startswith("data check") and code == 1 and "problem: " in said:
        return ""
    # Help, where a command is not complete.
    if line == "data" and code == 2:
        return ""
    if code != 2:
        return f"exit code {code}"
    if not err.startswith("error: ") or len(err.strip().splitlines()) != 1:
        return "not one sentence"
    return ""


def _called(call: Any) -> str:
    try:
        return f"gave {type(call()).__name__}"
    except UserError as error:
        text = str(error)
        return f"UserError: {text}" if "\n" not in text else f"lines: {text}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[:1]}"


def main(
    everything: Annotated[
        bool, typer.Option("--all", help="Show every try, not those alone that fail.")
    ] = False,
    training: Annotated[
        bool, typer.Option(help="Also try configs that cannot be trained.")
    ] = True,
) -> None:
    """Tries them all."""
    outcomes = []
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        root = Path(folder)
        world.make(root)
        lines = list(commands.commands(training=training))
        if not world.can_be_locked(root):
            lines = [line for line in lines if "locked" not in line]
        os.environ["COLUMNS"] = "200"
        tries = (*([line] for line in lines), None)
        for number, line in enumerate(tries):
            found = try_calls(root) if line is None else try_commands(line, root)
            outcomes.extend(found)
            print(f"\r{number + 1} of {len(tries)}", end="", file=sys.stderr)
        (root / "locked").chmod(0o700)
    wrong = [outcome for outcome in outcomes if outcome.wrong]
    table = Table("tried", "said", "wrong")
    for outcome in outcomes if everything else wrong:
        table.add_row(*(text.replace("[", "\\[") for text in outcome))
    console = Console(width=200)
    console.print(table)
    console.print(f"{len(outcomes)} tries, {len(wrong)} of them bad")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    typer.run(main)
