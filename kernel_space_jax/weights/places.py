"""Weight files that have a name: those of the package, and those a user installed."""

import os
from pathlib import Path

SHIPPED = Path(__file__).parent / "shipped"
VARIABLE = "KERNEL_SPACE_HOME"
FOLDER = __name__.partition(".")[0]
SUFFIX = ".safetensors"


def home() -> Path:
    """The user's data folder: KERNEL_SPACE_HOME, or one below XDG_DATA_HOME."""
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / FOLDER


def place(name: str) -> Path:
    """Where weights of that name are installed."""
    return home() / "weights" / f"{name}{SUFFIX}"


def shipped() -> dict[str, Path]:
    """The weight files that come with the package, by name."""
    return _in(SHIPPED)


def installed() -> dict[str, Path]:
    """The weight files in the user's data folder, by name."""
    return _in(place("").parent)


def known() -> dict[str, Path]:
    """All of them; the package's own go before others of the same name."""
    return installed() | shipped()


def _in(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}
