"""Runs of the evaluation: what it scores, what it says of bad input, and resuming."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from evaluation_data import picture, read, write, write_kohler, write_levin, write_pairs
from golden import Golden
from typer.testing import CliRunner

from kernel_space_jax import UserError, metrics, weights
from kernel_space_jax.cli import app
from kernel_space_jax.evaluation import Method, Settings, evaluate, methods
from kernel_space_jax.evaluation.evaluate import open_run
from kernel_space_jax.evaluation.results import from_folder
from kernel_space_jax.evaluation.run import score_all
from kernel_space_jax.evaluation.store import Store
from kernel_space_jax.evaluation.tables import as_csv, write_all
from kernel_space_jax.models.priors import ImagePrior

REPOSITORY = Path(__file__).parent.parent
FILES = ("scores.csv", "summary.json", "table.md")


def run(*arguments, code=0):
    """`kernel-space evaluate ...` in this process; the text that it printed."""
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def scores(folder):
    """scores.csv by method and image."""
    with (folder / "scores.csv").open() as file:
        return {(row["method"], row["image"]): row for row in csv.DictReader(file)}


@pytest.fixture
def pairs(tmp_path):
    write_pairs(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def levin(tmp_path):
    write_levin(tmp_path / "levin")
    return tmp_path / "levin"


def test_the_program_scores_a_folder(pairs, tmp_path):
    """As a person would start it, by both of its names."""
    arguments = ["--data", f"pairs:{pairs}", "--method", "blurry", "--published"]
    arguments += ["gopro", "-o"]
    script = [sys.executable, REPOSITORY / "scripts" / "evaluate.py"]
    verb = [sys.executable, "-m", "kernel_space_jax", "evaluate"]
    for program, folder in ((script, "one"), (verb, "two")):
        command = [*program, *arguments, tmp_path / folder]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    text = (tmp_path / "one" / "table.md").read_text()
    assert f"kernel-space evaluate --data pairs:{pairs} --method blurry" in text
    assert "*NAFNet-64 (published)*" in text
    for name in FILES[:2]:
        one, two = ((tmp_path / run / name).read_bytes() for run in ("one", "two"))
        assert one == two

    rows = scores(tmp_path / "one")
    assert len(rows) == 4
    for (_, name), row in rows.items():
        x, y = (
            read(pairs / kind / f"{name}.png")[None] for kind in ("sharp", "blurry")
        )
        assert abs(float(row["PSNR"]) - metrics.psnr(x, y)[0]) < 1e-4
        assert abs(float(row["SSIM"]) - metrics.ssim(x, y)[0]) < 1e-5
    summary = json.loads((tmp_path / "one" / "summary.json").read_text())
    mean = np.mean([float(row["PSNR"]) for row in rows.values()])
    assert abs(summary["methods"]["blurry"]["PSNR"]["mean"] - mean) < 1e-4
    assert f"{mean:.2f} [" in text


def test_a_folder_of_inputs_scores_what_the_inputs_score(levin, tmp_path):
    """And what a method made scores the same from disk, whoever wrote it."""
    data = ["--data", f"levin:{levin}"]
    made = ["--method", "blurry", "--method", "known-kernel"]
    run(*data, *made, "-o", tmp_path / "made")
    kept = tmp_path / "made" / "images" / "known-kernel"
    outside = ["--results", f"inputs={levin / 'blurry'}", "--results", f"kept={kept}"]
    run(*data, *outside, "-o", tmp_path / "outside")
    ours, theirs = scores(tmp_path / "made"), scores(tmp_path / "outside")
    for method, folder in (("blurry", "inputs"), ("known-kernel", "kept")):
        for image in ("im1_ker1", "im1_ker2", "im2_ker1", "im2_ker2"):
            one, other = ours[method, image], theirs[folder, image]
            for column in ("group", "PSNR", "SSIM", "SSD"):
                assert one[column] == other[column]
    for image in ("im1_ker1", "im2_ker2"):
        blurry, known = (ours[m, image] for m in ("blurry", "known-kernel"))
        assert float(known["error ratio"]) == 1
        ratio = float(blurry["SSD"]) / float(known["SSD"])
        assert abs(float(blurry["error ratio"]) / ratio - 1) < 1e-5
        assert ratio > 2 and blurry["ER <= 2"] == "0" and known["ER <= 2"] == "100"
    assert "kernel 2" in (tmp_path / "made" / "table.md").read_text()


def test_a_fitted_kernel_is_right_where_the_given_one_is_not(levin, tmp_path):
    given = ["--data", f"levin:{levin}", "--method", "known-kernel"]
    run(*given, "-o", tmp_path / "right")
    for path in (levin / "kernels").iterdir():
        np.save(path, np.load(path)[::-1])
    run(*given, "--method", "fitted-kernel", "-o", tmp_path / "wrong")
    right, wrong = scores(tmp_path / "right"), scores(tmp_path / "wrong")
    for image in ("im1_ker1", "im2_ker2"):
        fitted = float(wrong["fitted-kernel", image]["PSNR"])
        assert fitted > float(wrong["known-kernel", image]["PSNR"]) + 3
        assert fitted > float(right["known-kernel", image]["PSNR"]) - 0.5


def test_resuming_changes_nothing(pairs, tmp_path):
    settings = Settings(f"pairs:{pairs}", "")
    asked = []

    def counting(names):
        def restore(record):
            asked.append(record.name)
            return methods.blurry(record)

        return [Method("a", "a", restore), Method("b", "b", restore)]

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(tmp_path / "cut", settings, counting, tell=stop)
    rows = tmp_path / "cut" / "rows.jsonl"
    assert len(rows.read_text().splitlines()) == 3
    # Power fails in the middle of a line.
    rows.write_text(rows.read_text() + '{"method": "a", "ima')
    known = [image for _, image in Store(tmp_path / "cut").rows]
    asked.clear()
    resumed = evaluate(tmp_path / "cut", settings, counting)
    assert sorted(asked + known) == sorted(2 * ["a/000", "a/002", "b/001", "b/003"])
    asked.clear()
    whole = evaluate(tmp_path / "whole", settings, counting)
    assert len(asked) == 8
    asked.clear()
    again = evaluate(tmp_path / "cut", settings, counting)
    assert asked == []
    for table, folder in ((resumed, "cut"), (whole, "whole"), (again, "again")):
        write_all(tmp_path / folder, table, "title", "command")
    for name in FILES:
        made = [(tmp_path / run / name).read_bytes() for run in ("cut", "whole")]
        assert made == 2 * [(tmp_path / "again" / name).read_bytes()]


def test_order_and_devices_change_no_digit(pairs, tmp_path):
    settings = Settings(f"pairs:{pairs}", "pairs")
    opened = open_run(settings)
    method = methods.named("blurry")
    tables = []
    for folder, devices in (("one", 1), ("three", 3)):
        store = Store(tmp_path / folder)
        store.begin(settings)
        given = jax.local_devices()[:1] * devices
        score_all(opened.protocol, opened.problems, [method], store, devices=given)
        tables.append(store.rows)
    for key, row in tables[0].items():
        assert row.scores == tables[1][key].scores
    # Another order of the rows on disk gives the same files.
    lines = (tmp_path / "one" / "rows.jsonl").read_text().splitlines()
    (tmp_path / "one" / "rows.jsonl").write_text("\n".join(reversed(lines)) + "\n")
    make = lambda names: [method]
    reordered, other = (
        evaluate(tmp_path / folder, settings, make) for folder in ("one", "three")
    )
    assert as_csv(reordered) == as_csv(other)


def test_two_devices_give_the_digits_of_one(levin, tmp_path):
    """Each device restores images of its own, by a solver that runs on it."""
    arguments = ["--data", f"levin:{levin}", "--method", "known-kernel", "-o"]
    run(*arguments, tmp_path / "one")
    command = [sys.executable, "-m", "kernel_space_jax", "evaluate", *arguments]
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=2"
    result = subprocess.run(
        [*command, tmp_path / "two"],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    for name in FILES[:2]:
        one, two = ((tmp_path / run / name).read_bytes() for run in ("one", "two"))
        assert one == two


def test_bad_results_are_listed_by_name(tmp_path):
    write_pairs(tmp_path / "data", 8)
    results = tmp_path / "mine"
    for name in ("a/000", "b/003", "a/004", "b/005", "a/006", "b/007"):
        write(
            results / f"{name}.png", read(tmp_path / "data" / "blurry" / f"{name}.png")
        )
    write(results / "b" / "001.png", picture(1, (40, 56)))
    damaged = (results / "b" / "003.png").read_bytes()
    (results / "b" / "003.png").write_bytes(damaged[: len(damaged) // 2])
    broken = picture(4)
    broken[3, 4] = np.nan
    (results / "a" / "004.png").unlink()
    np.save(results / "a" / "004.npy", broken)
    deep = read(tmp_path / "data" / "blurry" / "b" / "005.png")
    write(results / "b" / "005.png", deep, bits=16)
    np.save(results / "b" / "007.npy", picture(7))

    arguments = ["--data", f"pairs:{tmp_path / 'data'}", "--results", results]
    folder = tmp_path / "run"
    run(*arguments, "-o", folder)
    said = json.loads((folder / "summary.json").read_text())
    expected = {
        "b/001": "40", "a/002": "no result", "b/003": "damaged", "a/004": "NaN",
        "b/007": "both results",
    }  # fmt: skip
    assert len(said["problems"]) == len(expected)
    for name, word in expected.items():
        (line,) = (line for line in said["problems"] if name in line)
        assert word in line
    (note,) = said["notes"]
    assert "b/005" in note and "16 bits" in note
    held = scores(folder)
    assert held["mine", "b/005"]["PSNR"] and not held["mine", "a/004"]["PSNR"]
    assert "| mine | 3 of 8 |" in (folder / "table.md").read_text()
    run(*arguments, "-o", folder, "--strict", code=1)

    # Mended, only those are scored again, and nothing is left to complain about.
    for file in ("a/004.npy", "b/007.npy"):
        (results / file).unlink()
    for name in ("b/001", "a/002", "b/003", "a/004", "b/005"):
        write(
            results / f"{name}.png", read(tmp_path / "data" / "blurry" / f"{name}.png")
        )
    run(*arguments, "-o", folder, "--strict")
    assert "| mine | 8 of 8 |" in (folder / "table.md").read_text()


def test_a_changed_result_is_scored_again(pairs, tmp_path):
    results = tmp_path / "mine"
    for name in ("a/000", "b/001", "a/002", "b/003"):
        write(results / f"{name}.png", read(pairs / "blurry" / f"{name}.png"))
    arguments = ["--data", f"pairs:{pairs}", "--results", results, "-o", tmp_path / "r"]
    run(*arguments)
    before = scores(tmp_path / "r")
    write(results / "b" / "001.png", read(pairs / "sharp" / "b" / "001.png"))
    run(*arguments)
    after = scores(tmp_path / "r")
    assert after["mine", "b/001"]["PSNR"] == "inf"
    assert after["mine", "a/000"] == before["mine", "a/000"]
    document = json.loads((tmp_path / "r" / "summary.json").read_text())
    assert document["methods"]["mine"]["PSNR"]["mean"] == "inf"


def test_results_are_found_as_programs_name_them(pairs, tmp_path):
    opened = open_run(Settings(f"pairs:{pairs}", ""))
    image = read(pairs / "blurry" / "a" / "000.png")
    files = {"a/000": "deep/a_000.tif", "b/001": "b-001.png", "a/002": "002.bmp"}
    for name, file in files.items():
        write(tmp_path / "mine" / file, image)
        found = from_folder(str(tmp_path / "mine"), opened.names)
        record = opened.problems[opened.names.index(name)].record
        assert np.array_equal(found.restore(record).image, image)
    twins = ["a/000", "b/000"]
    write(tmp_path / "flat" / "000.png", image)
    record = opened.problems[0].record
    with pytest.raises(UserError, match="no result for a/000"):
        from_folder(str(tmp_path / "flat"), twins).restore(record)


def test_a_run_says_when_it_is_another_run(pairs, levin, tmp_path):
    run("--data", f"pairs:{pairs}", "--method", "blurry", "-o", tmp_path / "r")
    with pytest.raises(UserError, match="is a run with data"):
        run("--data", f"levin:{levin}", "--method", "blurry", "-o", tmp_path / "r")
    with pytest.raises(UserError, match="there is no method 'blury'"):
        run("--data", f"pairs:{pairs}", "--method", "blury", "-o", tmp_path / "s")
    with pytest.raises(UserError, match="nothing to evaluate"):
        run("--data", f"pairs:{pairs}", "-o", tmp_path / "s")
    with pytest.raises(UserError, match="no score of its own"):
        run("--data", f"images:{pairs}/sharp", "--method", "blurry")
    with pytest.raises(UserError, match="LPIPS needs weights"):
        run("--data", f"pairs:{pairs}", "--method", "blurry", "--also", "lpips")
    with pytest.raises(UserError, match="two methods would be called 'blurry'"):
        blurry = pairs / "blurry"
        run("--data", f"pairs:{pairs}", "--method", "blurry", "--results", blurry)
    # A method joins a run that is there, and the first stays in its table.
    more = f"inputs={pairs / 'blurry'}"
    run("--data", f"pairs:{pairs}", "--results", more, "-o", tmp_path / "r")
    table = (tmp_path / "r" / "table.md").read_text()
    assert "| blurry | 4 of 4" in table and "| inputs | 4 of 4" in table
    assert "+0.000 dB [+0.000, +0.000] of PSNR, higher on 0 of 4" in table


def drawn(module, y):
    """Random weights of the right shapes, without compiling the network's own draw."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(module.init, jax.random.key(0), y[None])
    return jax.tree.map(lambda a: rng.normal(0, 0.3, a.shape).astype(a.dtype), shapes)


def test_a_weight_file_of_a_restorer(pairs, tmp_path):
    module = ImagePrior(width=4, skip=2, scales=1)
    y = read(pairs / "blurry" / "a" / "000.png")
    variables = drawn(module, y)
    file = tmp_path / "net.safetensors"
    weights.write(file, module, variables, origin="a draw", licence="CC0-1.0")
    run("--data", f"pairs:{pairs}", "--weights", file, "-o", tmp_path / "run")
    kept = read(tmp_path / "run" / "images" / "net" / "a" / "000.png")
    expected = np.asarray(jax.jit(module.apply)(variables, y[None]))[0]
    assert np.abs(kept - expected).max() < 0.51 / 255
    other = ImagePrior(width=4, skip=2, scales=1, channels=1)
    weights.write(file, other, drawn(other, y), origin="a draw", licence="CC0-1.0")
    with pytest.raises(UserError, match="makes no image of an image"):
        run("--data", f"pairs:{pairs}", "--weights", file)


def test_more_scores_join_any_protocol(pairs, tmp_path):
    run("--data", f"pairs:{pairs}", "--method", "blurry", "--also", "ssim-3d",
        "-o", tmp_path / "r")  # fmt: skip
    row = scores(tmp_path / "r")["blurry", "b/003"]
    x, y = (read(pairs / kind / "b" / "003.png")[None] for kind in ("sharp", "blurry"))
    assert abs(float(row["SSIM 3-D"]) - metrics.ssim_3d(x, y)[0]) < 1e-5


def test_lpips_joins_with_its_weights(pairs, tmp_path):
    golden = Golden("lpips_detweights")
    module, variables = weights.from_torch("lpips", golden.weights(meta="meta/alex"))
    file = tmp_path / "lpips.safetensors"
    weights.write(file, module, variables, origin="a golden", licence="CC0-1.0")
    run("--data", f"pairs:{pairs}", "--method", "blurry", "--also", "lpips",
        "--lpips", file, "--limit", 2, "-o", tmp_path / "r")  # fmt: skip
    held = scores(tmp_path / "r")
    assert len(held) == 2
    for (_, name), row in held.items():
        x, y = (read(pairs / k / f"{name}.png")[None] for k in ("sharp", "blurry"))
        distance = jax.jit(module.apply)(variables, x, y)[0]
        assert abs(float(row["LPIPS"]) - distance) < 1e-5


def test_kernels_of_a_method_are_kept_and_compared(levin, tmp_path):
    """The kernel that a method found, a pixel off and doubled, is the true one."""

    def restore(record):
        h = np.roll(np.pad(2 * record.extras["kernel"], 2), 1, 0)
        return methods.blurry(record)._replace(kernels=h)

    make = lambda names: [Method("mine", "mine", restore)]
    table = evaluate(tmp_path / "run", Settings(f"levin:{levin}"), make)
    assert np.allclose(table.values("mine", "kernel similarity"), 1, atol=1e-6)
    kept = np.load(tmp_path / "run" / "kernels" / "mine" / "im2_ker1.npy")
    true = np.load(levin / "kernels" / "ker1.npy")
    assert np.allclose(kept[3:10, 2:9], 2 * true)


def test_kohler_takes_the_frames_that_count(tmp_path):
    """Frame 200 of (2, 11) counts, and frame 30 of (1, 3) does not."""
    write_kohler(tmp_path, 2, 11, 200, answer=200)
    write_kohler(tmp_path, 1, 3, 199, answer=30)
    write_kohler(tmp_path, 4, 1, 5, answer=5)
    run("--data", f"kohler:{tmp_path}", "--method", "blurry", "-o", tmp_path / "run")
    held = scores(tmp_path / "run")
    assert float(held["blurry", "Blurry2_11"]["PSNR"]) > 90
    assert abs(float(held["blurry", "Blurry2_11"]["MSSIM"]) - 1) < 1e-5
    assert float(held["blurry", "Blurry1_3"]["PSNR"]) < 30
    (problem,) = json.loads((tmp_path / "run" / "summary.json").read_text())["problems"]
    assert "Blurry4_1 lacks 194 of its 199 true frames" in problem


def test_the_kohler_proxy_lends_frames_within_a_scene(tmp_path):
    write_kohler(tmp_path, 1, 1, 1, answer=1)
    write(tmp_path / "Blurry1_2.png", np.roll(picture(1, (176, 176)), 3, 0))
    write(tmp_path / "Blurry2_1.png", picture(1, (176, 176)))
    run("--data", f"kohler:{tmp_path}", "--protocol", "kohler-proxy", "--method",
        "blurry", "-o", tmp_path / "run")  # fmt: skip
    held = scores(tmp_path / "run")
    assert float(held["blurry", "Blurry1_1"]["PSNR"]) > 90
    # Three rows were shifted in, and are black in one of the two.
    assert 15 < float(held["blurry", "Blurry1_2"]["PSNR"]) < 90
    assert held["blurry", "Blurry2_1"]["PSNR"] == ""
