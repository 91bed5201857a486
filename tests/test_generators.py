"""Both StyleGANs against the original programs."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden import Golden, largest_difference, relative_error

from kernel_space_jax import weights
from kernel_space_jax.losses.regularisers import geocross
from kernel_space_jax.models.generators import StyleGAN2, draw, fitted
from kernel_space_jax.models.generators.resampling import reduce
from kernel_space_jax.schedules import linear_one_cycle_with_drop
from kernel_space_jax.solvers.sphere import on_sphere
from kernel_space_jax.weights import from_torch, to_torch


def weights_of(golden: Golden) -> dict[str, np.ndarray]:
    """The state dict; the mapping's weights are drawn small (goldens/README.md)."""
    found = golden.weights()
    if "meta/det" not in golden.keys():
        return found
    mapping = ("style.", "g_mapping.")
    return {k: v / 0.01 if k.startswith(mapping) else v for k, v in found.items()}


def noise_of(golden: Golden) -> list[jax.Array]:
    count = sum(key.startswith("in/noise_") for key in golden.keys())
    return [golden.image(f"in/noise_{i}") for i in range(count)]


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("stylegan2_64_c16", 1e-4),
        ("stylegan_128_c16", 1e-4),
        pytest.param(
            "stylegan2_256_full_detweights", 5e-4, marks=pytest.mark.slow, id="full"
        ),
    ],
)
def test_images_and_gradients_agree(name, bound):
    golden = Golden(name)
    module, variables = from_torch(name.split("_")[0], weights_of(golden))
    noise = noise_of(golden)
    assert [n.shape for n in noise] == module.noise_shapes()

    def loss(w, noise, variables):
        image = module.apply(variables, w, *noise)
        return jnp.mean(jnp.square((image + 1) / 2)), image

    grad = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))
    (of_w, of_noise), image = grad(jnp.asarray(golden["in/latent"]), noise, variables)
    assert relative_error(image, golden.image("out/image")) < bound
    assert relative_error(of_w, golden["out/grad_latent"]) < bound
    assert relative_error(of_noise[2], golden.image("out/grad_noise_2")) < bound


@pytest.mark.parametrize("name", ["stylegan2_64_c16", "stylegan_128_c16"])
def test_styles_agree(name):
    golden = Golden(name)
    module, variables = from_torch(name.split("_")[0], weights_of(golden))
    w = module.apply(variables, jnp.asarray(golden["in/z"]), method="mapped")
    assert largest_difference(w, golden["out/w_of_z"]) < 1e-5
    gaussian = jnp.where(w < 0, 5 * w, w)
    assert largest_difference(gaussian, golden["out/gaussfit_leaky5"]) < 1e-5
    latents = jnp.repeat(w[:1, None], module.latents[0], 1)
    image = module.apply(variables, latents, *noise_of(golden))
    recorded = golden.image("out/image_from_z")
    every = image.shape[1] // recorded.shape[1]
    assert relative_error(image[:, ::every, ::every], recorded) < 1e-4


@pytest.mark.parametrize(
    ("name", "wrapper"), [("stylegan2_64_c16", "g_ema."), ("stylegan_128_c16", "")]
)
def test_checkpoints_go_in_and_out(name, wrapper):
    theirs = weights_of(Golden(name))
    wrapped = {f"{wrapper}{key}": value for key, value in theirs.items()}
    module, variables = from_torch(name.split("_")[0], wrapped)
    again = to_torch(module, variables)
    kept = {k for k in theirs if not k.endswith(".kernel") and "noises." not in k}
    assert again.keys() == kept
    for key in kept:
        np.testing.assert_array_equal(again[key], theirs[key])


def test_a_file_holds_the_fit_of_the_styles(tmp_path):
    module = StyleGAN2(widths=(4, 4), style=8, mapping=2)
    variables = module.init(jax.random.key(0), *module.inputs())
    file = tmp_path / "generator.safetensors"
    weights.write(file, module, variables, origin="a test", licence="none")
    loaded = weights.load(file)
    stored = loaded.variables["fit"]
    for name, expected in fitted(module, variables)._asdict().items():
        np.testing.assert_allclose(stored[name], expected, rtol=1e-5, atol=1e-6)
    assert to_torch(*loaded).keys() == to_torch(module, variables).keys()


def test_truncated_images_are_nearer_to_their_mean():
    module = StyleGAN2(widths=(8, 8), style=8, mapping=2)
    variables = module.init(jax.random.key(0), *module.inputs())
    keys = jax.random.split(jax.random.key(1), 32)
    spreads = [
        draw(module, variables, keys, truncation=truncation).std(0).mean()
        for truncation in (1.0, 0.5, 0.0)
    ]
    assert spreads[0] > 1.3 * spreads[1] and spreads[2] < 1e-6


def test_steps_on_the_sphere_agree():
    golden = Golden("spherical_adam")
    schedule = linear_one_cycle_with_drop(0.2, 20)
    optimiser = on_sphere(optax.adam(schedule))
    params = [
        jnp.asarray(golden["in/latent"]),
        *(golden.image(f"in/noise{i}") for i in (1, 2)),
    ]
    state = optimiser.init(params)
    for step in range(20):
        assert schedule(step) == pytest.approx(float(golden[f"out/lr_{step}"]))
        gradient = [
            jnp.asarray(golden[f"in/grad_{step}_0"]),
            *(golden.image(f"in/grad_{step}_{i}") for i in (1, 2)),
        ]
        updates, state = optimiser.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        if f"out/param_{step}_0" in golden.keys():
            expected = [
                golden[f"out/param_{step}_0"],
                *(golden.image(f"out/param_{step}_{i}") for i in (1, 2)),
            ]
            for one, other in zip(params, expected, strict=True):
                assert relative_error(one, other) < 1e-5


def test_geocross_agrees():
    golden = Golden("dsd_losses_geocross")
    of_14, of_18 = (jnp.asarray(golden[f"in/latent{n}"]) for n in (14, 18))
    value, gradient = jax.value_and_grad(geocross)(of_14)
    assert float(value) == pytest.approx(float(golden["out/geocross14"]), rel=1e-5)
    assert relative_error(gradient, golden["out/geocross14_grad"]) < 1e-4
    assert float(geocross(of_18)) == pytest.approx(
        float(golden["out/geocross18"]), rel=1e-5
    )
    same = jnp.broadcast_to(of_14[:, :1], of_14.shape)
    assert bool(jnp.isfinite(jax.grad(geocross)(same)).all())


@pytest.mark.parametrize("factor", [2, 4])
def test_bicubic_reduction_agrees(factor):
    golden = Golden("dsd_bicubic_downsample")
    found = reduce(golden.image("in/x"), factor)
    assert largest_difference(found, golden.image(f"out/bicubic_{factor}")) < 1e-5
    np.testing.assert_array_equal(reduce(found, 1), found)
