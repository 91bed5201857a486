"""Which photos of a camera are sharp."""

import cv2
import numpy as np
import pytest
from evaluation_data import picture, write
from scipy import ndimage
from typer.testing import CliRunner

from kernel_space_jax.cli.app import app
from kernel_space_jax.datasets import open_source
from kernel_space_jax.datasets.sharpness import sharpest, sharpness
from kernel_space_jax.errors import UserError
from kernel_space_jax.training.config import defaults
from kernel_space_jax.training.data import open_feed
from kernel_space_jax.training.stages import stages


@pytest.fixture
def frames(tmp_path):
    """Three scenes of six frames, each blurrier than the one before it."""
    for scene in range(3):
        for number in range(6):
            x = picture(scene, (64, 64))
            y = ndimage.gaussian_filter(x, (0.4 * number, 0.4 * number, 0))
            write(tmp_path / "frames" / f"scene{scene}" / f"{number}.png", y)
    return tmp_path / "frames"


def test_it_is_the_variance_of_the_laplacian():
    x = picture(0)
    grey = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)
    expected = np.var(ndimage.laplace(grey, mode="mirror"))
    assert abs(sharpness(x) / expected - 1) < 1e-4
    # Of stored integers the same, but for their rounding.
    stored = np.rint(255 * x).astype(np.uint8)
    assert abs(sharpness(stored) / expected - 1) < 0.02


def test_the_sharpest_are_used_until_the_first_stage(frames):
    source = open_source(f"images:{frames}/scene0")
    assert sharpest(source, 0.5).names == [source.names[i] for i in (0, 1, 2)]
    config = defaults("supervised", network="compact")
    config.data.train = (f"images:{frames}/scene0?kind=blurry",)
    config.data.crop, config.data.blur, config.data.sharpest = 64, "none", 0.2
    config.stages, config.batch_size = ((10, 64, 4),), 4

    def seen(config) -> set[float]:
        feed = open_feed(config)
        photos = [y for _ in range(4) for y in next(feed)["blurry"]]
        feed.close()
        return {float(f"{sharpness(y):.3g}") for y in photos}

    first, second = (stage.config(config) for stage in stages(config))
    assert len(seen(first)) == 1
    assert len(seen(second)) == 6


def test_frames_are_split_by_sharpness_and_by_scene(frames, tmp_path):
    out = tmp_path / "camera"
    words = ["data", "split-sharp", str(frames), "-o", str(out)]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0, said.output
    assert "trainA: 6 blurry frames of 2 scenes" in said.output
    assert "trainB: 3 sharp frames of 1 scene" in said.output
    blurry = open_source(f"blur2blur:{out}?part=A").names
    sharp = open_source(f"blur2blur:{out}?part=B").names
    assert [name[-8:] for name in blurry] == [f"scene{s}/{n}"[-8:] for s in (0, 1)
                                              for n in (3, 4, 5)]  # fmt: skip
    assert {name.rpartition("/")[2] for name in sharp} == {"0", "1", "2"}
    again = CliRunner().invoke(app, words)
    assert isinstance(again.exception, UserError)
    assert "exists already" in str(again.exception)


def test_one_scene_is_cut_with_a_gap(tmp_path):
    for number in range(20):
        write(tmp_path / "frames" / f"{number:02d}.png", picture(number, (64, 72)))
    out = tmp_path / "camera"
    words = ["data", "split-sharp", str(tmp_path / "frames"), "-o", str(out)]
    assert CliRunner().invoke(app, words).exit_code == 0
    frames = {
        letter: {int(n.rpartition("/")[2]) for n in open_source(spec).names}
        for letter in "AB"
        for spec in [f"blur2blur:{out}?part={letter}"]
    }
    assert max(frames["A"]) < 11 and min(frames["B"]) > 12
    assert len(frames["A"]) == 5 and len(frames["B"]) == 3
