"""CycleGAN and DualGAN: a step is the papers' arithmetic, and a run is a run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_hand import KEY, Adam, close, log_of, pairs, start, stepper
from test_adversarial import PlainPool
from tiny_data import two_sets

import kernel_space_jax as ks
from kernel_space_jax import weights
from kernel_space_jax.errors import UserError
from kernel_space_jax.models.critics import PatchGAN
from kernel_space_jax.models.restorers import DeblurGAN
from kernel_space_jax.training.config import build_task, defaults
from kernel_space_jax.training.export import export_weights
from kernel_space_jax.training.loop import train

SMALL = {"width": 4, "blocks": 1, "norm": "batch", "dropout": 0.3, "residual": False}
SMALL_CRITIC = {"width": 4, "layers": 2, "norm": "batch"}


def tiny(task="cycle", **settings):
    """Two restorers and two critics of a few hundred parameters."""
    config = defaults(task, network="deblurgan")
    config.model.update(SMALL)
    config.model.critic_options.update(SMALL_CRITIC)
    config.model.update(settings)
    config.learning_rate, config.b1 = 1e-4, 0.5
    config.data.train = ()
    config.data.crop, config.data.blur = 32, "none"
    config.data.streams = {
        name: {"train": ("synthetic",)} for name in ("blurry_photos", "sharp_photos")
    }
    config.batch_size = config.data.validation_size = 2
    config.steps = config.evaluate_every = 4
    config.checkpoint_every, config.log_every = 2, 1
    return config


def unpaired(seed):
    """Two sharp photos and two blurry ones of other scenes.

    These have their sharp partners, for validation: what plain arithmetic never sees.
    """
    photos = pairs(4)
    shifted = {name: np.roll(photos[name], seed, 2) for name in ("sharp", "blurry")}
    return {
        "sharp_photos": {"sharp": shifted["sharp"][:2]},
        "blurry_photos": {name: images[2:] for name, images in shifted.items()},
        "number": np.arange(2, dtype=np.int32) + 2 * seed,
    }


class ByHand:
    """R, F, D_x and D_y as they began, and what each of their Adams does with them."""

    def __init__(self, state):
        generator, critic = DeblurGAN(**SMALL), PatchGAN(padding=1, **SMALL_CRITIC)
        self.generators = Adam(state["generators"].params, 1e-4)
        self.critics = Adam(state["critics"].params, 1e-4)
        self._generator, self._critic, self.seed = generator, critic, 0

    def made(self, params, call, network, image):
        """By R or F, with the dropout of that call of a step."""
        key = jax.random.fold_in(KEY, call)
        keys = jnp.stack([jax.random.fold_in(key, 2 * self.seed + n) for n in (0, 1)])
        return self._generator.apply({"params": params[network]}, image, keys)

    def judged(self, params, side, image):
        return self._critic.apply({"params": params[f"critic_of_{side}"]}, image)

    def photos(self, batch):
        x, y = batch["sharp_photos"]["sharp"], batch["blurry_photos"]["blurry"]
        return jnp.asarray(2 * x - 1), jnp.asarray(2 * y - 1)


def apart(a, b):
    return jnp.abs(a - b).mean()


@pytest.mark.slow
def test_cyclegan_is_plain_arithmetic():
    """Three steps, not compiled, in which pools of three images fill and exchange."""
    task = build_task(tiny(pool=3))
    state, step = start(task), stepper(task)
    hand, pools, exchanged = ByHand(state), [PlainPool(3), PlainPool(3)], 0
    for hand.seed in range(3):
        batch = unpaired(hand.seed)
        state, metrics = step(state, batch)
        x, y = hand.photos(batch)
        before, judges = hand.generators.params, hand.critics.params
        fakes = [
            hand.made(before, 0, "restorer", y),
            hand.made(before, 1, "blurrer", x),
        ]

        def of_generators(p, x=x, y=y, judges=judges):
            restored = hand.made(p, 0, "restorer", y)
            blurred = hand.made(p, 1, "blurrer", x)
            fooled = jnp.mean((hand.judged(judges, "sharp", restored) - 1) ** 2)
            fooled += jnp.mean((hand.judged(judges, "blurry", blurred) - 1) ** 2)
            cycle = apart(hand.made(p, 2, "restorer", blurred), x)
            cycle += apart(hand.made(p, 3, "blurrer", restored), y)
            same = apart(hand.made(p, 4, "restorer", x), x)
            same += apart(hand.made(p, 5, "blurrer", y), y)
            return fooled + 10 * cycle + 5 * same

        shown = []
        for place, (pool, fake) in enumerate(zip(pools, fakes, strict=True)):
            key = jax.random.fold_in(KEY, 16 + place)
            keys = [jax.random.fold_in(key, 2 * hand.seed + n) for n in (0, 1)]
            shown.append(jnp.asarray(pool.exchange(keys, fake)))
            exchanged += int((shown[-1] != fake).any((1, 2, 3)).sum())

        def of_critics(p, x=x, y=y, shown=shown):
            total = 0.0
            for side, real, fake in (("sharp", x, shown[0]), ("blurry", y, shown[1])):
                total += jnp.mean((hand.judged(p, side, real) - 1) ** 2)
                total += jnp.mean(hand.judged(p, side, fake) ** 2)
            return total / 2

        close(metrics["loss"], hand.generators.update(of_generators))
        close(metrics["critic_loss"], hand.critics.update(of_critics))
    assert exchanged
    close(state["generators"].params, hand.generators.params, atol=1e-5)
    close(state["critics"].params, hand.critics.params, atol=1e-5)
    for name, pool in zip(("sharp", "blurry"), pools, strict=True):
        held = state["pools"][f"critic_of_{name}"].images
        np.testing.assert_allclose(held, np.stack(pool.images), atol=1e-5)


@pytest.mark.slow
def test_dualgan_is_plain_arithmetic():
    """Two clipped updates of the critics and one of the generators, not compiled."""
    task = build_task(tiny("dual", critic_updates=2, clip=0.02))
    batch = unpaired(0)
    state = start(task)
    hand = ByHand(state)
    state, metrics = stepper(task)(state, batch)
    x, y = hand.photos(batch)
    restored = hand.made(hand.generators.params, 0, "restorer", y)
    blurred = hand.made(hand.generators.params, 1, "blurrer", x)

    def of_critics(p):
        total = 0.0
        for side, real, fake in (("sharp", x, restored), ("blurry", y, blurred)):
            total += (
                hand.judged(p, side, fake).mean() - hand.judged(p, side, real).mean()
            )
        return total

    for _ in range(2):
        value = hand.critics.update(of_critics)
        hand.critics.params = jax.tree.map(
            lambda p: jnp.clip(p, -0.02, 0.02), hand.critics.params
        )

    def of_generators(p):
        restored = hand.made(p, 0, "restorer", y)
        blurred = hand.made(p, 1, "blurrer", x)
        fooled = -hand.judged(hand.critics.params, "sharp", restored).mean()
        fooled -= hand.judged(hand.critics.params, "blurry", blurred).mean()
        cycle = apart(hand.made(p, 2, "restorer", blurred), x)
        cycle += apart(hand.made(p, 3, "blurrer", restored), y)
        return fooled + 200 * cycle

    # A small difference of means.
    assert abs(metrics["critic_loss"] - value) < 1e-6
    close(metrics["loss"], hand.generators.update(of_generators))
    close(state["critics"].params, hand.critics.params, atol=1e-6)
    close(state["generators"].params, hand.generators.params, atol=1e-6)


@pytest.mark.slow
def test_a_batch_in_parts_is_the_batch():
    config = tiny(pool=3)
    said = []
    for config.accumulate in (1, 2):
        task = build_task(config)
        state, metrics = stepper(task)(start(task), unpaired(0))
        said.append((metrics, state["critics"].params, state["generators"].params))
    close(*said, atol=1e-6)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The spec of five pairs."""
    return two_sets(tmp_path_factory.mktemp("pairs"))[0]


def with_pools(stored):
    """A run on the halves of these pairs, each drawn by itself."""
    config = tiny(pool=3)
    for name, stream in config.data.streams.items():
        kind = name.removesuffix("_photos")
        stream.train, stream.validation = (f"{stored}?keep={kind}",), stored
    return config


@pytest.fixture(scope="module")
def run(tmp_path_factory, stored):
    """The work directory of four steps, in which pools of three images fill."""
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    train(with_pools(stored), workdir, say=print)
    return workdir


@pytest.mark.slow
def test_a_run_that_goes_on_is_uninterrupted(tmp_path, run, stored):
    config = with_pools(stored)
    config.steps = 2
    train(config, tmp_path / "run", say=print)
    config.steps = 4
    train(config, tmp_path / "run", say=print)
    found = [r for r in log_of(tmp_path / "run") if r["step"] > 2]
    assert found == [r for r in log_of(run) if r["step"] > 2] and len(found) == 3


@pytest.mark.slow
def test_all_four_networks_of_a_run_are_taken_out(tmp_path, run):
    """The restorer first, and it deblurs; the next run's begins where it ends."""
    found = {}
    for name in ("restorer", "blurrer", "critic_of_sharp", "critic_of_blurry"):
        file = tmp_path / f"{name}.safetensors"
        export_weights(run, file, network=name)
        found[name] = weights.load(file)
    first = tmp_path / "first.safetensors"
    export_weights(run, first)
    digests = [
        weights.read_header(file)["sha256"]
        for file in (first, tmp_path / "restorer.safetensors")
    ]
    assert digests[0] == digests[1]
    module, variables = found["restorer"]
    y = pairs(1)["blurry"]
    expected = np.clip((module.apply(variables, 2 * y - 1)[0] + 1) / 2, 0, 1)
    deblurred = ks.deblur(y[0], "deblurgan", weights=first).image
    np.testing.assert_allclose(deblurred, expected, atol=1e-5)
    apart = jax.tree.map(
        lambda a, b: float(jnp.abs(a - b).max()),
        *(found[name].variables["params"] for name in ("restorer", "blurrer")),
    )
    assert max(jax.tree.leaves(apart)) > 1e-3
    config = tiny(pool=3)
    config.init_from = str(first)
    params = start(build_task(config))["generators"].params
    jax.tree.map(np.testing.assert_array_equal, params["restorer"], variables["params"])
    kernels = [params[name]["first"]["kernel"] for name in ("restorer", "blurrer")]
    assert jnp.abs(kernels[0] - kernels[1]).max() > 1e-3


def test_photos_without_a_partner_are_scored_by_their_cycle():
    task = build_task(tiny())
    state, batch = start(task), unpaired(0)
    evaluate = jax.jit(task.evaluate)
    known = {"psnr", "ssim", "psnr_of_blurry", "psnr_of_cycle"}
    assert evaluate(state, batch, KEY, {}).keys() == known
    del batch["blurry_photos"]["sharp"]
    assert evaluate(state, batch, KEY, {}).keys() == {"psnr_of_cycle"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"streams": "sharp_photos"}, "cycle needs the data stream sharp_photos; set"),
        ({"stages": ((3, 64, 2),)}, "hold images of one size; leave the crop"),
        ({"model": {"pool": 0}}, "model.pool=0 must be at least 1"),
        ({"players": {"restorer": {}}}, "names no network that learns in the task cy"),
    ],
)
def test_a_run_that_cannot_be(tmp_path, change, said):
    config = tiny()
    if "streams" in change:
        del config.data.streams[change["streams"]]
    else:
        config.update(change)
    with pytest.raises(UserError, match=said):
        train(config, tmp_path / "run", say=print)
    assert not list(tmp_path.iterdir())
