"""Staged sales become placed and reserved orders of five lines; beside psycopg doing the same inserts by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.harness import Bench, Row, above, at_least, seconds
from comptoir.kit import ids
from comptoir.kit.actor import SYSTEM

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
VARIANTS = 500
LINES = 5
PAGE = 100  # orders in one transaction, on both sides

#: What an accepted page leaves, in the order of its keys.
TABLES = (
    "orders_order", "orders_line", "orders_charge", "orders_payment", "orders_history",
    "inventory_reservation", "inventory_mark", "events_event",
)  # fmt: skip


def run(bench: Bench) -> list[Row]:
    """Orders per second."""
    count = bench.size(2_000, 200)
    channel = _shop()
    _stage(channel, count)
    with psycopg.connect(bench.url, autocommit=True) as connection:
        _reset(connection)
        _accept(channel, count)
        left = _Left(connection)
        levels = _levels(connection)

        def side(work: Callable[[], object]) -> Callable[[], float]:
            def timed() -> float:
                took = seconds(work)
                if _levels(connection) != levels or _Left(connection).counts() != left.counts():
                    raise RuntimeError("the two sides left different rows")
                return count / took

            return timed

        ours, limit = bench.rounds(
            side(lambda: _accept(channel, count)),
            side(lambda: left.write_again(bench.url)),
            settle=lambda: _reset(connection),
        )
    return [
        at_least("staged sales to reserved orders", ours, limit, "orders/s", 0.3),
        above("staged sales to reserved orders, one worker", ours, "orders/s", 100),
    ]


class _Left:
    """Rows that our side has left, to be written again by hand: a page of orders at a time."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.columns: dict[str, list[str]] = {}
        self.rows: dict[str, list[tuple[Any, ...]]] = {}
        for table in TABLES:
            names = [
                row[0]
                for row in connection.execute(
                    "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
                    " ORDER BY attnum",
                    [table],
                )
            ]
            picked = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
            query = sql.SQL("SELECT {} FROM {} AS kept ORDER BY kept.id").format(picked, sql.Identifier(table))
            self.columns[table], self.rows[table] = names, connection.execute(query).fetchall()

    def counts(self) -> dict[str, int]:
        """How many rows there are of each."""
        return {table: len(rows) for table, rows in self.rows.items()}

    def write_again(self, url: str) -> None:
        """Read the staged page, lock the levels, insert, mark as accepted, commit: what anybody would have to do."""
        orders = len(self.rows["orders_order"])
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            for first in range(0, orders, PAGE):
                cursor.execute(
                    "SELECT id, external_id, sale FROM staging_stagedsale WHERE state = 'ready' ORDER BY placed_at, id"
                    " LIMIT %s FOR UPDATE SKIP LOCKED",
                    [PAGE],
                )
                staged = [row[0] for row in cursor.fetchall()]
                cursor.execute("SELECT id FROM inventory_level ORDER BY variant_id, warehouse_id FOR UPDATE")
                for table, names in self.columns.items():
                    rows = self.rows[table]
                    page = rows[len(rows) * first // orders : len(rows) * (first + PAGE) // orders]
                    statement = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
                        sql.Identifier(table),
                        sql.SQL(", ").join(sql.Identifier(name) for name in names),
                        sql.SQL(", ").join(sql.Placeholder() for _name in names),
                    )
                    cursor.executemany(statement, page)
                    if table == "inventory_reservation":
                        variant, quantity = names.index("variant_id"), names.index("quantity")
                        cursor.executemany(
                            "UPDATE inventory_level SET reserved = reserved + %s WHERE variant_id = %s",
                            [(row[quantity], row[variant]) for row in page],
                        )
                cursor.execute(
                    "UPDATE staging_stagedsale SET state = 'accepted', accepted_at = %s WHERE id = ANY(%s)",
                    [AT, staged],
                )
                connection.commit()


def _shop() -> Any:
    """A channel with one selling point, and stock that nobody can sell out."""
    from django.db import transaction

    from comptoir.channels.models import Channel
    from comptoir.commerce.catalog import actions as catalog
    from comptoir.commerce.catalog.models import Variant
    from comptoir.commerce.catalog.records import ProductWanted, VariantWanted
    from comptoir.commerce.inventory import actions as inventory
    from comptoir.commerce.inventory.records import Receipt
    from comptoir.config import bootstrap
    from comptoir.offers.models import Link, PointWarehouse, SellingPoint

    bootstrap.set_up()
    channel = Channel.objects.create(
        name="Sells", code="sells", kind="prestashop", currency="EUR", webhook_token=ids.token(), created_at=AT
    )
    with transaction.atomic():
        catalog.upsert_products(
            channel.pk,
            [ProductWanted(f"p{n}", f"Product {n}", (VariantWanted(f"p{n}", f"SELL-{n}"),)) for n in range(VARIANTS)],
            at=AT,
            actor=SYSTEM,
        )
        warehouse = inventory.default_warehouse().pk
        variants = list(Variant.objects.filter(sku__startswith="SELL-").order_by("id"))
        inventory.receive(
            [Receipt(one.pk, warehouse, Decimal(1_000_000), f"measured:{one.pk}") for one in variants],
            at=AT,
            actor=SYSTEM,
        )
        point = SellingPoint.objects.create(
            channel=channel, external_id="1", name="Shop", figure="sellable", stock_initialised_at=AT
        )
        PointWarehouse.objects.create(point=point, warehouse_id=warehouse)
        Link.objects.bulk_create(
            Link(
                channel=channel, kind="listing", external_id=one.sku, product_id=one.product_id, variant=one, seen_at=AT
            )
            for one in variants
        )
    return channel


def _stage(channel: Any, count: int) -> None:
    from django.db import transaction

    from comptoir.channels.records import Address, Buyer, Sale, SaleLine, SaleState
    from comptoir.staging import actions as staging

    somewhere = Address(name="A Buyer", lines=("1 Road",), postcode="75001", city="Paris", country="FR")
    for first in range(0, count, PAGE):
        sales = [
            Sale(
                external_id=f"{number}",
                number=f"N{number}",
                status="2",
                state=SaleState.PAID,
                placed_at=AT,
                changed_at=AT,
                currency="EUR",
                total=Decimal(10 * LINES),
                selling_point="1",
                billing=somewhere,
                shipping=somewhere,
                buyer=Buyer(external_id=f"{number}", name="A Buyer", email="buyer@example.com"),
                lines=tuple(
                    SaleLine(
                        external_id=f"{number}-{line}",
                        name="A product",
                        listing=f"SELL-{(number * LINES + line * 7) % VARIANTS}",
                        quantity=Decimal(1),
                        unit_price=Decimal(10),
                        total=Decimal(10),
                    )
                    for line in range(LINES)
                ),
            )
            for number in range(first, first + PAGE)
        ]
        with transaction.atomic():
            staged = staging.stage(channel, sales, raw={}, run=None, actor=SYSTEM, at=AT)
        if staged.created != len(sales):
            raise RuntimeError(f"a measured sale was not ready: {staged.findings[:1]}")


def _accept(channel: Any, count: int) -> None:
    from django.db import transaction

    from comptoir.staging import accept

    placed = 0
    while placed < count:
        with transaction.atomic():
            accepted = accept.accept(channel, actor=SYSTEM, at=AT, limit=PAGE)
        if not accepted.placed:
            raise RuntimeError(f"{count - placed} sales were not accepted: {accepted.findings[:1]}")
        placed += len(accepted.placed)


def _levels(connection: psycopg.Connection[Any]) -> list[Any]:
    return connection.execute("SELECT variant_id, on_hand, reserved, held FROM inventory_level ORDER BY id").fetchall()


def _reset(connection: psycopg.Connection[Any]) -> None:
    """As before any sale was accepted."""
    connection.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")
    connection.execute("UPDATE inventory_level SET reserved = 0")
    connection.execute("""UPDATE staging_stagedsale SET state = 'ready', "order" = NULL, accepted_at = NULL""")
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")
