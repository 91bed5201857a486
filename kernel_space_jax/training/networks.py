"""Networks of the tables in training: made from a config, begun, applied, taken out.

A restorer is applied to photos in [0, 1] and gives all of its answers; a critic is
applied to images in [-1, 1], whichever network made them.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from ml_collections import ConfigDict

from kernel_space_jax.errors import UserError
from kernel_space_jax.metrics import psnr, ssim
from kernel_space_jax.models.critics import critic as critic_of
from kernel_space_jax.models.restorers import applied, initial
from kernel_space_jax.models.restorers import restorer as restorer_of
from kernel_space_jax.training.players import Params, Statistics
from kernel_space_jax.training.task import Batch, Config, Metrics
from kernel_space_jax.weights import Weights
from kernel_space_jax.weights.options import checked, stated

# A critic of any depth answers for images of this side.
SIDE = 256

Make = Callable[..., nn.Module]  # a name of a table and keywords -> the network


def photos(pairs: Batch) -> tuple[Array, Array]:
    """x and y as photos: a scene has x brighter than white where y is clipped."""
    return jnp.clip(pairs["sharp"], 0, 1), pairs["blurry"]


def keywords(module: nn.Module) -> Config:
    """The options of a network, as keys of a config."""
    return ConfigDict({name: getattr(module, name) for name in stated(module)})


def made(
    config: Config, make: Make, kind: str, options: Mapping[str, Any]
) -> nn.Module:
    """The network that `config.model` names under its kind, with these options.

    A `UserError` where it has no such option, or not such a value of it.
    """
    name = config.model[kind]
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    try:
        module = make(name, **options)
    except TypeError:
        raise UserError(
            f"config.model has keywords that {name!r} has not; name the {kind} in the "
            f"config file: defaults({config.task!r}, {kind}=...)"
        ) from None
    checked(name, type(module), options)
    if hasattr(module, "dtype"):
        return module.clone(dtype=jnp.dtype(config.dtype))  # type: ignore[call-arg]
    if config.dtype != "float32":
        raise UserError(f"{name} has no dtype; leave config.dtype out")
    return module


def options_of_two(
    network: str, critic: str, settings: Mapping[str, Any], make: Make = restorer_of
) -> Config:
    """A network's and a critic's names and keywords, and a task's own settings.

    The network is one that `make` knows, by default a restorer.
    """
    model: Config = ConfigDict()
    model.network = network
    model.critic = critic
    model.critic_options = keywords(critic_of(critic))
    model.update(settings)
    model.update(keywords(make(network)))
    return model


def made_two(
    config: Config, settings: Mapping[str, Any], make: Make = restorer_of
) -> tuple[nn.Module, nn.Module]:
    """The network and the critic of a config with `options_of_two`."""
    named = {"network", "critic", "critic_options", *settings}
    own = {name: value for name, value in config.model.items() if name not in named}
    module = made(config, make, "network", own)
    return module, made(config, critic_of, "critic", config.model.critic_options)


@dataclass(frozen=True)
class Learner:
    """A network that learns; `axis` names the devices of a `pmap`."""

    module: nn.Module
    axis: str | None = None

    def weights(self, variables: dict[str, Any]) -> Weights:
        """The network as it is taken out, of any dtype."""
        module = self.module
        if hasattr(module, "dtype"):
            module = module.clone(dtype=None)  # type: ignore[call-arg]
        return Weights(module, variables)

    def _kept(self, changed: Any) -> Statistics:
        """Statistics of all devices of a `pmap`, which keep the same ones."""
        return dict(jax.lax.pmean(changed, self.axis) if self.axis else changed)


@dataclass(frozen=True)
class Restorer(Learner):
    """x = R(y) of photos in [0, 1], with as many answers as R gives in training."""

    start: dict[str, Any] | None = None  # the variables to begin with

    def fresh(self, key: Array) -> tuple[Params, Statistics]:
        return _parted(dict(self.start or initial(self.module, key)))

    def answers(
        self, params: Params, statistics: Statistics, y: Array, keys: Array
    ) -> tuple[list[Array], Statistics]:
        """All answers to y (N, H, W, 3), the restored image last; `keys` (N,)."""
        takes = inspect.signature(self.module.__call__).parameters
        options = {"keys": keys, "every": True}
        more = {name: value for name, value in options.items() if name in takes}
        found, changed = applied(
            self.module,
            {"params": params, **statistics},
            y,
            **more,
            mutable=list(statistics),
        )
        return jax.tree.leaves(found), self._kept(changed)

    def restored(self, variables: dict[str, Any], y: Array) -> Array:
        """R(y) as a network that has learned gives it, clipped."""
        return jnp.clip(applied(self.module, variables, y), 0, 1)

    def scores(self, variables: dict[str, Any], pairs: Batch) -> Metrics:
        """What the restored images score (N,), and what they must beat."""
        x, y = photos(pairs)
        found = self.restored(variables, y)
        return {
            "psnr": psnr(found, x),
            "ssim": ssim(found, x),
            "psnr_of_blurry": psnr(y, x),
        }

    def pictures(self, variables: dict[str, Any], pairs: Batch) -> dict[str, Array]:
        """Both images of pairs, and the restored one between them."""
        x, y = photos(pairs)
        return {"blurry y": y, "restored": self.restored(variables, y), "sharp x": x}


@dataclass(frozen=True)
class Critic(Learner):
    """D(x) of images in [-1, 1]: one map of answers, or several."""

    def fresh(self, key: Array) -> tuple[Params, Statistics]:
        return _parted(dict(self.module.init(key, jnp.zeros((1, SIDE, SIDE, 3)))))

    @property
    def scales(self) -> int:
        """How many maps it answers with."""
        start = partial(self.module.init_with_output, jax.random.key(0))
        image = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)
        return len(jax.tree.leaves(jax.eval_shape(start, image)[0]))

    def answers(
        self, params: Params, statistics: Statistics, *images: Array
    ) -> tuple[list[list[Array]], Statistics]:
        """The maps of each of the images in turn; each moves the statistics."""
        found = []
        for x in images:
            answer, changed = self.module.apply(
                {"params": params, **statistics},
                x,
                training=True,
                mutable=list(statistics),
            )
            found.append(self._maps(answer))
            statistics = self._kept(changed)
        return found, statistics

    def judge(self, params: Params, statistics: Statistics, x: Array) -> list[Array]:
        """The maps of images, while the statistics stay as they are."""
        variables = {"params": params, **statistics}
        return self._maps(self.module.apply(variables, x, training=True))

    def _maps(self, answer: Any) -> list[Array]:
        maps = jax.tree.leaves(answer)
        if any(a.size == 0 for a in maps):
            raise UserError(
                "the critic sees no patch of so small an image; choose a larger "
                "config.data.crop or fewer config.model.critic_options.layers"
            )
        return maps


def _parted(variables: dict[str, Any]) -> tuple[Params, Statistics]:
    return variables.pop("params"), variables
