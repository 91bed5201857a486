"""DeblurGAN's tables, from pairs and photos to scores, by networks of two features."""

import jax
import numpy as np
import pytest
from evaluation_data import picture, write

from kernel_space_jax.errors import UserError
from kernel_space_jax.experiments import deblurgan as experiment
from kernel_space_jax.experiments.deblurgan import Sets, deblurgan, recipe
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
    with pytest.raises(UserError, match="is in the training"):
        deblurgan(tmp_path / "run", sets._replace(test=sets.pairs), recipe("small", []))
    with pytest.raises(UserError, match="is in the training"):
        deblurgan(
            tmp_path / "run",
            sets._replace(test_photos=sets.photos),
            recipe("small", []),
        )
    assert not (tmp_path / "run").exists()
