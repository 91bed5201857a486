"""tf.data gives the very batches that Grain gives (needs the `tf` extra)."""

import sys
from itertools import islice

import numpy as np
import pytest
import tiny_data
from test_datasets_pipeline import CROP, assert_same, take
from test_datasets_prepare import make
from tiny_data import picture, write

from kernel_space_jax.datasets.pipeline import batches
from kernel_space_jax.errors import UserError


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> list[str]:
    return tiny_data.two_sets(tmp_path_factory.mktemp("two"))


def test_without_tensorflow_a_sentence_says_what_to_install(two, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(UserError, match=r"pip install '\.\[tf\]'"):
        take(1, two, backend="tf")


@pytest.fixture
def tensorflow():
    return pytest.importorskip("tensorflow")


@pytest.mark.usefixtures("tensorflow")
class TestSameBatches:
    def test_png_decoded_by_tensorflow(self, two):
        mixture = [(two[0], 1), (two[1], 3)]
        assert_same(take(5, mixture, seed=1), take(5, mixture, seed=1, backend="tf"))

    def test_pictures_read_here(self, two, tmp_path):
        mixture = [f"{spec}?resize=20x18" for spec in two]
        assert_same(take(3, mixture), take(3, mixture, backend="tf"))

    def test_prepared(self, two, tmp_path):
        make(two[0], tmp_path / "out")
        spec = f"prepared:{tmp_path}/out"
        assert_same(take(3, two[0]), take(3, spec, backend="tf"))

    def test_unpaired_and_hosts(self, two, tmp_path):
        for n in range(3):
            write(tmp_path / f"{n}.png", picture(200 + n))
        options = {"unpaired": {"other": f"images:{tmp_path}"}, "process": (1, 2)}
        assert_same(take(3, two, **options), take(3, two, backend="tf", **options))

    @pytest.mark.parametrize("bits", [8, 16])
    def test_deep_pictures(self, tmp_path, bits):
        deep = np.random.default_rng(0).integers(0, 65536, (20, 24, 3), np.uint16)
        write(tmp_path / "a.png", deep)
        write(tmp_path / "b.png", (deep // 256).astype(np.uint8)[..., 0])
        spec = f"images:{tmp_path}"
        assert_same(take(3, spec, bits=bits), take(3, spec, bits=bits, backend="tf"))

    def test_resume(self, two):
        whole = take(4, two)
        with batches(two, batch_size=4, crop=CROP, backend="tf") as feed:
            next(feed)
            state = feed.get_state()
        with batches(two, batch_size=4, crop=CROP, backend="tf") as feed:
            feed.set_state(state)
            assert_same(whole[1:], list(islice(feed, 3)))

    def test_a_damaged_picture_is_named(self, tmp_path):
        root = tiny_data.gopro(tmp_path, train=6)
        file = root / "train/GOPR00_11_00/blur/000004.png"
        noise = np.random.default_rng(0).integers(0, 256, (24, 30, 3), np.uint8)
        write(file, noise)
        tiny_data.damage(file)
        for option in ("", "&resize=30x24"):  # decoded by TensorFlow, and here
            with pytest.raises(UserError, match="blur/000004.png is truncated"):
                spec = f"gopro:{root}?split=train{option}"
                take(6, spec, batch_size=1, backend="tf")

    def test_a_pair_of_two_sizes_is_named(self, tmp_path):
        write(tmp_path / "blur/a.png", picture(0))
        write(tmp_path / "sharp/a.png", picture(0, height=30))
        with pytest.raises(UserError, match="a pair must have one size"):
            take(1, f"pairs:{tmp_path}", backend="tf")
