"""The house rule: imports run one way."""

import ast
from pathlib import Path

import kernel_space_jax

ROOT = Path(kernel_space_jax.__file__).parent
# A room may import from its own floor and those above it in this list.
FLOORS = [
    {"errors", "files", "images"},
    {"models"},
    {"weights", "operators", "metrics"},
    {"losses", "priors", "synthesis", "datasets", "drawing"},
    {"training", "solvers", "evaluation", "deblur"},
    {"cli", "__init__", "__main__"},
]


def floor(room):
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


def test_no_import_upward():
    checked = 0
    for file in ROOT.rglob("*.py"):
        here = floor(file.relative_to(ROOT).parts[0].removesuffix(".py"))
        for node in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                parts = name.split(".")
                if parts[0] == "kernel_space_jax" and len(parts) > 1:
                    assert floor(parts[1]) <= here, f"{file} imports {name}"
                    checked += 1
    assert checked > 20
