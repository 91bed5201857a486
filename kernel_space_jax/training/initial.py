"""Where networks start from: a file, or weights as large as He's."""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict

from kernel_space_jax import weights
from kernel_space_jax.errors import UserError
from kernel_space_jax.training.players import Params
from kernel_space_jax.training.task import Config

# Standard deviations: PyTorch's default 1 / sqrt(3 fan in), He's sqrt(2 / fan in).
HE = 6**0.5


def like_he(
    params: Params, within: Callable[[tuple[str, ...]], bool] = lambda path: True
) -> Params:
    """PyTorch's first kernels made as large as those of He et al. 2015.

    Signals then keep their size through layers with a ReLU between them; as PyTorch
    draws them, each layer leaves 0.4 of it, and the deepest hear next to nothing.
    Only layers whose path is `within` change.
    """
    flat: dict[Any, Any] = flatten_dict(params)
    for path, leaf in flat.items():
        if path[-1] == "kernel" and within(path):
            flat[path] = leaf * HE
    return unflatten_dict(flat)


def given(
    config: Config, module: nn.Module, *, free: Sequence[str] = ()
) -> Params | None:
    """The parameters of `given_variables`."""
    variables = given_variables(config, module, free=free)
    return variables and variables["params"]


def given_variables(
    config: Config, module: nn.Module, *, free: Sequence[str] = ()
) -> dict[str, Any] | None:
    """The variables that a config starts from, if it names a file of them.

    Their network is to be the config's, but may differ in the options that are `free`.
    """
    if not config.init_from:
        return None
    other, variables = weights.load(config.init_from)
    own = [name for name in ("dtype", *free) if hasattr(module, name)]
    same = {name: getattr(module, name) for name in own}
    if type(other) is not type(module) or other.clone(**same) != module:
        raise UserError(
            f"{config.init_from} holds another network than the config describes"
        )
    return variables
