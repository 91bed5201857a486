"""Protocols that turn scores into a paper's table, and the report to look at."""

from kernel_space_jax.evaluation.evaluate import evaluate
from kernel_space_jax.evaluation.methods import METHODS, Method
from kernel_space_jax.evaluation.protocol import (
    Problem,
    Problems,
    Protocol,
    Published,
    Relative,
    Restored,
    Score,
)
from kernel_space_jax.evaluation.protocols import PROTOCOLS
from kernel_space_jax.evaluation.store import Settings

__all__ = [
    "METHODS",
    "PROTOCOLS",
    "Method",
    "Problem",
    "Problems",
    "Protocol",
    "Published",
    "Relative",
    "Restored",
    "Score",
    "Settings",
    "evaluate",
]
