"""The page of a run: a table of all parts, made from their files without JAX.

    python -m device_check.page FOLDER [--ended PART CODE SECONDS]

With `--ended` a part has just ended with that exit code: its file and the summary say
how.
"""

import argparse
import json
from pathlib import Path
from typing import Any

PARTS = ("parity", "train", "blind", "convolutions", "transfer", "restoration")
# What `timeout` exits with: when it ended the part, and when it had to kill it.
TOO_SLOW = (124, 137)
RUNNING, UNBEGUN = "running", "not begun"
HEAD = (
    "| part | what | found | aim | difference | memory, GB |\n"
    "|---|---|---|---|---:|---:|"
)


def end(folder: Path, part: str, code: int, seconds: int) -> None:
    """Writes how a part ended into its file, and its line into the summary."""
    found = _read(folder, part)
    if code in TOO_SLOW:
        found["state"] = f"stopped, too slow: the limit was {seconds} s"
    elif code and found["state"] in (RUNNING, UNBEGUN):
        found["state"] = f"failed: exit code {code}"
    found["seconds"] = seconds
    (folder / f"{part}.json").write_text(json.dumps(found, indent=2) + "\n")
    with (folder / "summary.txt").open("a") as file:
        file.write(line(found) + "\n")


def line(found: dict[str, Any]) -> str:
    """One line: how a part ended, and what it found until then."""
    rows = "; ".join(f"{row['name']}: {row['found']}" for row in found["rows"])
    return f"{found['part']}: {_ended(found)}; {rows or 'nothing was measured'}"


def page(folder: Path) -> str:
    """The Markdown page of all parts that have begun."""
    parts = [_read(folder, p) for p in PARTS if (folder / f"{p}.json").exists()]
    known = [found for found in parts if "device" in found]
    lines = ["# Device check", ""]
    if known:
        first = known[0]
        versions = ", ".join(f"{n} {v}" for n, v in first["versions"].items())
        device = f"{first['device']} ({first['platform']})"
        lines += [f"{device}; {versions}; {first['date']}", ""]
        if first["quick"]:
            lines += ["A quick run with tiny networks: its figures say nothing.", ""]
    lines.append(HEAD)
    for found in parts:
        peak = found.get("peak_memory_gb")
        cells = [f"**{found['part']}**", "", _ended(found), "", ""]
        lines.append(_cells([*cells, f"{peak:.3g} at most" if peak else ""]))
        for row in found["rows"]:
            apart = f"{row['difference']:.1e}" if "difference" in row else ""
            held = f"{row['gigabytes']:.3g}" if "gigabytes" in row else ""
            cells = ["", row["name"], row["found"], row["aim"], apart, held]
            lines.append(_cells(cells))
    return "\n".join(lines) + "\n"


def _read(folder: Path, part: str) -> dict[str, Any]:
    file = folder / f"{part}.json"
    if file.exists():
        return json.loads(file.read_text())
    return {"part": part, "state": UNBEGUN, "rows": []}


def _ended(found: dict[str, Any]) -> str:
    took = f" in {found['seconds']} s" if found["state"] == "done" else ""
    return found["state"] + took


def _cells(texts: list[str]) -> str:
    return f"| {' | '.join(text.replace('|', '/') for text in texts)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the page of a device check.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ended", nargs=3, metavar=("PART", "CODE", "SECONDS"))
    given = parser.parse_args()
    if given.ended:
        part, code, seconds = given.ended
        end(given.folder, part, int(code), int(seconds))
    (given.folder / "page.md").write_text(page(given.folder))


if __name__ == "__main__":
    main()
