"""The benchmark of the scores runs, and its figures are figures."""

import json
import sys
from pathlib import Path

import numpy as np
import typer
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from benchmarks.scores import scores  # noqa: E402


def test_scores(tmp_path):
    app = typer.Typer()
    app.command()(scores)
    words = f"--pairs 3 --height 96 --width 128 --rounds 1 --json {tmp_path}/figures"
    result = CliRunner().invoke(app, words.split())
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "figures").read_text())
    (row,) = found["rows"].values()
    times = [found["folder_s"], *row["ms"].values()]
    assert len(times) == 3 and np.all(np.array(times) > 0)
    # In dB; on so small an image OpenCV's rounded coordinates show.
    assert row["difference"] < 0.05
    assert f"{found['folder_s']:.1f} s" in result.output
