"""A shop as large as asked, made by SQL in sets: a few years of orders, and what such a shop has open at any moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from benchmarks import large_shop_besides
from benchmarks.harness import say, seconds
from comptoir.kit import ids
from comptoir.kit.actor import SYSTEM

#: Orders for each variant, lines of each order.
ORDERS = 2
LINES = 3

WORDS = {
    "adjectives": "Blue Red Green Small Large Heavy Light Plain Soft Round Square Tall Flat Warm Cool Bright",
    "materials": "Oak Cotton Steel Glass Wool Linen Copper Paper Stone Leather Cork Bamboo",
    "nouns": "Mug Shirt Lamp Chair Bowl Towel Cushion Frame Vase Knife Tray Basket Candle Blanket Bottle Clock Plate",
    "given": "Anna Bruno Claire David Elena Farid Greta Hugo Ines Jonas Karim Lucie Marta Nils Olga Pablo Rosa Samir",
    "family": "Martin Bernard Garcia Lopez Rossi Weber Novak Silva Jansen Dubois Moreau Costa Fischer Keller",
}

#: Products that everybody buys: their variants have many lines, reservations and movements.
POPULAR = 50

_WORD = "(%({0})s::text[])[1 + mod({1}, cardinality(%({0})s::text[]))]"
_BUYER = f"{_WORD.format('given', 'n * 7')} || ' ' || {_WORD.format('family', 'n * 11 / 3')}"
_SOMEWHERE = (
    "jsonb_build_object('name', buyer, 'company', '', 'lines', jsonb_build_array(mod(n, 300)::text || ' Road'),"
    " 'postcode', '75001', 'city', 'Paris', 'state', '', 'country', 'FR', 'phone', '', 'vat_number', '')"
)
_ACTOR = "'system', '', 'Comptoir'"

#: What is made, in this order: (what, statement). `n` counts rows; the open orders are the newest and a few forgotten ones.
STATEMENTS: tuple[tuple[str, str], ...] = (
    (
        "products",
        f"""
        INSERT INTO catalog_product (id, name, description, names, page_url, custom, owners, created_at, changed_at)
        SELECT n, {_WORD.format("adjectives", "n")} || ' ' || {_WORD.format("materials", "n / 16")} || ' '
               || {_WORD.format("nouns", "n / 192")} || ' ' || n, '', '{{}}', '', '{{}}', '{{}}', %(at)s, %(at)s
        FROM generate_series(1, %(variants)s / 2) n
        """,
    ),
    (
        "variants",
        f"""
        INSERT INTO catalog_variant (id, product_id, sku, is_sku_generated, kind, alias_of_id, options, unit, is_stocked,
            mixes_warehouses, enabled, discontinued, retired_at, mpn, owners, created_at, changed_at)
        SELECT n, (n + 1) / 2, upper({_WORD.format("nouns", "n / 384")}) || '-' || lpad(n::text, 7, '0'), false,
               CASE mod(n, 100) WHEN 0 THEN 'kit' WHEN 50 THEN 'alias' ELSE 'simple' END,
               CASE mod(n, 100) WHEN 50 THEN n - 1 END, jsonb_build_object('Size', CASE mod(n, 2) WHEN 0 THEN 'L' ELSE 'S' END),
               'piece', true, false, mod(n, 40) <> 7, false, CASE WHEN mod(n, 90) = 9 THEN %(at)s::timestamptz END, '', '{{}}',
               %(at)s, %(at)s
        FROM generate_series(1, %(variants)s) n
        """,
    ),
    (
        "kit parts",
        """
        INSERT INTO catalog_kitpart (kit_id, part_id, quantity)
        SELECT id, id - step, 1 FROM catalog_variant, generate_series(1, 2) step WHERE kind = 'kit'
        """,
    ),
    (
        "barcodes",
        """
        INSERT INTO catalog_barcode (variant_id, code)
        SELECT id, (4000000000000 + id)::text FROM catalog_variant WHERE mod(id, 2) = 0
        """,
    ),
    (
        "prices",
        """
        INSERT INTO catalog_price (price_list_id, variant_id, amount)
        SELECT l.id, v.id, 1 + mod(v.id, 90) FROM catalog_variant v, catalog_pricelist l
        """,
    ),
    (
        "links",
        """
        INSERT INTO offers_link (channel_id, kind, external_id, product_id, variant_id, made_by, sku, pushes_stock,
            content_hash, seen_at)
        SELECT channel, 'listing', v.id::text, v.product_id, v.id, 'channel', v.sku, true, '', %(at)s
        FROM catalog_variant v, unnest(%(channels)s::bigint[], %(steps)s::int[]) AS one (channel, step)
        WHERE mod(v.id, step) = 0
        """,
    ),
    (
        "offers",  # the last channel was connected just now, in test mode: all of it waits
        """
        INSERT INTO offers_offer (point_id, variant_id, listing, ref, told, told_at, is_waiting, waiting_since, touched,
            is_active, refusals, staged_units)
        SELECT point, v.id, v.id::text, '', CASE WHEN place < 4 THEN mod(v.id, 50) END,
               CASE WHEN place < 4 THEN %(at)s::timestamptz END, place = 4 OR mod(v.id, 500) = 0,
               CASE WHEN place = 4 OR mod(v.id, 500) = 0 THEN %(at)s::timestamptz - interval '1 second' * mod(v.id, 9999) END,
               1, mod(v.id, 300) <> 5, 0, 0
        FROM catalog_variant v,
             unnest(%(points)s::bigint[], %(steps)s::int[]) WITH ORDINALITY AS one (point, step, place)
        WHERE mod(v.id, step) = 0
        """,
    ),
    (
        "orders",
        f"""
        INSERT INTO orders_order (id, number, channel, external_id, external_number, external_status, selling_point, status,
            preparation, is_history, is_blocked, is_cancelled_there, accepted_as, meaning_there, theirs, hold_reason,
            invoice_wanted, currency, rate, total, carrier, carrier_name, payment_name, buyer, billing, shipping,
            pickup_point, note, warehouses, search, placed_at, accepted_at, changed_at)
        SELECT n, (100000 + n)::text, (%(channels)s::bigint[])[place], n::text, 'R' || upper(substr(md5(n::text), 1, 8)), '2',
               (%(points)s::bigint[])[place],
               CASE WHEN is_open AND mod(n, 20) = 1 THEN 'on_hold' WHEN is_open THEN 'processing'
                    WHEN mod(n, 33) = 0 THEN 'cancelled' ELSE 'complete' END,
               CASE WHEN is_open THEN (ARRAY['new', 'new', 'new', 'picked', 'packed'])[1 + mod(n, 5)]
                    WHEN mod(n, 33) = 0 THEN 'new' ELSE 'shipped' END,
               NOT is_open AND n < %(orders)s * 3 / 10, is_open AND mod(n, 50) = 2, false, '',
               CASE WHEN is_open THEN 'paid' WHEN mod(n, 33) = 0 THEN 'cancelled' ELSE 'shipped' END, NULL, '', false,
               'EUR', 1, {LINES} * 10 + 5, 'post', 'Post', 'Card',
               jsonb_build_object('name', buyer, 'company', '', 'email', 'buyer' || mod(n, 400000) || '@example.com'),
               {_SOMEWHERE}, {_SOMEWHERE}, '', '', %(warehouses)s,
               lower(100000 + n || ' | R' || upper(substr(md5(n::text), 1, 8)) || ' | ' || buyer || ' | buyer'
                     || mod(n, 400000) || '@example.com'),
               placed_at, placed_at, placed_at
        FROM (SELECT n, 1 + mod(n, 4) AS place, {_BUYER} AS buyer,
                     n > %(orders)s - %(orders)s / 66 OR mod(n, 20000) = 8 AS is_open,
                     %(at)s::timestamptz - (%(orders)s - n) * (interval '1095 days' / %(orders)s) AS placed_at
              FROM generate_series(1, %(orders)s) n) made
        """,
    ),
    (
        "lines",  # every fifth order has something popular; kits and aliases are left to the shops
        f"""
        INSERT INTO orders_line (id, order_id, position, kind, variant_id, external_id, listing, sku, name, quantity,
            cancelled, shipped, unit_price, total, tax_rate, tax, discount)
        SELECT ({LINES} * (o.id - 1)) + place, o.id, place, 'goods', variant, o.id || '-' || place, variant::text,
               'SKU-' || variant, 'A product', 1, (o.status = 'cancelled')::int, (o.status = 'complete')::int, 10, 10, 20,
               1.666667, 0
        FROM orders_order o, generate_series(1, {LINES}) place,
             LATERAL (SELECT CASE WHEN place = 1 AND mod(o.id, 5) = 0 THEN 1 + mod(o.id / 5, {POPULAR})
                             ELSE 1 + mod(o.id * 7919 + place * 104729, %(variants)s) END AS drawn) d,
             LATERAL (SELECT drawn - (mod(drawn, 50) = 0)::int AS variant) v
        """,
    ),
    (
        "charges",
        "INSERT INTO orders_charge (order_id, kind, name, amount, tax) SELECT id, 'shipping', 'Post', 5, 0 FROM orders_order",
    ),
    (
        "payments",
        """
        INSERT INTO orders_payment (order_id, method, label, amount, reference)
        SELECT id, 'card', 'Card', total, '' FROM orders_order
        """,
    ),
    (
        "history",
        f"""
        INSERT INTO orders_history (order_id, what, before, after, reason, facts, actor_kind, actor_id, actor_label, at)
        SELECT id, 'placed', '', 'processing', '', '{{}}'::jsonb, {_ACTOR}, placed_at FROM orders_order
        UNION ALL SELECT id, 'moved', 'processing', status, '', '{{}}', {_ACTOR}, placed_at FROM orders_order
                  WHERE status <> 'processing'
        """,
    ),
    (
        "reservations",
        """
        INSERT INTO inventory_reservation (line, "order", variant_id, warehouse_id, quantity, placed_at, warehouses, is_picked)
        SELECT l.id, o.id, l.variant_id, (%(warehouses)s::bigint[])[1], 1, o.placed_at, o.warehouses, false
        FROM orders_order o JOIN orders_line l ON l.order_id = o.id
        WHERE o.status IN ('processing', 'on_hold') AND mod(o.id, 10) <> 3 AND NOT (mod(o.id, 15) = 4 AND l.position = 1)
        """,
    ),
    (
        "backorders",
        """
        INSERT INTO inventory_backorder (line, "order", variant_id, quantity, placed_at, warehouses)
        SELECT l.id, o.id, l.variant_id, 1, o.placed_at, o.warehouses
        FROM orders_order o JOIN orders_line l ON l.order_id = o.id
        WHERE o.status IN ('processing', 'on_hold') AND (mod(o.id, 10) = 3 OR (mod(o.id, 15) = 4 AND l.position = 1))
        """,
    ),
    (
        "levels",
        """
        INSERT INTO inventory_level (variant_id, warehouse_id, on_hand, reserved, held)
        SELECT v.id, warehouse, CASE WHEN mod(v.id, 8) = 3 THEN 0 ELSE mod(v.id, 50) END + coalesce(r.quantity, 0),
               coalesce(r.quantity, 0), 0
        FROM catalog_variant v CROSS JOIN unnest(%(warehouses)s::bigint[]) WITH ORDINALITY AS one (warehouse, place)
        LEFT JOIN (SELECT variant_id, warehouse_id, sum(quantity) AS quantity FROM inventory_reservation GROUP BY 1, 2) r
               ON r.variant_id = v.id AND r.warehouse_id = warehouse
        WHERE v.kind = 'simple' AND (place = 1 OR mod(v.id, 4) = 1)
        """,
    ),
    (
        "movements",
        f"""
        INSERT INTO inventory_movement (variant_id, from_warehouse_id, to_warehouse_id, quantity, to_balance, from_balance,
            reason, reference, comment, supplier, actor_kind, actor_id, actor_label, at)
        SELECT variant_id, NULL, warehouse_id, on_hand + 1, on_hand + 1, NULL, 'opening',
               'opening:' || variant_id || ':' || warehouse_id, '', '', {_ACTOR}, %(at)s::timestamptz - interval '1100 days'
        FROM inventory_level
        UNION ALL
        SELECT l.variant_id, (%(warehouses)s::bigint[])[1], NULL, 1, NULL, 1,
               CASE mod(l.id, 300) WHEN 7 THEN 'damage' ELSE 'shipment' END, 'shipment:' || l.id, '', '', {_ACTOR}, o.placed_at
        FROM orders_order o JOIN orders_line l ON l.order_id = o.id
        WHERE l.shipped > 0 AND NOT o.is_history AND l.position = 1
        """,
    ),
    (
        "shipments",
        f"""
        INSERT INTO shipments_shipment (id, order_id, number, key, carrier, carrier_name, tracking, tracking_url, is_ours,
            completes, shipped_at, actor_kind, actor_id, actor_label)
        SELECT id, id, number || '-1', 'made:' || id, 'post', 'Post', 'T' || id, '', true, true, placed_at, {_ACTOR}
        FROM orders_order WHERE status = 'complete' AND NOT is_history
        """,
    ),
    (
        "lines of shipments",
        """
        INSERT INTO shipments_shipmentline (shipment_id, line_id, warehouse_id, quantity)
        SELECT s.id, l.id, (%(warehouses)s::bigint[])[1], 1
        FROM shipments_shipment s JOIN orders_line l ON l.order_id = s.order_id
        """,
    ),
    (
        "effects",
        """
        INSERT INTO engine_effect (channel_id, kind, key, subject, facts, state, attempt, reason, calls, wanted_at)
        SELECT o.channel, 'tracking', 'shipment:' || s.id, 'order:' || o.id, '{}',
               CASE WHEN s.id > %(orders)s - %(orders)s / 50 AND mod(s.id, 50) = 4 THEN 'wanted' ELSE 'done' END, 1, '', 1,
               s.shipped_at
        FROM shipments_shipment s JOIN orders_order o ON o.id = s.order_id
        """,
    ),
    (
        "staged sales",
        f"""
        INSERT INTO staging_stagedsale (id, channel_id, external_id, number, external_status, status_name, meaning, rule, state,
            anomalies, repairs, raw, sale, fingerprint, point, currency, total, buyer, "order", is_approved, looks, placed_at,
            seen_at, changed_at)
        SELECT n, channel, n::text, number, '2', 'Paid', meaning, '', state, anomalies, '{{}}', '', sale, md5(n::text),
               point, 'EUR', {LINES} * 10 + 5, buyer, "order", false, 0, placed_at, placed_at, placed_at
        FROM (
            SELECT n, (%(channels)s::bigint[])[place] AS channel, (%(points)s::bigint[])[place] AS point, state, meaning, buyer,
                   'R' || upper(substr(md5(n::text), 1, 8)) AS number, CASE WHEN n <= %(orders)s THEN n END AS "order", placed_at,
                   CASE WHEN state <> 'repair' THEN '[]'
                        WHEN mod(n, 7) = 1 THEN '[{{"code": "total_differs", "line": "", "facts": {{}}}}]'
                        WHEN mod(n, 97) = 2 THEN '[{{"code": "unknown_carrier", "line": "", "facts": {{"carrier": "9"}}}}]'
                        ELSE '[{{"code": "unknown_sku", "line": "1", "facts": {{"sku": "NEW"}}}}]' END::jsonb AS anomalies,
                   jsonb_build_object('external_id', n::text, 'number', 'R' || n, 'status', '2', 'state', meaning,
                       'placed_at', to_char(placed_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                       'changed_at', to_char(placed_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'currency', 'EUR',
                       'total', '{LINES * 10 + 5}', 'buyer', jsonb_build_object('external_id', n::text, 'name', buyer),
                       'lines', jsonb_build_array(jsonb_build_object('external_id', '1', 'name', 'A product',
                           'listing', (1 + mod(n::bigint * 7919, %(variants)s))::text, 'sku', 'S', 'quantity', '1',
                           'unit_price', '30', 'total', '30'))) AS sale
            FROM (SELECT n, 1 + mod(n, 4) AS place, {_BUYER} AS buyer,
                         CASE WHEN n <= %(orders)s THEN 'accepted' WHEN mod(n, 10) < 2 THEN 'repair'
                              WHEN mod(n, 10) = 2 THEN 'ready' WHEN mod(n, 10) < 5 THEN 'retry' WHEN mod(n, 10) < 9 THEN 'information'
                              ELSE 'closed' END AS state,
                         CASE WHEN n > %(orders)s AND mod(n, 10) IN (3, 4) THEN 'unpaid' ELSE 'paid' END AS meaning,
                         %(at)s::timestamptz - mod(%(orders)s * 3 - n, %(orders)s)
                             * (interval '1095 days' / %(orders)s) AS placed_at
                  FROM generate_series(1, %(orders)s + %(orders)s / 20) n) drawn
        ) made
        """,
    ),
    (
        "holds",
        """
        INSERT INTO inventory_hold (source, variant_id, warehouse_id, quantity, scope, until)
        SELECT channel_id || ':' || external_id, 1 + mod(id * 7919, %(variants)s), (%(warehouses)s::bigint[])[1], 1,
               CASE WHEN mod(id, 3) = 1 THEN point END, %(at)s::timestamptz + interval '3 days'
        FROM staging_stagedsale WHERE state = 'retry' AND mod(id, 10) = 3
        """,
    ),
    (
        "runs",
        """
        INSERT INTO engine_run (id, flow_id, trigger, is_preview, status, outcome, attempt, worker, stalls, seen, created,
            changed, unchanged, skipped, parked, failed, cursor_before, cursor_after, state, calls, phases, actor, queued_at,
            started_at, finished_at, cancel_asked)
        SELECT n, (%(flows)s::bigint[])[1 + mod(n, cardinality(%(flows)s::bigint[]))],
               CASE mod(n, 50) WHEN 3 THEN 'person' ELSE 'schedule' END, false,
               CASE mod(n, 400) WHEN 9 THEN 'failed' WHEN 19 THEN 'cancelled' ELSE 'done' END,
               CASE mod(n, 300) WHEN 9 THEN 'partial' WHEN 18 THEN 'unbalanced' ELSE 'good' END, 1, '', 0, 100, 10, 20, 70, 0, 0,
               0, '{}', '{}', '{}', '{}', '{}', '{}', at, at, at + interval '9 seconds', false
        FROM (SELECT n, %(at)s::timestamptz - (%(variants)s / 5 - n) * interval '1 minute' AS at
              FROM generate_series(1, %(variants)s / 5) n) made
        """,
    ),
    (
        "previews",
        """
        INSERT INTO engine_run (id, flow_id, trigger, is_preview, status, outcome, attempt, worker, stalls, seen, created,
            changed, unchanged, skipped, parked, failed, cursor_before, cursor_after, state, calls, phases, actor, queued_at,
            started_at, finished_at, cancel_asked)
        SELECT %(variants)s / 5 + n, (%(flows)s::bigint[])[1], 'person', true, 'done', 'good', 1, '', 0, 0, 0, 0, 0, 0, 0, 0,
               '{}', '{}', '{}', '{}', '{}', '{}', %(at)s, %(at)s, %(at)s, false FROM generate_series(1, 3) n
        """,
    ),
    (
        "plans",
        """
        INSERT INTO engine_planrow (run_id, kind, subject, label, field, old, new, facts)
        SELECT %(variants)s / 5 + run, 'level', 'offer:' || o.id, v.sku || ' · ' || o.listing, 'level',
               CASE WHEN mod(o.id, 9) > 0 THEN '1' END, '2',
               '{}'
        FROM generate_series(1, 3) run, offers_offer o JOIN catalog_variant v ON v.id = o.variant_id
        WHERE o.point_id = (%(points)s::bigint[])[1] AND (run = 3 OR mod(o.id, 5) = 0)
        """,
    ),
    (
        "findings",
        """
        INSERT INTO engine_finding (channel_id, code, subject, severity, facts, count, first_at, last_at, closed_at, run_id)
        SELECT channel, code, kind || n, CASE WHEN mod(n, 10) < 7 THEN 'error' WHEN mod(n, 10) < 9 THEN 'retry' ELSE 'info' END,
               '{"sku": "NEW", "number": "R1"}', 1 + mod(n, 9), at, at,
               CASE WHEN mod(n, 10) = 9 AND mod(n, 3) = 0 OR mod(n, 100) = 5 THEN NULL ELSE at END, 1 + mod(n, %(variants)s / 5)
        FROM (SELECT n, (%(channels)s::bigint[])[1 + mod(n, 4)] AS channel,
                     (ARRAY['unknown_sku', 'level_refused', 'total_differs', 'unknown_carrier', 'short_of_goods'])[1 + mod(n / 4, 5)]
                         AS code,
                     (ARRAY['sale:', 'listing:', 'sale:', 'sale:', 'order:'])[1 + mod(n / 4, 5)] AS kind,
                     %(at)s::timestamptz - (%(variants)s / 2 - n) * interval '90 seconds' AS at
              FROM generate_series(1, %(variants)s / 2) n) made
        """,
    ),
    (
        "marks",
        "INSERT INTO inventory_mark (variant) SELECT 1 + mod(n * 7919, %(variants)s) FROM generate_series(1, 100) n",
    ),
)


@dataclass(frozen=True, slots=True)
class Shop:
    """What pages are asked about."""

    variants: int
    orders: int
    channels: tuple[str, ...]  # codes: most offers, half of them, a physical figure, one where everything waits
    preview: int  # a run with a plan as long as the catalogue


def make(connection: psycopg.Connection[Any], variants: int, at: datetime) -> Shop:
    """Make it in an empty hub. Indexes that no constraint needs are made anew afterwards, as `pg_restore` does."""
    channels, points, warehouses, flows = _frame(at)
    given: dict[str, Any] = {
        **{name: words.split() for name, words in WORDS.items()},
        "at": at,
        "variants": variants,
        "orders": variants * ORDERS,
        "channels": channels,
        "points": points,
        "steps": [1, 2, 5, 10],
        "warehouses": warehouses,
        "flows": flows,
    }
    connection.execute(
        "SET session_replication_role = replica"
    )  # rows that are right by construction: no check of each
    connection.execute("SET synchronous_commit = off")
    connection.execute("SET maintenance_work_mem = '1GB'")
    connection.execute("SET work_mem = '256MB'")
    indexes = _drop_indexes(connection)
    for what, statement in (*STATEMENTS, *large_shop_besides.STATEMENTS):
        say(f"    {what}: {seconds(lambda s=statement: _execute(connection, s, given)):.0f} s")  # type: ignore[misc]
    say(f"    {len(indexes)} indexes: {seconds(lambda: [_execute(connection, one, {}) for one in indexes]):.0f} s")
    for name in ("session_replication_role", "synchronous_commit", "maintenance_work_mem", "work_mem"):
        connection.execute(f"RESET {name}")
    say(f"    vacuum: {seconds(lambda: connection.execute('VACUUM ANALYZE')):.0f} s")
    connection.execute("CHECKPOINT")
    return Shop(variants, variants * ORDERS, ("first", "second", "third", "fourth"), variants // 5 + 3)


def _execute(connection: psycopg.Connection[Any], statement: str, given: Mapping[str, Any]) -> None:
    connection.execute(statement, given)  # type: ignore[arg-type]  # statements of ours


def _frame(at: datetime) -> tuple[list[int], list[int], list[int], list[int]]:
    """Channels, their points and flows, warehouses, a price list: few rows, through the models."""
    from comptoir.channels.models import Channel, Mode
    from comptoir.commerce.catalog.models import PriceList
    from comptoir.commerce.inventory import actions as inventory
    from comptoir.commerce.inventory.models import Warehouse
    from comptoir.engine.models import Flow
    from comptoir.offers.models import PointWarehouse, SellingPoint

    PriceList.objects.create(code="retail", name="Retail", currency="EUR", tax_included=True)
    warehouses = [
        inventory.default_warehouse().pk,
        Warehouse.objects.create(code="second", name="Second", position=1).pk,
    ]
    channels, points, flows = [], [], []
    for place, code in enumerate(("first", "second", "third", "fourth")):
        channel = Channel.objects.create(
            name=f"The {code}",
            code=code,
            kind="prestashop",
            currency="EUR",
            mode=Mode.TEST if code == "fourth" else Mode.PRODUCTION,
            accepts_by_itself=place != 1,
            webhook_token=ids.token(),
            created_at=at,
        )
        point = SellingPoint.objects.create(
            channel=channel,
            external_id="1",
            name="Shop",
            figure="physical" if code == "third" else "sellable",
            stock_initialised_at=at,
        )
        PointWarehouse.objects.bulk_create(PointWarehouse(point=point, warehouse_id=one) for one in warehouses)
        flows += [
            Flow.objects.create(channel=channel, kind=kind, lane="live", enabled=True, every=300).pk
            for kind in ("push_stock", "pull_sales", "pull_products")
        ]
        channels.append(channel.pk)
        points.append(point.pk)
    return channels, points, warehouses, flows


def _drop_indexes(connection: psycopg.Connection[Any]) -> list[str]:
    """Drop the indexes of large tables that no constraint needs; the statements that make them again."""
    found = connection.execute(
        """
        SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace s ON s.oid = c.relnamespace
        WHERE s.nspname = 'public' AND NOT i.indisunique AND split_part(c.relname, '_', 1) = ANY(%s)
        """,
        [
            [
                "catalog",
                "inventory",
                "offers",
                "orders",
                "shipments",
                "staging",
                "engine",
                "purchasing",
                "events",
                "webhooks",
            ]
        ],
    ).fetchall()
    for name, _definition in found:
        connection.execute(f"DROP INDEX {name}")  # type: ignore[arg-type]
    return [definition for _name, definition in found]


def sign_in() -> Any:
    """An owner's browser, in process."""
    from django.db import transaction
    from django.test import Client

    from comptoir.accounts import actions as accounts
    from comptoir.kit import clock

    client = Client(SERVER_NAME="localhost")
    with transaction.atomic():
        owner = accounts.make_owner("owner@example.com", "correct horse battery", actor=SYSTEM, at=clock.now())
    client.force_login(owner)
    return client
