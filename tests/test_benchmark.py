"""The benchmark runs, and its figures are figures."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import benchmark  # noqa: E402
from benchmarks import common, kernel_space, starts  # noqa: E402

from kernel_space_jax.solvers.uniform.starts import PRESETS  # noqa: E402


def figures(tmp_path: Path, *arguments: str) -> tuple[dict, str]:
    path = tmp_path / "figures.json"
    result = CliRunner().invoke(benchmark.app, [*arguments, "--json", str(path)])
    assert result.exit_code == 0, result.output
    return json.loads(path.read_text()), result.output


def positive(values) -> bool:
    array = np.array(list(values))
    return bool(np.all(np.isfinite(array) & (array > 0)))


def test_conv(tmp_path):
    found, output = figures(
        tmp_path, *"conv --size 32 --width 8 --steps 2 --rounds 1".split()
    )
    assert found["difference"] < 1e-5
    assert f"{found['difference']:.1e}" in output
    assert positive([*found["ms_per_step"].values(), found["ratio"]])


def test_basis(tmp_path):
    pytest.importorskip("torch")
    found, _ = figures(
        tmp_path, *"basis --size 32 --width 2 --steps 2 --rounds 1".split()
    )
    assert found["difference"] < 1e-5
    for part in ("network", "restoration"):
        assert positive([*found["ms"][part].values(), found["ratio"][part]])


@pytest.mark.slow
def test_deblur(tmp_path):
    found, output = figures(
        tmp_path, *"deblur --height 64 --width 80 --method map --rounds 1".split()
    )
    # What the first run compiled the later one finds.
    assert 0 < found["later"]["seconds"] < found["first"]["seconds"]
    # Memory of the same run differs by a few per cent.
    assert 1e8 < found["later"]["bytes"] <= 1.1 * found["first"]["bytes"]
    assert f"{found['first']['seconds']:.1f}" in output


@pytest.mark.slow
def test_starts(tmp_path, monkeypatch):
    two = PRESETS["quick"]
    each = [two._replace(strengths=(s,), kept=1, refined=1) for s in two.strengths]
    for name, value in {"ALL": two, "BALANCED": two, "EACH": each}.items():
        monkeypatch.setattr(starts, name, value)
    monkeypatch.setattr(starts, "PRESETS", {"quick": two})
    found, output = figures(
        tmp_path, *"starts --batches 1 --side 32 --size 13 --whole 32".split()
    )
    assert positive(found["1"].values()) and found["seconds"]["quick"] > 0
    assert f"{found['1']['batch']:.3f}" in output


def test_kernel_space(tmp_path):
    pytest.importorskip("torch")
    found, output = figures(
        tmp_path,
        *"kernel-space --shallow --width 4 --batch 1 --rounds 1".split(),
    )
    assert set(found["ms"]) == set(kernel_space.PARTS)
    for part, times in found["ms"].items():
        assert len(times) == 3
        assert positive([*times.values(), found["ratio"][part]])
        assert f"{found['ratio'][part]:.2f}" in output


@pytest.mark.parametrize(
    ("preset", "width", "size", "allowed"),
    [
        ("nafnet-32", 2, "50x37", 1e-5),
        ("restormer", 8, "50x37", 1e-5),
        ("mimo-unet-plus", 4, "50x37", 1e-5),
        # The rivals of these two do not pad, and their norms divide by little.
        ("deblurgan", 4, "64x64", 1e-4),
        ("deblurgan-v2-mobile", 4, "128x128", 1e-4),
    ],
)
def test_restorers(tmp_path, preset, width, size, allowed):
    """Ours and the rival agree in every pixel and gradient before they are timed."""
    pytest.importorskip("torch")
    arguments = f"--preset {preset} --width {width} --shallow --size {size} --rounds 1"
    found, output = figures(tmp_path, "restorers", *arguments.split())
    forward, step = found["rows"].values()
    assert forward["difference"] < allowed
    assert step["difference"] < 10 * allowed
    # PyTorch's gradients of an instance norm are wrong in one of its two layouts.
    assert len(forward["ms"]) == 3 and len(step["ms"]) in (2, 3)
    for row in (forward, step):
        assert positive([*row["ms"].values(), row["ratio"], row["program_gb"]])
        assert f"{row['ratio']:.2f}" in output


def test_restorers_need_a_rival():
    result = CliRunner().invoke(benchmark.app, ["restorers", "--preset", "compact"])
    assert result.exit_code == 2
    assert "nafnet-32" in result.output


@pytest.mark.slow
def test_srn(tmp_path):
    """Ours and TensorFlow's agree in every pixel before they are timed."""
    pytest.importorskip("tensorflow")
    arguments = "srn --shallow --size 32 --width 2 --rounds 1"
    found, output = figures(tmp_path, *arguments.split())
    for row in found["rows"].values():
        assert row["difference"] < 1e-5
        assert positive([*row["ms"].values(), row["ratio"]])
        assert f"{row['ratio']:.2f}" in output


def test_the_table_is_written_over_its_section(tmp_path, monkeypatch):
    page = tmp_path / "speed.md"
    page.write_text("# Speed\n")
    monkeypatch.setattr(common, "PAGE", page)
    arguments = "conv --size 8 --width 2 --steps 1 --rounds 1 --write".split()
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *arguments])
    for _ in range(2):
        _, output = figures(tmp_path, *arguments)
    text = page.read_text()
    assert text.startswith("# Speed")
    assert text.count("## conv") == 1
    assert " ".join(["python scripts/benchmark.py", *arguments]) in text
    assert output in text


def test_all_shows_every_benchmark():
    shown = {words.split()[0] for words in benchmark.SHOWN}
    commands = {f.__name__.replace("_", "-") for f in benchmark.BENCHMARKS}
    # It compiles for an hour.
    assert shown == commands - {"pod"}
    page = common.PAGE.read_text()
    assert "python scripts/benchmark.py all --write" in page


def test_a_platform_that_is_not_there():
    """In a process of its own: the platform of this one is chosen."""
    command = [sys.executable, benchmark.__file__, "--platform", "tpu", "conv"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 2
    assert "no tpu" in run.stderr.splitlines()[-1]


def test_torch_missing(monkeypatch):
    monkeypatch.setattr(common, "find_spec", lambda name: None)
    result = CliRunner().invoke(benchmark.app, ["kernel-space"])
    assert result.exit_code == 2
    assert ".[torch]" in result.output


def test_train(tmp_path):
    pytest.importorskip("torch")
    found, output = figures(
        tmp_path, *"train --shallow --width 4 --batch 1 --rounds 1".split()
    )
    assert set(found["seconds"]) == {"ours f32", "ours bf16", "torch"}
    assert positive([*found["seconds"].values(), *found["gigabytes"].values()])
    assert "images/s" in output


def test_adversarial(tmp_path):
    """Both players' losses agree with the rival's, after five updates of a critic."""
    pytest.importorskip("torch")
    found, output = figures(
        tmp_path,
        *"adversarial --width 4 --blocks 1 --size 64 --batch 2 --rounds 1".split(),
    )
    assert found["rows"].keys() == {"DeblurGAN", "CycleGAN"}
    for row in found["rows"].values():
        assert row["difference"] < 1e-5
        assert len(row["ms"]) == 3
        assert positive([*row["ms"].values(), row["ratio"], row["program_gb"]])
        assert f"{row['ratio']:.2f}" in output


@pytest.mark.slow
def test_blur2blur(tmp_path):
    """Both players' losses agree with the rival's."""
    pytest.importorskip("torch")
    words = "blur2blur --width 4 --blocks 1 --size 256 --batch 2 --rounds 1"
    found, output = figures(tmp_path, *words.split())
    assert found["difference"] < 1e-4
    assert positive([*found["ms"].values(), found["ratio"], found["program_gb"]])
    assert f"{found['ratio']:.2f}" in output


@pytest.mark.slow
def test_face(tmp_path):
    """Two steps of the latents have the rival's losses."""
    pytest.importorskip("torch")
    found, output = figures(tmp_path, *"face --width 8 --style 8 --rounds 1".split())
    assert found["difference"] < 1e-4
    assert positive([*found["ms"].values(), found["ratio"], found["program_gb"]])
    assert f"{found['ratio']:.2f}" in output


def test_transfer(tmp_path):
    """A size that both must reflect; the weights are the shipped ones, in both."""
    pytest.importorskip("torch")
    found, output = figures(tmp_path, *"transfer --size 150x130 --rounds 1".split())
    measured = found["sizes"]["150x130"]
    assert measured["difference"] < 1e-4
    assert len(measured["images_per_second"]) == 3
    assert positive([*measured["images_per_second"].values(), measured["ratio"]])
    assert f"{measured['ratio']:.2f}" in output


@pytest.mark.slow
def test_blind(tmp_path):
    """The same loss in both, and figures of each way for each batch."""
    pytest.importorskip("torch")
    found, output = figures(
        tmp_path, *"blind --share 8 --shallow --steps 3 --rounds 1".split()
    )
    assert found["difference"] < 1e-4
    measured = found["batches"]["1"]
    assert set(measured["seconds"]) == {
        "ours, map",
        "torch contiguous_format",
        "torch channels_last",
    }
    assert positive([*measured["seconds"].values(), *measured["ratio"].values()])
    assert f"{measured['compile_s']['ours, map']:.1f}" in output


def test_blind_batches_are_a_list():
    pytest.importorskip("torch")
    result = CliRunner().invoke(benchmark.app, ["blind", "--batches", "1,none"])
    assert result.exit_code == 2
    assert "1,8,32" in result.output
