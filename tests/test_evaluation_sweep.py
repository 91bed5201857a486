"""The robustness sweep: its photos are what it says, and its curves are their means."""

import csv

import cv2
import jax
import numpy as np
import pytest
from evaluation_data import picture, write
from typer.testing import CliRunner

from kernel_space_jax import UserError, metrics
from kernel_space_jax.cli import app
from kernel_space_jax.evaluation.protocols.sweep import (
    KERNEL_SIZE,
    SWEEPS,
    Degradation,
    degrade,
    sweep_protocol,
)
from kernel_space_jax.operators import uniform

KEY = jax.random.key(3)


def photo(**changes):
    clean = {"noise": 0.0, **changes}
    return degrade(KEY, picture(5, (120, 132)), Degradation(**clean))


def psnr(x, y):
    return float(metrics.psnr(x[None], y[None])[0])


def test_without_degradation_it_is_the_blur():
    x = picture(5, (120, 132))
    sharp, y, h = photo()
    border = KERNEL_SIZE // 2
    assert np.array_equal(sharp, x[border:-border, border:-border])
    expected = uniform.convolve(x[None], h, border="valid")[0]
    # Half a level of 8 bits.
    assert np.abs(y - expected).max() < 0.51 / 255
    assert abs(h.sum() - 1) < 1e-5 and h.shape == (KERNEL_SIZE, KERNEL_SIZE)


def test_each_degradation_does_what_its_name_says():
    sharp, y, h = photo()
    _, noisy, same = photo(noise=0.04)
    assert np.array_equal(h, same)
    assert abs((noisy - y).std() / 0.04 - 1) < 0.1
    lengths = [photo(length=length)[2] for length in SWEEPS["kernel-length"][1]]
    grid = np.arange(KERNEL_SIZE) - KERNEL_SIZE // 2
    spread = [float((h.sum(0) + h.sum(1)) @ grid**2) for h in lengths]
    assert spread == sorted(spread)
    coarse, fine = (photo(jpeg=quality)[1] for quality in (30, 95))
    assert psnr(coarse, y) < psnr(fine, y) - 3 and psnr(fine, y) > 30
    # Blur in linear light of gamma 2.2 keeps bright things larger than blur in values.
    _, light, _ = photo(gamma=2.2)
    assert light.mean() > y.mean()
    assert not np.array_equal(light, y)


def test_small_images_and_unknown_sweeps_are_refused():
    with pytest.raises(UserError, match="80x100"):
        degrade(KEY, picture(1, (100, 80)), Degradation())
    with pytest.raises(UserError, match="no sweep 'fog'"):
        sweep_protocol(("noise", "fog"))


def test_the_sweep_writes_curves(tmp_path):
    for i in range(2):
        write(tmp_path / "sharp" / f"{i}.png", picture(i, (90, 96)))
    words = f"evaluate --data images:{tmp_path}/sharp --method blurry -o {tmp_path}/run"
    arguments = [*words.split(), "--sweep", "noise,jpeg"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    with (tmp_path / "run" / "scores.csv").open() as file:
        scores = list(csv.DictReader(file))
    with (tmp_path / "run" / "sweep.csv").open() as file:
        points = list(csv.DictReader(file))
    levels = [(kind, f"{v:g}") for kind in ("noise", "jpeg") for v in SWEEPS[kind][1]]
    assert [(p["sweep"], p["level"]) for p in points] == levels
    for point in points:
        group = f"{point['sweep']}={point['level']}"
        values = [float(row["PSNR"]) for row in scores if row["group"] == group]
        assert len(values) == int(point["images"]) == 2
        assert abs(np.mean(values) - float(point["PSNR"])) < 1e-4
        assert float(point["low"]) <= float(point["PSNR"]) <= float(point["high"])
    by_noise = [float(p["PSNR"]) for p in points if p["sweep"] == "noise"]
    assert by_noise == sorted(by_noise, reverse=True)
    drawn = cv2.imread(str(tmp_path / "run" / "sweep.png"))
    assert drawn is not None and drawn.shape[1] > drawn.shape[0] > 300
    # Two panels side by side, neither of them empty.
    for half in np.split(drawn[:, : drawn.shape[1] // 2 * 2], 2, axis=1):
        assert 0.01 < (half < 128).mean() < 0.5
