"""Named streams and stages: each drawn by itself, each resumed where it stood."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_data
import tiny_task  # noqa: F401
from tiny_data import picture, write

from kernel_space_jax.errors import UserError
from kernel_space_jax.training.config import defaults, load_config
from kernel_space_jax.training.data import open_feed, open_validation
from kernel_space_jax.training.engine import numbered
from kernel_space_jax.training.loop import Supply
from kernel_space_jax.training.preparation import preparations
from kernel_space_jax.training.stages import stage_of, stages


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Specs: pairs numbered from 0, and single photos numbered from 200."""
    root = tmp_path_factory.mktemp("streams")
    for n in range(6):
        write(root / "photos" / f"{n}.png", picture(200 + n))
    return {
        "pairs": tiny_data.two_sets(root)[0],
        "photos": f"images:{root}/photos?kind=blurry",
    }


@pytest.fixture
def config(sets):
    """Pairs as the batch itself, photos of another camera, and dead leaves."""
    config = defaults("tiny")
    config.batch_size = 4
    config.data.train = (sets["pairs"],)
    config.data.validation = sets["pairs"]
    config.data.validation_size = 5
    config.data.crop, config.data.blur, config.data.kernel_size = 16, "none", 5
    config.data.streams = {
        "camera": {"train": (sets["photos"],), "validation": sets["photos"], "crop": 8},
        "leaves": {
            "train": ("synthetic",),
            "validation": "synthetic",
            "blur": "shake",
        },
    }
    return config


def arrays(batch):
    return jax.tree.map(np.asarray, batch)


def equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_a_step_sees_every_stream(config):
    prepare = jax.jit(preparations(config.data))
    batch = next(open_feed(config)) | {"number": np.arange(4, dtype=np.int32)}
    seen = arrays(prepare(batch, jax.random.key(0)))
    assert seen.keys() == {"number", "sharp", "blurry", "camera", "leaves"}
    # The pairs of tiny_data are negatives of each other.
    np.testing.assert_allclose(seen["sharp"] + seen["blurry"], 1, atol=1e-6)
    assert seen["sharp"].shape == (4, 16, 16, 3)
    assert seen["camera"]["blurry"].shape == (4, 8, 8, 3)
    assert (seen["camera"]["blurry"][..., 0] * 255 > 199).all()
    assert seen["leaves"]["kernel"].shape == (4, 5, 5)
    assert seen["leaves"]["sharp"].std() > 0.05
    np.testing.assert_array_equal(seen["leaves"]["number"], batch["number"])


def test_a_part_of_the_pairs_gets_fresh_blur(config):
    config.data.streams = {}
    config.data.blur, config.data.fresh = "shake", 0.5
    # A shake of one pixel leaves the photo as it is.
    config.data.kernel_size = 1
    batch = next(open_feed(config)) | {"number": np.arange(4, dtype=np.int32)}
    prepare = jax.jit(preparations(config.data))
    seen = [arrays(prepare(batch, jax.random.key(seed))) for seed in range(4)]
    x, y = (
        np.concatenate([part[name] for part in seen]) for name in ("sharp", "blurry")
    )
    as_it_was = np.isclose(x + y, 1, atol=1e-6).all((1, 2, 3))
    blurred_anew = np.isclose(y, x, atol=1e-6).all((1, 2, 3))
    assert (as_it_was ^ blurred_anew).all()
    assert 2 < as_it_was.sum() < 14

    config.data.kernel_size = 5
    wide = next(open_feed(config))
    assert wide["sharp"].shape == (4, 20, 20, 3)
    prepare = jax.jit(preparations(config.data))
    part = prepare(wide | {"number": batch["number"]}, jax.random.key(0))
    assert part["sharp"].shape == part["blurry"].shape == (4, 16, 16, 3)
    # Validation pairs are never blurred anew.
    held_out = open_validation(config)[0]
    kept = preparations(config.data, training=False)(held_out, jax.random.key(0))
    np.testing.assert_allclose(kept["sharp"] + kept["blurry"], 1, atol=1e-6)


@pytest.mark.parametrize("blur", ["rsblur", "bsrgan"])
def test_blur_as_others_make_it(blur):
    """On a grey wall with one edge: both sides keep their light, the edge is soft."""
    config = defaults("tiny")
    config.data.crop, config.data.blur, config.data.kernel_size = 32, blur, 9
    wall = np.full((4, 40, 40, 3), 51, np.uint8)
    wall[:, :, 20:] = 204
    batch = {"number": np.arange(4, dtype=np.int32), "sharp": wall}
    made = arrays(jax.jit(preparations(config.data))(batch, jax.random.key(1)))
    x, y = made["sharp"], made["blurry"]
    np.testing.assert_allclose(x[:, :, 0], 0.2, atol=1e-6)
    assert y.shape == x.shape == (4, 32, 32, 3)
    for side, light in ((slice(0, 3), 0.2), (slice(-3, None), 0.8)):
        np.testing.assert_allclose(y[:, :, side].mean((1, 2, 3)), light, atol=0.04)
    profile = y.mean((1, 3))
    steepest = np.diff(profile, axis=1).max(1)
    assert (steepest < 0.59).all()
    assert (steepest < 0.4).any()
    # Each photo has its own noise.
    assert (np.abs(y - y.mean(1, keepdims=True)).mean((1, 2, 3)) > 1e-4).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fresh": 0.5}, "set data.blur to shake or scene"),
        ({"fresh": 0.5, "blur": "shake", "train": ("synthetic",)}, "no blurry images"),
    ],
)
def test_fresh_blur_that_cannot_be(config, change, says):
    config.data.update(change)
    with pytest.raises(UserError, match=says):
        open_feed(config)


def test_what_one_stream_holds_does_not_move_another(config):
    both = next(open_feed(config))
    del config.data.streams["leaves"]
    config.data.train = ()
    alone = next(open_feed(config))
    assert alone.keys() == {"camera"}
    equal(alone["camera"], both["camera"])


@pytest.mark.parametrize("pipeline", ["grain", "tf"])
def test_each_resumes_where_it_stood(config, pipeline):
    if pipeline == "tf":
        pytest.importorskip("tensorflow")
    config.data.pipeline = pipeline
    feed = open_feed(config)
    for _ in range(3):
        next(feed)
    place = feed.get_state()
    expected = [next(feed) for _ in range(4)]
    feed.close()
    again = open_feed(config)
    again.set_state(place)
    equal([next(again) for _ in range(4)], expected)
    again.close()


def test_validation_has_every_stream(config):
    batches = open_validation(config)
    assert [len(batch["number"]) for batch in batches] == [4, 4]
    assert batches[0]["camera"]["blurry"].shape == (4, 8, 8, 3)
    assert batches[0]["leaves"] == {}


def test_words_reach_a_stream(tmp_path, sets):
    file = tmp_path / "config.py"
    file.write_text(
        "from kernel_space_jax.training.config import defaults\n"
        "get_config = lambda: defaults('kernel_space')\n"
    )
    words = [f"--config.data.streams.known.train=('{sets['pairs']}',)"]
    words += ["--config.data.streams.known.crop=64"]
    config = load_config(file, words)
    assert config.data.streams.known.crop == 64
    for word, said in (
        ("--config.data.streams.known.crop=big", "type int, not 'big'"),
        ("--config.data.streams.known.corp=64", "did you mean 'crop'"),
        ("--config.players.kernel_space.ema=much", "type float, not 'much'"),
    ):
        with pytest.raises(UserError, match=said):
            load_config(file, [word])


@pytest.mark.parametrize(
    "streams, said",
    [
        ({"a": {"crop": 8}}, "streams.a names no data; set its train"),
        ({"sharp": {"train": ("synthetic",)}}, "a stream cannot be called 'sharp'"),
        ({"a": {"train": ("synthetic",), "corp": 8}}, "streams.a has no key 'corp'"),
        ({"a": {"train": ("synthetic",), "crop": "x"}}, "streams.a does not fit"),
        ({}, "names no data; set data.train or data.streams"),
    ],
)
def test_a_mistake_is_one_sentence(config, streams, said):
    config.data.train, config.data.streams = (), streams
    with pytest.raises(UserError, match=said):
        open_feed(config)


def engine_of(config):
    """As much of an engine as a supply asks for; a step says what it was given."""
    sizes = lambda batch: (batch["sharp"].shape[:2], tuple(batch["number"]))
    return SimpleNamespace(
        stages=stages(config),
        place=SimpleNamespace(batch=lambda batch: batch),
        feed=lambda stage: open_feed(stage.config(config)),
        program=lambda stage: lambda run, batch: (run, (sizes(batch), batch)),
    )


def test_crops_grow_by_stages_and_resume_in_any(config):
    config.data.streams = {}
    config.stages = ((3, 18, 2), (5, 20, 6))
    engine = engine_of(config)
    supply = Supply(engine)
    seen, places = [], []
    for step in range(1, 7):
        seen.append(supply.step(step, None)[1])
        places.append(supply.get_state())
    assert [sizes for sizes, _ in seen] == [
        ((4, 16), (0, 1, 2, 3)),
        ((4, 16), (4, 5, 6, 7)),
        ((2, 18), (8, 9)),
        ((2, 18), (10, 11)),
        ((6, 20), (12, 13, 14, 15, 16, 17)),
        ((6, 20), (18, 19, 20, 21, 22, 23)),
    ]
    # After step 2 a stage begins, after step 3 one goes on.
    for done in (2, 3, 5):
        again = Supply(engine)
        again.set_state(places[done - 1], done)
        for step in range(done + 1, 7):
            equal(again.step(step, None)[1][1], seen[step - 1][1])


def test_numbers_go_on_over_the_stages(config):
    config.stages = ((3, 18, 2),)
    first, second = stages(config)
    assert stage_of([first, second], 2) == first
    batch = numbered({"sharp": jnp.zeros(2)}, 3, second)
    np.testing.assert_array_equal(batch["number"], [8, 9])


@pytest.mark.parametrize(
    "rows, said",
    [
        (((3, 18),), "each is \\(first step, crop, batch size\\)"),
        (((3, 18, 0),), "three numbers from 1 on"),
        (((5, 18, 2), (3, 20, 2)), "does not begin after step 5"),
    ],
)
def test_stages_that_cannot_be(config, rows, said):
    config.stages = rows
    with pytest.raises(UserError, match=said):
        stages(config)
