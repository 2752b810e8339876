"""Catalogue import: products of a channel by the page; beside the same rows by COPY to a temporary table and upserts."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import measured
from benchmarks.harness import Bench, Row, at_least, say, seconds, wait_for, within
from comptoir.channels.records import Listing, Page, Price, Product
from comptoir.kit.actor import SYSTEM

CHANNEL = 1  # a plain value in the catalogue
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LISTINGS = 4  # of one product
PAGE = 500  # products, in a transaction of their own

CHECKSUM = """
SELECT count(*), md5(string_agg(
    concat_ws('|', p.name, p.owners, v.sku, v.options, v.owners, v.weight, b.code, c.amount), ',' ORDER BY v.sku
))
FROM catalog_variant v JOIN catalog_product p ON p.id = v.product_id
JOIN catalog_barcode b ON b.variant_id = v.id JOIN catalog_price c ON c.variant_id = v.id
"""


def run(bench: Bench) -> list[Row]:
    """Variants per second; and what a second pass costs that finds nothing new."""
    from comptoir.commerce.catalog import actions as catalog

    count = (bench.variants or bench.size(100_000, 4_000)) // LISTINGS
    prices = catalog.price_list("measured", "Measured", "EUR", tax_included=True).pk
    products = [_product(number, prices) for number in range(count)]
    with psycopg.connect(bench.url, autocommit=True) as connection:
        _empty(connection)
        owners = _owners(products[:1], connection)
        sums: set[Any] = set()

        def side(work: Callable[[], object]) -> Callable[[], float]:
            def timed() -> float:
                took = seconds(work)
                sums.add(connection.execute(CHECKSUM).fetchone())
                return count * LISTINGS / took

            return timed

        ours, limit = bench.rounds(
            side(lambda: _import(products)),
            side(lambda: _by_hand(bench.url, count, prices, owners)),
            settle=lambda: _empty(connection),
        )
        if len(sums) != 1:
            raise RuntimeError(f"the two sides left different rows: {sums}")

        _empty(connection)
        again, first = _as_a_flow(count, connection)
    rows = [
        at_least("catalogue import, new", ours, limit, "variants/s", 0.4),
        within("catalogue import, unchanged second pass", again, first, "s", round(1 / 3, 3)),
    ]
    if bench.dlt is None:
        say("    dlt is not measured: --dlt names a Python that has dlt[postgres]")
    else:
        rows.insert(1, at_least("catalogue import, new, beside dlt", ours, _by_dlt(bench, count), "variants/s", 3))
    return rows


class Shelf:
    """A shop's products as its connector gives them; its pages are made beforehand, as its answers would be."""

    def __init__(self, count: int) -> None:
        items = [_sold(number) for number in range(count)]
        self._pages = [
            Page(
                items=items[start : start + PAGE],
                cursor={},
                seen=tuple(one.external_id for one in items[start : start + PAGE]),
            )
            for start in range(0, count, PAGE)
        ]

    def everything(self, cursor: Mapping[str, object]) -> Iterator[Page[Product]]:
        return iter(self._pages)


def _sold(number: int) -> Product:
    return Product(
        external_id=f"p{number}",
        name=f"Product {number}",
        description="Sold in four sizes, and described in a sentence or two as shops do.",
        listings=tuple(
            Listing(
                external_id=f"p{number}-{size}",
                sku=f"SKU-{number:07}-{size}",
                barcodes=(f"{number:010}{size:03}",),
                options={"Size": f"{size}"},
                price=Price(amount=Decimal(number % 997 + 1), currency="EUR", tax_included=True),
                weight=Decimal("0.2500"),
            )
            for size in range(LISTINGS)
        ),
    )


def _as_a_flow(count: int, connection: psycopg.Connection[Any]) -> tuple[float, float]:
    """Seconds that the nightly reading of all products takes when nothing has changed, and when everything is new: from a
    shop's answer to catalogue, links and offers. What is known by its content is not compared."""
    it = measured.connect("update_products", products=Shelf(count))
    first = seconds(it.run)
    again = []
    for _round in range(3):
        before = _writes(connection)
        again.append(seconds(it.run))
        if (written := _writes(connection) - before) != 0:
            raise RuntimeError(f"an unchanged catalogue wrote {written} rows")
    say(f"    first reading {first:.2f} s, unchanged ones {', '.join(f'{took:.2f}' for took in again)} s")
    return float(statistics.median(again)), first


def _by_dlt(bench: Bench, count: int) -> float:
    """Variants per second that dlt merges into a table of its own; it has none of our rules to keep."""
    command = [str(bench.dlt), str(Path(__file__).with_name("peer_dlt.py")), bench.url, str(count), str(LISTINGS)]
    figures = []
    for _round in range(1 if bench.quick else 3):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"dlt did not come to its end: {done.stderr[-500:]}")
        told = json.loads(done.stdout.splitlines()[-1])
        if told["rows"] != count * LISTINGS:
            raise RuntimeError(f"dlt left {told['rows']} rows of {count * LISTINGS}")
        figures.append(told["rows"] / told["seconds"])
    say("    dlt " + ", ".join(f"{figure:,.1f}" for figure in figures))
    return float(statistics.median(figures))


def _product(number: int, prices: int) -> Any:
    from comptoir.commerce.catalog.records import ProductWanted, VariantWanted

    return ProductWanted(
        key=f"p{number}",
        name=f"Product {number}",
        description="Sold in four sizes, and described in a sentence or two as shops do.",
        variants=tuple(
            VariantWanted(
                key=f"p{number}-{size}",
                sku=f"SKU-{number:07}-{size}",
                barcodes=(f"{number:010}{size:03}",),
                options={"Size": f"{size}"},
                prices={prices: Decimal(number % 997 + 1)},
                weight=Decimal("0.2500"),
            )
            for size in range(LISTINGS)
        ),
    )


def _import(products: Sequence[Any]) -> None:
    from django.db import transaction

    from comptoir.commerce.catalog import actions as catalog

    for start in range(0, len(products), PAGE):
        with transaction.atomic():
            outcome = catalog.upsert_products(CHANNEL, products[start : start + PAGE], at=AT, actor=SYSTEM)
        if outcome.problems:
            raise RuntimeError(f"the measured catalogue is untidy: {outcome.problems[0]}")


def _by_hand(url: str, count: int, prices: int, owners: tuple[str, str]) -> None:
    """What somebody would write who has only these columns to fill, all of them new or old, in one transaction."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE incoming (product int, name text, description text, sku text, options jsonb,"
            " barcode text, amount numeric, weight numeric) ON COMMIT DROP"
        )
        with cursor.copy("COPY incoming FROM STDIN") as copy:
            for number in range(count):
                for size in range(LISTINGS):
                    copy.write_row(
                        (
                            number,
                            f"Product {number}",
                            "Sold in four sizes, and described in a sentence or two as shops do.",
                            f"SKU-{number:07}-{size}",
                            json.dumps({"Size": f"{size}"}),
                            f"{number:010}{size:03}",
                            Decimal(number % 997 + 1),
                            Decimal("0.2500"),
                        )
                    )
        cursor.execute("ANALYZE incoming")
        cursor.execute(
            "CREATE TEMPORARY TABLE pages ON COMMIT DROP AS SELECT i.product, i.name, i.description,"
            " coalesce(max(v.product_id), nextval('catalog_product_id_seq')) AS id FROM incoming i"
            " LEFT JOIN catalog_variant v ON lower(v.sku) = lower(i.sku) GROUP BY i.product, i.name, i.description"
        )
        cursor.execute(
            "INSERT INTO catalog_product (id, name, description, names, page_url, custom, owners, created_at, changed_at)"
            " OVERRIDING SYSTEM VALUE SELECT id, name, description, '{}', '', '{}', %s, %s, %s FROM pages"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description,"
            " changed_at = excluded.changed_at",
            [owners[0], AT, AT],
        )
        cursor.execute(
            "INSERT INTO catalog_variant (product_id, sku, is_sku_generated, kind, options, unit, weight, is_stocked,"
            " mixes_warehouses, enabled, discontinued, mpn, owners, created_at, changed_at)"
            " SELECT p.id, i.sku, false, 'simple', i.options, 'piece', i.weight, true, false, true, false, '', %s, %s, %s"
            " FROM incoming i JOIN pages p USING (product)"
            " ON CONFLICT (lower(sku)) DO UPDATE SET options = excluded.options, weight = excluded.weight,"
            " changed_at = excluded.changed_at",
            [owners[1], AT, AT],
        )
        cursor.execute(
            "INSERT INTO catalog_barcode (variant_id, code) SELECT v.id, i.barcode FROM incoming i"
            " JOIN catalog_variant v ON lower(v.sku) = lower(i.sku) ON CONFLICT (code) DO NOTHING"
        )
        cursor.execute(
            "INSERT INTO catalog_price (price_list_id, variant_id, amount) SELECT %s, v.id, i.amount FROM incoming i"
            " JOIN catalog_variant v ON lower(v.sku) = lower(i.sku)"
            " ON CONFLICT (price_list_id, variant_id) DO UPDATE SET amount = excluded.amount",
            [prices],
        )


def _owners(probe: Sequence[Any], connection: psycopg.Connection[Any]) -> tuple[str, str]:
    """Who owns the fields, as our import notes it: the other side writes the same."""
    _import(probe)
    row = connection.execute(
        "SELECT p.owners::text, v.owners::text FROM catalog_product p JOIN catalog_variant v ON v.product_id = p.id LIMIT 1"
    ).fetchone()
    if row is None:
        raise RuntimeError("the import has made nothing")
    return row[0], row[1]


def _writes(connection: psycopg.Connection[Any]) -> int:
    """Rows that anybody has inserted, updated or deleted in our tables so far."""
    from django.db import connections

    connections.close_all()  # a session reports what it did when it ends or idles
    connections["default"].close_pool()  # type: ignore[attr-defined]  # of the PostgreSQL backend
    wait_for(lambda: _all_left(connection), 30, "sessions did not end")  # their last reports come with their end
    connection.execute("SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()")
    row = connection.execute(
        "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables WHERE relname LIKE 'catalog%'"
    ).fetchone()
    return int(row[0]) if row else 0


def _all_left(connection: psycopg.Connection[Any]) -> bool | None:
    row = connection.execute(
        "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'comptoir' AND datname = current_database())"
    ).fetchone()
    return row == (True,) or None


def _empty(connection: psycopg.Connection[Any]) -> None:
    connection.execute("ALTER TABLE inventory_movement DISABLE TRIGGER USER")  # it refuses even an empty TRUNCATE
    connection.execute(
        "TRUNCATE catalog_product, catalog_variant, catalog_barcode, catalog_price, events_event CASCADE"
    )
    connection.execute("ALTER TABLE inventory_movement ENABLE TRIGGER USER")
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")
