"""Per-pixel blur: what both conventions mean, their adjoints, the recorded numbers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import Golden, largest_difference

from kernel_space_jax.losses import (
    closest_mixture,
    kernel_error,
    reblur,
    region_weights,
    start_error,
)
from kernel_space_jax.operators import Basis, Camera, KernelField, to_convention
from kernel_space_jax.operators.camera import (
    saturate,
    saturation_slope,
    to_light,
    to_photo,
)
from kernel_space_jax.operators.per_pixel import inside
from kernel_space_jax.operators.uniform import convolve

CONVENTIONS = ("mix_after", "mix_before")
BORDERS = ("zero", "reflect", "replicate", "circular", "valid")
ODD = ((14, 17), (5, 3))
EVEN = ((13, 12), (4, 6))


def random(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).random(shape), jnp.float32)


def field(seed, size, side, count=3, batch=2):
    kernels = random(seed, batch, count, *side)
    masks = random(seed + 1, batch, *size, count)
    return KernelField(
        kernels / kernels.sum((-2, -1), keepdims=True),
        masks / masks.sum(-1, keepdims=True),
    )


def problem(size, side, convention, border):
    """x, a field whose masks fit, and a y: all random."""
    seen = size
    if border == "valid":
        seen = tuple(n - k + 1 for n, k in zip(size, side, strict=True))
    k = field(0, seen if convention == "mix_after" else size, side)
    return random(2, 2, *size, 3) - 0.5, k, random(3, 2, *seen, 3) - 0.5


def recorded():
    """The recorded program correlates: its kernels are ours turned by half a turn."""
    golden = Golden("rl_k25_64")
    kernels = jnp.flip(jnp.asarray(golden["in/kernels"]), (-2, -1))
    return golden, KernelField(kernels, golden.image("in/masks"))


@pytest.mark.parametrize("method", ["direct", "fft"])
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_adjoint_identity(convention, border, method):
    operator = Basis(convention, border, method)
    for size, side in (ODD, EVEN):
        x, k, y = problem(size, side, convention, border)
        blurred, back = jax.jit(
            lambda x, k, y: (operator(x, k), operator.adjoint(y, k))
        )(x, k, y)
        assert (blurred.shape, back.shape) == (y.shape, x.shape)
        scale = jnp.linalg.norm(blurred) * jnp.linalg.norm(y)
        assert abs(jnp.vdot(blurred, y) - jnp.vdot(x, back)) < 1e-5 * scale


@pytest.mark.parametrize("method", ["direct", "fft"])
@pytest.mark.parametrize("border", BORDERS)
def test_conventions_are_sums_of_uniform_blurs(border, method):
    for size, side in (ODD, EVEN):
        for convention in CONVENTIONS:
            x, k, _ = problem(size, side, convention, border)
            masks = jnp.moveaxis(k.masks, -1, 0)[..., None]
            blur = partial(convolve, border=border)
            if convention == "mix_after":
                parts = [m * blur(x, k.kernels[:, b]) for b, m in enumerate(masks)]
            else:
                parts = [blur(m * x, k.kernels[:, b]) for b, m in enumerate(masks)]
            y = Basis(convention, border, method)(x, k)
            np.testing.assert_allclose(y, sum(parts), atol=2e-6)


def test_a_pixel_gathers_or_spreads_with_its_own_kernel():
    size, side = (15, 16), (5, 5)
    k = field(0, size, side, batch=1)
    own = jnp.einsum("b,bij->ij", k.masks[0, 7, 9], k.kernels[0])
    x = random(2, 1, *size, 1)
    gathered = jnp.sum(jnp.flip(own) * x[0, 5:10, 7:12, 0])
    np.testing.assert_allclose(Basis()(x, k)[0, 7, 9, 0], gathered, atol=1e-6)
    point = jnp.zeros((1, *size, 1)).at[0, 7, 9, 0].set(1)
    spread = Basis("mix_before")(point, k)
    np.testing.assert_allclose(spread[0, 5:10, 7:12, 0], own, atol=1e-6)
    assert jnp.sum(spread) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_gradient_is_the_adjoint(convention):
    x, k, y = problem(*ODD, convention, "reflect")
    operator = Basis(convention)
    _, pull = jax.vjp(operator, x, k)
    dx, dk = pull(y)
    np.testing.assert_allclose(dx, operator.adjoint(y, k), atol=1e-5)
    # F is linear in the kernels and in the masks: <dk, k> = <F(x, k), y>.
    inner = jnp.vdot(operator(x, k), y)
    for part in ("kernels", "masks"):
        product = jnp.vdot(getattr(dk, part), getattr(k, part))
        np.testing.assert_allclose(product, inner, rtol=1e-4, atol=1e-4)


def test_every_image_has_its_own_field():
    x, k, _ = problem(*ODD, "mix_after", "reflect")
    for i in range(2):
        alone = Basis()(x[i : i + 1], jax.tree.map(lambda a, i=i: a[i : i + 1], k))
        np.testing.assert_allclose(Basis()(x, k)[i : i + 1], alone, atol=1e-6)


def test_prepared_once_for_many_images():
    x, k, y = problem(*EVEN, "mix_after", "valid")
    blur = jax.jit(inside, static_argnums=1)(k, EVEN[0])
    both = jax.jit(lambda blur, x, y: (blur(x), blur.adjoint(y)))
    planes = partial(jnp.moveaxis, source=-1, destination=1)
    seen, back = both(blur, planes(x), planes(y))
    operator = Basis(border="valid")
    np.testing.assert_allclose(seen, planes(operator(x, k)), atol=1e-6)
    np.testing.assert_allclose(back, planes(operator.adjoint(y, k)), atol=1e-6)


@pytest.mark.parametrize("border", ["reflect", "valid"])
@pytest.mark.parametrize(
    "source, target", [CONVENTIONS, CONVENTIONS[::-1]], ids=["before", "after"]
)
def test_conventions_agree_where_masks_are_constant(source, target, border):
    size, side = (24, 40), (5, 5)
    seen = (20, 36) if border == "valid" and source == "mix_after" else size
    # Two regions with a straight border at column 20 of x: masks are constant else.
    cut = 18 if seen != size else 20
    masks = jnp.broadcast_to(jnp.arange(seen[1]) < cut, (1, *seen))
    masks = jnp.stack([masks, ~masks], -1).astype(jnp.float32)
    k = KernelField(field(0, size, side, 2, 1).kernels, masks)
    other = to_convention(k, source, target, border=border)
    x = random(3, 1, *size, 1)
    a, b = Basis(source, border)(x, k), Basis(target, border)(x, other)
    assert a.shape == b.shape
    far = np.abs(np.arange(a.shape[2]) - cut) > 5
    np.testing.assert_allclose(a[:, :, far], b[:, :, far], atol=1e-5)
    assert largest_difference(a, b) > 1e-3
    # The same masks in the other convention are further away.
    if border == "reflect":
        unmoved = Basis(target, border)(x, k)
        assert jnp.sum((a - b) ** 2) < jnp.sum((a - unmoved) ** 2)
    ones, pairs = jnp.ones(a.shape), ((source, k), (target, other))
    if target == "mix_after":
        a, b = (Basis(c, border)(0 * x + 1, f) for c, f in pairs)
    else:
        a, b = (Basis(c, border).adjoint(ones, f)[:, 5:-5, 5:-5] for c, f in pairs)
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_reblur_agrees_with_the_record():
    golden, k = recorded()
    every = lambda x: jnp.moveaxis(x, -1, 1)[..., ::2, ::2]
    x, bright = golden.image("in/sharp"), golden.image("in/hi")
    blur = jax.jit(lambda x, k: Basis()(x, k))
    close = partial(np.testing.assert_allclose, atol=1e-5)
    close(every(blur(x, k)), golden["out/reblur_same_nosat"])
    close(every(saturate(blur(bright, k))), golden["out/reblur_same_sat_max1"])
    camera = Camera(Basis(), gamma=1.0)
    close(every(jax.jit(camera)(bright, k)), golden["out/reblur_same_sat_max1"])
    padded = jnp.pad(x, ((0, 0), (16, 16), (16, 16), (0, 0)), mode="edge")
    close(every(Basis(border="valid")(padded, k)), golden["out/reblur_valid_edgepad16"])
    # Its "backward" blur is the other convention, with kernels that are not turned.
    before = Basis("mix_before")(x, k)
    close(every(before), golden["out/adjoint_backward_reblur"])


def test_response_agrees_with_the_record():
    golden, _ = recorded()
    u = golden["in/satx"]
    # The record bends its input to [0, 1.5] first.
    np.testing.assert_allclose(
        saturate(np.clip(u, 0, 1.5)), golden["out/sat_1.0"], atol=1e-6
    )
    inner = np.abs(u - 0.75) < 0.75
    np.testing.assert_allclose(
        saturation_slope(u)[inner], golden["out/dsat_1.0"][inner], atol=1e-6
    )
    slope = jax.vmap(jax.grad(saturate))(jnp.asarray(u.ravel()))
    np.testing.assert_allclose(slope, saturation_slope(u.ravel()), atol=1e-5)


def test_camera():
    x, k, _ = problem(*ODD, "mix_after", "reflect")
    x = x + 0.5
    y = Camera(Basis(), saturates=False)(x, k)
    np.testing.assert_allclose(y, to_photo(Basis()(to_light(x), k)), atol=1e-5)
    bright = Camera(Basis())(3 * x, k)
    assert float(bright.max()) < 1.0001
    # Black has a finite gradient, which light^(1/2.2) alone does not.
    loss = lambda x: jnp.sum(Camera(Basis())(x, k))
    assert bool(jnp.isfinite(jax.grad(loss)(x * 0)).all())


def test_losses():
    k, truth = field(0, (9, 11), (5, 5)), field(5, (9, 11), (5, 5), count=2)
    own = lambda f: jnp.einsum("nhwb,nbij->nhwij", f.masks, f.kernels)
    error = own(k) - own(truth)
    w = region_weights(truth.masks)
    np.testing.assert_allclose(w.sum((1, 2)), 1, rtol=1e-5)
    for p in (1, 2):
        each = jnp.sum(jnp.abs(error) ** p, (-2, -1))
        plain, weighted = (
            kernel_error(k, truth, p=p),
            kernel_error(k, truth, weights=w, p=p),
        )
        np.testing.assert_allclose(plain, each.mean(), rtol=1e-4)
        np.testing.assert_allclose(weighted, jnp.sum(w * each) / 2, rtol=1e-4)
        both = jnp.abs(jnp.stack([own(k), own(truth)])) ** p
        power = jnp.sum(both, (-2, -1)).mean(0)
        share = kernel_error(k, truth, p=p, relative=True)
        np.testing.assert_allclose(share, (each / power).mean(), rtol=1e-4)
        assert kernel_error(truth, truth, p=p) < 1e-6
        gradient = jax.grad(lambda k, p=p: kernel_error(k, truth, p=p))(k)
        assert all(bool(jnp.isfinite(g).all()) for g in jax.tree.leaves(gradient))
    x = random(7, 2, 9, 11, 3)
    y = Camera(Basis())(x, truth)
    assert reblur(truth, x, y) < 1e-10
    assert reblur(k, x, y) == pytest.approx(
        float(jnp.mean(jnp.sum((Camera(Basis())(x, k) - y) ** 2, -1))), rel=1e-5
    )
    assert reblur(k, x, y, weights=w) != reblur(k, x, y)


def test_the_closest_mixture():
    """Of what is a mixture, that mixture; else as close as any of a thousand."""
    centres, kernels = random(50, 4, 5, 5) ** 3, random(51, 5, 5)
    centres, kernels = (
        h / jnp.sum(h, (-2, -1), keepdims=True) for h in (centres, kernels)
    )
    t = jnp.asarray([0.7, 0.0, 0.1, 0.2])
    mixed = jnp.einsum("b,bij->ij", t, centres)
    solve = jax.jit(closest_mixture)
    np.testing.assert_allclose(solve(mixed[None], centres)[0], t, atol=0.02)
    others = np.random.default_rng(52).dirichlet(np.full(4, 0.5), 1000)
    tries = np.concatenate([solve(kernels[None], centres), others])
    error = np.sum((np.einsum("nb,bij->nij", tries, centres) - kernels) ** 2, (1, 2))
    assert error[0] <= error.min() + 1e-6


def test_the_start_wants_the_centres_where_they_are():
    centres = random(53, 3, 5, 5) ** 3
    centres = centres / jnp.sum(centres, (-2, -1), keepdims=True)
    regions = jnp.zeros((1, 4, 6, 2)).at[:, :, :3, 0].set(1).at[:, :, 3:, 1].set(1)
    truth = KernelField(centres[None, 1:], regions)
    right = jnp.concatenate([jnp.zeros((1, 4, 6, 1)), regions], -1)
    found = KernelField(centres[None], 0.97 * right + 0.01)
    w = region_weights(regions)
    mixing, apart = start_error(found, truth, centres, weights=w)
    assert mixing < 0.1 and apart < 1e-6
    wrong = found._replace(masks=jnp.roll(found.masks, 1, -1))
    assert start_error(wrong, truth, centres, weights=w)[0] > 3
    moved = found._replace(kernels=jnp.roll(found.kernels, 1, 1))
    assert start_error(moved, truth, centres, weights=w)[1] > 0.1


def test_regions_count_alike():
    masks = jnp.zeros((1, 10, 10, 3)).at[..., 0].set(1)
    masks = masks.at[:, :2, :5, 0].set(0).at[:, :2, :5, 1].set(1)
    w = region_weights(masks)
    # Ten pixels of one region weigh what ninety of the other do; the third is absent.
    np.testing.assert_allclose(jnp.sum(w * masks[..., 1]), 0.5, rtol=1e-5)
    np.testing.assert_allclose(w[0, 9, 9], 0.5 / 90, rtol=1e-5)


def test_each_kernel_by_itself_there_and_back():
    """sum_b h_b^T * (m_b . 2 (h_b * x)), one kernel after the other."""
    size, side = (24, 30), (9, 9)
    k = field(0, size, side, count=3, batch=2)
    wide = (size[0] + side[0] - 1, size[1] + side[1] - 1)
    x = random(2, 2, *wide, 3)
    planes = jnp.moveaxis(x, -1, 1)
    found = inside(k, wide, method="fft").each(planes, lambda light: 2 * light)
    operator = Basis(border="valid")
    expected = jnp.zeros_like(x)
    for b in range(3):
        alone = KernelField(k.kernels[:, b : b + 1], jnp.ones_like(k.masks[..., :1]))
        blurred = 2 * k.masks[..., b : b + 1] * operator(x, alone)
        expected += operator.adjoint(blurred, alone)
    np.testing.assert_allclose(jnp.moveaxis(found, 1, -1), expected, atol=1e-4)
