"""Prepared folders: the same records, all or none, going on from a killed run."""

import pickle
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
import tiny_data
from commands import SHARP
from test_datasets_layouts import write_levin
from test_datasets_pipeline import assert_same, take
from tiny_data import picture, write, write_pairs

from kernel_space_jax.datasets import open_source, prepare
from kernel_space_jax.datasets.prepare import Storage
from kernel_space_jax.datasets.source import FolderSource
from kernel_space_jax.errors import UserError


def make(spec: str, output: Path, storage: Storage = Storage(), **options) -> int:  # noqa: B008
    source = open_source(spec)
    assert isinstance(source, FolderSource)
    return prepare.prepare(source, output, storage, **options)


def assert_same_records(ours, theirs):
    assert ours.names == theirs.names
    assert ours.splits() == theirs.splits() and ours.parts() == theirs.parts()
    for a, b in zip(ours, theirs, strict=True):
        assert a.name == b.name and a.extras.keys() == b.extras.keys()
        for x, y in ((a.blurry, b.blurry), (a.sharp, b.sharp)):
            assert (x is None) == (y is None)
            if x is not None:
                np.testing.assert_array_equal(x, y)
        for key in a.extras:
            np.testing.assert_array_equal(a.extras[key], b.extras[key])


@pytest.mark.parametrize("compress", [False, True])
def test_a_prepared_folder_is_the_data_set(tmp_path, compress, monkeypatch):
    monkeypatch.setattr(prepare, "SHARD_BYTES", 10_000)  # two pairs a shard
    spec = f"gopro:{tiny_data.gopro(tmp_path / 'in', train=5, test=2)}"
    told = []
    out = tmp_path / "out"
    assert make(spec, out, Storage(compress=compress), progress=told.append) == 7
    assert sum(told) == 7
    assert len(list(out.glob("*.array_record-*"))) == 3 + 1
    assert [path.name for path in tmp_path.iterdir() if path.name[0] == "."] == []
    ours = open_source(f"prepared:{out}")
    assert ours.splits() == {"train": 5, "test": 2}
    assert_same_records(ours, open_source(spec))
    test = open_source(f"prepared:{out}", "test")
    assert_same_records(test, open_source(spec, "test"))
    sharp = open_source(f"prepared:{out}?keep=sharp")
    assert sharp.parts() == ["sharp"] and sharp[0].blurry is None
    again = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(again[-1].sharp, ours[6].sharp)
    assert_same(take(4, f"prepared:{out}", seed=5), take(4, spec, seed=5))


def test_tfds_reads_it_too(tmp_path):
    make(f"gopro:{tiny_data.gopro(tmp_path / 'in')}", tmp_path / "out")
    builder = tfds.builder_from_directory(tmp_path / "out")
    assert builder.info.splits["train"].num_examples == 3
    example = builder.as_data_source(split="test")[1]
    assert example["name"] == b"test/GOPR01_11_00/000002"
    np.testing.assert_array_equal(example["sharp"], picture(101))


def test_kernels_and_grey_survive(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    f = np.random.default_rng(1).random((5, 5))
    write_levin(folder / "im05_ker01.mat", f / f.sum())
    with pytest.raises(UserError, match="im5_ker1 has more than 8 bits a channel"):
        make(f"levin:{folder}", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    make(f"levin:{folder}", tmp_path / "out", Storage(bits=16))
    (ours,), (theirs,) = (
        open_source(f"prepared:{tmp_path}/out"),
        open_source(f"levin:{folder}"),
    )
    assert ours.extras["grey"] is True
    np.testing.assert_array_equal(ours.extras["kernel"], theirs.extras["kernel"])
    assert np.abs(ours.blurry - theirs.blurry).max() <= 0.5001 / 65535


def test_tiles_cover_the_picture(tmp_path):
    write_pairs([("in/blur/a.png", "in/sharp/a.png")], tmp_path)
    assert make(f"pairs:{tmp_path}/in", tmp_path / "out", Storage(tile=16)) == 4
    source, whole = (
        open_source(f"prepared:{tmp_path}/out"),
        open_source(f"pairs:{tmp_path}/in")[0],
    )
    assert source.names == ["a@0,0", "a@0,14", "a@8,0", "a@8,14"]
    seen = np.zeros((24, 30), bool)
    for record in source:
        top, left = map(int, record.name.split("@")[1].split(","))
        place = (slice(top, top + 16), slice(left, left + 16))
        np.testing.assert_array_equal(record.sharp, whole.sharp[place])
        np.testing.assert_array_equal(record.blurry, whole.blurry[place])
        seen[place] = True
    assert seen.all()


def test_a_damaged_photo_is_named_and_leaves_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(SHARP.read_bytes())
    (tmp_path / "in" / "b.png").write_bytes(SHARP.read_bytes()[:2000])
    with pytest.raises(UserError, match="b.png is truncated or damaged"):
        make(f"images:{tmp_path / 'in'}", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_killed_run_leaves_nothing_and_is_gone_on_with(tmp_path, monkeypatch):
    spec = f"gopro:{tiny_data.gopro(tmp_path / 'in', train=9, test=0)}"
    out = tmp_path / "out"
    killed = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from kernel_space_jax.datasets import open_source, prepare\n"
        "prepare.SHARD_BYTES, done = 10_000, []\n"
        "def progress(records):\n"
        "    done.append(records)\n"
        "    if len(done) == 6: os.kill(os.getpid(), signal.SIGKILL)\n"
        "prepare.prepare(open_source(sys.argv[1]), Path(sys.argv[2]),\n"
        "                prepare.Storage(), progress=progress)\n"
    )
    run = subprocess.run([sys.executable, "-c", killed, spec, out])
    assert run.returncode == -signal.SIGKILL
    assert not out.exists()
    with pytest.raises(UserError, match="out is not a prepared folder"):
        open_source(f"prepared:{out}")

    monkeypatch.setattr(prepare, "SHARD_BYTES", 10_000)
    read = []
    real = FolderSource.pixels
    watched = lambda source, index: read.append(index) or real(source, index)
    monkeypatch.setattr(FolderSource, "pixels", watched)
    assert make(spec, out) == 9
    # Two shards of two records were finished; index 0 is read to see its size.
    assert sorted(read) == [0, 4, 5, 6, 7, 8]
    monkeypatch.undo()
    assert_same_records(open_source(f"prepared:{out}"), open_source(spec))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_the_finished_shards_of_another_request_are_not_used(tmp_path):
    spec = f"gopro:{tiny_data.gopro(tmp_path / 'in')}"
    file = tmp_path / "in/test/GOPR01_11_00/sharp/000002.png"
    whole = file.read_bytes()
    tiny_data.damage(file)
    with pytest.raises(UserError, match="sharp/000002.png is truncated or damaged"):
        make(spec, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    file.write_bytes(whole)
    make(spec, tmp_path / "out", Storage(bits=16))
    assert open_source(f"prepared:{tmp_path}/out").pixels(0)["sharp"].dtype == np.uint16


def test_outputs_are_never_overwritten(tmp_path):
    spec = f"gopro:{tiny_data.gopro(tmp_path / 'in')}"
    out = tmp_path / "out"
    assert make(spec, out) == make(spec, out) == 5  # the second time there is no work
    with pytest.raises(UserError, match="with other records or options"):
        make(spec, out, Storage(tile=16))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/precious").touch()
    with pytest.raises(UserError, match="other is in the way"):
        make(spec, tmp_path / "other")
    (tmp_path / "empty").mkdir()
    assert make(spec, tmp_path / "empty") == 5


def test_a_full_disk_is_a_sentence(tmp_path):
    spec = f"gopro:{tiny_data.gopro(tmp_path / 'in', train=9)}"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # bytes a file
    try:
        with pytest.raises(
            UserError, match=r"out cannot be written \(.*File too large"
        ):
            make(spec, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "out").exists()
    assert make(spec, tmp_path / "out") == 11


def test_damaged_records_are_named(tmp_path):
    spec = f"gopro:{tiny_data.gopro(tmp_path / 'in')}"
    make(spec, tmp_path / "out")
    tiny_data.damage(next((tmp_path / "out").glob("*train*")))
    source = open_source(f"prepared:{tmp_path}/out?split=train")
    with pytest.raises(UserError, match=r"out: train/GOPR00.* cannot be read"):
        list(source)


def test_splits_of_a_prepared_folder(tmp_path):
    write(tmp_path / "in/a.png", picture(1))
    make(f"images:{tmp_path}/in", tmp_path / "out")
    assert open_source(f"prepared:{tmp_path}/out").splits() == {}
    with pytest.raises(UserError, match="has no split 'test'; it has no splits"):
        open_source(f"prepared:{tmp_path}/out", "test")
    with pytest.raises(UserError, match="has no blurry pictures"):
        open_source(f"prepared:{tmp_path}/out?keep=blurry")
    with pytest.raises(UserError, match="prepared has no option 'resize'"):
        open_source(f"prepared:{tmp_path}/out?resize=10")
