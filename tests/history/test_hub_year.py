"""The first two weeks of the real year through the real hub, as `comptoir demo --history` plays them, held to what
scripts/expect_history.py states of the same files: two programs that share no code, equal to the penny.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from comptoir.cli import history
from comptoir.kit.errors import BadInput

UNTIL = "2010-12-14"

#: A machine with much else to do needs minutes.
pytestmark = [pytest.mark.timeout(1800), pytest.mark.xdist_group("history")]


def played(folder: Path, until: str) -> dict[str, Any]:
    """The report of the command, on a database of its own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("COMPTOIR_", "DJANGO_"))}
    command = [sys.executable, "-m", "comptoir.cli.main", "demo", "--once", "--json"]
    done = subprocess.run(
        [*command, "--history", str(folder), "--until", until], capture_output=True, text=True, env=own, check=False
    )
    assert done.stdout, done.stderr[-2000:]
    report: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, report["broken"], report["balanced"]) == (0, [], True), done.stderr[-2000:]
    return report


def filled(table: dict[str, dict[str, Any]]) -> dict[str, tuple[int, Decimal]]:
    return {name: (row["invoices"], Decimal(row["amount"])) for name, row in table.items() if row["invoices"]}


def test_two_weeks_through_the_hub_are_what_the_file_says(
    real_files: list[Path], expect: Callable[..., dict[str, Any]]
) -> None:
    report = played(real_files[0].parent, UNTIL)
    stated = expect(*real_files, "--until", UNTIL)

    closing, without_origin = 0, 0
    for day, expected in zip(report["days"], stated["days"], strict=True):
        where = day["date"]
        assert where == expected["date"]
        assert (day["file"]["invoices"], day["file"]["lines"], Decimal(day["file"]["amount"])) == (
            expected["invoices"], expected["lines"], Decimal(expected["amount"]),
        ), where  # fmt: skip

        # Each invoice of the day is in one bucket at the end.
        assert filled(day["outcomes"]) == filled(expected["outcomes"]), where

        # What the hub did on the day itself.
        accepted, acceptable = day["accepted"], expected["became_acceptable"]
        assert (accepted["orders"], Decimal(accepted["amount"]), accepted["units"]) == (
            acceptable["orders"], Decimal(acceptable["amount"]), acceptable["units"],
        ), where  # fmt: skip
        cancelling = expected["cancelling"]
        assert (day["cancelled"]["orders"], -Decimal(day["cancelled"]["amount"])) == (
            cancelling["cancellation"]["documents"], Decimal(cancelling["cancellation"]["amount"]),
        ), where  # fmt: skip
        for name, fate in (("refunds", "refund"), ("without_origin", "without_origin")):
            assert (day[name]["documents"], Decimal(day[name]["amount"])) == (
                cancelling[fate]["documents"], Decimal(cancelling[fate]["amount"]),
            ), (where, name)  # fmt: skip
        assert day["refunds"]["slips"] == expected["refund_slips"], where

        # What waits when it closes.
        without_origin += day["without_origin"]["documents"]
        assert Counter(day["staged"]) == Counter(expected["waiting_at_close"]) + Counter(no_origin=without_origin), (
            where
        )

        # Goods.
        units = day["units"]
        assert units["opening"] == closing, where
        assert units["opening"] + units["in"] - units["out"] == units["closing"], where
        assert units["received"] == expected["units_arrived"], where
        assert units["in"] == units["received"] + units["found"] + units["unknown"], where
        assert units["out"] == units["shipped"] + units["written_off"], where
        closing = units["closing"]

    totals, expected = report["totals"], stated["totals"]
    assert filled(totals["outcomes"]) == filled(expected["outcomes"])
    assert totals["units"]["found"] - totals["units"]["written_off"] == expected["units_corrected"]
    assert totals["accepted"]["units"] == expected["units_sold"]
    assert {f"skipped_{rule}": count for rule, count in totals["skipped"].items()} == {
        name: row["invoices"]
        for name, row in expected["outcomes"].items()
        if name.startswith("skipped_") and row["invoices"]
    }
    # Shortage shows, is bridged, and is made good.
    assert min(totals["backordered"], totals["partial_shipments"], totals["filled_later"]["lines"]) > 0
    # Whatever was sold and has not left waits for goods.
    assert totals["units"]["shipped"] <= totals["accepted"]["units"]

    # Everything that was told was counted by the shop itself.
    written = report["simulator"]["writes"]
    assert sum(written.values()) == totals["simulator"]["writes"] + report["after"]["simulator"]["writes"]
    assert written["order_carriers"] == totals["shipments"]
    # Nobody's time is taken by what is in order: every Error is a row without origin or a shortage of the file's own.
    errors = {row["code"] for row in report["findings"] if row["severity"] == "error"}
    assert errors <= {
        "no_origin",
        "bad_quantity",
        "negative_price",
        "unknown_sku",
        "promise_taken_back",
        "units_out_of_nowhere",
    }


def test_a_folder_without_a_history_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no history here"):
        history.play(tmp_path, until=None)


def test_a_day_that_is_none_is_refused_in_a_sentence(real_files: list[Path]) -> None:
    with pytest.raises(BadInput, match="not a day"):
        history.play(real_files[0].parent, until="2010-12-32")
