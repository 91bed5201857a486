"""A generator's latents as the prior of a search: x and h found in turns."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import kernel_space_jax as ks
from kernel_space_jax.deblur import deblur_all
from kernel_space_jax.losses.objective import Phase, objective
from kernel_space_jax.models.generators import StyleGAN2
from kernel_space_jax.operators import Uniform
from kernel_space_jax.priors import Simplex, latents
from kernel_space_jax.priors.latents import fitted
from kernel_space_jax.schedules import linear_one_cycle_with_drop
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
    noise = [jnp.zeros(shape) for shape in module.noise_shapes()]
    w = jnp.zeros((1, module.layers, module.style))
    return Weights(module, module.init(jax.random.key(3), w, *noise))


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
    mean, deviation = fitted(generator, 4000)
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
