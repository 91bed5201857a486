"""What a generator G and its critic D play for: a loss for each of them.

D's answers are maps (N, h, w, 1), high for real images x and low for G's, before a
sigmoid. E is the mean over images and places. In each loss `real` is D(x) and `fake`
is D(G(y)):

    vanilla         Goodfellow et al., NeurIPS 2014, the generator's non-saturating
    least_squares   Mao et al., ICCV 2017, as CycleGAN has it
    hinge           Lim and Ye 2017, Miyato et al., ICLR 2018
    wasserstein     Arjovsky et al., ICML 2017, with a penalty or clipped weights
    absolute        what DeblurGAN's program computes for "lsgan"

Each is a sum of two terms; CycleGAN, DeblurGAN ("gan", "lsgan") and Blur2Blur weigh
the critic's by 1/2. Relativistic losses compare D(x) with the mean of its answers for
G's images, and the other way round (Jolicoeur-Martineau, ICLR 2019).
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from kernel_space_jax.losses.pools import Recent, recent, recent_mean, remember

Critic = Callable[[Array], Any]  # images (N, H, W, C) -> answers (N, ...)
Patches = Literal["mean", "sum"]

# What keeps the gradient of a norm finite at 0.
TINY = 1e-16


def vanilla_critic(real: Array, fake: Array) -> Array:
    """-E log s(D(x)) - E log(1 - s(D(G(y)))), s the sigmoid: answers -> ()."""
    return jnp.mean(jax.nn.softplus(-real)) + jnp.mean(jax.nn.softplus(fake))


def vanilla_generator(fake: Array) -> Array:
    """-E log s(D(G(y))): answers -> ()."""
    return jnp.mean(jax.nn.softplus(-fake))


def least_squares_critic(real: Array, fake: Array) -> Array:
    """E (D(x) - 1)^2 + E D(G(y))^2: answers -> ()."""
    return jnp.mean(jnp.square(real - 1)) + jnp.mean(jnp.square(fake))


def least_squares_generator(fake: Array) -> Array:
    """E (D(G(y)) - 1)^2: answers -> ()."""
    return jnp.mean(jnp.square(fake - 1))


def hinge_critic(real: Array, fake: Array) -> Array:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(y))): answers -> ()."""
    return jnp.mean(jax.nn.relu(1 - real)) + jnp.mean(jax.nn.relu(1 + fake))


def wasserstein_critic(real: Array, fake: Array) -> Array:
    """E D(G(y)) - E D(x): answers -> ()."""
    return jnp.mean(fake) - jnp.mean(real)


def wasserstein_generator(fake: Array) -> Array:
    """-E D(G(y)), the generator's loss of `hinge` too: answers -> ()."""
    return -jnp.mean(fake)


def absolute_critic(real: Array, fake: Array) -> Array:
    """E |D(x) - 1| + E |D(G(y))|: answers -> ()."""
    return jnp.mean(jnp.abs(real - 1)) + jnp.mean(jnp.abs(fake))


def absolute_generator(fake: Array) -> Array:
    """E |D(G(y)) - 1|: answers -> ()."""
    return jnp.mean(jnp.abs(fake - 1))


class Adversarial(NamedTuple):
    """Both players' losses, each to be made small."""

    critic: Callable[[Array, Array], Array]  # (real, fake) -> ()
    generator: Callable[[Array], Array]  # fake -> ()


ADVERSARIAL: dict[str, Adversarial] = {
    "vanilla": Adversarial(vanilla_critic, vanilla_generator),
    "least_squares": Adversarial(least_squares_critic, least_squares_generator),
    "hinge": Adversarial(hinge_critic, wasserstein_generator),
    "wasserstein": Adversarial(wasserstein_critic, wasserstein_generator),
    "absolute": Adversarial(absolute_critic, absolute_generator),
}


class Rivals(NamedTuple):
    """A critic's recent answers for real images and for the generator's."""

    real: Recent
    fake: Recent


def rivals(size: int = 50) -> Rivals:
    """None yet; DeblurGAN-v2 keeps those for 50 images."""
    return Rivals(recent(size), recent(size))


def relativistic_log(real: Array, fake: Array) -> Array:
    """(-E log s(r) - E log(1 - s(f))) / 2, of the answers r and f less the rivals'."""
    return vanilla_critic(real, fake) / 2


def relativistic_square(real: Array, fake: Array) -> Array:
    """(E (r - 1)^2 + E (f + 1)^2) / 2, of the answers r and f less the rivals'."""
    return (jnp.mean(jnp.square(real - 1)) + jnp.mean(jnp.square(fake + 1))) / 2


class Relativistic(NamedTuple):
    """Both players' losses, of answers and of the rivals that the state carries.

        r = D(x) - mean D(G(y')),   f = D(G(y)) - mean D(x')

    over x' and G(y') of the last updates of the critic, without a gradient, as
    DeblurGAN-v2 has it (Kupyn et al., ICCV 2019): RaGAN of `relativistic_log`, RaLSGAN
    of `relativistic_square`. The generator's loss is the critic's with r and f swapped.
    """

    loss: Callable[[Array, Array], Array]

    def critic(
        self, known: Rivals, real: Array, fake: Array, *, axis: str | None = None
    ) -> tuple[Rivals, Array]:
        """The rivals with these answers among them, and the critic's loss ()."""
        known = Rivals(
            remember(known.real, real, axis=axis), remember(known.fake, fake, axis=axis)
        )
        return known, self.loss(*_relative(known, real, fake))

    def generator(self, known: Rivals, real: Array, fake: Array) -> Array:
        """The generator's loss (): `real` matters to its value alone."""
        r, f = _relative(known, real, fake)
        return self.loss(f, r)


RELATIVISTIC: dict[str, Relativistic] = {
    "ragan": Relativistic(relativistic_log),
    "ralsgan": Relativistic(relativistic_square),
}


def _relative(known: Rivals, real: Array, fake: Array) -> tuple[Array, Array]:
    return real - recent_mean(known.fake), fake - recent_mean(known.real)


def over_answers(loss: Callable[..., Array], *answers: Any) -> Array:
    """(1/S) sum_s loss(answers_s) of a critic with answers on S scales.

    `answers` are one array, or lists of S, for each argument of the loss.
    """
    scales = zip(*map(jax.tree.leaves, answers), strict=True)
    terms = [loss(*scale) for scale in scales]
    return sum(terms, jnp.zeros(())) / len(terms)


def mixture(real: Array, fake: Array, shares: ArrayLike) -> Array:
    """a x + (1 - a) G(y): images (N, H, W, C), shares a in [0, 1] (N,) or ()."""
    shares = jnp.reshape(shares, (-1, 1, 1, 1))
    return shares * real + (1 - shares) * fake


def gradient_penalty(
    critic: Critic, images: Array, *, patches: Patches = "mean"
) -> Array:
    """E_n (||grad D(x_n)||_2 - 1)^2: images (N, H, W, C) -> () (Gulrajani et al. 2017).

    The norm is that of all of an image's numbers, so a batch has the mean of its
    images' penalties. D(x_n) is the mean of an image's patches, as it is in the loss;
    Blur2Blur takes their sum. Images are a `mixture`, with one share an image.
    """
    flat = _input_gradient(critic, images, patches).reshape(len(images), -1)
    return jnp.mean(jnp.square(_norm(flat) - 1))


def pixel_gradient_penalty(critic: Critic, images: Array) -> Array:
    """E_np (||g_np||_2 - 1)^2, g_np the colours of sum grad D at a pixel p: -> ().

    This is what the programs of DeblurGAN and DeblurGAN-v2 compute, with one share for
    the whole batch: it holds the gradient to 1 at each pixel, not of each image.
    """
    return jnp.mean(jnp.square(_norm(_input_gradient(critic, images, "sum")) - 1))


def real_gradient_penalty(critic: Critic, images: Array) -> Array:
    """E_n ||grad D(x_n)||^2 of real images (N, H, W, C): -> () (Mescheder et al. 2018).

    D is then flat where images are real; D(x_n) is the mean of an image's patches.
    """
    flat = _input_gradient(critic, images, "mean").reshape(len(images), -1)
    return jnp.mean(jnp.sum(jnp.square(flat), -1))


def clip_weights(params: Any, limit: float) -> Any:
    """Every weight to [-limit, limit], after an update (Arjovsky et al. 2017)."""
    return jax.tree.map(lambda leaf: jnp.clip(leaf, -limit, limit), params)


def _input_gradient(critic: Critic, images: Array, patches: Patches) -> Array:
    """The gradient of each image's score with respect to the image."""
    reduce = jnp.mean if patches == "mean" else jnp.sum

    def total(images: Array) -> Array:
        return jnp.sum(reduce(critic(images).reshape(len(images), -1), 1))

    return jax.grad(total)(images)


def _norm(x: Array) -> Array:
    return jnp.sqrt(jnp.sum(jnp.square(x), -1) + TINY)
