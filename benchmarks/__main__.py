"""`python -m benchmarks [case …]`: run cases, print the table, write benchmarks/results/latest.json."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
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
    cases = given.cases or CASES
    if len(cases) == 1:
        rows = _measured(cases[0], given)
    else:
        rows = [row for name in cases for row in _apart(name)]
    if given.json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}))
    else:
        print(harness.table(rows))
    return 0


def _measured(name: str, given: argparse.Namespace) -> list[harness.Row]:
    with harness.ready(given.quick, given.folder, given.size, given.dlt) as bench:
        harness.say(f"{name} … (PostgreSQL {bench.server.version}, {os.cpu_count()} cores)")
        rows: list[harness.Row] = importlib.import_module(f"benchmarks.case_{name}").run(bench)
    if not given.quick:
        harness.keep(rows)  # at once: what a long run has measured is not lost with a later case
    return rows


def _apart(name: str) -> list[harness.Row]:
    """A case in a process and on a database of its own, so that no case meets the rows of another."""
    options = [option for option in sys.argv[1:] if option not in {*CASES, "--json"}]
    command = [sys.executable, "-m", "benchmarks", name, "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as case:
        try:
            printed, _ = case.communicate()
        except BaseException:
            case.terminate()  # it stops and removes its database
            raise
    if case.returncode:
        raise SystemExit(case.returncode)
    return [harness.Row(**row) for row in json.loads(printed)["rows"]]


if __name__ == "__main__":
    sys.exit(main())
