"""A user's own files: sales and products from CSV or XLSX. Every row is judged before anything is written; a file with an
error changes nothing. The same file again changes nothing either."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from comptoir.channels.models import Channel
from comptoir.channels.records import (
    Address,
    Buyer,
    Charge,
    ChargeKind,
    Point,
    Rounding,
    Sale,
    SaleLine,
    SaleState,
)
from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.catalog.models import PriceList
from comptoir.commerce.catalog.records import Outcome, ProductWanted, VariantWanted
from comptoir.commerce.inventory import actions as inventory
from comptoir.feeds.tables import MOST_FAULTS, Fault, Row, Wanted, columns, read
from comptoir.flows import house
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput
from comptoir.kit.money import to_minor
from comptoir.offers import actions as offers
from comptoir.staging import accept as acceptance
from comptoir.staging import actions as staging
from comptoir.staging.actions import Found

T = TypeVar("T")

POINT = "files"
PAGE = 200


@dataclass(slots=True)
class Imported:
    """What became of a file, or would."""

    rows: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    waiting: int = 0  # sales that need a person
    faults: list[Fault] = field(default_factory=list)
    findings: list[Found] = field(default_factory=list)


SALES = (
    Wanted("number", ("order", "invoice", "invoiceno", "ordernumber", "order_id"), required=True),
    Wanted("placed_at", ("date", "invoicedate", "orderdate", "created_at"), required=True),
    Wanted("sku", ("stockcode", "code", "reference", "article"), required=True),
    Wanted("quantity", ("qty", "units"), required=True),
    Wanted("unit_price", ("unitprice", "price"), required=True),
    Wanted("name", ("description", "title", "product")),
    Wanted("buyer", ("customer", "customername")),
    Wanted("customer", ("customerid",)),
    Wanted("email"),
    Wanted("country"),
    Wanted("shipping", ("shippingamount", "postage")),
    Wanted("discount"),
    Wanted("currency"),
    Wanted("paid"),
)

PRODUCTS = (
    Wanted("sku", ("stockcode", "code", "reference", "article"), required=True),
    Wanted("name", ("description", "title", "product"), required=True),
    Wanted("barcode", ("ean", "ean13", "upc", "gtin")),
    Wanted("price", ("unitprice",)),
    Wanted("brand", ("manufacturer", "vendor")),
    Wanted("category", ("categories",)),
    Wanted("weight"),
    Wanted("unit"),
    Wanted("cost"),
)


class _Cells:
    """The cells of one row, turned into values; what does not fit is noted, not raised."""

    def __init__(self, row: Row, where: Mapping[str, str], faults: list[Fault]) -> None:
        self._row, self._where, self._faults = row, where, faults

    def text(self, name: str, *, most: int = 255, required: bool = False) -> str:
        value = self._row.cells.get(self._where.get(name, ""), "")
        if required and not value:
            self.wrong(name, value, "is missing")
        if len(value) > most:
            self.wrong(name, value[:40], f"is longer than {most} characters")
        return value[:most]

    def number(self, name: str, *, required: bool = False) -> Decimal | None:
        value = self.text(name, most=40, required=required)
        if not value:
            return None
        try:
            found = Decimal(
                value.replace(" ", "").replace(",", ".") if value.count(",") == 1 and "." not in value else value
            )
        except InvalidOperation:
            self.wrong(name, value, "is no number")
            return None
        if not found.is_finite() or abs(found) >= Decimal(10) ** 11:
            self.wrong(name, value, "is no believable number")
            return None
        return found

    def moment(self, name: str, zone: ZoneInfo) -> datetime | None:
        value = self.text(name, most=40, required=True)
        if not value:
            return None
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.wrong(name, value, "is no time such as 2026-03-01 14:30:00")
            return None
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)

    def wrong(self, name: str, value: str, text: str) -> None:
        self._faults.append(Fault(self._row.number, self._where.get(name, name), value, text))


def read_sales(
    path: Path, *, mapped: Mapping[str, str], timezone: str, currency: str
) -> tuple[list[Sale], int, list[Fault]]:
    """The sales of a file, one per number, its rows; and what is wrong with it. Nothing is written."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInput("no such time zone", place="--timezone", value=timezone, cure="Europe/Paris") from error
    head, rows = read(path)
    where = columns(head, SALES, mapped)
    faults: list[Fault] = []
    count = 0
    documents: dict[str, list[tuple[int, datetime, SaleLine, _Cells]]] = {}
    for row in rows:
        count += 1
        cells = _Cells(row, where, faults)
        number = cells.text("number", most=60, required=True)
        placed_at = cells.moment("placed_at", zone)
        quantity, price = cells.number("quantity", required=True), cells.number("unit_price", required=True)
        sku = cells.text("sku", most=80, required=True)
        if placed_at is None or quantity is None or price is None or not number:
            continue
        line = SaleLine(
            external_id=f"{number}/{row.number}",
            name=cells.text("name") or sku,
            quantity=quantity,
            unit_price=price,
            total=quantity * price,
            sku=sku,
        )
        documents.setdefault(number, []).append((row.number, placed_at, line, cells))
    return [_sale(number, lines, currency) for number, lines in documents.items()], count, faults


def _sale(number: str, rows: Sequence[tuple[int, datetime, SaleLine, _Cells]], currency: str) -> Sale:
    first = min(rows, key=lambda one: one[1])
    cells = rows[0][3]
    charges = tuple(
        Charge(kind=kind, amount=sign * amount)
        for name, kind, sign in (("shipping", ChargeKind.SHIPPING, 1), ("discount", ChargeKind.DISCOUNT, -1))
        if (amount := sum((row[3].number(name) or Decimal(0) for row in rows), Decimal(0)))
    )
    lines = tuple(row[2] for row in rows)
    money = cells.text("currency", most=3).upper() or currency
    total = sum((line.total for line in lines), Decimal(0)) + sum((one.amount for one in charges), Decimal(0))
    paid = cells.text("paid", most=10).lower() not in ("no", "0", "false", "non")
    takes_back = all(line.quantity <= 0 for line in lines)
    return Sale(
        external_id=number,
        number=number,
        status="paid" if paid else "unpaid",
        state=SaleState.PAID if paid else SaleState.UNPAID,
        placed_at=first[1],
        changed_at=first[1],
        currency=money,
        total=to_minor(total, money),
        lines=lines,
        charges=charges,
        rounding=Rounding.TOTAL,
        selling_point=POINT,
        buyer=Buyer(external_id=cells.text("customer", most=80), name=cells.text("buyer"), email=cells.text("email")),
        shipping=Address(country=cells.text("country", most=2).upper()) if len(cells.text("country")) == 2 else None,
        takes_stock=False,  # nobody has taken these units off anything yet
        origin="?" if takes_back else "",
    )


def import_sales(
    path: Path, *, mapped: Mapping[str, str], timezone: str, currency: str, actor: Actor, at: datetime
) -> Imported:
    """Stage and accept the sales of a file, in the caller's transaction; with a fault anywhere nothing is written."""
    sales, rows, faults = read_sales(path, mapped=mapped, timezone=timezone, currency=currency)
    result = Imported(rows=rows, faults=faults[:MOST_FAULTS])
    if faults:
        return result
    hub = _files(at)
    for page in _pages(sales):
        staged = staging.stage(hub, page, raw={}, run=None, actor=actor, at=at)
        result.created += staged.created
        result.changed += staged.changed
        result.unchanged += staged.unchanged
        result.waiting += staged.parked
        result.findings += staged.findings
    while (accepted := acceptance.accept(hub, actor=actor, at=at)).looked_at:
        result.waiting += accepted.back_to_repair
        result.created -= accepted.back_to_repair
        result.findings += accepted.findings
    return result


def _files(at: datetime) -> Channel:
    """Sales of files belong to the hub's own channel, made at a selling point of their own."""
    hub = house.ensure_hub(at=at)
    offers.ensure_points(
        hub.pk,
        [Point(external_id=POINT, name="Files")],
        figure="sellable",
        warehouses=[inventory.default_warehouse().pk],
        at=at,
    )
    return hub


def import_products(path: Path, *, mapped: Mapping[str, str], currency: str, actor: Actor, at: datetime) -> Imported:
    """Bring the products of a file in, owned by the hub, in the caller's transaction; with a fault nothing is written."""
    head, rows = read(path)
    where = columns(head, PRODUCTS, mapped)
    result = Imported()
    wanted: list[ProductWanted] = []
    first_row: dict[str, int] = {}
    prices = _price_list(currency) if "price" in where else 0
    for row in rows:
        result.rows += 1
        cells = _Cells(row, where, result.faults)
        sku = cells.text("sku", most=80, required=True)
        name = cells.text("name", required=True)
        price, cost, weight = cells.number("price"), cells.number("cost"), cells.number("weight")
        for column, amount in (("price", price), ("cost", cost), ("weight", weight)):
            if amount is not None and amount < 0:
                cells.wrong(column, str(amount), "is below zero")
        if sku.lower() in first_row:
            cells.wrong("sku", sku, f"stands in row {first_row[sku.lower()]} too")
            continue
        first_row[sku.lower()] = row.number
        barcode = cells.text("barcode", most=64)
        category = cells.text("category")
        wanted.append(
            ProductWanted(
                key=sku,
                name=name,
                brand=cells.text("brand", most=120),
                categories=(tuple(part.strip() for part in category.split(">")),) if category else (),
                variants=(
                    VariantWanted(
                        key=f"row {row.number}",
                        sku=sku,
                        barcodes=(barcode,) if barcode else (),
                        prices={prices: price} if price is not None else {},
                        cost=cost,
                        weight=weight,
                        unit=cells.text("unit", most=8) or "piece",
                    ),
                ),
            )
        )
    if result.faults:
        del result.faults[MOST_FAULTS:]
        return result
    hub = house.ensure_hub(at=at)
    for page in _pages(wanted, 1000):
        answer = catalog.upsert_products(hub.pk, page, at=at, actor=actor)
        for one in answer.products.values():
            result.created += one.outcome is Outcome.CREATED
        for product in page:
            outcomes = {
                answer.products[product.key].outcome,
                *(answer.variants[v.key].outcome for v in product.variants),
            }
            if Outcome.CREATED not in outcomes:
                result.changed += Outcome.CHANGED in outcomes
                result.unchanged += outcomes == {Outcome.UNCHANGED}
        for problem in answer.problems:
            number = (
                problem.key.removeprefix("row ")
                if problem.key.startswith("row ")
                else str(first_row[problem.key.lower()])
            )
            result.faults.append(Fault(int(number), problem.code, str(problem.facts), "was not taken over"))
    return result


def _price_list(currency: str) -> int:
    row, _made = PriceList.objects.get_or_create(
        code=f"base-{currency.lower()}",
        defaults={"name": f"Base {currency}", "currency": currency, "tax_included": True},
    )
    return row.pk


def _pages(items: Sequence[T], size: int = PAGE) -> Iterable[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
