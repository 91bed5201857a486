"""The programs of a TPU slice, ready to be compiled within `compiling_for`.

Nothing of them is computed and no data are read: all arguments are shapes.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.blind import FULL, advance
from jax import ShapeDtypeStruct
from jax.stages import Lowered

from kernel_space_jax.backend import devices
from kernel_space_jax.errors import UserError
from kernel_space_jax.models.kernel_space import STRIDE, KernelSpace
from kernel_space_jax.models.vgg import VGG19
from kernel_space_jax.solvers.batch import spread
from kernel_space_jax.solvers.search import blind_search, presets
from kernel_space_jax.solvers.search.blind_search import Search
from kernel_space_jax.training.config import load_config
from kernel_space_jax.training.data import SYNTHETIC, joined, streams
from kernel_space_jax.training.devices import Sharded
from kernel_space_jax.training.engine import Run, build, first_state
from kernel_space_jax.training.players import Player
from kernel_space_jax.training.task import Config
from kernel_space_jax.weights import Weights


class Program(NamedTuple):
    """A program, and how many numbers its networks learn from all chips together."""

    lowered: Lowered
    learned: int


def training_step(file: str, words: list[str], each: int) -> Program:
    """The first stage's step of a config, with `each` examples a chip.

    `words` are --config.KEY=VALUE on top. Streams of files hold 8-bit pairs.
    """
    config = load_config(file, words).unlock()
    if config.parallel != "jit":
        raise UserError("a slice that is not here has no pmap; use config.parallel=jit")
    config.stages = ()
    config.batch_size = each * len(devices())
    # Files of a validation set need not be here.
    for data in (config.data, *config.data.streams.values()):
        data.validation = SYNTHETIC
    engine = build(config)
    place = engine.place
    assert isinstance(place, Sharded)
    run = jax.eval_shape(lambda: first_state(config, engine.task))
    laid = lambda tree: jax.tree.map(_laid, tree, place.shardings(tree))
    rows = jax.tree.map(lambda leaf: _laid(leaf, place.rows), _batch(config))
    step = place.step(engine.learn(engine.stages[0]))
    lowered = step.lower(laid(run), laid(engine.task.frozen), rows)
    return Program(lowered, _learned(run))


def search_step(search: Search, shape: tuple[int, ...], each: int) -> Program:
    """A piece of blind search, `each` photos (1, H, W, C) of that shape a chip."""
    count = each * len(devices())
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), count))
    one = jax.eval_shape(blind_search.begin, search, keys.update(shape=()))
    stack = lambda leaf: leaf.update(shape=(count, *leaf.shape))
    photos = ShapeDtypeStruct((count, *shape), jnp.float32)
    shared = (search, ShapeDtypeStruct((), jnp.int32))
    lowered = spread(advance).lower(shared, photos, keys, jax.tree.map(stack, one))
    return Program(lowered, 0)


def published_search(
    shape: tuple[int, ...], share: int = 1, shallow: bool = False
) -> Search:
    """Tran et al.'s joint search, all widths over `share`; its weights are shapes.

    `shallow` leaves one block of each kind.
    """
    width, code = KernelSpace.width // share, FULL.code_width // share
    space = KernelSpace(width=width, tail_width=width, code_width=8 * width)
    vgg = VGG19(widths=tuple(full // share for full in VGG19.widths))
    preset = FULL._replace(
        width=FULL.width // share, skip=FULL.skip // share, code_width=code
    )
    if shallow:
        space = space.clone(front_blocks=1, back_blocks=1, code_blocks=1)
        preset = preset._replace(code_blocks=1)
    image = jnp.zeros((1, 2 * STRIDE, 2 * STRIDE, 3))
    return presets.kernel_space(
        Weights(space, _initial(space, image, image)),
        shape,
        preset,
        vgg=Weights(vgg, _initial(vgg, image)),
    )


def _initial(module: Any, *images: Any) -> Any:
    return jax.eval_shape(module.init, jax.random.key(0), *images)


def _laid(leaf: Any, sharding: Any) -> ShapeDtypeStruct:
    return ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def _learned(run: Run) -> int:
    is_player = lambda node: isinstance(node, Player)
    nodes = jax.tree.leaves(run.task, is_leaf=is_player)
    players = [node.params for node in nodes if is_player(node)]
    return sum(leaf.size for leaf in jax.tree.leaves(players))


def _batch(config: Config) -> dict[str, Any]:
    """The shapes of a batch as a feed hands it out."""
    count = config.batch_size

    def stored(data: Config) -> dict[str, Any]:
        if SYNTHETIC in data.train:
            return {}
        pixels = ShapeDtypeStruct((count, data.crop, data.crop, 3), np.uint8)
        return {"sharp": pixels, "blurry": pixels}

    parts = {name: stored(data) for name, data in streams(config.data).items()}
    return joined(parts) | {"number": ShapeDtypeStruct((count,), np.int32)}
