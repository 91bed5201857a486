"""The searches by name: what is published, and what takes less time.

    kernel-space    F of a learned space, x and its code from networks
                    (Tran et al. 2021, the program that they released)
    nested          the same, Algorithm 1 of that paper
    selfdeblur      F a uniform convolution, x and h from networks (Ren et al. 2020)
    pixel-kernel    F a uniform convolution, x from a network, h free on the simplex
    face            F either of these or per pixel, x from a generator (the same)

Each is one setting of `blind_search`.
"""

from typing import NamedTuple

from kernel_space_jax.errors import unknown
from kernel_space_jax.losses.objective import Phase, objective
from kernel_space_jax.models.generators import StyleGAN
from kernel_space_jax.models.kernel_space import STRIDE, KernelSpace
from kernel_space_jax.models.priors import ImagePrior, KernelPrior, PixelKernelPrior
from kernel_space_jax.operators import Basis, Learned, Uniform
from kernel_space_jax.priors import Latents, Network, Places, Prior, Simplex
from kernel_space_jax.solvers.search.blind_search import (
    Alternating,
    Nested,
    Rate,
    Search,
    SphereRate,
)
from kernel_space_jax.weights import Weights

# The noise that the networks of x and h start from: channels, and numbers.
CHANNELS, NOISE = 8, 200

# Tran et al.: the first half of the steps is bound to structure, the second to VGG19.
JOINT_DEBLUR = (
    Phase(0.5, perceptual=0.6, structural=1.0, code=5e-5, hyper_laplacian=2e-2),
    Phase(1.0, perceptual=1.0, code=5e-4, hyper_laplacian=5e-2),
)
# The same without weights of VGG19, which nobody may ship: the paper's own data term.
WITHOUT_VGG = (
    Phase(0.5, charbonnier=10.0, structural=1.0, code=5e-5, hyper_laplacian=2e-2),
    Phase(1.0, charbonnier=20.0, code=5e-5, hyper_laplacian=2e-2),
)
SELF_DEBLUR = (Phase(0.2, square=1.0), Phase(1.0, structural=1.0))


class Preset(NamedTuple):
    """How much a search may cost: steps, and the widths of its networks."""

    steps: int
    width: int
    skip: int
    code_width: int  # of the code network's first layer
    code_blocks: int
    warm_up: int
    tolerance: float = 0.0


PRESETS = {
    "full": Preset(5000, 128, 16, 64, 6, 300),
    "balanced": Preset(1500, 64, 16, 32, 4, 200, tolerance=2e-3),
    "quick": Preset(400, 32, 8, 16, 2, 100, tolerance=5e-3),
}


# Of a generator's latents and the blur, in turns. Half of those of "quick" do not find
# the faces of the generator that comes with the package.
TURNS = {
    "full": Alternating(25, 300, 200),
    "balanced": Alternating(20, 200, 150),
    "quick": Alternating(15, 100, 70),
}


def find_preset(name: str) -> Preset:
    """The preset of that name."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]


def kernel_space(
    space: Weights,
    shape: tuple[int, ...],
    preset: Preset,
    *,
    vgg: Weights | None = None,
    nested: Nested | None = None,
) -> Search:
    """The search in a learned space for photos (1, H, W, C) of that shape."""
    _, height, width, channels = shape
    image = ImagePrior(preset.width, preset.skip, channels=channels)
    blur, code = _learned(space, shape, preset)
    return Search(
        blur,
        Network(image, (1, height, width, CHANNELS)),
        code,
        objective(*(JOINT_DEBLUR if vgg else WITHOUT_VGG), vgg=vgg),
        steps=preset.steps,
        rate_x=step_decay(preset.steps),
        rate_k=step_decay(preset.steps),
        warm_up=preset.warm_up,
        tolerance=preset.tolerance,
        nested=nested,
    )


def generator(
    prior: Latents,
    shape: tuple[int, ...],
    preset: str,
    *,
    side: int,
    places: int = 1,
    space: Weights | None = None,
) -> Search:
    """The search for photos (1, H, W, 3) of a generator's kind.

    The blur is one kernel of `side` pixels, or `places` x `places` of them, or a code
    of the kernel space `space`.
    """
    plan = TURNS[preset]
    turns = {
        "steps": plan.steps,
        "rate_x": SphereRate(steps=plan.steps),
        "alternating": plan,
    }
    if space is None:
        goal = objective(Phase(square=100.0))
        blur, kernel = Uniform("reflect"), Simplex(side)
        if places > 1:
            blur, kernel = Basis(), Places(side, places, (shape[1], shape[2]))
        return Search(blur, prior, kernel, goal, rate_k=Rate(2e-2), **turns)
    blur, code = _learned(space, shape, find_preset(preset))
    first = isinstance(prior.module, StyleGAN)
    goal = objective(Phase(square=100.0, code=5e-5 if first else 1e-4))
    return Search(
        blur, prior, code, goal, rate_k=step_decay(plan.rounds * plan.k), **turns
    )


def self_deblur(shape: tuple[int, ...], size: int, preset: Preset) -> Search:
    """SelfDeblur for photos (1, H, W, C) under one kernel of size x size pixels."""
    kernel = Network(PixelKernelPrior(size), (NOISE,), jitter=0.0)
    return _uniform(shape, size, preset, kernel, 1e-4)


def pixel_kernel(shape: tuple[int, ...], size: int, preset: Preset) -> Search:
    """The same with no network for the kernel: any h >= 0 whose sum is 1."""
    return _uniform(shape, size, preset, Simplex(size), 1e-2)


def step_decay(steps: int, value: float = 5e-4) -> Rate:
    """JointDeblur's learning rate: times 0.7 after each fifth of the steps."""
    return Rate(value, 0.7, tuple(range(steps // 5, steps + 1, steps // 5)))


def _learned(
    space: Weights, shape: tuple[int, ...], preset: Preset
) -> tuple[Learned, Network]:
    """F of a space, and the network of its codes for photos (1, H, W, C)."""
    module = space.module
    assert isinstance(module, KernelSpace)
    grid = [max(module.least_grid, -(-n // STRIDE)) for n in shape[1:3]]
    code = KernelPrior(
        preset.code_width, module.code_width, preset.code_blocks, module.padding
    )
    z_shape = (1, 32 * grid[0], 32 * grid[1], preset.code_width)
    return Learned(module, space.variables), Network(code, z_shape)


def _uniform(
    shape: tuple[int, ...], size: int, preset: Preset, kernel: Prior, rate: float
) -> Search:
    _, height, width, channels = shape
    image = ImagePrior(preset.width, preset.skip, channels=channels, padding="reflect")
    # F sees only what lies within the kernel's reach of x, so x is larger than y.
    seen = (1, height + size - 1, width + size - 1, CHANNELS)
    halved = tuple(round(share * preset.steps) + 1 for share in (0.4, 0.6, 0.8))
    return Search(
        Uniform("valid"),
        Network(image, seen),
        kernel,
        objective(*SELF_DEBLUR),
        steps=preset.steps,
        rate_x=Rate(1e-2, 0.5, halved),
        rate_k=Rate(rate, 0.5, halved),
        warm_up=preset.warm_up,
        tolerance=preset.tolerance,
    )
