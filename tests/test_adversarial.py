"""Adversarial losses, penalties and pools: the original programs, and identities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import Golden, by_torch_name, relative_error

from kernel_space_jax.losses import (
    ADVERSARIAL,
    RELATIVISTIC,
    clip_weights,
    exchange,
    gradient_penalty,
    image_pool,
    mixture,
    over_answers,
    pixel_gradient_penalty,
    rivals,
)
from kernel_space_jax.losses.pools import recent, recent_mean, remember
from kernel_space_jax.models.critics import critic, pyramid
from kernel_space_jax.weights import from_torch

LOSS, GRADIENT = 1e-5, 1e-3  # relative


def close(found, expected):
    return abs(found - expected) <= LOSS * abs(expected)


def assert_gradients(arch, module, grads, expected):
    assert expected
    found = by_torch_name(arch, module, grads)
    for key, value in expected.items():
        assert relative_error(found[key], value) < GRADIENT, key


@pytest.fixture(scope="module")
def deblurgan():
    golden = Golden("deblurgan_disc_ndf8")
    module, variables = from_torch("deblurgan-critic", golden.weights())
    return golden, module, variables["params"]


def test_deblurgans_losses_agree(deblurgan):
    """The program halves the critic's, but for Wasserstein's."""
    golden, module, params = deblurgan
    judge = jax.jit(lambda x: module.apply({"params": params}, x))
    real, fake = (judge(golden.image(f"in/{kind}")) for kind in ("real", "fake"))
    for name, theirs in (("vanilla", "gan"), ("absolute", "lsgan_actually_L1")):
        loss = ADVERSARIAL[name]
        assert close(loss.critic(real, fake) / 2, golden[f"out/{theirs}_D"])
        assert close(loss.generator(fake), golden[f"out/{theirs}_G"])
    loss = ADVERSARIAL["wasserstein"]
    # A small difference of two means.
    assert abs(loss.critic(real, fake) - golden["out/wgan_D_nogp"]) < 1e-6
    assert close(loss.generator(fake), golden["out/wgan_G"])


def test_deblurgans_penalty_and_its_gradients_agree(deblurgan):
    golden, module, params = deblurgan
    real, fake = golden.image("in/real"), golden.image("in/fake")

    def loss(params):
        judge = lambda x: module.apply({"params": params}, x)
        mixed = mixture(real, fake, golden["in/alpha"])
        penalty = 10 * pixel_gradient_penalty(judge, mixed)
        distance = ADVERSARIAL["wasserstein"].critic(judge(real), judge(fake))
        return distance + penalty, penalty

    (total, penalty), grads = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    assert close(penalty, golden["out/wgan_gp"])
    assert close(total, golden["out/wgan_D_total"])
    expected = golden.group("grad/wgan_D/")
    bias = expected.pop("model.5.bias")
    assert_gradients("patchgan", module, {"params": grads}, expected)
    # The norm takes a bias away again: its gradient is rounding alone.
    largest = max(np.abs(value).max() for value in expected.values())
    assert np.abs(bias).max() < 1e-5 * largest
    assert np.abs(grads["block2"]["conv"]["bias"]).max() < 1e-5 * largest


BLUR2BLUR = [
    ("b2b_disc_ndf8", "128x128"),
    ("b2b_disc_ndf8", "96x160"),
    ("b2b_disc_full_detweights", "128x128"),
]


@pytest.mark.parametrize(("name", "size"), BLUR2BLUR)
def test_blur2blurs_losses_agree_over_scales(name, size):
    golden = Golden(name)
    module, variables = from_torch("blur2blur-critic", golden.weights())
    judge = jax.jit(lambda v, x: [module.apply(v, image) for image in pyramid(x)])
    real, fake = (
        judge(variables, golden.image(f"in/{kind}_{size}")) for kind in ("real", "fake")
    )
    for loss in ("hinge", "wasserstein"):
        terms = [golden[f"out/{loss}_D_{kind}_{size}"] for kind in ("real", "fake")]
        found = over_answers(ADVERSARIAL[loss].critic, real, fake)
        assert abs(found - sum(terms)) < LOSS * sum(map(abs, terms))
    found = over_answers(ADVERSARIAL["hinge"].generator, fake)
    assert close(found, golden[f"out/hinge_G_{size}"])


@pytest.mark.parametrize(("name", "size"), BLUR2BLUR)
def test_blur2blurs_penalty_and_its_gradients_agree(name, size):
    golden = Golden(name)
    module, variables = from_torch("blur2blur-critic", golden.weights())
    real, fake = (golden.image(f"in/{kind}_{size}") for kind in ("real", "fake"))
    mixed = mixture(real, fake, golden[f"in/alpha_{size}"])

    @jax.jit
    def derive(params):
        judge = lambda params, x: module.apply({"params": params}, x)
        penalty = lambda params: (
            0.1 * gradient_penalty(lambda x: judge(params, x), mixed, patches="sum")
        )
        slope = jax.grad(lambda x: jnp.sum(judge(params, x)))(mixed)
        return *jax.value_and_grad(penalty)(params), slope

    penalty, grads, slope = derive(variables["params"])
    assert close(penalty, golden[f"out/gp_lam0.1_{size}"])
    assert close(penalty / 1000, golden[f"out/gp_lam0.0001_{size}"])
    expected = golden.image(f"out/gp_input_grad_{size}")
    assert relative_error(slope, expected) < GRADIENT
    assert close(jnp.linalg.norm(slope), golden[f"out/gp_gradnorm_{size}"][0])
    expected = golden.group(f"grad/gp0.1_{size}/")
    found = by_torch_name("patchgan", module, {"params": grads})
    for key, value in expected.items():
        # Of the published size a part is recorded.
        whole = found[key][:: len(found[key]) // len(value)]
        assert relative_error(whole, value) < GRADIENT, key


def test_deblurgan_v2_agrees_over_three_rounds():
    """RaLSGAN, the mean of both critics', while their pools fill."""
    golden = Golden("deblurganv2_doublegan_ragan_ndf4")
    module, variables = from_torch("deblurgan-v2-critic", golden.weights())
    loss = RELATIVISTIC["ralsgan"]

    def judged(params, real, fake):
        answers = (module.apply({"params": params}, x) for x in (real, fake))
        return list(zip(*answers, strict=True))

    def of_critics(params, known, real, fake):
        both = judged(params, real, fake)
        found = [loss.critic(k, *r) for k, r in zip(known, both, strict=True)]
        return sum(value for _, value in found) / 2, [k for k, _ in found]

    def of_generator(fake, params, known, real):
        both = judged(params, real, fake)
        return sum(loss.generator(k, *r) for k, r in zip(known, both, strict=True)) / 2

    critics = jax.jit(jax.value_and_grad(of_critics, has_aux=True))
    generator = jax.jit(jax.value_and_grad(of_generator))
    params, known = variables["params"], [rivals(), rivals()]
    for turn in range(3):
        real, fake = (golden.image(f"in/{kind}_{turn}") for kind in ("real", "fake"))
        (value, known), grads = critics(params, known, real, fake)
        assert close(value, golden[f"out/ragan_ls_D_{turn}"])
        value, grad = generator(fake, params, known, real)
        assert close(value, golden[f"out/ragan_ls_G_{turn}"])
        expected = golden.image(f"out/ragan_ls_G_grad_fake_{turn}")
        assert relative_error(grad, expected) < GRADIENT
    expected = golden.group("grad/")
    assert_gradients("patchgan_double_scale", module, {"params": grads}, expected)
    assert [int(k.real.count) for k in known] == [3, 3]


def answers(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def test_losses_by_hand():
    real, fake = answers(0, 2, 3, 3, 1), answers(1, 2, 3, 3, 1)
    s = lambda u: 1 / (1 + np.exp(-u))
    r, f = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    expected = {
        "vanilla": (-np.log(s(r)).mean() - np.log(1 - s(f)).mean(), -np.log(s(f))),
        "least_squares": (((r - 1) ** 2).mean() + (f**2).mean(), (f - 1) ** 2),
        "hinge": (np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(), -f),
        "wasserstein": (f.mean() - r.mean(), -f),
        "absolute": (np.abs(r - 1).mean() + np.abs(f).mean(), np.abs(f - 1)),
    }
    assert expected.keys() == ADVERSARIAL.keys()
    for name, (critics, generators) in expected.items():
        loss = ADVERSARIAL[name]
        assert close(loss.critic(real, fake), critics), name
        assert close(loss.generator(fake), generators.mean()), name
    # No logarithm of 0 where a critic is sure.
    assert jnp.isfinite(ADVERSARIAL["vanilla"].critic(-1e4 * jnp.ones(3), jnp.ones(3)))


def test_relativistic_losses_by_hand():
    real, fake = answers(0, 2, 3, 3, 1), answers(1, 2, 3, 3, 1)
    r, f = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    r, f = r - f.mean(), f - r.mean()
    s = lambda u: 1 / (1 + np.exp(-u))
    log = lambda r, f: -(np.log(s(r)).mean() + np.log(1 - s(f)).mean()) / 2
    square = lambda r, f: (((r - 1) ** 2).mean() + ((f + 1) ** 2).mean()) / 2
    for name, expected in (("ragan", log), ("ralsgan", square)):
        loss = RELATIVISTIC[name]
        known, value = loss.critic(rivals(), real, fake)
        assert close(value, expected(r, f)), name
        assert close(loss.generator(known, real, fake), expected(f, r)), name


def test_a_mean_over_scales():
    two = [answers(0, 2, 3, 3, 1), answers(1, 2, 5, 5, 1)]
    loss = ADVERSARIAL["hinge"]
    expected = (loss.critic(two[0], two[0]) + loss.critic(two[1], two[1])) / 2
    assert close(over_answers(loss.critic, two, two), expected)
    assert close(over_answers(loss.generator, two[0]), loss.generator(two[0]))
    with pytest.raises(ValueError, match="shorter"):
        over_answers(loss.critic, two, two[0])


@pytest.fixture(scope="module")
def small():
    """D of a small critic, and three images."""
    module = critic("patchgan", width=4, layers=2)
    x = answers(2, 3, 24, 24, 3)
    variables = module.init(jax.random.key(0), x)
    # Answers far from constant.
    larger = jax.tree.map(lambda leaf: 10 * leaf, variables)
    return lambda x: module.apply(larger, x), x


@pytest.mark.parametrize("patches", ["mean", "sum"])
def test_a_batch_has_the_mean_of_its_penalties(small, patches):
    judge, x = small
    penalty = jax.jit(lambda x: gradient_penalty(judge, x, patches=patches))
    alone = jnp.stack([penalty(x[n : n + 1]) for n in range(3)])
    assert jnp.std(alone) > 1e-2 * jnp.mean(alone)
    np.testing.assert_allclose(penalty(x), jnp.mean(alone), rtol=1e-5)


def test_the_penalty_of_a_unit_gradient_is_zero():
    x = answers(3, 4, 6, 6, 3)
    w = answers(4, 6, 6, 3)
    w = w / jnp.linalg.norm(w)
    judge = lambda x: jnp.einsum("nhwc,hwc->n", x, w)
    assert gradient_penalty(judge, x) < 1e-12
    for patches in ("mean", "sum"):
        found = gradient_penalty(lambda x: 3 * judge(x), x, patches=patches)
        assert close(found, 4)
    # A map of 5 equal answers has the mean of one, and five times its sum.
    many = lambda x: jnp.repeat(judge(x)[:, None], 5, 1)
    assert gradient_penalty(many, x) < 1e-12
    assert close(gradient_penalty(many, x, patches="sum"), 16)


def test_the_pixel_penalty_is_of_the_colours_of_a_pixel():
    x = answers(3, 4, 6, 6, 3)
    w = answers(4, 6, 6, 3)
    judge = lambda x: jnp.einsum("nhwc,hwc->n", x, w)
    expected = jnp.mean(jnp.square(jnp.linalg.norm(w, axis=-1) - 1))
    assert close(pixel_gradient_penalty(judge, x), expected)


def test_a_critic_that_answers_nothing_has_finite_gradients():
    judge = lambda w, x: w * jnp.sum(x, (1, 2, 3))
    x = answers(5, 2, 4, 4, 3)
    for penalty in (gradient_penalty, pixel_gradient_penalty):
        value, grad = jax.value_and_grad(
            lambda w, penalty=penalty: penalty(lambda x: judge(w, x), x)
        )(0.0)
        assert close(value, 1) and jnp.isfinite(grad)


def test_mixtures():
    real, fake = answers(0, 3, 4, 4, 3), answers(1, 3, 4, 4, 3)
    shares = jnp.array([0.0, 1.0, 0.25])
    mixed = mixture(real, fake, shares)
    np.testing.assert_array_equal(mixed[:2], [fake[0], real[1]])
    np.testing.assert_allclose(mixed[2], 0.25 * real[2] + 0.75 * fake[2], atol=1e-6)
    whole = mixture(real, fake, 0.25)
    np.testing.assert_allclose(whole, 0.25 * real + 0.75 * fake, atol=1e-6)


def test_clipped_weights():
    params = {"a": jnp.array([-2.0, 0.005, 2.0]), "b": {"c": jnp.array(-0.02)}}
    clipped = clip_weights(params, 0.01)
    np.testing.assert_allclose(clipped["a"], [-0.01, 0.005, 0.01])
    np.testing.assert_allclose(clipped["b"]["c"], -0.01)


@pytest.mark.parametrize("count", [1, 2, 4, 11])
def test_recent_scores_are_the_last(count):
    """In batches smaller and larger than the pool of 4."""
    pool, seen = recent(4), []
    assert recent_mean(pool) == 0
    add = jax.jit(remember)
    for turn in range(5):
        new = answers(turn, count, 3, 2, 1)
        seen = [*seen, *np.asarray(new).mean((1, 2, 3))][-4:]
        pool = add(pool, new)
        np.testing.assert_allclose(recent_mean(pool), np.mean(seen), atol=1e-6)
    grad = jax.grad(lambda new: recent_mean(remember(pool, new)))(new)
    assert not grad.any()


class PlainPool:
    """What `exchange` does, in plain Python with the same draws."""

    def __init__(self, size):
        self.size, self.images = size, []

    def exchange(self, keys, images):
        given = []
        for key, image in zip(keys, np.asarray(images), strict=True):
            for_swap, for_place = jax.random.split(key)
            if len(self.images) < self.size:
                self.images.append(image)
                given.append(image)
            elif jax.random.bernoulli(for_swap):
                place = int(jax.random.randint(for_place, (), 0, self.size))
                given.append(self.images[place])
                self.images[place] = image
            else:
                given.append(image)
        return np.stack(given)


def turns(count, batch=2):
    """The keys and images of some steps."""
    for turn in range(count):
        keys = jax.random.split(jax.random.key(turn), batch)
        yield keys, answers(turn, batch, 4, 5, 3)


def test_a_pool_under_jit_is_that_of_plain_python():
    plain, pool, compiled = PlainPool(5), image_pool(5, (4, 5, 3)), jax.jit(exchange)
    strangers = 0
    for keys, images in turns(12):
        expected = plain.exchange(keys, images)
        pool, given = compiled(keys, pool, images)
        np.testing.assert_array_equal(given, expected)
        strangers += int((given != images).any((1, 2, 3)).sum())
    np.testing.assert_array_equal(pool.images, np.stack(plain.images))
    # Of the 19 images that met a full pool about half were exchanged.
    assert 4 < strangers < 15


def test_a_pool_with_room_gives_back_what_it_gets():
    pool = image_pool(8, (4, 5, 3))
    for keys, images in turns(3):
        pool, given = exchange(keys, pool, images)
        np.testing.assert_array_equal(given, images)
    assert pool.count == 6 and not pool.images[6:].any()
    seen = jnp.concatenate([images for _, images in turns(3)])
    np.testing.assert_array_equal(pool.images[:6], seen)


def test_pools_are_the_same_on_several_devices():
    """Of a batch of four, two examples on each."""
    parted = lambda x: x.reshape(2, 2, *x.shape[1:])
    on_each = lambda f, *axes: jax.vmap(f, axes, 0, axis_name="devices")
    offer = lambda *a: exchange(*a, axis="devices")
    add = lambda *a: remember(*a, axis="devices")
    pool, last = image_pool(3, (4, 5, 3)), recent(3)
    for keys, images in turns(4, batch=4):
        pools, parts = on_each(offer, 0, None, 0)(parted(keys), pool, parted(images))
        several = on_each(add, None, 0)(last, parted(images))
        pool, given = exchange(keys, pool, images)
        last = remember(last, images)
        np.testing.assert_array_equal(parts.reshape(given.shape), given)
        for device in range(2):
            one = jax.tree.map(lambda leaf, n=device: leaf[n], (pools, several))
            jax.tree.map(np.testing.assert_array_equal, one, (pool, last))


def test_each_fixed_loss_moves_both_players_the_right_way():
    real, fake = answers(0, 2, 3, 3, 1), answers(1, 2, 3, 3, 1)
    for name, loss in ADVERSARIAL.items():
        for_real, for_fake = jax.grad(loss.critic, (0, 1))(real, fake)
        assert for_real.sum() < 0 < for_fake.sum(), name
        assert jax.grad(loss.generator)(fake).sum() < 0, name
    for name, loss in RELATIVISTIC.items():
        known, _ = loss.critic(rivals(), real, fake)
        value = lambda real, fake, loss=loss: loss.critic(rivals(), real, fake)[1]
        for_real, for_fake = jax.grad(value, (0, 1))(real, fake)
        assert for_real.sum() < 0 < for_fake.sum(), name
        assert jax.grad(loss.generator, 2)(known, real, fake).sum() < 0, name
