"""Real commands on real files: what they make, and what they say of bad input."""

import subprocess
import sys

import jax
import numpy as np
import pytest
from commands import (
    BLURRY,
    SAMPLES,
    SHAPES,
    SHARP,
    assert_one_sentence,
    kernel_space,
    kernel_space_here,
)
from golden import Golden
from rich.text import Text

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.cli.progress import Bar, numbered
from kernel_space_jax.metrics import psnr


def transfer(run, *targets, sharp=SHARP, blurry=BLURRY, output, more=()):
    pair = ["--sharp", sharp, "--blurry", blurry]
    return run("transfer", *pair, *targets, "-o", output, *more)


def test_transfer_without_weights_finds_the_shake(tmp_path):
    """Blurring the pair's own sharp image must give back its blurry one."""
    result = transfer(
        kernel_space, SHARP, SHAPES, output=tmp_path / "out", more=["--sheet"]
    )
    assert result.returncode == 0, result.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "leaves_sharp.png",
        "shapes_sharp.png",
        "sheet.png",
    }
    again = ks.read(tmp_path / "out" / "leaves_sharp.png").pixels[None]
    truth, sharp = ks.read(BLURRY).pixels[None], ks.read(SHARP).pixels[None]
    inside = 16  # the blurry sample knows what lies beyond the border
    assert psnr(again, truth, crop=inside) > 45
    assert psnr(sharp, truth, crop=inside) < 30


def test_transfer_with_weights_is_the_network(tmp_path):
    golden = Golden("kw_wovae_nf4")
    module, variables = ks.from_torch("kernel_space", golden.weights())
    file = tmp_path / "space.safetensors"
    weights.write(file, module, variables, origin="a golden", licence="CC0-1.0")
    x, y = ks.read(SHARP).pixels[None], ks.read(BLURRY).pixels[None]
    target = ks.read(SHAPES).pixels[None]
    result = transfer(kernel_space, SHAPES, output=tmp_path, more=["--weights", file])
    assert result.returncode == 0, result.stderr
    apply = jax.jit(module.apply, static_argnames="method")
    code, _ = apply(variables, x, y, method="extract")
    expected = np.clip(apply(variables, target, code, method="blur"), 0, 1)
    made = ks.read(tmp_path / SHAPES.name).pixels[None]
    assert np.abs(made - expected).max() < 1.01 / 255


def test_import_weights(tmp_path):
    torch = pytest.importorskip("torch")
    golden = Golden("kw_wovae_nf4").weights()
    torch.save({k: torch.tensor(v) for k, v in golden.items()}, tmp_path / "a.pth")
    file = tmp_path / "a.safetensors"
    result = kernel_space(
        "import-weights", "kernel_space", tmp_path / "a.pth", "-o", file,
        "--licence", "CC0-1.0",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert weights.load(file).module.width == 4
    described = kernel_space_here("describe", file).stdout
    assert "CC0-1.0" in described and "a.pth" in described
    wrong = kernel_space_here(
        "import-weights", "image_prior", tmp_path / "a.pth", "-o", file
    )
    assert_one_sentence(wrong, "the weights have no 'model.")
    assert weights.load(file).module.width == 4


@pytest.fixture
def bad(tmp_path):
    """Files that are not images, by what is wrong with them."""
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").touch()
    ks.write(tmp_path / "small.png", ks.Photo(np.zeros((64, 48, 3), np.float32)))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"sharp": "missing.png"}, "missing.png does not exist"),
        ({"blurry": "text.png"}, "text.png is not an image"),
        ({"target": "empty.png"}, "empty.png is empty"),
        (
            {"blurry": "small.png"},
            "the sharp image is 256x192 and the blurry one 48x64",
        ),
        ({"more": ["--weights", "text.png"]}, "text.png is not a weight file"),
        ({"more": ["--weights", "missing"]}, "missing does not exist"),
        ({"more": ["--kernel-size", "4"]}, "a kernel size of 4 does not fit"),
    ],
)
def test_bad_input_is_one_sentence_and_overwrites_nothing(bad, arguments, says):
    old = bad / "out" / SHAPES.name
    old.parent.mkdir()
    old.write_bytes(b"precious")
    place = lambda key, default: bad / arguments[key] if key in arguments else default  # noqa: E731
    more = [bad / a if (bad / a).exists() else a for a in arguments.get("more", [])]
    result = transfer(
        kernel_space_here,
        SHAPES,
        place("target", SHARP),
        sharp=place("sharp", SHARP),
        blurry=place("blurry", BLURRY),
        output=old.parent,
        more=[*more, "--overwrite"],
    )
    assert_one_sentence(result, says)
    assert old.read_bytes() == b"precious"
    assert [p.name for p in old.parent.iterdir()] == [SHAPES.name]


def test_results_never_meet(tmp_path):
    result = transfer(kernel_space_here, SHAPES, SHAPES, output=tmp_path)
    assert_one_sentence(result, "two results would be called shapes_sharp.png")
    result = transfer(kernel_space_here, SHAPES, output=SAMPLES)
    assert_one_sentence(result, "would overwrite its own input")


def test_bars_name_the_photo_and_say_when_they_compile():
    names = ["a.png", "[b].png", "c.png"]
    bar = Bar("deblurring")
    task = bar.progress.tasks[0]
    shown = lambda: Text.from_markup(task.description).plain
    bar.start(numbered([1], names), (64, 48))
    assert shown() == "deblurring photo 2 of 3: [b].png (compiling)"
    bar.tell(0, 5)
    assert shown().endswith("(compiling)")
    bar.tell(1, 5)
    assert shown() == "deblurring photo 2 of 3: [b].png"
    assert (task.completed, task.total) == (1, 5)
    bar.start(numbered([2], names), (64, 48))
    assert shown() == "deblurring photo 3 of 3: c.png"
    bar.start(numbered([0, 2], names), (16, 16))
    assert shown() == "deblurring 2 of 3 photos together: a.png, c.png (compiling)"


def test_wrong_architecture(tmp_path):
    result = kernel_space("import-weights", "unet", "x.pth", "-o", tmp_path / "o")
    assert_one_sentence(result, "there is no architecture 'unet'")


def test_import_needs_no_data_or_config_libraries():
    code = (
        "import sys, kernel_space_jax as ks, kernel_space_jax.cli.deblur;"
        "[getattr(ks, name) for name in ks.__all__];"
        "found = {'grain', 'tensorflow_datasets', 'ml_collections', 'tensorflow',"
        " 'torch'} & sys.modules.keys();"
        "sys.exit(str(found) if found else 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
