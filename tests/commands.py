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
import numpy as np
import pytest

from kernel_space_jax import Photo, cli, read, write

ROOT = Path(__file__).parent.parent
WHOLE = ROOT / "data" / "samples"
# Parts of them, all of one size: half of the time, and programs that are shared.
ROWS, COLUMNS = 192, 256
SAMPLES = ROOT / ".cache" / "samples"
SHARP, BLURRY = SAMPLES / "leaves_sharp.png", SAMPLES / "leaves_blurry.png"
# The same shake as a camera takes it: its light is blurred.
SHAKEN = SAMPLES / "leaves_shaken.png"
SHAPES = SAMPLES / "shapes_sharp.png"


def _write_parts() -> None:
    for path in WHOLE.glob("*.png"):
        part, file = read(path).pixels[:ROWS, :COLUMNS], SAMPLES / path.name
        # Another process may read it already.
        if not file.exists() or not np.array_equal(read(file).pixels, part):
            write(file, Photo(part))


_write_parts()


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
