"""What verbs write destroys nothing: no input, no other result, no older result."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import assert_one_sentence
from commands import kernel_space_here as kernel_space
from evaluation_data import write_pairs
from PIL import Image

import kernel_space_jax as ks
from kernel_space_jax.cli import outputs
from kernel_space_jax.cli.app import VERBS
from kernel_space_jax.errors import UserError
from kernel_space_jax.training.config import load_config

PAIR = "--sharp sharp.png --blurry blurry.png"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder: photos, a data set, weights, and links to a photo."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    names = ("sharp.png", "blurry.png", "x.png", "y.jpg", "y.png", "z.png",
             "z_sheet.png", "set/a.png", "set/b.png")  # fmt: skip
    for name in names:
        ks.write(name, ks.Photo(random.random((64, 80, 3), np.float32)))
    Path("a.pth").write_text("weights")
    Path("soft.png").symlink_to("x.png")
    os.link("x.png", "hard.png")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (f"show-kernel {PAIR} -o blurry.png", "its own input"),
        (f"show-kernel {PAIR} -o ./set/../sharp.png --overwrite", "its own input"),
        ("kernels x.png -o x.png --overwrite", "its own input"),
        ("kernels x.png -o soft.png --overwrite", "its own input"),
        ("kernels x.png -o hard.png --overwrite", "its own input"),
        ("data show images:set -o set/a.png --overwrite", "set/a.png lies in set"),
        ("data show images:set -o set/new.png", "set/new.png lies in set"),
        ("data prepare images:set -o set/new", "set/new lies in set"),
        ("import-weights nafnet a.pth -o a.pth --overwrite", "its own input"),
        ("deblur y.jpg y.png -o out --sheet", "two results would be called y_sheet"),
        ("deblur z.png z_sheet.png -o out --sheet", "would be called z_sheet.png"),
        ("deblur x.png set/../x.png -o out", "two results would be called x.png"),
        ("deblur x.png -o . --overwrite", "its own input"),
        (
            f"transfer {PAIR} set/../sharp.png -o . --overwrite",
            "sharp.png would overwrite its own input",
        ),
        ("deblur y.png -o set/..", "its own input"),
        ("report set -o set", "set is one of the runs"),
        ("evaluate --data images:set --method blurry -o set", "its own input"),
    ],
)
def test_no_input_is_destroyed(here, command, says):
    before = contents(here)
    assert_one_sentence(kernel_space(*command.split()), says)
    assert contents(here) == before


def test_a_result_is_replaced_only_by_a_run_that_says_so(here):
    transfer = ["transfer", *PAIR.split(), "x.png", "-o", "out", "--kernel-size", 5]
    done = kernel_space(*transfer, "--sheet")
    assert done.returncode == 0, done.stderr
    Path("out/x.png").write_bytes(b"precious")
    before = contents(here)
    assert_one_sentence(kernel_space(*transfer), "add --overwrite to replace it")
    assert contents(here) == before
    done = kernel_space(*transfer, "--overwrite")
    assert done.returncode == 0, done.stderr
    assert ks.read("out/x.png").pixels.shape == (64, 80, 3)


def test_files_that_some_systems_take_for_one_are_two_results_of_one_name(tmp_path):
    with pytest.raises(UserError, match=r"two results would be called A\.png"):
        outputs.claim([tmp_path / "a.png", tmp_path / "A.png"], overwrite=True)
    outputs.claim([tmp_path / "a.png", tmp_path / "b.png"], overwrite=False)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("deblur x.png -o out --method basis --preset full", "--preset is for"),
        ("deblur x.png -o out --method basis --kernel-size 9", "--kernel-size is for"),
        (
            f"transfer {PAIR} x.png -o out --weights kernel-space --kernel-size 9",
            "--kernel-size is for a transfer without --weights",
        ),
        (
            "export-program kernel-space blur -o out --platforms cud",
            "there is no platform 'cud' (did you mean 'cuda'?)",
        ),
        ("data check images:set?resize=abc", "resize=abc is not a size"),
        ("deblur x.png -o out --method map --gamma 1e9", "gamma is 1000000000.0"),
        ("kernels x.png -o out.png --gamma 1e9", "Invalid value for '--gamma'"),
        ("deblur x.png -o out --method mpa", "(did you mean 'map'?)"),
        ("deblr x.png -o out", "there is no verb 'deblr' (did you mean 'deblur'?)"),
        ("describe kernel-spce", "(did you mean 'kernel-space'?)"),
        ("data check imges:set", "(did you mean 'images'?)"),
        ("train --config mendr --workdir out", "(did you mean 'mender'?)"),
        (
            "evaluate --data images:set --method blurry -o out --protocol lvin",
            "(did you mean 'levin'?)",
        ),
        ("import-weights nafnt a.pth -o out", "(did you mean 'nafnet'?)"),
    ],
)
def test_what_is_lacking_is_refused(here, command, says):
    before = contents(here)
    assert_one_sentence(kernel_space(*command.split()), says)
    assert contents(here) == before


def test_pages_that_are_left_out_are_said(here):
    first, second = (Image.open(name) for name in ("x.png", "z.png"))
    first.save("pages.tif", save_all=True, append_images=[second])
    command = ["transfer", *PAIR.split(), "--kernel-size", 5, "-o", "out", "pages.tif"]
    done = kernel_space(*command)
    assert done.stdout == "out/pages.tif (the first of 2 images in pages.tif)\n"
    first.save("moves.gif", save_all=True, append_images=[second])
    done = kernel_space(*command[:-1], "moves.gif")
    assert done.stdout == "out/moves.png (the first of 2 images in moves.gif)\n"


def test_a_report_is_made_from_any_folder(here, monkeypatch):
    write_pairs(here / "data")
    evaluate = ["evaluate", "--data", "pairs:data", "--method", "blurry", "-o", "run"]
    done = kernel_space(*evaluate)
    assert done.returncode == 0, done.stderr
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    done = kernel_space("report", "../run", "-o", "page")
    assert done.returncode == 0, done.stderr
    assert (here / "elsewhere/page/index.html").exists()
    monkeypatch.chdir(here)
    assert kernel_space(*evaluate).returncode == 0  # it goes on


def test_the_config_of_blur_swap_is_found_from_any_folder(here):
    config = load_config("restorer")
    assert config.task == "restorer"
    assert config == load_config("configs/restorer.py")
    with pytest.raises(UserError, match="did you mean 'restorer'"):
        load_config("restore")


def test_help_waits_for_no_jax():
    code = (
        "import sys; sys.argv = ['kernel-space', '--help']\n"
        "from kernel_space_jax import cli\n"
        "try: cli.main()\n"
        "except SystemExit as end: assert not end.code\n"
        "found = {'jax', 'flax', 'numpy', 'cv2'} & sys.modules.keys()\n"
        "sys.exit(str(found) if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(f" {verb} " in done.stdout for verb in VERBS)


def test_the_program_says_of_a_verb_what_the_verb_says():
    for name, row in VERBS.items():
        done = kernel_space(name, "--help")
        assert done.returncode == 0
        words = " ".join(done.stdout.replace("│", " ").split())
        assert row.says in words, name
