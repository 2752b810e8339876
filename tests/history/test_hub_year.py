"""The first two weeks of the real year through the real hub, as `comptoir demo --history` plays them, held to what
scripts/expect_history.py states of the same files: two programs that share no code, equal to the penny.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comptoir.cli import history
from comptoir.kit.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]
UNTIL = "2010-12-14"

#: A machine with much else to do needs minutes.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def report(real_files: list[Path]) -> dict[str, Any]:
    """The report of the command, on a database of its own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("COMPTOIR_", "DJANGO_"))}
    command = [sys.executable, "-m", "comptoir.cli.main", "demo", "--once", "--json"]
    done = subprocess.run(
        [*command, "--history", str(real_files[0].parent), "--until", UNTIL],
        capture_output=True,
        text=True,
        env=own,
        check=False,
    )
    assert done.stdout, done.stderr[-2000:]
    report: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, report["broken"], report["balanced"]) == (0, [], True), done.stderr[-2000:]
    return report


@pytest.fixture
def compare(tmp_path: Path, real_files: list[Path]) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """scripts/compare_history.py as anyone would run it: no environment, no packages of ours within reach."""

    def run(report: dict[str, Any], *arguments: object) -> "subprocess.CompletedProcess[str]":
        file = tmp_path / "report.json"
        file.write_text(json.dumps(report))
        command = [sys.executable, "-E", "-s", str(ROOT / "scripts/compare_history.py"), str(file)]
        return subprocess.run(
            [*command, *map(str, real_files), "--until", UNTIL, *map(str, arguments)],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return run


def test_two_weeks_through_the_hub_are_what_the_file_says(
    report: dict[str, Any], compare: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Before.\n<!-- written by scripts/compare_history.py -->\nold\n<!-- end of what is written -->\nAfter.\n"
    )
    done = compare(report, "--page", page)
    assert (done.returncode, done.stdout, done.stderr) == (0, "12 days and their sums agree with the file\n", "")
    text = page.read_text()
    assert text.startswith("Before.")
    assert text.endswith("After.\n")
    assert "old" not in text
    assert f"| orders accepted | {report['totals']['accepted']['orders']:,} |" in text


def _one_penny(report: dict[str, Any]) -> None:
    report["days"][3]["outcomes"]["accepted"]["amount"] += "1"  # "123.45" becomes "123.451"


def _a_refund_less(report: dict[str, Any]) -> None:
    report["days"][5]["refunds"]["documents"] -= 1


def _a_unit_more(report: dict[str, Any]) -> None:
    report["days"][4]["units"]["closing"] += 1


def _a_row_less(report: dict[str, Any]) -> None:
    report["days"][8]["staged"]["no_origin"] -= 1


def _a_write_more(report: dict[str, Any]) -> None:
    report["days"][2]["simulator"]["writes"] += 1


def _no_partial_shipment(report: dict[str, Any]) -> None:
    for day in (*report["days"], report["totals"]):
        day["partial_shipments"] = 0


def _a_day_less(report: dict[str, Any]) -> None:
    del report["days"][7]


def _a_strange_error(report: dict[str, Any]) -> None:
    report["findings"].append({"code": "stock_differs", "severity": "error", "subjects": 1})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_one_penny, "2010-12-05, outcomes"),
        (_a_refund_less, "2010-12-07, refunds"),
        (_a_unit_more, "2010-12-06, closing units"),
        (_a_row_less, "2010-12-10, waiting at close"),
        (_a_write_more, "the year, writes at the shop, by day"),
        (_no_partial_shipment, "the year, there are partial_shipments"),
        (_a_day_less, "days played: 11, in the file: 12"),
        (_a_strange_error, "the year, open Errors of other kinds"),
    ],
)
def test_a_figure_that_is_not_the_files_is_named(
    spoil: Callable[[dict[str, Any]], None],
    said: str,
    report: dict[str, Any],
    compare: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    spoiled = json.loads(json.dumps(report))
    spoil(spoiled)
    done = compare(spoiled)
    assert done.returncode == 1
    assert any(line.startswith(said) for line in done.stdout.splitlines()), done.stdout


def test_a_folder_without_a_history_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no history here"):
        history.play(tmp_path, until=None)


def test_a_day_that_is_none_is_refused_in_a_sentence(real_files: list[Path]) -> None:
    with pytest.raises(BadInput, match="not a day"):
        history.play(real_files[0].parent, until="2010-12-32")
