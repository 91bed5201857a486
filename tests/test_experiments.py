"""Experiments from photos to scores, by networks of two features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluation_data import picture, write

from kernel_space_jax import weights
from kernel_space_jax.errors import UserError
from kernel_space_jax.experiments import deblurgan as experiment
from kernel_space_jax.experiments.blur2blur import _words, blur2blur, over_seeds
from kernel_space_jax.experiments.cameras import Sets as CameraSets
from kernel_space_jax.experiments.deblurgan import Sets, deblurgan, recipe
from kernel_space_jax.models.restorers.compact import Compact
from kernel_space_jax.training.data import open_feed
from kernel_space_jax.training.preparation import preparations

SMALL = """
steps=2 evaluate_every=2 log_every=2 checkpoint_every=2 batch_size=2 model.width=2
model.blocks=1 data.crop=32 data.validation_size=2 data.kernel_size=5
"""
KEYS = jax.random.split(jax.random.key(0), 6)
WORDS = [f"--config.{word}" for word in SMALL.split()]


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    for number, name in enumerate(("pairs", "test")):
        for i in range(3):
            x = picture(i + 10 * number, (40, 44))
            write(root / name / "sharp" / f"{name}{i}.png", x)
            write(root / name / "blurry" / f"{name}{i}.png", 1 - x)
    for name in ("photos", "test-photos"):
        for i in range(2):
            write(root / name / f"{name}{i}.png", picture(i + 50, (40, 44)))
    return Sets(
        f"pairs:{root}/pairs",
        f"images:{root}/photos",
        f"pairs:{root}/test",
        f"images:{root}/test-photos",
    )


def test_a_recipe_has_every_row_of_the_paper():
    assert {"synth", "wild", "comb"} < recipe("small", []).keys()
    published = recipe("published", [])["wild"]
    assert published.model.vgg == "vgg19" and published.model.critic_updates == 5
    with pytest.raises(UserError, match="did you mean 'small'"):
        recipe("smal", [])


@pytest.mark.slow
def test_arms_are_trained_and_scored(sets, tmp_path):
    configs = recipe("small", WORDS)
    few = {arm: configs[arm] for arm in ("alone", "comb")}
    found = deblurgan(tmp_path / "run", sets, few)
    assert found.keys() == {"shaken", "test"}
    assert found["shaken"].methods == ("blurry", "alone", "comb")
    assert len(found["shaken"].values("alone", "PSNR")) == 2
    assert found["shaken"].protocol.published == ()
    assert any("GoPro" in row.images for row in found["test"].protocol.published)
    for name in ("shaken", "test"):
        assert (tmp_path / f"run/curves-{name}.png").stat().st_size > 5_000
    # A finished run is scored again without training.
    said = []
    deblurgan(tmp_path / "run", sets, few, say=said.append)
    assert not any(text.startswith("step") for text in said), said


@pytest.mark.parametrize("arm", ["alone", "synth", "wild", "comb", "cyclegan"])
def test_each_arm_sees_its_own_blur(arm, sets, tmp_path):
    config = recipe("small", WORDS)[arm]
    config = experiment._on(arm, config, sets, sets.pairs, sets.test)
    seen = [next(open_feed(config)) for _ in range(6)]
    prepare = preparations(config.data)
    numbers = np.arange(2, dtype=np.int32)
    made = [
        prepare(batch | {"number": numbers}, KEYS[i]) for i, batch in enumerate(seen)
    ]
    if arm == "cyclegan":
        assert {"blurry_photos", "sharp_photos"} <= made[0].keys()
        return
    negatives = [
        np.allclose(x + y, 1, atol=5e-3)
        for batch in made
        for x, y in zip(batch["sharp"], batch["blurry"], strict=True)
    ]
    share = {"alone": 0, "synth": 0, "wild": 12}.get(arm)
    if share is None:
        assert 0 < sum(negatives) < 8
    else:
        assert sum(negatives) == share


def test_photos_that_were_learned_are_no_test(sets, tmp_path):
    with pytest.raises(UserError, match="share no scene"):
        deblurgan(tmp_path / "run", sets._replace(test=sets.pairs), recipe("small", []))
    with pytest.raises(UserError, match="share no scene"):
        deblurgan(
            tmp_path / "run",
            sets._replace(test_photos=sets.photos),
            recipe("small", []),
        )
    assert not (tmp_path / "run").exists()


TINY = """
--config.steps=2 --config.evaluate_every=2 --config.log_every=2
--config.checkpoint_every=2 --config.batch_size=2 --config.model.width=2
--config.data.crop=32 --config.data.validation_size=2 --config.data.kernel_size=5
--translator.model.blocks=1 --translator.model.critic_options.layers=1
--cyclegan.model.blocks=1 --dualgan.model.blocks=1
--restorer.model.encoder_blocks=(1,) --restorer.model.decoder_blocks=(1,)
""".split()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Sharp photos of three kinds, large enough to be blurred in their middles."""
    root = tmp_path_factory.mktemp("photos")
    for number, kind in enumerate(("known", "camera", "test")):
        for i in range(3):
            write(root / kind / f"{kind}{i}.png", picture(9 * number + i, (272, 270)))
    return [f"images:{root}/{kind}" for kind in ("known", "camera", "test")]


@pytest.mark.slow
def test_blur2blur_from_photos_to_tables(photos, tmp_path, monkeypatch):
    # One arm of each kind: the others are the same lines of code.
    arms = ("translator", "cyclegan", "adapted", "both", "bsrgan", "paired")
    monkeypatch.setattr("kernel_space_jax.experiments.blur2blur.EXAMPLES", 1)
    found = over_seeds(tmp_path, 1, CameraSets(*photos), TINY, arms=arms)
    for table in found.values():
        assert set(table.methods) == {"alone", "blurry", *arms}
        assert table.methods[0] == "alone"
        assert not table.problems
        assert set(table.groups.values()) == {"seed-0"}
        assert len(table.values("adapted", "PSNR")) == 3
    run = tmp_path / "seed-0"
    blurry, sharp = (
        {file.name for file in (run / "camera" / kind).iterdir()}
        for kind in ("blurry", "sharp")
    )
    assert blurry and sharp and not blurry & sharp
    assert (run / "examples.png").stat().st_size > 50_000
    said = []
    over_seeds(tmp_path, 1, CameraSets(*photos), TINY, arms=arms, say=said.append)
    assert not any(text.startswith("step") for text in said), said


def test_words_reach_their_config():
    assert _words("adapt", ["--config.seed=1", "--adapt.steps=2"]) == [
        "--config.seed=1",
        "--config.steps=2",
    ]
    assert _words("translator", ["--adapt.steps=2"]) == []
    with pytest.raises(UserError, match="did you mean 'adapt'"):
        _words("adapt", ["--adapd.steps=2"])
    with pytest.raises(UserError, match="write --config"):
        _words("adapt", ["--config steps=2"])


def test_words_that_do_not_apply_are_refused(photos, tmp_path):
    sets = CameraSets(*photos)
    with pytest.raises(UserError, match="say with --seeds how many"):
        over_seeds(tmp_path, 1, sets, ["--config.seed=3"])
    module = Compact(width=4, scales=1, blocks=1)
    variables = module.init(KEYS[0], jnp.zeros((1, 64, 64, 3)))
    file = tmp_path / "restorer.safetensors"
    weights.write(file, module, variables, origin="a test", licence="CC0-1.0")
    with pytest.raises(UserError, match="steps=2 does not apply"):
        blur2blur(tmp_path, sets, ["--restorer.steps=2"], restorer=str(file))
    with pytest.raises(UserError, match="did you mean 'adapted'"):
        blur2blur(tmp_path, sets, arms=["adapt"])


def test_cameras_share_no_scene(photos, tmp_path):
    known, camera, test = photos
    for sets in ((known, known, test), (test, camera, test), (known, test, test)):
        with pytest.raises(UserError, match="share no scene"):
            blur2blur(tmp_path, CameraSets(*sets))
    assert not any(tmp_path.iterdir())
