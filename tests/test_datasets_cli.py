"""kernel-space data check, prepare, show: what they say, make, and refuse."""

import subprocess
import sys

import numpy as np
import pytest
import tiny_data
from commands import assert_one_sentence, kernel_space_here
from tiny_data import picture, write

import kernel_space_jax as ks
from kernel_space_jax.datasets import open_source
from kernel_space_jax.datasets.preview import examples, sheet
from kernel_space_jax.operators.uniform import convolve
from kernel_space_jax.sheets import CAPTION_HEIGHT, GAP, PAGE_WIDTH


def run(*arguments) -> tuple[int, str, str]:
    """Runs `kernel-space data ...`."""
    done = kernel_space_here("data", *arguments)
    return done.returncode, done.stdout, done.stderr


def test_check_counts(tmp_path):
    code, out, err = run("check", f"gopro:{tiny_data.gopro(tmp_path)}")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "5 records",
        "  split test: 2",
        "  split train: 3",
        "  with blurry: 5",
        "  with sharp: 5",
        "  30 x 24 pixels: 10 pictures",
        "no problems",
    ]


def test_check_names_every_problem(tmp_path):
    folder = tiny_data.gopro(tmp_path, train=6) / "train/GOPR00_11_00"
    (folder / "sharp/000001.png").unlink()
    (folder / "blur/000002.png").unlink()
    noise = np.random.default_rng(0).integers(0, 256, (24, 30, 3), np.uint8)
    for half in ("blur", "sharp"):
        write(folder / half / "000003.png", noise)
        tiny_data.damage(folder / half / "000003.png")
    write(folder / "sharp/000004.png", picture(0, height=26))
    (folder / "blur/000005.png").write_text("no picture")
    code, out, err = run("check", f"gopro:{tmp_path}")
    assert (code, err) == (1, "")
    problems = [line for line in out.splitlines() if line.startswith("problem: ")]
    assert len(problems) == 6
    for says in (
        "blur/000001.png has no sharp partner",
        "sharp/000002.png has no blurry partner",
        "blur/000003.png is truncated or damaged",
        "sharp/000003.png is truncated or damaged",
        "blur/000004.png is 30 x 24 pixels and its sharp partner",
        "blur/000005.png is not an image",
    ):
        assert sum(says in problem for problem in problems) == 1, says
    assert out.splitlines()[-1] == "6 problems"


def test_check_looks_into_frames_and_kernels(tmp_path):
    write(tmp_path / "Blurry1_1.png", picture(1))
    write(tmp_path / "GroundTruth1_1_1.png", picture(1))
    write(tmp_path / "GroundTruth1_1_2.png", picture(1, width=20))
    (tmp_path / "GroundTruth1_1_3.png").write_text("no picture")
    code, out, _ = run("check", f"kohler:{tmp_path}")
    assert code == 1
    assert "GroundTruth1_1_2.png is 20 x 24 pixels, the frames before it 30 x 24" in out
    assert "GroundTruth1_1_3.png is not an image" in out


def test_check_of_a_prepared_folder(tmp_path):
    spec = f"gopro:{tiny_data.gopro(tmp_path / 'in')}"
    assert run("prepare", spec, "-o", tmp_path / "out")[0] == 0
    code, out, _ = run("check", f"prepared:{tmp_path}/out")
    assert code == 0 and out.splitlines()[0] == "5 records"
    tiny_data.damage(next((tmp_path / "out").glob("*train*")))
    code, out, _ = run("check", f"prepared:{tmp_path}/out")
    assert code == 1 and "prepare the data set again" in out


def test_prepare_needs_no_tensorflow(tmp_path):
    spec = f"gopro:{tiny_data.gopro(tmp_path / 'in')}"
    arguments = ["kernel-space", "data", "prepare", spec, "-o", str(tmp_path / "out")]
    code = (
        "import sys\n"
        "from kernel_space_jax import cli\n"
        f"sys.argv = {arguments}\n"
        "try: cli.main()\n"
        "finally: assert 'tensorflow' not in sys.modules\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    assert result.stdout == (
        f"{tmp_path}/out: 5 records, open it as prepared:{tmp_path}/out\n"
    )
    assert len(open_source(f"prepared:{tmp_path}/out")) == 5


def test_prepare_with_options(tmp_path):
    spec = f"gopro:{tiny_data.gopro(tmp_path / 'in', train=1, test=0)}"
    options = ["--tile", 16, "--bits", 16, "--compress"]
    code, out, _ = run("prepare", spec, "-o", tmp_path / "out", *options)
    assert code == 0 and "4 records" in out
    pixels = open_source(f"prepared:{tmp_path}/out").pixels(0)["sharp"]
    assert pixels.shape == (16, 16, 3) and pixels.dtype == np.uint16


def test_show_draws_what_a_run_sees(tmp_path):
    """Whichever way a crop lies, its kernel lies so too: blurry = kernel * sharp."""
    x = np.random.default_rng(0).integers(0, 256, (60, 60)).astype(np.float32)
    h = np.zeros((5, 5), np.float32)
    h[0, 1], h[1, 1], h[1, 3] = 0.25, 0.5, 0.25
    y = convolve(x[None, ..., None] / 255, h, border="valid")[0, ..., 0]
    root = tmp_path / "levin"
    (root / "kernels").mkdir(parents=True)
    np.save(root / "kernels/ker1.npy", h)
    write(root / "sharp/im1_ker1.png", x[2:-2, 2:-2].astype(np.uint8))
    write(root / "blurry/im1_ker1.png", np.rint(255 * y).astype(np.uint8))
    source = open_source(f"levin:{root}")
    shown = examples(source, count=12, crop=32, augment="turn", seed=0)
    assert len({example.kernel.tobytes() for example in shown}) > 4
    for example in shown:
        again = convolve(example.parts["sharp"][None], example.kernel, border="valid")
        inside = example.parts["blurry"][2:-2, 2:-2]
        np.testing.assert_allclose(again[0], inside, atol=0.51 / 255)
    page = tmp_path / "sheet.png"
    code, out, _ = run("show", source.spec, "-o", page, "--crop", 32, "--count", 12)
    assert code == 0 and out == f"{page}\n"
    drawn = ks.read(page).pixels
    side = (PAGE_WIDTH + GAP) // 3 - GAP
    assert drawn.shape[0] == 12 * (side // 32 * 32 + CAPTION_HEIGHT) + 11 * GAP
    np.testing.assert_allclose(drawn, sheet(shown), atol=0.51 / 255)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "foo:{}"], "foo:{} does not name a data set"),
        (["check", "gopro:{}/empty"], "empty holds nothing laid out as gopro"),
        (["show", "gopro:{}/in", "-o", "{}/sheet.txt"], "unknown image suffix"),
        (["show", "gopro:{}/empty", "-o", "{}/s.png"], "holds nothing laid out as"),
        (["prepare", "gopro:{}/empty", "-o", "{}/out"], "holds nothing laid out as"),
        (
            ["prepare", "gopro:{}/in", "-o", "{}/file/out"],
            "out cannot be written, because {}/file is a file",
        ),
        (["prepare", "gopro:{}/in", "-o", "/proc/out"], "/proc/out cannot be written"),
        (["prepare", "gopro:{}/in", "-o", "{}/file"], "file is a file; give a folder"),
        (["prepare", "gopro:{}/in", "-o", "{}/out", "--bits", "10"], "--bits 10"),
        (["prepare", "gopro:{}/in", "-o", "{}/out", "--tile", "-1"], "--tile -1"),
        (["prepare", "prepared:{}/in", "-o", "{}/out"], "is not a prepared folder"),
        (["prepare", "images:{}/bad", "-o", "{}/out"], "b.png is truncated or damaged"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path, arguments, says):
    tiny_data.gopro(tmp_path / "in")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("precious")
    noise = np.random.default_rng(0).integers(0, 256, (24, 30, 3), np.uint8)
    for name in "abc":
        write(tmp_path / f"bad/{name}.png", noise)
    tiny_data.damage(tmp_path / "bad/b.png")
    before = {path for path in tmp_path.rglob("*") if "partial" not in str(path)}
    place = lambda text: text.replace("{}", str(tmp_path))
    result = kernel_space_here("data", *map(place, arguments))
    assert_one_sentence(result, place(says))
    after = {path for path in tmp_path.rglob("*") if "partial" not in str(path)}
    assert after == before
    assert (tmp_path / "file").read_text() == "precious"
