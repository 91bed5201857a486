"""How far each method can be pushed: sharp images under measured degradations.

    y = JPEG( ( h * x^g )^(1/g) + noise )

One of four things runs over its levels while the others stay at their base: the noise,
the length of the camera shake behind h, the quality of the JPEG, and the g that the
camera's response departs from linear by.
"""

from dataclasses import dataclass, replace

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from kernel_space_jax.datasets import Record, Source
from kernel_space_jax.errors import UserError, unknown
from kernel_space_jax.evaluation.protocol import Problem, Problems, Protocol
from kernel_space_jax.evaluation.protocols.common import truth
from kernel_space_jax.evaluation.protocols.pairs import PSNR, SSIM, score
from kernel_space_jax.operators import uniform
from kernel_space_jax.operators.camera import to_light, to_photo
from kernel_space_jax.synthesis.kernels import shake_kernel

KERNEL_SIZE = 41
# The middle of a larger image, so that a sweep over photos ends in minutes.
LARGEST_SIDE = 320


@dataclass(frozen=True)
class Degradation:
    """Noise of this deviation, a shake of so many pixels, JPEG quality, response."""

    noise: float = 0.005
    length: float = 16
    jpeg: int | None = None
    gamma: float = 1.0


# The field of `Degradation` that each kind of sweep runs over, and its levels.
SWEEPS: dict[str, tuple[str, tuple[float, ...]]] = {
    "noise": ("noise", (0, 0.005, 0.01, 0.02, 0.04)),
    "kernel-length": ("length", (4, 8, 16, 24, 32)),
    "jpeg": ("jpeg", (100, 95, 85, 70, 50, 30)),
    "gamma": ("gamma", (1.0, 1.4, 1.8, 2.2, 2.6)),
}


class SweepProblems(Problems):
    """Every sharp image at every level: named noise=0.02/IMAGE, grouped noise=0.02."""

    def __init__(self, source: Source, kinds: tuple[str, ...], images: int | None):
        super().__init__(source)
        self.cases = [
            (f"{kind}={level:g}", field, level, index)
            for kind, (field, levels) in SWEEPS.items()
            if kind in kinds
            for level in levels
            for index in range(len(source.names[:images]))
        ]
        self.names = [f"{case[0]}/{source.names[case[3]]}" for case in self.cases]

    def __getitem__(self, index: int) -> Problem:  # type: ignore[override]
        group, field, level, image = self.cases[index]
        record = self.source[image]
        level = int(level) if field == "jpeg" else level
        degradation = replace(Degradation(), **{field: level})
        # The shake and the noise of an image are the same at every level.
        key = jax.random.fold_in(jax.random.key(0), image)
        x, y, h = degrade(key, truth(record), degradation)
        extras = {"kernel": h, "grey": record.extras.get("grey", False)}
        return Problem(Record(self.names[index], y, x, extras), group)


def degrade(
    key: jax.Array, x: np.ndarray, degradation: Degradation
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x and y (H, W, 3) of one size, and h: the middle of x that h can be seen in."""
    x = _middle(x)
    border = KERNEL_SIZE // 2
    if min(x.shape[:2]) < 2 * KERNEL_SIZE:
        raise UserError(
            f"an image of {x.shape[1]}x{x.shape[0]} pixels is too small to be swept; "
            f"give at least {2 * KERNEL_SIZE} a side"
        )
    for_kernel, for_noise = jax.random.split(key)
    h = shake_kernel(for_kernel, KERNEL_SIZE, length=degradation.length, exposures=(1,))
    y = _photo(jnp.asarray(x), h, for_noise, degradation.noise, degradation.gamma)
    stored = np.rint(255 * np.asarray(y)).astype(np.uint8)
    if degradation.jpeg is not None:
        quality = [cv2.IMWRITE_JPEG_QUALITY, degradation.jpeg]
        # OpenCV wants BGR both ways.
        _, encoded = cv2.imencode(".jpg", stored[..., ::-1], quality)
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        assert decoded is not None
        stored = decoded[..., ::-1]
    sharp = x[border:-border, border:-border]
    return sharp, stored.astype(np.float32) / np.float32(255), np.asarray(h)


@jax.jit
def _photo(
    x: jax.Array, h: jax.Array, key: jax.Array, noise: float, gamma: float
) -> jax.Array:
    """The photo without a border that anything was made up for: (H, W, 3)."""
    light = uniform.convolve(to_light(x, gamma)[None], h, border="valid")[0]
    y = to_photo(light, gamma)
    return jnp.clip(y + noise * jax.random.normal(key, y.shape), 0, 1)


def _middle(x: np.ndarray) -> np.ndarray:
    height, width = (min(side, LARGEST_SIDE) for side in x.shape[:2])
    top, left = (x.shape[0] - height) // 2, (x.shape[1] - width) // 2
    return x[top : top + height, left : left + width]


def sweep_protocol(kinds: tuple[str, ...], images: int | None = None) -> Protocol:
    """The protocol of some of `SWEEPS`, by name, on the first images or on all."""
    for kind in kinds:
        if kind not in SWEEPS:
            raise unknown("sweep", kind, SWEEPS)
    return Protocol(
        "sweep",
        "PSNR and SSIM of sharp images under a synthetic camera shake; base: "
        f"{Degradation.length:g} pixels of shake, noise {Degradation.noise:g}, "
        "linear response, no JPEG",
        (PSNR, SSIM),
        score,
        problems=lambda source: SweepProblems(source, kinds, images),
    )
