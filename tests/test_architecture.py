"""The house rule: imports run down a total order of rooms."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kernel_space_jax

NAME = "kernel_space_jax"
ROOT = Path(kernel_space_jax.__file__).parent
# A room may import from itself and from those above it in this list, from no other.
ROOMS = (
    *(
        "errors",
        "tell",
        "cache",
        "files",
        "arrays",
        "images",
        "pixels",
        "sheets",
        "schedules",
    ),
    "backend",
    *("operators", "models", "weights", "metrics", "losses", "priors", "drawing"),
    *("solvers", "datasets", "synthesis", "training"),
    *("deblur", "evaluation", "experiments"),
    *("__init__", "cli", "__main__"),
)


def room_of(dotted: str) -> str:
    """The room that `kernel_space_jax.X...` lies in; names of the face in its own."""
    parts = dotted.split(".")
    inside = len(parts) > 1 and (
        (ROOT / parts[1]).is_dir() or (ROOT / f"{parts[1]}.py").is_file()
    )
    return parts[1] if inside else "__init__"


def imported(source: str, package: list[str]) -> Iterator[str]:
    """Every module of the project that a source text of this package imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            if node.level:
                module = package[: len(package) - node.level + 1] + module
            if module[:1] == [NAME]:
                # `from a import b`: b may be a module too.
                for alias in node.names:
                    yield ".".join([*module, alias.name])
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == NAME:
                    yield alias.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # What tables name, import_module imports.
            words = node.value.split(".")
            if words[0] == NAME and all(word.isidentifier() for word in words):
                yield node.value


def climbs(source: str, file: Path) -> list[str]:
    """What a file imports from rooms above its own."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    here = ROOMS.index(parts[0])
    found = imported(source, [NAME, *parts[:-1]])
    return [name for name in found if ROOMS.index(room_of(name)) > here]


def test_every_room_has_its_place():
    rooms = {p.stem for p in ROOT.glob("*.py")}
    rooms |= {p.name for p in ROOT.iterdir() if (p / "__init__.py").exists()}
    assert rooms == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_no_import_upward(room):
    files = [*ROOT.glob(f"{room}.py"), *(ROOT / room).rglob("*.py")]
    assert files
    for file in files:
        assert not climbs(file.read_text(), file), file


@pytest.mark.parametrize(
    "line",
    [
        "import kernel_space_jax.deblur.uniform",
        "from kernel_space_jax import deblur",
        "from kernel_space_jax import UserError",
        "from kernel_space_jax.deblur import uniform",
        "from kernel_space_jax.deblur.uniform import undo",
        "from .. import deblur",
        "from ..deblur import uniform",
        "def late():\n    from kernel_space_jax.deblur import uniform",
        "TABLE = {'x': 'kernel_space_jax.deblur.uniform'}",
    ],
)
def test_every_form_of_import_is_seen(line):
    assert climbs(line, ROOT / "solvers" / "tiles.py")
    assert not climbs(line, ROOT / "cli" / "deblur.py")
