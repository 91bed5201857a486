"""The device check: what it imports, what it writes, and that it runs on a CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "device_check.sh"
sys.path.insert(0, str(ROOT / "scripts"))

from benchmarks.per_pixel import plain, random_field  # noqa: E402
from device_check import convolutions, page, restoration, sides, train  # noqa: E402
from device_check.record import Record  # noqa: E402

# What a borrowed machine may lack.
ABSENT = (
    *("grain", "tensorflow", "tensorflow_datasets", "ml_collections", "typer", "cv2"),
    *("matplotlib", "PIL", "safetensors", "skimage", "torch", "filelock"),
)


def test_parts_import_little():
    program = f"""
import sys
from importlib import import_module
sys.path[:0] = ["scripts", "tests"]
sys.modules.update(dict.fromkeys({ABSENT!r}))
for part in import_module("device_check.page").PARTS:
    assert callable(getattr(import_module("device_check." + part), part))
"""
    command = [sys.executable, "-c", program]
    env = os.environ | {"JAX_COMPILATION_CACHE_DIR": "none"}
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_page_needs_no_jax():
    program = """
import sys
sys.modules.update(dict.fromkeys(["jax", "numpy"]))
sys.path.insert(0, "scripts")
import device_check.page
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_every_row_is_written_at_once(tmp_path):
    record = Record("train", tmp_path, quick=True)
    record.add("a step", "3 images/s", "4 images/s", ratio=2.0, gigabytes=float("nan"))
    found = json.loads((tmp_path / "train.json").read_text())
    assert found["state"] == "running" and found["platform"] == "cpu"
    assert {"jax", "flax", "numpy"} <= found["versions"].keys()
    row = {"name": "a step", "found": "3 images/s", "aim": "4 images/s", "ratio": 2.0}
    assert found["rows"] == [row]
    assert found["peak_memory_gb"] > 0
    record.end()
    assert json.loads((tmp_path / "train.json").read_text())["state"] == "done"


def test_the_page_says_how_each_part_ended(tmp_path):
    done = Record("parity", tmp_path, quick=False)
    done.add("F", "agrees | 1e-6", "1e-4", gigabytes=1.234, difference=1e-6)
    done.end()
    Record("train", tmp_path, quick=False).add("a step", "3 images/s")
    failed = Record("transfer", tmp_path, quick=False)
    failed.end("failed: ValueError: no")
    page.end(tmp_path, "parity", 0, 7)
    page.end(tmp_path, "train", 124, 170)
    page.end(tmp_path, "blind", 139, 2)
    page.end(tmp_path, "transfer", 1, 3)
    lines = (tmp_path / "summary.txt").read_text().splitlines()
    assert lines == [
        "parity: done in 7 s; F: agrees | 1e-6",
        "train: stopped, too slow: the limit was 170 s; a step: 3 images/s",
        "blind: failed: exit code 139; nothing was measured",
        "transfer: failed: ValueError: no; nothing was measured",
    ]
    text = page.page(tmp_path)
    assert f"jax {jax.__version__}" in text and "UTC" in text
    assert "| **parity** |  | done in 7 s |" in text
    assert "|  | F | agrees / 1e-6 | 1e-4 | 1.0e-06 | 1.23 |" in text
    assert "| **blind** |  | failed: exit code 139 |  |  |  |" in text
    assert all(line.count("|") == 7 for line in text.splitlines() if line[:1] == "|")


def test_differences():
    tree = {"a": np.ones(3), "b": np.zeros(2)}
    other = {"a": 2 * np.ones(3), "b": np.zeros(2)}
    assert sides.relative(tree, other) == pytest.approx(0.5)
    assert sides.alike(1e-3) and not sides.alike(float("nan"))


def test_a_size_that_memory_holds():
    def attempt(size: int) -> str:
        if size > 4:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return f"{size} fit"

    assert sides.largest((16, 8, 4, 2), attempt) == (4, "4 fit")
    with pytest.raises(jax.errors.JaxRuntimeError):
        sides.largest((16, 8), attempt)


def test_without_pytorch_rows_say_why(tmp_path, monkeypatch):
    monkeypatch.setattr(sides, "find_spec", lambda name: None)
    _, why = sides.pytorch()
    record = Record("train", tmp_path, quick=True)
    race = train.Race(record, SimpleNamespace(), 1, "eager", why)  # type: ignore[arg-type]
    train._beside(race, "bfloat16", "torch.compile", 1, {})
    assert record.content["rows"] == [
        {
            "name": "beside PyTorch, torch.compile, bfloat16",
            "found": "not measured: PyTorch is not installed",
            "aim": "1.3 x",
        }
    ]


@pytest.mark.parametrize("name", convolutions.FORMS)
def test_forms_of_a_convolution(name):
    """Each form is the sum over taps, written with loops."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(2, 5, 4, 3)).astype(np.float32)
    w = draw.normal(size=(2, 3, 3, 3, 2)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = np.zeros((2, 5, 4, 2))
    for n, a, b in np.ndindex(2, 3, 3):
        expected[n] += padded[n, a : a + 5, b : b + 4] @ w[n, a, b]
    found = convolutions.FORMS[name](jnp.asarray(x), jnp.asarray(w))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_restoration_makes_the_steps_of_the_rival():
    pytest.importorskip("torch")
    (y,) = sides.images(1, 1, 24, 20)
    field = random_field(3, 9, 24, 20)
    ours = plain(jnp.asarray(y), field, 3)
    theirs = restoration._answer(restoration._theirs(y, field, 3))
    assert sides.relative(ours, theirs) < 1e-4


def test_a_part_that_fails_leaves_the_others(tmp_path):
    """With a Python that runs no part, but the page: `train` ends with code 3."""
    fake = tmp_path / "python"
    fake.write_text(f"""#!/bin/sh
case $2 in *.page) exec {sys.executable} "$@" ;; esac
[ "$3" != train ] || exit 3
""")
    fake.chmod(0o755)
    env = os.environ | {"PYTHON": str(fake)}
    command = [SCRIPT, "--out", "found"]
    run = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 1, run.stderr
    lines = (tmp_path / "found" / "summary.txt").read_text().splitlines()
    assert [line.split(":")[0] for line in lines] == list(page.PARTS)
    assert lines[1] == "train: failed: exit code 3; nothing was measured"
    assert lines[2].startswith("blind: not begun")


def test_an_unknown_option():
    run = subprocess.run([SCRIPT, "--fast"], capture_output=True, text=True)
    assert run.returncode == 2 and "--quick" in run.stderr


@pytest.mark.slow
def test_a_quick_run(tmp_path):
    command = [SCRIPT, "--platform", "cpu", "--quick", "--out", tmp_path]
    env = os.environ | {"XLA_FLAGS": "", "PYTHON": sys.executable}
    run = subprocess.run(command, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    for part in page.PARTS:
        found = json.loads((tmp_path / f"{part}.json").read_text())
        assert found["state"] == "done" and found["rows"]
        assert all(row.get("agrees", row.get("equal", True)) for row in found["rows"])
    text = (tmp_path / "page.md").read_text()
    assert "figures say nothing" in text and "PyTorch" in text
    assert len((tmp_path / "summary.txt").read_text().splitlines()) == len(page.PARTS)
