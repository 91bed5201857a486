"""What a part found: written to its file after every row, so that a kill loses none."""

import json
import platform
import resource
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
from device_check.page import RUNNING

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "torch")
GB = 1e9


class Record:
    """PART.json in a folder: the machine, the state of the part, and its rows."""

    def __init__(self, part: str, folder: Path, quick: bool) -> None:
        self.file = folder / f"{part}.json"
        self.content: dict[str, Any] = {
            "part": part,
            "state": RUNNING,
            "quick": quick,
            "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            "device": jax.devices()[0].device_kind,
            "platform": jax.default_backend(),
            "versions": versions(),
            "rows": [],
        }
        self.write()

    def add(self, name: str, found: str, aim: str = "", **figures: Any) -> None:
        """A row: `found` is what the page shows, the figures are for programs."""
        row = {"name": name, "found": found, "aim": aim} | _plain(figures)
        self.content["rows"].append(row)
        aimed = f" (aim: {aim})" if aim else ""
        print(f"{self.content['part']}: {name}: {found}{aimed}", flush=True)
        self.write()

    def end(self, state: str = "done") -> None:
        self.content["state"] = state
        self.write()

    def write(self) -> None:
        """The file, replaced as a whole."""
        self.content["peak_memory_gb"] = peak_memory()
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(self.content, indent=2) + "\n")
        new.replace(self.file)


def reason(error: Exception) -> str:
    """Why a row or a part has no figure: the kind of error and its first line."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def versions() -> dict[str, str]:
    """Python and the packages that are installed."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def peak_memory() -> float:
    """The most GB that JAX has held on the device, on a CPU that the process has."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in stats:
        return stats["peak_bytes_in_use"] / GB
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GB


def _plain(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures that are there: JSON knows no nan."""
    return {name: value for name, value in figures.items() if value == value}
