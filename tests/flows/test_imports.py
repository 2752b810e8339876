"""A user's own files: judged whole, taken whole or not at all, and once."""

from __future__ import annotations

import gzip
import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from comptoir.commerce.catalog.models import Price, Variant
from comptoir.commerce.inventory.models import Backorder
from comptoir.commerce.orders.models import Order
from comptoir.config import bootstrap
from comptoir.flows import imports
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput
from comptoir.staging.models import StagedSale

AT = datetime(2011, 1, 10, tzinfo=UTC)
SHARED = Path(os.environ.get("COMPTOIR_SHARED") or Path(__file__).parents[2].parent / "shared")
YEAR = SHARED / "data/online-retail/sales-2010-12-to-2011-08.csv.gz"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def parts() -> None:
    bootstrap.set_up()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "file.csv"
        path.write_text(text)
        return path

    return write


def products(path: Path, **mapped: str) -> imports.Imported:
    return imports.import_products(path, mapped=mapped, currency="GBP", actor=SYSTEM, at=AT)


def sales(path: Path, **mapped: str) -> imports.Imported:
    return imports.import_sales(path, mapped=mapped, timezone="Europe/London", currency="GBP", actor=SYSTEM, at=AT)


def test_products_come_in_once(write: Callable[[str], Path]) -> None:
    path = write("SKU;Name;EAN;Price\nCUP;Cup;4006381333931;2,55\nPOT;Pot;;10\n")
    first = products(path)
    assert (first.rows, first.created, first.faults) == (2, 2, [])
    assert Price.objects.get(variant__sku="CUP").amount == Decimal("2.55")
    again = products(path)
    assert (again.created, again.changed, again.unchanged) == (0, 0, 2)


def test_a_file_with_an_error_changes_nothing_and_names_row_and_column(write: Callable[[str], Path]) -> None:
    path = write("sku,name,price\nCUP,Cup,2.55\nPOT,Pot,cheap\ncup,Cup again,-1\n,Nameless,1\n")
    result = products(path)
    assert [(one.row, one.column, one.value) for one in result.faults] == [
        (3, "price", "cheap"),
        (4, "price", "-1"),
        (4, "sku", "cup"),
        (5, "sku", ""),
    ]
    assert not Variant.objects.exists()


def test_columns_are_found_by_their_usual_names_or_named(write: Callable[[str], Path]) -> None:
    path = write("Artikel,Bezeichnung\nCUP,Cup\n")
    with pytest.raises(BadInput) as wrong:
        products(path)
    assert wrong.value.facts["cure"] == "--map sku=COLUMN"
    assert products(path, sku="Artikel", name="Bezeichnung").created == 1


def test_sales_become_orders_and_what_is_unknown_waits(write: Callable[[str], Path]) -> None:
    products(write("sku,name\nCUP,Cup\n"))
    path = write(
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice\n"
        "1001,CUP,Cup,2,2011-01-04 10:00:00,2.55\n"
        "1001,cup,Cup,1,2011-01-04 09:59:00,2.55\n"
        "1002,NEW,New,1,2011-01-04 11:00:00,1\n"
        "C1003,CUP,Cup,-2,2011-01-05 11:00:00,2.55\n"
    )
    result = sales(path)
    assert (result.rows, result.created, result.waiting) == (4, 1, 2)
    order = Order.objects.get()
    assert order.placed_at == datetime(2011, 1, 4, 9, 59, tzinfo=UTC)  # the earliest line's
    assert order.total == Decimal("7.65")
    assert Backorder.objects.count() == 2
    assert {
        row.external_id: {one["code"] for one in row.anomalies} for row in StagedSale.objects.filter(state="repair")
    } == {
        "1002": {"unknown_sku"},
        "C1003": {"no_origin"},  # below zero by its nature: one Error that says all, not three
    }
    [refund] = StagedSale.objects.get(external_id="C1003").anomalies
    assert refund["facts"] == {"origin": "?", "total": "-5.10", "currency": "GBP", "goods": "2 × CUP"}
    again = sales(path)
    assert (again.created, again.unchanged, Order.objects.count()) == (0, 3, 1)


def test_a_sales_file_with_a_bad_cell_stages_nothing(write: Callable[[str], Path]) -> None:
    path = write("order,date,sku,quantity,price\n1,2011-01-04,CUP,2,1\n2,yesterday,CUP,two,1\n")
    result = sales(path)
    assert [(one.row, one.column) for one in result.faults] == [(3, "date"), (3, "quantity")]
    assert not StagedSale.objects.exists()


def test_a_spreadsheet_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 80_000_000)
    with pytest.raises(BadInput, match="believable"):
        products(path)


def test_windows_text_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes("sku,name\nCAFE,Café\n".encode("cp1252"))
    assert products(path).created == 1
    path.write_bytes("\ufeffsku,name\nTHE,Thé\n".encode())
    assert products(path).created == 1
    assert set(Variant.objects.values_list("product__name", flat=True)) == {"Café", "Thé"}


@pytest.mark.skipif(not YEAR.exists(), reason=f"no real data in {YEAR.parent.name}")
def test_a_real_day_comes_in_whole(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    with gzip.open(YEAR, "rt") as year:
        lines = [line for line, _ in zip(year, range(400), strict=False)]
    path.write_text("".join(lines))
    numbers = {line.split(",")[0] for line in lines[1:]}
    result = sales(path)
    assert result.faults == []
    assert result.rows == len(lines) - 1
    assert result.created + result.waiting == len(numbers)
    assert StagedSale.objects.count() == len(numbers)
