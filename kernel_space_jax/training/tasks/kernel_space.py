"""Training the blur-operator space (Tran et al. 2021).

    L = rho(y, F(x, k)) + w KL(k),   k = G(x, y) = mean + sigma noise

rho is the Charbonnier sum; KL only in the variational space, which starts from a plain
one (`init_from`).

The published recipe takes days: F first learns the mean of all blurs, and G, whose code
nobody listens to, fades away meanwhile. Two options shorten this to minutes. With
`start="difference"` signals keep their size through the layers (He), and G begins as a
function of what differs between x and y. Where the blur is made here, its kernel h is
known, and `hint` asks for it too:

    L += hint P |A mean(k) + b - s(h)|^2

s(h) are the low frequencies of h, A and b are learned and not kept, P is the number of
values in an image.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import Array
from ml_collections import ConfigDict

from kernel_space_jax import weights
from kernel_space_jax.errors import UserError
from kernel_space_jax.losses import charbonnier, kl
from kernel_space_jax.metrics import psnr, ssim
from kernel_space_jax.models.kernel_space import STRIDE, KernelSpace
from kernel_space_jax.training.initial import like_he
from kernel_space_jax.training.players import Descent, Params, Player
from kernel_space_jax.training.task import Batch, Config, Frozen, Metrics, example_keys
from kernel_space_jax.weights.options import checked, stated

HINT = "hint"
HIGHEST = 3  # frequencies of s(h) along each axis
FREQUENCIES = 2 * (2 * HIGHEST + 1) * (HIGHEST + 1)
# y - x is small beside y; with this gain the first codes are about one half.
DIFFERENCE = 40.0


PLAYER = "kernel_space"
PLAYERS = (PLAYER,)


def options() -> Config:
    """The published network and loss."""
    model: Config = ConfigDict()
    model.width = 64
    model.tail_width = 64
    model.front_blocks = 10
    model.back_blocks = 20
    model.code_blocks = 4
    model.variational = False
    model.padding = "reflect"
    model.norm = "none"
    model.kl_weight = 10.0
    model.start = "published"  # or "difference"
    model.hint = 0.0
    return model


def build(config: Config, descents: dict[str, Descent]) -> "KernelSpaceTask":
    model = config.model
    own = {name: model[name] for name in stated(KernelSpace) if name in model}
    module = KernelSpace(
        **checked("the kernel space", KernelSpace, own),
        code_width=8 * model.width,
        dtype=jnp.dtype(config.dtype),
    )
    if model.start not in ("published", "difference"):
        raise UserError(
            f"model.start={model.start!r} is unknown; it is 'published' or 'difference'"
        )
    return KernelSpaceTask(
        module,
        descents[PLAYER],
        model.kl_weight,
        _start(module, config.init_from) if config.init_from else None,
        from_difference=model.start == "difference",
        hint=model.hint,
    )


@dataclass(frozen=True)
class KernelSpaceTask:
    """F and G, trained on pairs: a batch holds "sharp" and "blurry" (N, H, W, 3)."""

    module: KernelSpace
    descent: Descent
    kl_weight: float = 10.0
    start: Params | None = None
    from_difference: bool = False
    hint: float = 0.0
    frozen: ClassVar[Frozen] = {}

    def init(self, key: Array) -> Player:
        # Parameters do not depend on the size of the images.
        side = STRIDE * (2 if self.module.padding == "reflect" else 1)
        image = jnp.zeros((1, side, side, 3))
        params = self.module.init(key, image, image)["params"]
        if self.from_difference:
            params = _from_difference(params)
        if self.start is not None:
            params = self._grown(params)
        if self.hint:
            code = self.module.code_width
            params = {
                **params,
                HINT: {
                    "A": jnp.zeros((code, FREQUENCIES)),
                    "b": jnp.zeros(FREQUENCIES),
                },
            }
        return self.descent.init(params)

    def step(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> tuple[Player, Metrics]:
        return self.descent.step(
            state,
            lambda params, part: self._loss(params, part, key),
            batch,
            reduce="sum",
        )

    def evaluate(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> Metrics:
        x, y = batch["sharp"], batch["blurry"]
        found, _, _ = self._apply(state.best, x, y)
        return {
            "psnr": psnr(found, y),
            "ssim": ssim(found, y),
            # What F improves on: taking the sharp image for the blurry one.
            "psnr_of_sharp": psnr(x, y),
        }

    def pictures(
        self, state: Player, batch: Batch, key: Array, frozen: Frozen
    ) -> dict[str, Array]:
        x, y = batch["sharp"], batch["blurry"]
        found, _, _ = self._apply(state.best, x, y)
        return {
            "sharp x": x,
            "blurry y": y,
            "F(x, G(x, y))": found,
            "10 |y - F|": jnp.clip(10 * jnp.abs(y - found), 0, 1),
        }

    def networks(self, state: Player) -> dict[str, weights.Weights]:
        params = {name: part for name, part in state.best.items() if name != HINT}
        return {
            PLAYER: weights.Weights(self.module.clone(dtype=None), {"params": params})
        }

    def _apply(
        self, params: Params, x: Array, y: Array, noise: Array | None = None
    ) -> tuple[Array, Array, Array]:
        return self.module.apply({"params": params}, x, y, noise, method="reconstruct")  # type: ignore[return-value]

    def _loss(self, params: Params, batch: Batch, key: Array) -> tuple[Array, Metrics]:
        x, y = batch["sharp"], batch["blurry"]
        found, mean, sigma = self._apply(params, x, y, self._noise(key, batch))
        pixel = charbonnier(found, y)
        metrics = {"charbonnier": pixel / y.size, "psnr": jnp.mean(psnr(found, y))}
        total = pixel
        if self.hint and "kernel" in batch:
            told = jnp.mean(mean, (1, 2)) @ params[HINT]["A"] + params[HINT]["b"]
            error = jnp.mean(jnp.square(told - low_frequencies(batch["kernel"])))
            total = total + self.hint * y.size * error
            metrics["hint"] = error
        if self.module.variational:
            prior = kl(mean, sigma, weight=self.kl_weight)
            total = total + prior
            metrics["kl"] = prior / len(y)
        return total, metrics

    def _noise(self, key: Array, batch: Batch) -> Array | None:
        """The draw behind the variational code: "noise" of the batch, if it has it."""
        if not self.module.variational:
            return None
        if "noise" in batch:
            return batch["noise"]
        grid = tuple(
            max(self.module.least_grid, -(-side // STRIDE))
            for side in batch["sharp"].shape[1:3]
        )
        shape = (*grid, self.module.code_width)
        return jax.vmap(lambda key: jax.random.normal(key, shape))(
            example_keys(key, batch)
        )

    def _grown(self, fresh: Params) -> Params:
        """The starting weights; a plain space's code is exactly the mean of this one.

        The plain extractor's features come first and hear nothing of the new ones,
        which start fresh.
        """
        ours: dict[Any, Any] = flatten_dict(fresh)
        theirs: dict[Any, Any] = flatten_dict(self.start)
        for path, leaf in theirs.items():
            wanted = ours[path]
            if leaf.shape != wanted.shape:
                corner = tuple(slice(n) for n in leaf.shape)
                leaf = wanted.at[..., : leaf.shape[-1]].set(0.0).at[corner].set(leaf)
            ours[path] = leaf
        return unflatten_dict(ours)


def low_frequencies(h: Array) -> Array:
    """s(h): the spectrum of kernels (N, k, k) up to HIGHEST / k, (N, FREQUENCIES)."""
    spectrum = jnp.fft.rfft2(jnp.fft.ifftshift(h, (-2, -1)))
    rows = jnp.arange(-HIGHEST, HIGHEST + 1)
    low = spectrum[:, rows, : HIGHEST + 1].reshape(len(h), -1)
    return jnp.concatenate([low.real, low.imag], -1)


def _from_difference(params: Params) -> Params:
    """The first weights as large as He's, and G of features(y) - features(x)."""

    def grows(path: tuple[str, ...]) -> bool:
        # Residual blocks start small on purpose.
        residual = any(part.startswith("block") for part in path)
        return path[0] in ("features", "extractor", "unet") and not residual

    flat: dict[Any, Any] = flatten_dict(like_he(params, grows))
    first = ("extractor", "conv0", "kernel")
    of_y = flat[first][:, :, flat[first].shape[2] // 2 :]
    gain = DIFFERENCE * 2**0.5
    flat[first] = jnp.concatenate([-gain * of_y, gain * of_y], 2)
    return unflatten_dict(flat)


def _start(module: KernelSpace, path: str) -> Params:
    """The parameters of a weight file that this module can start from."""
    other, variables = weights.load(path)
    allowed = [module, module.clone(variational=False)]
    if other.clone(dtype=module.dtype) not in allowed:
        raise UserError(
            f"{path} holds another network than the config describes; "
            "it must be the same but for config.model.variational"
        )
    return variables["params"]
