"""What must hold besides the tests: format, lint, types, imports, models against migrations, generated docs.

`make check` runs all of it; `make check ARGS="types imports"` some. Every step runs, whatever an earlier one said.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

STEPS: dict[str, list[str]] = {
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", "--output-format", "concise", "."],
    "lint": [str(BIN / "ruff"), "check", "--quiet", "--output-format", "concise", "."],
    "types": [str(BIN / "mypy"), "--no-error-summary"],
    "imports": [str(BIN / "lint-imports"), "--no-logo", "--config", ".importlinter"],
    "structure": [
        str(BIN / "pytest"),
        "-q",
        "--no-header",
        "--tb=short",
        "-n",
        "2",
        "tests/architecture",
        "tests/docs",
    ],
}


def main(wanted: list[str]) -> int:
    unknown = sorted(set(wanted) - set(STEPS))
    if unknown:
        print(f"There is no step {', '.join(unknown)}; there are {', '.join(STEPS)}.", file=sys.stderr)
        return 2
    failed = []
    with ThreadPoolExecutor(2) as pool:  # two take most of the time, on a core each
        for name, done, seconds in pool.map(_carried_out, wanted or STEPS):
            print(f"{name:10} {'ok' if done.returncode == 0 else 'FAILED':6} {seconds:6.1f} s", flush=True)
            if done.returncode:
                failed.append(name)
                print((done.stdout + done.stderr).rstrip(), flush=True)
    if failed:
        print(f"make check: {', '.join(failed)} failed.", file=sys.stderr)
    return 1 if failed else 0


def _carried_out(name: str) -> tuple[str, subprocess.CompletedProcess[str], float]:
    began = time.monotonic()
    done = subprocess.run(STEPS[name], cwd=ROOT, capture_output=True, text=True, check=False)
    return name, done, time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
