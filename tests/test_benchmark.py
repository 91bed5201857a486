"""The benchmark runs, and its figures are figures."""

import json
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import kernel_space_jax as ks

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import benchmark  # noqa: E402
from benchmarks import common, kernel_space, restorers, starts, timing  # noqa: E402
from benchmarks.rows import Row, draw  # noqa: E402

from kernel_space_jax.models.layers.convolution import convolve  # noqa: E402
from kernel_space_jax.solvers.uniform.starts import PRESETS  # noqa: E402


def figures(tmp_path: Path, *arguments: str) -> tuple[dict, str]:
    path = tmp_path / "figures.json"
    result = CliRunner().invoke(benchmark.app, [*arguments, "--json", str(path)])
    assert result.exit_code == 0, result.output
    return json.loads(path.read_text()), result.output


def check(row: dict, output: str, allowed: float, rivals: int = 2) -> None:
    """Both sides computed the same, and the row says how long they took."""
    assert row["difference"] < allowed
    assert len(row["ms"]) == 1 + rivals
    times = [ms for rounds in row["rounds"].values() for ms in rounds]
    known = [row[name] for name in ("ratio", "compile_s") if name in row]
    assert all(np.isfinite(value) and value > 0 for value in [*times, *known])
    assert row["spread"][0] <= row["spread"][1]
    assert f"| {row['ratio']:.2f} |" in output


def test_conv(tmp_path):
    found, output = figures(
        tmp_path, *"conv --size 32 --width 8 --steps 2 --rounds 1".split()
    )
    (row,) = found["rows"].values()
    check(row, output, 1e-5, rivals=1)


def test_basis(tmp_path):
    pytest.importorskip("torch")
    found, output = figures(
        tmp_path, *"basis --size 32 --width 2 --steps 2 --rounds 1".split()
    )
    assert len(found["rows"]) == 2
    for row in found["rows"].values():
        check(row, output, 1e-5, rivals=1)


@pytest.mark.slow
def test_deblur(tmp_path):
    found, output = figures(
        tmp_path, *"deblur --height 64 --width 80 --method map --rounds 1".split()
    )
    # What the first run compiled the later one finds.
    assert found["first"]["programs"] > 0 and found["later"]["programs"] == 0
    assert found["first"]["seconds"] > 0 and found["later"]["seconds"] > 0
    # Memory of the same run differs by a few per cent.
    assert 1e8 < found["later"]["bytes"] <= 1.1 * found["first"]["bytes"]
    assert f"{found['first']['seconds']:.1f}" in output


@pytest.mark.slow
def test_starts(tmp_path, monkeypatch):
    two = PRESETS["quick"]
    each = [two._replace(strengths=(s,), kept=1, refined=1) for s in two.strengths]
    every = two._replace(kept=two.count, refined=two.count)
    for name, value in {"ALL": every, "EACH": each}.items():
        monkeypatch.setattr(starts, name, value)
    monkeypatch.setattr(starts, "PRESETS", {"quick": two})
    found, output = figures(
        tmp_path, *"starts --batches 1 --side 32 --size 13 --whole 32".split()
    )
    (row,) = found["rows"].values()
    check(row, output, 1e-2, rivals=1)
    assert found["seconds"]["quick"] > 0


def test_kernel_space(tmp_path):
    pytest.importorskip("torch")
    found, output = figures(
        tmp_path,
        *"kernel-space --shallow --width 4 --batch 1 --rounds 1".split(),
    )
    assert set(found["rows"]) == set(kernel_space.PARTS.values())
    for row in found["rows"].values():
        check(row, output, 1e-4)


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
    check(forward, output, allowed)
    # PyTorch's gradients of an instance norm are wrong in one of its two layouts.
    check(step, output, 10 * allowed, rivals=len(step["ms"]) - 1)
    assert len(step["ms"]) in (2, 3)


def test_gradients_that_rounding_keeps_apart_are_compared_in_double(
    tmp_path, monkeypatch
):
    pytest.importorskip("torch")
    monkeypatch.setattr(restorers, "GRADIENTS", 1e-9)
    arguments = "--preset deblurgan --width 4 --shallow --size 64x64 --rounds 1"
    found, output = figures(tmp_path, "restorers", *arguments.split())
    _, step = found["rows"].values()
    check(step, output, 1e-9, rivals=len(step["ms"]) - 1)


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
        check(row, output, 1e-5, rivals=1)


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
    commands = {f.__name__.replace("_", "-") for f in benchmark.BENCHMARKS}

    def names(shown: tuple[str, ...]) -> set[str]:
        return {words.removeprefix("--keep-memory ").split()[0] for words in shown}

    # It compiles for an hour.
    assert names(benchmark.SHOWN) == commands - {"pod"}
    # These have no rival, or take long.
    without = {"pod", "train", "deblur", "scaling", "starts"}
    assert names(benchmark.QUICK) == commands - without
    page = common.PAGE.read_text()
    assert "python scripts/benchmark.py all --quick --write" in page


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
    assert min(*found["seconds"].values(), *found["gigabytes"].values()) > 0
    assert "images/s" in output


def test_adversarial(tmp_path):
    """Both players' losses agree with the rival's, after five updates of a critic."""
    pytest.importorskip("torch")
    found, output = figures(
        tmp_path,
        *"adversarial --width 4 --blocks 1 --size 64 --batch 2 --rounds 1".split(),
    )
    assert len(found["rows"]) == 2
    for row in found["rows"].values():
        check(row, output, 1e-5)


@pytest.mark.slow
def test_blur2blur(tmp_path):
    """Both players' losses agree with the rival's."""
    pytest.importorskip("torch")
    words = "blur2blur --width 4 --blocks 1 --size 256 --batch 2 --rounds 1"
    found, output = figures(tmp_path, *words.split())
    (row,) = found["rows"].values()
    check(row, output, 1e-4)


@pytest.mark.slow
def test_face(tmp_path):
    """Two steps of the latents have the rival's losses."""
    pytest.importorskip("torch")
    found, output = figures(tmp_path, *"face --width 8 --style 8 --rounds 1".split())
    step, modulated = found["rows"].values()
    check(step, output, 1e-4)
    check(modulated, output, 1e-4, rivals=1)


def test_transfer(tmp_path):
    """A size that both must reflect; the weights are the shipped ones, in both."""
    pytest.importorskip("torch")
    found, output = figures(tmp_path, *"transfer --size 150x130 --rounds 1".split())
    (row,) = found["rows"].values()
    check(row, output, 1e-4)


@pytest.mark.slow
def test_blind(tmp_path):
    """The same loss in both, and figures of each way for each batch."""
    pytest.importorskip("torch")
    found, output = figures(
        tmp_path, *"blind --share 8 --shallow --steps 3 --rounds 1".split()
    )
    (row,) = found["rows"].values()
    check(row, output, 1e-4)
    assert row["share_of_peak"] > 0


def test_blind_batches_are_a_list():
    pytest.importorskip("torch")
    result = CliRunner().invoke(benchmark.app, ["blind", "--batches", "1,none"])
    assert result.exit_code == 2
    assert "1,8,32" in result.output


def test_unequal_work_is_not_timed(capsys):
    say = common.Report("test")
    say.compare("sum", {}, 1, difference=2e-3, allowed=1e-3)
    assert not say.rows
    with pytest.raises(typer.Exit):
        say.close(None, write=False)
    assert "sum: ours and the other differ by 2.0e-03" in capsys.readouterr().err


def test_a_row():
    times = {"ours": [10.0, 20.0, 30.0], "a": [40.0, 40.0, 40.0], "b": [90.0] * 3}
    row = Row("sum", times, 0.0, gigaflops=1.0, peak=100.0)
    assert row.best == "a" and row.ratio == 2
    assert row.spread == (40 / 30, 4)
    # A gigaflop in 20 ms is half of 100 a second.
    assert row.share == 0.5
    assert "compile_s" not in json.loads(json.dumps(row.figures()))


def test_flops_are_those_of_the_mathematics():
    """Whatever the layers make of it on a CPU."""
    x, w = jnp.zeros((1, 64, 64, 32)), jnp.zeros((3, 3, 32, 32))
    inside = (3 * 64 - 2) ** 2  # products with pixels, not with the padding
    found = timing.gigaflops(lambda x, w: convolve(x, w, 1, 1), x, w)
    assert found == pytest.approx(2 * inside * 32 * 32 / 1e9)


@pytest.mark.slow
def test_a_part_that_cannot_run_says_why(monkeypatch):
    """The others run, and a summary shows them, the slowest of ours first."""
    words = ("conv --size 8 --width 2 --steps 1 --rounds 1", "maxim --package none")
    monkeypatch.setattr(benchmark, "QUICK", words)
    result = CliRunner().invoke(benchmark.app, ["all", "--quick"])
    assert result.exit_code == 0, result.output
    assert "not measured: no none here" in result.output
    assert "| convolutions that learn in a loop |" in result.output


def test_the_picture(tmp_path):
    file = tmp_path / "bars.png"
    draw({"a": 0.5, "b": 60.0}, [(0.4, 0.6), (50, 70)], "a machine", file)
    assert ks.read(file).pixels.shape[2] == 3


@pytest.mark.slow
def test_scaling(tmp_path):
    """Two processes of four devices compute what one device does."""
    found, output = figures(tmp_path, *"scaling --devices 1 --width 2".split())
    alone, spread = found["scaling"]
    assert not alone["sent"] and set(spread["sent"]) == {"all-reduce"}
    assert spread["apart"] < 1e-5 and len(set(alone["losses"])) == 3
    assert f"{spread['apart']:.1e}" in output
