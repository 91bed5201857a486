"""A network in the size that a paper has published."""

from typing import Any, NamedTuple


class Preset(NamedTuple):
    """A network by its name in the tables, and its options."""

    network: str
    options: dict[str, Any]
    says: str
