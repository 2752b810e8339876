"""Excerpts written by hand, the real files where they are, and the expectation script run as anyone would run it."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]

Expect = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def expect() -> Expect:
    def run(*arguments: object) -> dict[str, Any]:
        # -I: no environment, no packages of ours within reach.
        command = [sys.executable, "-I", str(ROOT / "scripts/expect_history.py"), "--json", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return run


@pytest.fixture
def excerpt(tmp_path: Path) -> Callable[[str], Path]:
    """A file from lines "invoice|code|description|quantity|day hour|price|customer"; the days are of December 2010."""

    def write(text: str, name: str = "sales-2010-12.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(HEADER)
            for line in filter(None, map(str.strip, text.splitlines())):
                invoice, code, description, quantity, moment, price, customer = line.split("|")
                day, hour = moment.split()
                country = "EIRE" if customer == "14911" else "United Kingdom"
                at = f"2010-12-{int(day):02} {hour}:00"
                writer.writerow([invoice, code, description, quantity, at, price, customer, country])
        return path

    return write


@pytest.fixture(scope="session")
def real_files() -> list[Path]:
    shared = Path(os.environ.get("COMPTOIR_SHARED", ROOT.parent / "shared"))
    files = sorted((shared / "data/online-retail").glob("sales-*.csv.gz"))
    if not files:
        pytest.skip(f"the retail year is not at {shared}/data/online-retail (set COMPTOIR_SHARED)")
    return files
