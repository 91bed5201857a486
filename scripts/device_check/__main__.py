"""One part of the device check: python -m device_check PART --out FOLDER [--quick]."""

import argparse
import sys
import traceback
from importlib import import_module
from pathlib import Path

from device_check.page import PARTS
from device_check.record import Record, reason


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    record = Record(given.part, given.out, given.quick)
    try:
        run = getattr(import_module(f"device_check.{given.part}"), given.part)
        run(record, given.quick)
    except Exception as error:
        traceback.print_exc()
        record.end(f"failed: {reason(error)}")
        return 1
    record.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
