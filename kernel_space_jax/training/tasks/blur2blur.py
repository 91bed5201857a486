"""Blur2Blur: an unknown blur becomes one that a restorer knows (Pham et al. 2024).

    T: y -> y'  translates the blur of a camera's photos y;   D judges three scales s

    L_D = d/S sum_s adversarial(D(r_s), D(T_s(y)))  +  p penalty(D)
    L_T = 1/S sum_s adversarial(D(T_s(y)))  +  sum_s sum_l w_l L_l(T_s(y), y_s)

r are sharp photos x of the same camera, of other scenes, under the known blur. So r
and y have the colours and noise of one camera, and D can tell their blur alone. r is

- F(x, G(x', y')) of pairs (x', y') of the known blur, F and G a kernel space that does
  not learn, where the data have the stream `known_pairs`;
- what the stream `sharp_photos` has as "blurry": its own blur, made on the device
  (`blur` of the stream), or a folder of photos that were blurred before.

Images are in [0, 1]. D is updated first, on what T made before. The penalty is that of
Blur2Blur's program: of the sum of D's patches, at full size, the mean over images. With
a restorer R, validation scores R(T(y)), and R(y) as `psnr_alone`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array, lax

from kernel_space_jax import weights
from kernel_space_jax.errors import UserError, unknown
from kernel_space_jax.losses import ADVERSARIAL, Adversarial, gradient_penalty, mixture
from kernel_space_jax.metrics import psnr, ssim
from kernel_space_jax.models.critics import pyramid
from kernel_space_jax.models.kernel_space import KernelSpace
from kernel_space_jax.models.restorers import applied, check_restorer
from kernel_space_jax.training import content
from kernel_space_jax.training.content import Content
from kernel_space_jax.training.data import streams
from kernel_space_jax.training.initial import given_variables
from kernel_space_jax.training.networks import (
    Critic,
    Restorer,
    made_two,
    options_of_two,
)
from kernel_space_jax.training.players import Descent, Params, Player, Statistics
from kernel_space_jax.training.task import (
    Batch,
    Config,
    Frozen,
    Metrics,
    example_keys,
)
from kernel_space_jax.training.tasks.unpaired import BLURRY_PHOTOS, SHARP_PHOTOS
from kernel_space_jax.weights import Weights

TRANSLATOR, CRITIC = "translator", "critic"
PLAYERS = (TRANSLATOR, CRITIC)
KNOWN_PAIRS = "known_pairs"
# Networks that do not learn.
SPACE, RESTORER = "kernel_space", "restorer"

State = dict[str, Player]


SETTINGS = {
    "adversarial": "hinge",  # or "vanilla", as the paper has it
    "critic_weight": 0.5,  # d
    "penalty_weight": 1e-4,  # p
    SPACE: "",  # a weight file: what puts the known pairs' blur on photos
    RESTORER: "",  # a weight file: what knows that blur, for validation alone
}


def options(network: str = "mimo-unet", critic: str = "blur2blur-critic") -> Config:
    """Both players, the losses and the networks that stay as they are."""
    return options_of_two(network, critic, {**content.options(), **SETTINGS})


def build(config: Config, descents: dict[str, Descent]) -> "Blur2BlurTask":
    model = config.model
    module, judge = made_two(config, {**content.options(), **SETTINGS})
    if model.adversarial not in ADVERSARIAL:
        raise unknown("adversarial loss", model.adversarial, ADVERSARIAL)
    _check_streams(config)
    alike, frozen = content.build(config, module)
    given: dict[str, nn.Module] = {}
    for name in (SPACE, RESTORER):
        if model[name]:
            given[name], frozen[name] = weights.load(model[name])
    if SPACE in given and not isinstance(given[SPACE], KernelSpace):
        raise UserError(
            f"model.{SPACE}={model[SPACE]!r} holds a "
            f"{type(given[SPACE]).__name__}, no KernelSpace"
        )
    if RESTORER in given:
        where = f"model.{RESTORER}={model[RESTORER]!r}"
        check_restorer(where, given[RESTORER], frozen[RESTORER])
    return Blur2BlurTask(
        Restorer(module, descents[TRANSLATOR].axis, given_variables(config, module)),
        Critic(judge, descents[CRITIC].axis),
        descents,
        alike,
        ADVERSARIAL[model.adversarial],
        model,
        given,
        frozen,
    )


def _check_streams(config: Config) -> None:
    """A `UserError` unless the data have photos y, photos x, and a known blur."""
    data = streams(config.data)
    for stream in (BLURRY_PHOTOS, SHARP_PHOTOS):
        if stream not in data:
            raise UserError(
                f"the task blur2blur needs the data stream {stream}; set "
                f"config.data.streams.{stream}.train"
            )
    named = KNOWN_PAIRS in data, bool(config.model.kernel_space)
    if any(named) and not all(named):
        raise UserError(
            f"the known blur comes from the data stream {KNOWN_PAIRS} through "
            "config.model.kernel_space; set both, or neither"
        )
    crops = {name: stream.crop for name, stream in data.items()}
    if len(set(crops.values())) > 1:
        said = ", ".join(f"{crop} of {name}" for name, crop in crops.items())
        raise UserError(
            f"the crops of the streams differ ({said}); the critic compares images "
            "of one size"
        )


@dataclass(frozen=True)
class Blur2BlurTask:
    """A batch holds the streams `blurry_photos`, `sharp_photos` and, maybe, pairs."""

    translator: Restorer
    critic: Critic
    descents: dict[str, Descent]
    content: Content
    adversarial: Adversarial
    options: Config
    given: dict[str, nn.Module]
    frozen: Frozen

    def init(self, key: Array) -> State:
        of_translator, of_critic = jax.random.split(key)
        return {
            TRANSLATOR: self.descents[TRANSLATOR].init(
                *self.translator.fresh(of_translator)
            ),
            CRITIC: self.descents[CRITIC].init(*self.critic.fresh(of_critic)),
        }

    def step(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> tuple[State, Metrics]:
        translator, critic = state[TRANSLATOR], state[CRITIC]
        made, _ = self._translated(translator.params, translator.statistics, batch, key)
        seen = batch | {"known": self.known(batch, frozen), "made": made}
        critic, found = self.descents[CRITIC].step_with_statistics(
            critic, partial(self._critic_loss, key), seen
        )
        translator, metrics = self.descents[TRANSLATOR].step_with_statistics(
            translator, partial(self._translator_loss, key, frozen, critic), batch
        )
        metrics |= {f"critic_{name}": value for name, value in found.items()}
        return {TRANSLATOR: translator, CRITIC: critic}, metrics

    def known(self, batch: Batch, frozen: Frozen) -> Array:
        """r: photos of the camera under the known blur (N, H, W, 3)."""
        photos = batch[SHARP_PHOTOS]
        if KNOWN_PAIRS not in batch:
            return photos["blurry"]
        module, pairs = self.given[SPACE], batch[KNOWN_PAIRS]
        variables, x = frozen[SPACE], photos["sharp"]
        code: Any = module.apply(
            variables, pairs["sharp"], pairs["blurry"], method="extract"
        )
        r: Any = module.apply(variables, x, code[0], method="blur")
        return lax.stop_gradient(jnp.clip(r, 0, 1))

    def evaluate(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> Metrics:
        """How far T moves a photo; with R and the truth, what R makes of it."""
        y = batch[BLURRY_PHOTOS]["blurry"]
        translated = self.translator.restored(state[TRANSLATOR].variables, y)
        found = {"psnr_of_change": psnr(translated, y)}
        if "sharp" not in batch[BLURRY_PHOTOS] or RESTORER not in self.given:
            return found
        x = batch[BLURRY_PHOTOS]["sharp"]
        restored = self._restored(translated, frozen)
        return {
            "psnr": psnr(restored, x),
            "ssim": ssim(restored, x),
            "psnr_alone": psnr(self._restored(y, frozen), x),
            "psnr_of_blurry": psnr(y, x),
        } | found

    def pictures(
        self, state: State, batch: Batch, key: Array, frozen: Frozen
    ) -> dict[str, Array]:
        y = batch[BLURRY_PHOTOS]["blurry"]
        translated = self.translator.restored(state[TRANSLATOR].variables, y)
        shown = {"unknown blur y": y, "translated T(y)": translated}
        if RESTORER in self.given:
            shown |= {
                "restored R(y)": self._restored(y, frozen),
                "restored R(T(y))": self._restored(translated, frozen),
            }
        return shown | {"another photo, known blur": self.known(batch, frozen)}

    def networks(self, state: State) -> dict[str, Weights]:
        return {
            TRANSLATOR: self.translator.weights(state[TRANSLATOR].variables),
            CRITIC: self.critic.weights(state[CRITIC].variables),
        }

    def _restored(self, y: Array, frozen: Frozen) -> Array:
        return jnp.clip(applied(self.given[RESTORER], frozen[RESTORER], y), 0, 1)

    def _translated(
        self, params: Params, statistics: Statistics, batch: Batch, key: Array
    ) -> tuple[list[Array], Statistics]:
        """T_s(y) on every scale, the full one last."""
        y = batch[BLURRY_PHOTOS]["blurry"]
        return self.translator.answers(params, statistics, y, example_keys(key, batch))

    def _critic_loss(
        self, key: Array, params: Params, statistics: Statistics, part: Batch
    ) -> tuple[Array, tuple[Metrics, Statistics]]:
        known = pyramid(part["known"], len(part["made"]))
        answers, moved = self.critic.answers(params, statistics, *known, *part["made"])
        scales = len(known)
        total = self.options.critic_weight * _over_scales(
            self.adversarial.critic, answers[:scales], answers[scales:]
        )
        metrics = {}
        if self.options.penalty_weight:
            judge = lambda image: self.critic.judge(params, statistics, image)[0]
            mixed = mixture(part["known"], part["made"][-1], _shares(key, part))
            metrics["penalty"] = gradient_penalty(judge, mixed, patches="sum")
            total += self.options.penalty_weight * metrics["penalty"]
        return total, (metrics, moved)

    def _translator_loss(
        self,
        key: Array,
        frozen: Frozen,
        critic: Player,
        params: Params,
        statistics: Statistics,
        part: Batch,
    ) -> tuple[Array, tuple[Metrics, Statistics]]:
        made, moved = self._translated(params, statistics, part, key)
        judge = partial(self.critic.judge, critic.params, critic.statistics)
        adversarial = _over_scales(self.adversarial.generator, list(map(judge, made)))
        alike = self.content(made, part[BLURRY_PHOTOS]["blurry"], frozen)
        metrics = {"adversarial": adversarial, "content": alike}
        return adversarial + alike, (metrics, moved)


def _shares(key: Array, part: Batch) -> Array:
    """Of r in each image of the penalty (N,)."""
    return jax.vmap(jax.random.uniform)(example_keys(key, part))


def _over_scales(loss: Any, *answers: Sequence[list[Array]]) -> Array:
    """(1/S) sum_s loss(answers_s): the critic gives one map for each scale."""
    terms = [loss(*(maps[0] for maps in scale)) for scale in zip(*answers, strict=True)]
    return sum(terms, jnp.zeros(())) / len(terms)
