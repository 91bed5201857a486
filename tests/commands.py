"""`kernel-space ...` on the samples: as a person runs it, and in this process."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import patch

import jax
import pytest

from kernel_space_jax import cli

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
SHARP, BLURRY = SAMPLES / "leaves_sharp.png", SAMPLES / "leaves_blurry.png"
# The same shake as a camera takes it: its light is blurred.
SHAKEN = SAMPLES / "leaves_shaken.png"
SHAPES = SAMPLES / "shapes_sharp.png"


def kernel_space(*arguments) -> CompletedProcess:
    """Runs `kernel-space ...` as a person would."""
    command = [sys.executable, "-m", "kernel_space_jax", *map(str, arguments)]
    # Its programs run for long, so it compiles as a person's would.
    env = os.environ | {"XLA_FLAGS": ""}
    return subprocess.run(command, env=env, capture_output=True, text=True)


def kernel_space_here(*arguments) -> CompletedProcess:
    """The same by the program's entry point, for a new process takes seconds to start.

    The tests' settings of JAX stay as they are.
    """
    command = ["kernel-space", *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", command),
        patch.object(jax.config, "update"),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as end,
    ):
        cli.main()
    code = int(end.value.code or 0)
    return CompletedProcess(command, code, out.getvalue(), err.getvalue())


def assert_one_sentence(result: CompletedProcess, says: str) -> None:
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.strip().splitlines()) == 1
    assert says in result.stderr
