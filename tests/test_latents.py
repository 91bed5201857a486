"""A generator's latents as the prior of a search: x and h found in turns."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import kernel_space_jax as ks
from kernel_space_jax.deblur import deblur_all
from kernel_space_jax.losses.objective import Phase, objective
from kernel_space_jax.models.generators import Generator, StyleGAN2, fitted
from kernel_space_jax.operators import Basis, Uniform
from kernel_space_jax.priors import Places, Simplex, latents
from kernel_space_jax.schedules import linear_one_cycle_with_drop
from kernel_space_jax.solvers.search import presets
from kernel_space_jax.solvers.search.blind_search import (
    Alternating,
    Rate,
    Search,
    SphereRate,
    advance,
    begin,
    finish,
    solve,
)
from kernel_space_jax.solvers.sphere import on_sphere
from kernel_space_jax.weights import Weights

KEY = jax.random.key(0)


def drawn(*widths: int) -> Weights:
    module = StyleGAN2(widths=widths, style=8, mapping=2)
    return Weights(module, module.init(jax.random.key(3), *module.inputs()))


@pytest.fixture(scope="module")
def generator() -> Weights:
    return drawn(16, 16, 8)


@pytest.fixture(scope="module")
def larger() -> Weights:
    """Of 32x32: no photo may be smaller than 16."""
    return drawn(8, 8, 8, 8)


@pytest.fixture(scope="module")
def search(generator) -> Search:
    plan = Alternating(rounds=2, x=3, k=2)
    return Search(
        Uniform("reflect"),
        latents(generator),
        Simplex(3),
        objective(Phase(square=100.0)),
        steps=plan.steps,
        rate_x=SphereRate(0.2, plan.steps),
        rate_k=Rate(5e-2),
        alternating=plan,
    )


def test_latents_are_drawn_as_the_generator_draws_styles(generator):
    mean, deviation, _ = fitted(*generator, 4000)
    z = jax.random.normal(jax.random.key(7), (4000, 8))
    w = generator.module.apply(generator.variables, z, method="mapped")
    draws = mean + deviation * jax.random.normal(jax.random.key(8), (4000, 8))
    found = jnp.where(draws < 0, 0.2 * draws, draws)
    np.testing.assert_allclose(found.mean(0), w.mean(0), atol=0.15)
    np.testing.assert_allclose(found.std(0), w.std(0), rtol=0.3)


def test_its_images_are_as_small_as_the_photo(generator):
    prior = latents(generator, factor=2)
    theta = prior.init(KEY)
    whole = latents(generator).apply(theta)
    assert prior.apply(theta).shape == (1, 8, 8, 3)
    assert whole.shape == (1, 16, 16, 3)
    np.testing.assert_allclose(prior.apply(theta).mean(), whole.mean(), atol=0.1)


@pytest.mark.slow
def test_turns_equal_plain_jax(search, generator):
    """The loop, step by step, without any jit."""
    y = jnp.asarray(np.random.default_rng(0).random((1, 16, 16, 3)), jnp.float32)
    found = solve(search, y, KEY)

    plan = search.alternating
    of_x, of_k = jax.random.split(jax.random.fold_in(KEY, 0))
    x_theta, k_theta = search.x.init(of_x), search.k.init(of_k)
    rate = linear_one_cycle_with_drop(0.2, plan.steps)
    x_descent, k_descent = on_sphere(optax.adam(rate)), optax.adam(5e-2)
    x_state, k_state = x_descent.init(x_theta), k_descent.init(k_theta)
    error = lambda x, h: 100 * jnp.mean(jnp.square(search.operator(x, h) - y))
    seen, best_k = [], k_theta
    for _ in range(plan.rounds):
        h = search.k.apply(best_k)
        least = jnp.inf
        for _ in range(plan.x):
            cost = lambda theta, h=h: (
                error(search.x.apply(theta), h) + search.x.penalty(theta)
            )
            value, gradient = jax.value_and_grad(cost)(x_theta)
            if value < least:
                least, best_x = value, x_theta
            seen.append(float(value))
            step, x_state = x_descent.update(gradient, x_state, x_theta)
            x_theta = optax.apply_updates(x_theta, step)
        x, least = search.x.apply(best_x), jnp.inf
        for _ in range(plan.k):
            cost = lambda theta, x=x: error(x, search.k.apply(theta))
            value, gradient = jax.value_and_grad(cost)(k_theta)
            if value < least:
                least, best_k = value, k_theta
            step, k_state = k_descent.update(gradient, k_state, k_theta)
            k_theta = optax.apply_updates(k_theta, step)
    np.testing.assert_allclose(found.loss[: plan.steps], seen, rtol=1e-4)
    np.testing.assert_allclose(found.k, search.k.apply(best_k), atol=1e-5)
    np.testing.assert_allclose(found.x, search.x.apply(best_x), atol=1e-4)


def test_in_pieces_as_in_one(search):
    y = jnp.full((1, 16, 16, 3), 0.4)
    state = begin(search, KEY)
    for until in (1, 4, 6):
        state = advance(search, y, KEY, state, until)
    whole = solve(search, y, KEY)
    np.testing.assert_allclose(finish(search, y, state).x, whole.x, atol=1e-6)
    radius = jnp.linalg.norm(state.x.params["latents"], axis=-1)
    first = jnp.linalg.norm(begin(search, KEY).x.params["latents"], axis=-1)
    np.testing.assert_allclose(radius, first, rtol=1e-5)


def test_the_blur_of_a_generators_image_is_found(search):
    x = search.x.apply(search.x.init(jax.random.key(11)))
    h = jnp.zeros((3, 3)).at[1].set(1 / 3)
    plan = Alternating(rounds=8, x=60, k=40)
    longer = search.replace(
        steps=plan.steps, rate_x=SphereRate(0.2, plan.steps), alternating=plan
    )
    found = solve(longer, search.operator(x, h), KEY)
    row, column = found.k[1].sum(), found.k[:, 1].sum()
    assert row > 0.7 and row > column + 0.2


@pytest.mark.slow
def test_the_method_keeps_the_best_of_its_starts(larger):
    """Two photos at once: half as large as the generator's images, and grey."""
    prior = latents(larger, factor=2)
    x = jnp.clip(prior.apply(prior.init(jax.random.key(5))), 0, 1)
    photos = [np.asarray(x[0]), np.asarray(x[0]).mean(-1, keepdims=True)]
    seen = []
    found = deblur_all(
        [photos[0], photos[0][::-1]],
        "face",
        weights=larger,
        starts=2,
        kernel_size=3,
        watch=seen.append,
    )
    assert [one.image.shape for one in found] == [(16, 16, 3)] * 2
    assert seen[-1].loss.shape[0] == seen[-1].images().shape[0] == 2
    for one in found:
        assert one.kernel.shape == (3, 3)
        assert one.kernel.sum() == pytest.approx(1, abs=1e-5)
        assert np.nanmin(one.loss) < 0.5 * one.loss[0]
    grey = ks.deblur(photos[1], "face", weights=larger, starts=1, kernel_size=3)
    assert grey.image.shape == (16, 16, 1)


@pytest.mark.parametrize(
    ("size", "says"),
    [
        ((32, 40), "a generator makes square images"),
        ((20, 20), "give --resize, or a photo of that size"),
    ],
)
def test_a_photo_that_is_no_such_image(larger, size, says):
    photo = np.full((*size, 3), 0.5, np.float32)
    with pytest.raises(ks.UserError, match=says):
        ks.deblur(photo, "face", weights=larger, starts=1, kernel_size=3)
    if size[0] == size[1]:
        found = ks.deblur(
            photo, "face", weights=larger, starts=1, kernel_size=3, resize=True
        )
        assert found.image.shape == photo.shape


def test_places_share_the_photo():
    """Equal kernels are one kernel; in the middle of its part a place counts most."""
    prior = Places(3, 2, (16, 16))
    theta = jax.random.normal(KEY, (4, 3, 3))
    field = prior.apply(theta)
    np.testing.assert_allclose(field.masks.sum(-1), 1, atol=1e-6)
    assert field.masks[0, 4, 12].argmax() == 1 and field.masks[0, 0, 0, 0] == 1
    x = jax.random.uniform(KEY, (1, 16, 16, 3))
    same = prior.apply(jnp.repeat(theta[:1], 4, 0))
    expected = Uniform("reflect")(x, Simplex(3).apply(theta[0]))
    np.testing.assert_allclose(Basis()(x, same), expected, atol=1e-5)


@pytest.mark.slow
def test_blur_that_is_another_on_each_side(generator):
    """Sideways on the left, up and down on the right."""
    prior = latents(generator)
    theta = prior.init(jax.random.key(11))
    flat = jnp.zeros((3, 3)).at[1].set(1 / 3)
    truth = Places(3, 2, (16, 16)).apply(jnp.zeros((4, 3, 3)))
    truth = truth._replace(kernels=jnp.stack([flat, flat.T, flat, flat.T])[None])
    y = Basis()(prior.apply(theta), truth)
    search = presets.generator(prior, y.shape, "balanced", side=3, places=2)
    found = solve(search, y, KEY)
    sideways = found.k.kernels[0, :, 1].sum(-1) - found.k.kernels[0, :, :, 1].sum(-1)
    assert (sideways[::2] > 0.3).all() and (sideways[1::2] < -0.3).all()


@pytest.mark.slow
def test_places_come_back_as_a_grid(larger):
    photo = np.random.default_rng(0).random((32, 32, 3), np.float32)
    found = ks.deblur(photo, "face", weights=larger, places=2, kernel_size=3, starts=1)
    assert found.blur == "per pixel" and found.kernel is None
    np.testing.assert_allclose(found.grid.sum((-2, -1)), 1, atol=1e-5)
    assert not np.allclose(found.grid[0, 0], found.grid[-1, -1], atol=0.05)


@pytest.mark.slow
def test_the_blur_may_be_a_code(larger, monkeypatch):
    """F of the kernel space that comes with the package."""
    monkeypatch.setitem(presets.TURNS, "quick", Alternating(rounds=2, x=40, k=10))
    prior = latents(larger)
    x = jnp.clip(prior.apply(prior.init(jax.random.key(5))), 0, 1)
    y = np.asarray(Uniform("reflect")(x, jnp.full((3, 3), 1 / 9))[0])
    space = ks.weights.load("kernel-space")
    found = ks.deblur(y, "face", weights=larger, space=space, starts=1)
    assert found.image.shape == (32, 32, 3) and found.blur == "unknown"
    assert np.nanmin(found.loss) < 0.5 * found.loss[0]
    with pytest.raises(ks.UserError, match="two kinds of blur"):
        ks.deblur(y, "face", weights=larger, space=space, places=2)


class Decoder(Generator):
    """The second half of a small autoencoder."""

    @property
    def size(self) -> int:
        return 16

    @property
    def latents(self) -> tuple[int, int]:
        return 1, 6

    @nn.compact
    def __call__(self, w, *noise):
        x = nn.relu(nn.Dense(128)(w[:, 0]))
        return jnp.tanh(nn.Dense(16 * 16 * 3)(x)).reshape(-1, 16, 16, 3)


class Autoencoder(nn.Module):
    """Codes of about N(0, I), and the images that are made of them."""

    def setup(self):
        self.decoder = Decoder()
        self.encoder = nn.Sequential([nn.Dense(128), nn.relu, nn.Dense(6)])

    def __call__(self, x):
        code = self.encoder(x.reshape(len(x), -1))
        return code, self.decoder(code[:, None])


@pytest.mark.slow
def test_a_decoder_of_ones_own_plugs_in():
    """Discs of all colours and places are learned, then found behind their blur."""

    def disc(key):
        of_place, of_colour = jax.random.split(key)
        place = jax.random.uniform(of_place, (2,), minval=5, maxval=11)
        grid = jnp.stack(jnp.mgrid[:16, :16], -1)
        inside = nn.sigmoid(12 - 3 * jnp.linalg.norm(grid - place, axis=-1))[..., None]
        return 2 * inside * jax.random.uniform(of_colour, (3,), minval=0.3) - 1

    module, descent = Autoencoder(), optax.adam(3e-3)
    draw = jax.vmap(disc)

    @jax.jit
    def learn(params):
        def step(carry, key):
            params, state = carry
            x = draw(jax.random.split(key, 32))

            def loss(params):
                code, again = module.apply({"params": params}, x)
                moments = jnp.square(code.mean(0)) + jnp.square(code.var(0) - 1)
                return jnp.mean(jnp.square(again - x)) + 1e-2 * moments.mean()

            change, state = descent.update(jax.grad(loss)(params), state)
            return (optax.apply_updates(params, change), state), None

        keys = jax.random.split(jax.random.key(1), 4000)
        return jax.lax.scan(step, (params, descent.init(params)), keys)[0][0]

    x = draw(jax.random.split(KEY, 1))
    params = learn(module.init(KEY, x)["params"])
    x = (x + 1) / 2
    y = Uniform("reflect")(x, jnp.full((5, 5), 1 / 25))[0]
    found = ks.deblur(
        np.asarray(y),
        "face",
        weights=Weights(Decoder(), {"params": params["decoder"]}),
        kernel_size=5,
    )
    assert np.square(found.image - x[0]).mean() < 0.5 * np.square(y - x[0]).mean()
