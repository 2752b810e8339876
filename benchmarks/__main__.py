"""`python -m benchmarks [case …]`: run cases, print the table, write benchmarks/results/latest.json."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
from pathlib import Path

from benchmarks import harness

CASES = sorted(path.stem.removeprefix("case_") for path in Path(__file__).parent.glob("case_*.py"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"which cases to run: {', '.join(CASES)}; all of them without a name")
    parser.add_argument("--quick", action="store_true", help="one small round, to see that it works; nothing is kept")
    parser.add_argument(
        "--size", type=int, metavar="VARIANTS", help="of `pages` (and twice as many orders), `check` and `import`"
    )
    parser.add_argument("--large", action="store_const", dest="size", const=1_000_000, help="--size 1000000")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON instead of a table")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where the database is made: on a disk")  # noqa: S108
    parser.add_argument("--dlt", type=Path, metavar="PYTHON", help="a Python with dlt[postgres], the peer of `import`")
    given = parser.parse_args()
    if unknown := set(given.cases) - set(CASES):
        parser.error(f"there is no case {min(unknown)!r}; there are {', '.join(CASES)}")
    signal.signal(signal.SIGTERM, lambda *_given: sys.exit(1))  # so that the database is stopped and removed
    rows: list[harness.Row] = []
    with harness.ready(given.quick, given.folder, given.size, given.dlt) as bench:
        harness.say(f"PostgreSQL {bench.server.version}, {os.cpu_count()} cores")
        for name in given.cases or CASES:
            harness.say(f"{name} …")
            found = importlib.import_module(f"benchmarks.case_{name}").run(bench)
            if not given.quick:
                harness.keep(found)  # at once: what a long run has measured is not lost with a later case
            rows += found
    if given.json:
        print(json.dumps({"rows": [{f: getattr(row, f) for f in row.__slots__} for row in rows]}))
    else:
        print(harness.table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
