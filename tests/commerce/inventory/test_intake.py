"""A user's own file of receptions: wrong cells are named, nothing is half done, the same file twice books once."""

from __future__ import annotations

import pytest

from comptoir.commerce.catalog.models import Barcode
from comptoir.commerce.inventory import intake
from comptoir.commerce.inventory.models import Movement
from comptoir.kit.actor import SYSTEM

from .builders import NOON, books_are_right, demand, figures, has, reserve, variant, warehouse

pytestmark = pytest.mark.django_db


def receive(text: str | bytes, *, dry_run: bool = False, warehouse: int | None = None) -> intake.Intake:
    content = text if isinstance(text, bytes) else text.encode()
    return intake.receive_file(content, warehouse=warehouse, dry_run=dry_run, at=NOON, actor=SYSTEM)


def test_a_file_is_received_once_and_serves_those_who_wait() -> None:
    mug, paris = variant("MUG"), warehouse("paris")
    cloth = variant("CLOTH", unit="m")
    Barcode.objects.create(variant_id=cloth, code="400638")
    waiting = demand(mug, 2, paris)
    reserve(waiting)
    text = (
        "\ufeffSKU;barcode;Quantity;warehouse;supplier;reference\r\n"
        "mug;;3;paris;Acme;DN-7\r\n\r\nMUG;;1;paris;Acme;DN-7\r\n;400638;0.250;paris;;\r\n"
    )
    dry = receive(text, dry_run=True)
    assert (dry.rows, dry.errors, dry.booked, len(dry.receipts)) == (3, (), None, 3)
    assert not Movement.objects.exists()
    outcome = receive(text)
    assert outcome.booked is not None
    assert len(outcome.booked.booked) == 3
    assert (figures(mug, paris), has(waiting.line)) == ((4, 2, 0, 2), {paris: 2})
    assert Movement.objects.filter(supplier="Acme").count() == 2
    again = receive(text)
    assert len(again.repeated) == 3
    assert figures(mug, paris) == (4, 2, 0, 2)
    assert books_are_right()


def test_every_wrong_cell_is_named_and_nothing_is_booked() -> None:
    mug = variant("MUG")
    variant("MUG-ALIAS", kind="alias", alias_of_id=mug)
    Barcode.objects.create(variant_id=variant("CUP"), code="111")
    warehouse("paris")
    rows = [
        "MUG,,1,paris,",  # right
        "NOPE,,1,paris,",
        ",,1,paris,",
        "MUG,111,1,paris,",
        "MUG,,0.5,paris,",
        "MUG,,-1,paris,",
        "MUG,,many,paris,",
        "MUG,,NaN,paris,",
        "MUG,,1,moon,",
        "MUG-ALIAS,,1,paris,",
        f"MUG,,1,paris,{'x' * 121}",
        "MUG,,1,paris,,one,too many",
    ]
    outcome = receive("sku,barcode,quantity,warehouse,supplier\n" + "\n".join(rows))
    assert [(e.row, e.column) for e in sorted(outcome.errors, key=lambda e: e.row)] == [
        (3, "sku"),
        (4, "sku"),
        (5, "barcode"),
        (6, "quantity"),
        (7, "quantity"),
        (8, "quantity"),
        (9, "quantity"),
        (10, "warehouse"),
        (11, "sku"),
        (12, "supplier"),
        (13, ""),
    ]
    assert outcome.booked is None
    assert not Movement.objects.exists()


@pytest.mark.parametrize(
    ("content", "row", "column"),
    [
        (b"", 1, "quantity"),
        (b"sku,quantity\n", 0, ""),
        (b"quantity\n1\n", 1, "sku"),
        (b"sku,quantity,colour\nMUG,1,red\n", 1, "colour"),
        (b"sku,sku,quantity\nMUG,MUG,1\n", 1, "sku"),
        (b"sku,quantity\nM\xfcg,1\n", 2, ""),
        (b"PK\x03\x04\x00\x00", 0, ""),
        (b'sku,quantity\n"MUG,1\n', 2, ""),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_with_its_place(content: bytes, row: int, column: str) -> None:
    errors = receive(content).errors
    assert errors
    assert (errors[0].row, errors[0].column) == (row, column)


def test_rows_without_a_warehouse_go_where_the_form_says() -> None:
    mug, paris = variant("MUG"), warehouse("paris")
    assert receive("sku,quantity\nMUG,2\n").errors[0].column == "warehouse"
    receive("sku,quantity\nMUG,2\n", warehouse=paris)
    assert figures(mug, paris) == (2, 0, 0, 2)
