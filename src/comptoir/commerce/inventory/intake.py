"""Goods received from a user's own CSV file: every row is checked first, then all are booked or none.

Columns: `sku` or `barcode`, `quantity`, and where wanted `warehouse` (its code), `supplier`, `reference`, `comment`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from comptoir.commerce.catalog import queries as catalog
from comptoir.commerce.catalog.models import Kind, Variant
from comptoir.commerce.inventory import actions, ledger
from comptoir.commerce.inventory.models import Movement, Reason, Warehouse
from comptoir.commerce.inventory.records import Booked, Receipt
from comptoir.kit import ids, money
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput

COLUMNS = ("sku", "barcode", "quantity", "warehouse", "supplier", "reference", "comment")
MOST_ROWS = 100_000
LONGEST = {"supplier": 120, "comment": 255, "reference": ledger.LONGEST_REFERENCE}


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong in one cell. `row` counts from 1 as spreadsheets do, the heading being row 1; row 0: the whole file."""

    row: int
    column: str
    value: str
    message: str


@dataclass(frozen=True, slots=True)
class Intake:
    """What a file would book or has booked; nothing is booked while there are errors."""

    rows: int
    receipts: tuple[Receipt, ...]
    errors: tuple[RowError, ...]
    repeated: tuple[str, ...]  # references booked by an earlier file: left out
    booked: Booked | None = None  # None: a dry run, or errors


def receive_file(
    content: bytes, *, warehouse: int | None = None, dry_run: bool = True, at: datetime, actor: Actor
) -> Intake:
    """Read a CSV of receptions and, unless it is a dry run or something is wrong, book it. `warehouse` is for rows that name
    none. A row without a reference gets one from the file's content and its place, so that the same file twice books once."""
    read = _Reading(warehouse)
    read.file(content)
    receipts, errors = tuple(read.receipts), tuple(read.errors)
    known = set(
        Movement.objects.filter(reference__in=[r.reference for r in receipts]).values_list("reference", flat=True)
    )
    repeated = tuple(r.reference for r in receipts if r.reference in known)
    booked = None
    if receipts and not errors and not dry_run:
        booked = actions.receive(receipts, reason=Reason.RECEPTION, at=at, actor=actor)
    return Intake(read.rows, receipts, errors, repeated, booked)


class _Reading:
    def __init__(self, warehouse: int | None) -> None:
        self.rows = 0
        self.receipts: list[Receipt] = []
        self.errors: list[RowError] = []
        self._warehouse = warehouse
        self._warehouses = dict(Warehouse.objects.filter(is_active=True).values_list("code", "pk"))

    def _wrong(self, row: int, column: str, value: str, message: str) -> None:
        self.errors.append(RowError(row, column, value[:200], message))

    def file(self, content: bytes) -> None:
        text = self._text(content)
        if text is None:
            return
        try:
            dialect: Any = csv.Sniffer().sniff(text.split("\n", 1)[0], delimiters=",;\t|")
        except csv.Error:
            dialect = csv.excel  # a file of one column has no separator
        reader = csv.reader(io.StringIO(text, newline=""), dialect, strict=True)
        rows: list[tuple[int, dict[str, str]]] = []
        try:
            heading = [cell.strip().lower() for cell in next(reader, [])]
            if not self._heading(heading):
                return
            for number, cells in enumerate(reader, start=2):
                if not any(cell.strip() for cell in cells):
                    continue
                if len(rows) == MOST_ROWS:
                    self._wrong(number, "", "", _("The file has more than %(most)d rows.") % {"most": MOST_ROWS})
                    return
                if len(cells) > len(heading):
                    self._wrong(number, "", cells[len(heading)], _("The row has more cells than the heading."))
                rows.append((number, dict(zip(heading, (cell.strip() for cell in cells), strict=False))))
        except csv.Error as error:
            self._wrong(reader.line_num, "", "", _("The file is not well-formed CSV: %(why)s.") % {"why": error})
            return
        self.rows = len(rows)
        if not rows:
            self._wrong(0, "", "", _("The file has no rows."))
        self._read_rows(rows, ids.fingerprint(content)[:16])

    def _text(self, content: bytes) -> str | None:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            self._wrong(line, "", "", _("The file is not UTF-8 text: save it as “CSV UTF-8”."))
            return None
        if "\0" in text:
            self._wrong(0, "", "", _("The file is not text: save it as “CSV UTF-8”."))
            return None
        return text

    def _heading(self, heading: Sequence[str]) -> bool:
        before = len(self.errors)
        for name in heading:
            if name not in COLUMNS:
                allowed = ", ".join(COLUMNS)
                self._wrong(1, name, name, _("Unknown column; it may be one of: %(columns)s.") % {"columns": allowed})
            elif heading.count(name) > 1:
                self._wrong(1, name, name, _("The column is there twice."))
        if "quantity" not in heading:
            self._wrong(1, "quantity", "", _("The column is missing."))
        if "sku" not in heading and "barcode" not in heading:
            self._wrong(1, "sku", "", _("There is neither a column sku nor a column barcode."))
        return len(self.errors) == before

    def _read_rows(self, rows: Sequence[tuple[int, dict[str, str]]], fingerprint: str) -> None:
        by_sku = catalog.by_sku({cells["sku"] for _n, cells in rows if cells.get("sku")})
        by_barcode = catalog.by_barcode({cells["barcode"] for _n, cells in rows if cells.get("barcode")})
        facts = {
            number: (kind, unit, alias_of)
            for number, kind, unit, alias_of in Variant.objects.filter(
                pk__in={*by_sku.values(), *by_barcode.values()}
            ).values_list("pk", "kind", "unit", "alias_of")
        }
        references: dict[str, int] = {}
        for number, cells in rows:
            before = len(self.errors)
            variant = self._variant(number, cells, by_sku, by_barcode)
            if variant is not None and facts[variant][0] != Kind.SIMPLE:
                column = "sku" if cells.get("sku") else "barcode"
                self._wrong(number, column, cells[column], _("A kit or an alias has no stock of its own."))
            quantity = self._quantity(number, cells.get("quantity", ""), facts[variant][1] if variant else None)
            warehouse = self._named_warehouse(number, cells.get("warehouse", ""))
            for column, most in LONGEST.items():
                if len(cells.get(column, "")) > most:
                    self._wrong(number, column, cells[column], _("At most %(most)d characters.") % {"most": most})
            # A delivery note covers many rows: its number and the row make the reference of the movement.
            name = cells.get("reference") or f"file:{fingerprint}"
            reference = f"{name}:{cells.get('sku') or cells.get('barcode')}:{warehouse}"
            references[reference] = references.get(reference, 0) + 1
            reference = f"{reference}:{references[reference]}"
            if len(reference) > ledger.LONGEST_REFERENCE:
                reference = f"file:{ids.fingerprint(reference)}"
            if len(self.errors) == before and variant is not None and quantity is not None and warehouse is not None:
                supplier, comment = cells.get("supplier", ""), cells.get("comment", "")
                self.receipts.append(Receipt(variant, warehouse, quantity, reference, supplier, comment))

    def _variant(
        self, number: int, cells: dict[str, str], by_sku: dict[str, int], by_barcode: dict[str, int]
    ) -> int | None:
        sku, barcode = cells.get("sku", ""), cells.get("barcode", "")
        found = {
            column: known.get(value)
            for column, value, known in (("sku", sku, by_sku), ("barcode", barcode, by_barcode))
            if value
        }
        if not found:
            self._wrong(number, "sku", "", _("The row names neither a SKU nor a barcode."))
        for column, variant in found.items():
            if variant is None:
                self._wrong(number, column, cells[column], _("Nothing here has this %(column)s.") % {"column": column})
        known_ones = {variant for variant in found.values() if variant is not None}
        if len(known_ones) > 1:
            self._wrong(number, "barcode", barcode, _("SKU and barcode belong to different variants."))
        return known_ones.pop() if len(known_ones) == 1 and None not in found.values() else None

    def _quantity(self, number: int, text: str, unit: str | None) -> Decimal | None:
        try:
            quantity = ledger.exact(Decimal(text))
        except (InvalidOperation, BadInput):
            message = _("Give a quantity above zero with at most three decimals, with a point: 12 or 0.250.")
            self._wrong(number, "quantity", text, message)
            return None
        if unit is not None and not money.fits_unit(quantity, unit):
            self._wrong(number, "quantity", text, _("This is counted in whole pieces."))
            return None
        return quantity

    def _named_warehouse(self, number: int, code: str) -> int | None:
        if not code and self._warehouse is not None:
            return self._warehouse
        found = self._warehouses.get(code)
        if found is None:
            names = ", ".join(sorted(self._warehouses))
            self._wrong(
                number, "warehouse", code, _("Unknown warehouse; it may be one of: %(names)s.") % {"names": names}
            )
        return found
