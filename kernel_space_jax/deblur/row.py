"""What a row of the table of methods says: a method, and the options that it has."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn

Shape = tuple[int, ...]


def anything(value: Any, shape: Shape) -> None:
    """Every value will do."""


@dataclass(frozen=True)
class Option:
    """A keyword of a method, and the option `--name` of the command line.

    `kind` is the type of its value: int, float, str or bool, or `Weights`, which the
    command line reads from a file; an option of another kind is for Python alone.
    `choices` are all of its values, if they have names.
    `check` raises a `UserError` for a value that cannot be, by the shape (H, W, C) of
    the photo; it is not asked about None, which is no value.
    `flag` is what the command line calls it, where that is not its name.
    """

    name: str
    kind: Any
    help: str
    default: Any = None
    check: Callable[[Any, Shape], None] = anything
    flag: str = ""
    choices: tuple[str, ...] = ()

    @property
    def flags(self) -> str:
        """Such as "--kernel-size", or "--saturation/--no-saturation"."""
        return self.flag or f"--{self.name.replace('_', '-')}"


@dataclass(frozen=True)
class Method:
    """A way to deblur, `run`, and what it needs.

    Without `together` it is `run(photo, tell=..., **options) -> Deblurred` of a `View`;
    with it, of a list of views of one size, which gives a list. `gamma` is no keyword
    of `run`, for the views carry it. A method that needs a network gets `network=`, of
    one of the types `networks`, by default the weights `ships` of the package, or the
    first of `installed` that the user has put into the folder of weights; `fits` raises
    a `UserError` for a network of such a type that will not do all the same.
    """

    name: str
    says: str
    run: Callable[..., Any]
    options: tuple[Option, ...] = ()
    networks: tuple[type[nn.Module], ...] = ()
    ships: str | None = None
    installed: tuple[str, ...] = ()
    together: bool = False
    fits: Callable[[nn.Module], None] = field(default=lambda module: None)

    def has(self, option: str) -> bool:
        """Whether it has an option of that name."""
        return any(own.name == option for own in self.options)

    def option(self, name: str) -> Option:
        """The option of that name, which it has."""
        return next(own for own in self.options if own.name == name)
