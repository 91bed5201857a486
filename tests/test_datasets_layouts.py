"""Every layout of the field, in small: what is read is what was written."""

import pickle
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.io
import tiny_data
from tiny_data import HEIGHT, WIDTH, picture, write, write_pairs

from kernel_space_jax.datasets import Record, open_source
from kernel_space_jax.errors import UserError
from kernel_space_jax.operators.uniform import convolve


def assert_pair(record: Record, number: int):
    """The record is pair `number` of `tiny_data.write_pairs`."""
    sharp = picture(number).astype(np.float32) / np.float32(255)
    assert record.sharp is not None and record.blurry is not None
    assert record.sharp.dtype == record.blurry.dtype == np.float32
    np.testing.assert_array_equal(record.sharp, sharp)
    np.testing.assert_allclose(record.blurry, 1 - sharp, atol=1e-6)


def pairs_in(*folders: tuple[str, str], suffix: str = "png"):
    return [
        (f"{blurry}/{n:08d}.{suffix}", f"{sharp}/{n:08d}.{suffix}")
        for blurry, sharp in folders
        for n in range(2)
    ]


TWO_SPLITS = {"train": 2, "test": 2}
REDS = [
    (f"{split}/{split}_blur/000", f"{split}/{split}_sharp/000")
    for split in ("train", "val")
]
KERNEL_SPACE = [(f"blur_imgs/{n}", f"sharp_imgs/{n}") for n in ("000", "001")]
WORDS = [("a_blurry.png", "a_sharp.png"), ("b/c-blur.png", "b/c-gt.png")]


def gopro_in(blurry: str, sharp: str):
    return pairs_in(
        (f"train/{blurry}", f"train/{sharp}"), (f"test/{blurry}", f"test/{sharp}")
    )


@pytest.mark.parametrize(
    ("layout", "pairs", "splits", "first"),
    [
        ("gopro", gopro_in("A/blur", "A/sharp"), TWO_SPLITS, "train/A/00000000"),
        ("gopro", gopro_in("input", "target"), TWO_SPLITS, "train/00000000"),
        ("gopro", gopro_in("blur", "sharp"), TWO_SPLITS, "train/00000000"),
        ("reds", pairs_in(*REDS), {"train": 2, "val": 2}, "train/000/00000000"),
        ("kernel_space", pairs_in(*KERNEL_SPACE), {}, "000/00000000"),
        (
            "blur2blur?part=CD",
            pairs_in(("trainC", "trainD")),
            {"train": 2},
            "train/00000000",
        ),
        ("pairs", pairs_in(("input", "GT")), {}, "00000000"),
        ("pairs", WORDS, {}, "a"),
        ("pairs?blurry=left&sharp=right", pairs_in(("left", "right")), {}, "00000000"),
    ],
)
def test_pairs(tmp_path, layout, pairs, splits, first):
    write_pairs(pairs, tmp_path)
    name, _, options = layout.partition("?")
    source = open_source(f"{name}:{tmp_path}?{options}")
    assert len(source) == len(source.names) == len({*source.names}) == len(pairs)
    assert source.name == name
    assert source.splits() == splits
    # Records come by name; the pairs were numbered as they are written above.
    numbers = [int(round(255 * float(r.sharp[0, 0, 0]))) for r in source]
    assert sorted(numbers) == list(range(len(pairs)))
    for number, record in zip(numbers, source, strict=True):
        assert_pair(record, number)
        assert record.extras == {}
    assert source.names[numbers.index(0)] == first


def test_splits_and_options(tmp_path):
    root = tiny_data.gopro(tmp_path)
    everything = open_source(f"gopro:{root}")
    test = open_source(f"gopro:{root}", split="test")
    assert test.names == open_source(f"gopro:{root}?split=test").names
    assert {*test.names} < {*everything.names} and len(test) == 2
    # The folder of a split is a data set, with the same names.
    assert open_source(f"gopro:{root}/test").names == test.names
    record = open_source(f"gopro:{root}?split=test&keep=sharp")[1]
    assert record.blurry is None
    np.testing.assert_array_equal(record.sharp, test[1].sharp)
    gamma = open_source(f"gopro:{root}?blur=blur_gamma")[0]
    assert gamma.blurry is not None and (gamma.blurry == np.float32(7 / 255)).all()
    small = open_source(f"gopro:{root}?resize=12")[0]
    assert small.sharp is not None and small.sharp.shape == (12, 15, 3)
    # Halving by area is the mean of two by two pixels.
    mean = everything[0].sharp.reshape(12, 2, 15, 2, 3).mean((1, 3))
    np.testing.assert_allclose(small.sharp, mean, atol=1e-6)
    assert open_source(f"gopro:{root}?resize=20x18")[0].sharp.shape == (18, 20, 3)


def test_sources_travel(tmp_path):
    source = open_source(f"gopro:{tiny_data.gopro(tmp_path)}")
    again = pickle.loads(pickle.dumps(source))
    assert again.names == source.names
    np.testing.assert_array_equal(again[3].blurry, source[3].blurry)
    assert again[-1].name == source.names[-1]
    with pytest.raises(IndexError):
        source[len(source)]


def test_reds_val_300(tmp_path):
    """NAFNet's 300: of each video of val the frames whose number ends in 9."""
    frames = [f"{n:08d}.png" for n in range(20)]
    write_pairs([(f"val_blur/004/{f}", f"val_sharp/004/{f}") for f in frames], tmp_path)
    source = open_source(f"reds:{tmp_path}?split=val&every=10")
    assert source.names == ["val/004/00000009", "val/004/00000019"]
    assert_pair(source[1], 19)


def test_realblur_with_and_without_lists(tmp_path):
    scenes = "RealBlur-J_ECC_IMCORR_centroid_itensity_ref"
    names = [("scene001", 1), ("scene001", 2), ("scene002", 1)]
    pairs = [
        (f"{scenes}/{s}/blur/blur_{k}.png", f"{scenes}/{s}/gt/gt_{k}.png")
        for s, k in names
    ]
    write_pairs(pairs, tmp_path)
    source = open_source(f"realblur:{tmp_path}")
    assert source.names == ["scene001/1", "scene001/2", "scene002/1"]
    for number, record in enumerate(source):
        assert_pair(record, number)
    lines = [f"{sharp} {blurry}\n" for blurry, sharp in pairs]
    (tmp_path / "RealBlur_J_train_list.txt").write_text("".join(lines[:2]))
    (tmp_path / "RealBlur_J_test_list.txt").write_text(lines[2])
    test = open_source(f"realblur:{tmp_path}", split="test")
    assert test.names == ["test/scene002/1"]
    assert_pair(test[0], 2)
    # The folder of the scenes finds the lists beside it.
    assert open_source(f"realblur:{tmp_path / scenes}", "train").splits() == {
        "train": 2
    }
    (tmp_path / "RealBlur_J_test_list.txt").write_text(lines[2].replace("002", "009"))
    with pytest.raises(UserError, match="scene009/gt/gt_1.png, which is not there"):
        open_source(f"realblur:{tmp_path}")


def test_rsblur(tmp_path):
    for number, folder in enumerate(["0001/000001", "0002/000007"]):
        place = f"RSBlur/{folder}"
        write_pairs(
            [(f"{place}/real_blur/real_blur.png", f"{place}/gt/gt_sharp.png")],
            tmp_path,
            number,
        )
        write(tmp_path / place / "avg65_img/avg_blur.png", 255 - picture(number + 50))
        write(tmp_path / place / "avg65_mask_100/avg_blur.png", 0 * picture(0)[..., 0])
    source = open_source(f"rsblur:{tmp_path}")
    assert source.names == ["0001/000001", "0002/000007"]
    assert_pair(source[1], 1)
    average = open_source(f"rsblur:{tmp_path}?blur=synthetic")[1]
    expected = 1 - picture(51) / 255
    np.testing.assert_allclose(average.blurry, expected, atol=1e-6)
    assert average.extras["mask"].shape == (HEIGHT, WIDTH, 1)
    place = "RSBlur/0002/000007"
    (tmp_path / "RSBlur_real_test.txt").write_text(
        f"{place}/gt/gt_sharp.png {place}/real_blur/real_blur.png\n"
    )
    assert open_source(f"rsblur:{tmp_path}", "test").names == ["test/0002/000007"]


def test_rb2v_gives_the_middle_frame_and_all(tmp_path):
    for shot in range(2):
        write(tmp_path / f"train/ID1/blur/{shot:04d}.png", picture(99))
        for frame in range(1, 8):
            name = f"train/ID1/sharp/{shot:04d}_{frame}.png"
            write(tmp_path / name, picture(10 * shot + frame))
    record = open_source(f"rb2v:{tmp_path}")[1]
    assert record.name == "train/ID1/0001"
    frames = record.extras["frames"]
    assert [round(255 * float(frame[0, 0, 0])) for frame in frames] == [*range(11, 18)]
    np.testing.assert_array_equal(record.sharp, frames[3])


def test_blur2blur_parts(tmp_path):
    for number, letter in enumerate("ABCD"):
        for shot in range(number + 1):
            write(tmp_path / f"train{letter}/{shot}.png", picture(10 * number + shot))
    write(tmp_path / "testA/0.png", picture(77))
    unknown = open_source(f"blur2blur:{tmp_path}")
    assert unknown.names == ["test/0", "train/0"]
    assert unknown[0].sharp is None and unknown[0].blurry is not None
    camera = open_source(f"blur2blur:{tmp_path}?part=B", "train")
    assert len(camera) == 2 and camera[0].blurry is None
    assert round(255 * float(camera[1].sharp[0, 0, 0])) == 11
    # D has one picture more than C: no pair for it, and that is said.
    with pytest.raises(UserError, match="trainD/3.png has no blurry partner"):
        open_source(f"blur2blur:{tmp_path}?part=CD")


def test_kohler_frames_are_lazy_and_in_order(tmp_path):
    for trajectory in (2, 10):
        write(tmp_path / f"BlurryImages/Blurry1_{trajectory}.png", picture(trajectory))
    truth = tmp_path / "Image1/Kernel10"
    for frame in (1, 2, 10, 30):
        write(truth / f"GroundTruth1_10_{frame}.png", picture(100 + frame))
    source = open_source(f"kohler:{tmp_path}")
    assert source.names == ["Blurry1_2", "Blurry1_10"]
    assert source[0].sharp is None and "frames" not in source[0].extras
    # The photographs are linear, and methods are told so.
    assert source[0].extras["gamma"] == 1
    frames = source[1].extras["frames"]
    assert frames.names == [f"GroundTruth1_10_{frame}" for frame in (1, 2, 10, 30)]
    assert [round(255 * float(frame[0, 0, 0])) for frame in frames] == [
        101,
        102,
        110,
        130,
    ]
    # Nothing is read before it is asked for.
    (truth / "GroundTruth1_10_1.png").write_text("no picture")
    frames = source[1].extras["frames"]
    with pytest.raises(UserError, match="GroundTruth1_10_1.png"):
        frames[0]


def test_lai(tmp_path):
    write(tmp_path / "ground_truth/manmade_01.png", picture(1))
    write(tmp_path / "ground_truth/text_02.png", picture(2))
    write(tmp_path / "uniform/manmade_01_kernel_03.png", picture(3))
    write(tmp_path / "nonuniform/text_02_gyro_01.png", picture(4))
    h = np.zeros((5, 7), np.uint8)
    h[1, 2:5] = 100, 50, 50
    write(tmp_path / "kernel/kernel_03.png", h)
    uniform, varying = open_source(f"lai:{tmp_path}")
    assert (uniform.name, varying.name) == ("manmade_01_kernel_03", "text_02_gyro_01")
    np.testing.assert_allclose(uniform.extras["kernel"], h / 200, atol=1e-7)
    assert "kernel" not in varying.extras
    np.testing.assert_array_equal(varying.sharp[0, 0, 0], np.float32(2) / 255)


def write_levin(path: Path, f: np.ndarray) -> np.ndarray:
    """A .mat file as Levin's: y is the correlation of x with f. Returns y's inside."""
    x = np.random.default_rng(0).random((40, 44))
    size = f.shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(x, f.shape)
    inside = np.einsum("ijkl,kl->ij", windows, f)
    y = np.pad(inside, size // 2, mode="edge")
    scipy.io.savemat(path, {"x": x, "y": y, "f": f})
    return inside


def test_levin_kernel_convolves_the_sharp_image_to_the_blurry_one(tmp_path):
    f = np.random.default_rng(1).random((7, 7))
    inside = write_levin(tmp_path / "im05_flit03.mat", f / f.sum())
    (record,) = open_source(f"levin:{tmp_path}")
    assert record.name == "im5_ker3" and record.extras["grey"] is True
    assert record.sharp is not None and record.blurry is not None
    np.testing.assert_array_equal(record.sharp[..., 0], record.sharp[..., 2])
    h, x = jnp.asarray(record.extras["kernel"]), jnp.asarray(record.sharp)[None]
    again = convolve(x, h, border="valid")[0, ..., 0]
    np.testing.assert_allclose(again, inside, atol=1e-5)
    np.testing.assert_allclose(record.blurry[3:-3, 3:-3, 0], inside, atol=1e-6)


def test_levin_as_images(tmp_path):
    h = np.arange(9.0).reshape(3, 3)
    (tmp_path / "kernels").mkdir()
    np.save(tmp_path / "kernels/ker2.npy", h)
    for image in (1, 2):
        write(tmp_path / f"blurry/im{image}_ker2.png", picture(image)[..., 1])
        write(tmp_path / f"sharp/im{image}_ker2.png", picture(image)[..., 2])
    record = open_source(f"levin:{tmp_path}")[1]
    assert record.name == "im2_ker2"
    np.testing.assert_allclose(record.extras["kernel"], h / 36, atol=1e-7)
    assert float(record.blurry[5, 0, 0]) == pytest.approx(5 / 255)
    assert float(record.sharp[0, 5, 0]) == pytest.approx(5 / 255)


def test_single_images(tmp_path):
    write(tmp_path / "a.png", picture(1))
    write(tmp_path / "deep/er/b.png", picture(2)[..., 1])
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_text("not an image")
    source = open_source(f"images:{tmp_path}")
    assert source.names == ["a", "deep/er/b"]
    assert source[0].blurry is None and "grey" not in source[0].extras
    assert source[1].extras["grey"] is True and source[1].sharp.shape[-1] == 3
    blurry = open_source(f"images:{tmp_path}?kind=blurry")
    np.testing.assert_array_equal(blurry[0].blurry, source[0].sharp)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nothing", "nothing does not name a data set"),
        ("foo:{}", "NAME is one of gopro, reds"),
        ("gopro:{}/absent", "absent does not exist"),
        ("gopro:{}/file.txt", "file.txt is not a folder"),
        ("gopro:{}/empty", "holds nothing laid out as gopro"),
        ("gopro:{}/good?color=1", "gopro has no option 'color'; it has split, keep"),
        ("gopro:{}/good?split=val", "has no split 'val'; it has test, train"),
        ("gopro:{}/good?keep=both", "say keep=blurry or keep=sharp"),
        ("gopro:{}/good?resize=big", "resize=big is not a size"),
        ("images:{}/good?kind=grey", "kind=grey is unknown"),
        ("pairs:{}/good?blurry=left", "give both blurry=FOLDER and sharp=FOLDER"),
        ("pairs:{}/single?split=test", "has no split 'test'; it has no splits"),
        ("images:{}/good?keep=blurry", "has no blurry picture"),
        ("reds:{}/good?every=ten", "every=ten is not a number of frames"),
        ("realblur:{}/good?subset=X", "subset=X is unknown"),
        ("rsblur:{}/good?blur=none", "blur=none is unknown"),
        ("blur2blur:{}/good?part=E", "part=E is unknown"),
    ],
)
def test_bad_specs(tmp_path, spec, says):
    tiny_data.gopro(tmp_path / "good")
    write_pairs([("single/blur/a.png", "single/sharp/a.png")], tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").touch()
    with pytest.raises(UserError) as caught:
        open_source(spec.format(tmp_path))
    assert says in str(caught.value)


def test_nothing_is_left_out_silently(tmp_path):
    root = tiny_data.gopro(tmp_path)
    (root / "test/GOPR01_11_00/sharp/000002.png").unlink()
    with pytest.raises(UserError, match=r"blur/000002.png has no sharp partner"):
        open_source(f"gopro:{root}")


def test_two_names_that_are_one(tmp_path):
    write(tmp_path / "a.png", picture(1))
    write(tmp_path / "a.jpg", picture(1))
    with pytest.raises(UserError, match=r"a.png has the same name as a.jpg"):
        open_source(f"images:{tmp_path}")


def test_a_pair_of_two_sizes(tmp_path):
    write(tmp_path / "blur/a.png", picture(0))
    write(tmp_path / "sharp/a.png", picture(0, height=30))
    source = open_source(f"pairs:{tmp_path}")
    with pytest.raises(UserError, match=r"blur/a.png is 30 x 24 .*sharp/a.png 30 x 30"):
        source[0]
