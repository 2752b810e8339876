"""Stock figures of a channel are read: once, to know what is there, and every night, to compare."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from comptoir.channels.channel import OpenChannel, may_write
from comptoir.channels.connector import Figure
from comptoir.channels.models import Mode
from comptoir.channels.records import Odd, StockFigure
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.records import Count, Receipt
from comptoir.commerce.orders import takeover
from comptoir.commerce.shipments import actions as shipments
from comptoir.engine import runs
from comptoir.engine.flow import IN, flow
from comptoir.engine.models import Run, RunStatus, Severity, Trigger
from comptoir.engine.runs import PlanLine, RunContext
from comptoir.events import record
from comptoir.flows import levels, reporting
from comptoir.flows.sales import accept_ready, asked, keep_sales
from comptoir.kit import sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import Conflict
from comptoir.offers import actions as offers
from comptoir.offers import queries

ROUNDS = 6  # sales that keep coming while figures are read: after so many the run gives up
STEP = 1_000
AT_ONCE = 2_000_000  # figures compared in one statement, and
PATIENCE = 10.0  # seconds of reading before they are: a slow shop shows its progress, a quick one costs one statement


APPROVED_FOR = timedelta(hours=1)  # how long a preview of differences may be booked


@flow(
    "pull_stock_once",
    direction=IN,
    title=_("Stock levels, once"),
    needs=("stock", "sales"),
    previews=True,
    replays=True,
)
def pull_stock_once(run: RunContext, channel: OpenChannel | None) -> None:
    """Begin to count: on hand = the shop's figure + units of its open sales that it has already taken off. In production
    only the differences that a person has seen in a preview and approved."""
    assert channel is not None  # noqa: S101 - the engine opens it for IN and OUT
    is_approved = run.cursor.get("approved_until", "") >= run.at.isoformat()
    if channel.row.mode == Mode.PRODUCTION and not run.is_preview and not is_approved:
        raise Conflict(
            "stock is counted here already; in production it is re-based through a preview", channel=channel.ref
        )
    count_from_shop(run, channel)
    if not run.is_preview:
        with run.checkpoint(cursor={}):  # one approval is one count
            pass


def approve(preview: int, *, at: datetime, actor: Actor) -> int:
    """A person has looked at what counting from the shop would change: do it. The id of the run."""
    row = Run.objects.select_related("flow").filter(pk=preview, is_preview=True, flow__kind="pull_stock_once").first()
    if row is None or row.status != RunStatus.DONE or row.finished_at is None or row.finished_at < at - APPROVED_FOR:
        raise Conflict("this preview is too old: make another", run=preview)
    sql.execute(
        "UPDATE engine_flow SET cursor = jsonb_build_object('approved_until', %s::text) WHERE id = %s",
        [(at + APPROVED_FOR).isoformat(), row.flow_id],
    )
    facts = {"channel": row.flow.channel_id, "preview": preview}
    record.record("flows.count.approved", facts, actor=actor, at=at, subject=f"channel:{row.flow.channel_id}")
    return runs.request(row.flow_id, Trigger.PERSON, actor, at=at)


def count_from_shop(run: RunContext, channel: OpenChannel) -> None:
    """Take over the shop's figures, and close what a person said has left before; a preview says what that would change.

    Sales are read before and after the figures, and figures of what was sold meanwhile, whichever flow saw it, are read
    again, so that a sale in between is neither lost nor counted twice.
    """
    _read_sales(run, channel)
    known = _stamps(channel.ref)
    figures: dict[tuple[str, str], StockFigure] = {}
    for page in channel.client.stock.figures({}):
        figures |= {(one.listing, one.selling_point): one for one in page.items}
        with run.checkpoint():
            reporting.count_unread(run, page, (one.ref for one in page.items))
            reporting.report_odd(run, channel.row, page.odd, _read(page.items), reporting.FIGURE_CODES)
    for _round in range(ROUNDS):
        _read_sales(run, channel)
        owed, now = _owed(channel.ref), _stamps(channel.ref)
        if now == known:  # nothing was staged between the first figure and the units that are owed
            break
        sold, known = _listings_of(channel.ref, [sale for sale, stamp in now.items() if known.get(sale) != stamp]), now
        again = [one.ref for key, one in figures.items() if key[0] in sold]
        for start in range(0, len(again), STEP):
            page = channel.client.stock.fetch(again[start : start + STEP])
            figures |= {(one.listing, one.selling_point): one for one in page.items}
    else:
        raise Conflict(
            "sales came in faster than figures could be read: run it again in a quieter hour", channel=channel.ref
        )
    _open_books(run, channel, list(figures.values()), owed)


def _read_sales(run: RunContext, channel: OpenChannel) -> None:
    """Read what changed among sales, without moving the cursor of their own flow."""
    text = sql.value("SELECT cursor FROM engine_flow WHERE channel_id = %s AND kind = 'pull_sales'", [channel.ref])
    cursor = json.loads(text) if text else {}
    for asked_at, page in asked(channel.client.sales.changed_since(cursor, start=channel.row.sales_from)):
        with run.checkpoint():
            keep_sales(run, channel.row, page, asked_at)
    accept_ready(run, channel.row)


def _stamps(channel: int) -> dict[str, str]:
    """Each sale that is known, and its version."""
    return dict(sql.rows("SELECT external_id, fingerprint FROM staging_stagedsale WHERE channel_id = %s", [channel]))


def _listings_of(channel: int, sales: Sequence[str]) -> set[str]:
    return {
        row[0]
        for row in sql.rows(
            "SELECT DISTINCT l->>'listing' FROM staging_stagedsale s, jsonb_array_elements(s.sale->'lines') l"
            " WHERE s.channel_id = %s AND s.external_id = ANY(%s)",
            [channel, list(sales)],
        )
    }


# What the shop has taken off its figure and that has not left: open orders, and sales that are not orders yet.
_OPEN_UNITS = """
SELECT variant, sum(units) FROM (
    SELECT l.variant_id AS variant, l.quantity - l.cancelled - l.shipped AS units
    FROM orders_order o JOIN orders_line l ON l.order_id = o.id
    WHERE o.channel = %(channel)s AND o.selling_point = %(point)s AND o.status IN ('pending', 'processing', 'on_hold')
      AND o.taken_over <> 'left' AND l.kind IN ('goods', 'part') AND l.variant_id IS NOT NULL
    UNION ALL
    SELECT coalesce(k.part_id, m.id), (line->>'quantity')::numeric * coalesce(k.quantity, 1)
    FROM staging_stagedsale s
    CROSS JOIN LATERAL jsonb_array_elements(s.sale->'lines') line
    JOIN offers_link k2 ON k2.channel_id = s.channel_id AND k2.kind = 'listing' AND k2.external_id = line->>'listing'
    JOIN catalog_variant v ON v.id = k2.variant_id
    JOIN catalog_variant m ON m.id = coalesce(v.alias_of_id, v.id)
    LEFT JOIN catalog_kitpart k ON k.kit_id = m.id AND m.kind = 'kit'
    WHERE s.channel_id = %(channel)s AND s.point = %(point)s AND s."order" IS NULL
      AND s.state IN ('ready', 'retry', 'repair') AND coalesce((s.sale->>'takes_stock')::bool, true)
      AND s.meaning NOT IN ('shipped', 'cancelled', 'refunded')
) units GROUP BY variant
"""


def _owed(channel: int) -> dict[int, dict[int, Decimal]]:
    """Selling point -> variant -> units that the shop's figure lacks and that have not left."""
    return {
        point.id: dict(sql.rows(_OPEN_UNITS, {"channel": channel, "point": point.id}))
        if point.figure == Figure.SELLABLE
        else {}
        for point in queries.points(channel).values()
    }


def _open_books(
    run: RunContext, channel: OpenChannel, figures: Sequence[StockFigure], owed: dict[int, dict[int, Decimal]]
) -> None:
    points = queries.points(channel.ref)
    if unplaced := [point for point in points.values() if not point.warehouses]:
        raise Conflict("this selling point has no warehouse to count in", point=unplaced[0].external_id)
    taken: set[tuple[int, int]] = set()  # (variant, warehouse) counted from an earlier selling point of this run
    if not run.is_preview:
        with run.checkpoint():  # what is open now is counted as being here: when it leaves, a movement says so
            sql.execute(
                """UPDATE staging_stagedsale SET repairs = repairs || '{"was_counted": true}' WHERE channel_id = %s"""
                """ AND "order" IS NULL AND state IN ('ready', 'retry', 'repair')"""
                " AND meaning NOT IN ('shipped', 'cancelled', 'refunded') AND coalesce((sale->>'takes_stock')::bool, true)",
                [channel.ref],
            )
    places = sorted(points.values(), key=lambda one: one.id)
    left = takeover.left(channel.ref)
    lines = [line for of_order in left.values() for line in of_order]
    sold = _listings_of_lines(channel.ref, lines)
    with run.checkpoint():  # what left before goes together with the figures that lack it
        for point in places:
            here = [one for one in figures if one.selling_point == point.external_id and one.listing in sold]
            _open_page(run, channel, point, here, owed[point.id], taken, leaving=lines)
            lines = []
        for order in left:
            _close(run, order)
    for point in places:
        here = [one for one in figures if one.selling_point == point.external_id and one.listing not in sold]
        for start in range(0, len(here), STEP):
            with run.checkpoint():
                _open_page(run, channel, point, here[start : start + STEP], owed[point.id], taken)
        if not run.is_preview:
            with run.checkpoint():
                sql.execute(
                    "UPDATE offers_sellingpoint SET stock_initialised_at = %s WHERE id = %s", [run.at, point.id]
                )


def _listings_of_lines(channel: int, lines: Sequence[int]) -> set[str]:
    """The channel's listings of what is on these lines."""
    return {
        row[0]
        for row in sql.rows(
            "SELECT DISTINCT k.external_id FROM orders_line l JOIN offers_link k ON k.variant_id = l.variant_id"
            " AND k.channel_id = %s AND k.kind = 'listing' WHERE l.id = ANY(%s)",
            [channel, list(lines)],
        )
    }


def _close(run: RunContext, order: int) -> None:
    """An order that left before the hub took over."""
    if run.is_preview:
        number = str(sql.value("SELECT number FROM orders_order WHERE id = %s", [order]))
        run.plan([PlanLine("order", f"order:{order}", number, "status", "open", "complete")])
    else:
        shipments.book_left_before(order, at=run.at, actor=run.actor)


def _open_page(
    run: RunContext,
    channel: OpenChannel,
    point: queries.PointSources,
    figures: Sequence[StockFigure],
    owed: dict[int, Decimal],
    taken: set[tuple[int, int]],
    *,
    leaving: Sequence[int] = (),
) -> None:
    warehouse = point.warehouses[0]
    countable: dict[str, int] = dict(
        sql.rows(
            "SELECT l.external_id, v.id FROM offers_link l JOIN catalog_variant v ON v.id = l.variant_id"
            " WHERE l.channel_id = %s AND l.kind = 'listing' AND l.external_id = ANY(%s) AND v.kind = 'simple' AND v.is_stocked",
            [channel.ref, [one.listing for one in figures]],
        )
    )
    counted_elsewhere = {
        row[0]
        for row in sql.rows(
            "SELECT DISTINCT variant_id FROM inventory_movement WHERE variant_id = ANY(%s) AND (to_warehouse_id = %s OR"
            " from_warehouse_id = %s) AND reason NOT IN ('shipment', 'sale', 'difference')"
            " AND NOT starts_with(reference, %s) AND NOT starts_with(reference, %s)",
            [list(countable.values()), warehouse, warehouse, f"opening:{channel.ref}:", f"rebase:{channel.ref}:"],
        )
    }
    known: dict[int, Decimal] = dict(
        sql.rows(
            "SELECT variant_id, on_hand FROM inventory_level WHERE warehouse_id = %s AND variant_id = ANY(%s)",
            [warehouse, list(countable.values())],
        )
    )
    opened: list[Receipt] = []
    again: list[Count] = []
    is_counted = channel.row.mode == Mode.PRODUCTION  # we keep the books: what differs from the level is what is wrong
    off = _off(channel.ref, point, figures) if is_counted else {}
    for one in figures:
        variant = countable.get(one.listing)
        if variant is None or (is_counted and one.listing not in off):
            run.count(seen=1, skipped=1)
            continue
        if is_counted:
            on_hand, counted_elsewhere = known.get(variant, Decimal(0)) + off[one.listing], set()
        else:
            on_hand = one.quantity + owed.get(variant, Decimal(0))
        if (variant, warehouse) in taken or variant in counted_elsewhere:
            # Counted already, by another shop or by people: a second figure never overwrites the first.
            run.count(seen=1, skipped=1)
            if known.get(variant, on_hand) != on_hand:
                run.found(
                    "opening_differs",
                    f"listing:{one.listing}",
                    Severity.INFO,
                    there=levels.shown(on_hand),
                    here=levels.shown(known[variant]),
                )
            continue
        taken.add((variant, warehouse))
        if on_hand < 0:
            run.found("negative_figure", f"listing:{one.listing}", Severity.INFO, figure=str(one.quantity))
            on_hand = Decimal(0)
        reference = f"{channel.ref}:{point.id}:{one.listing}"
        if known.get(variant) or (is_counted and variant in known):
            run.count(seen=1, **{"unchanged" if known[variant] == on_hand else "changed": 1})
            again.append(Count(variant, warehouse, on_hand, f"rebase:{reference}:{run.id}"))
        else:
            run.count(seen=1, created=1)
            if on_hand:
                opened.append(Receipt(variant, warehouse, on_hand, f"opening:{reference}", comment=channel.row.name))
    if run.is_preview:
        _plan(run, opened, again, known)
        return
    if again or leaving:
        inventory.re_base(again, leaving=leaving, at=run.at, actor=run.actor)
    inventory.opening(opened, at=run.at, actor=run.actor)
    offers.believe(channel.ref, figures, at=run.at)


def _off(channel: int, point: queries.PointSources, figures: Sequence[StockFigure]) -> dict[str, Decimal]:
    """By how much each listing's figure differs from the level that we would tell at this instant. Where a maximum or
    minimum hides what is there, nothing can be said."""
    rows = sql.rows(
        "SELECT o.id, o.listing, p.buffer, p.minimum, p.maximum, (SELECT coalesce(sum(l.on_hand - l.reserved - l.held), 0)"
        " FROM offers_pointwarehouse w JOIN inventory_level l ON l.warehouse_id = w.warehouse_id"
        " WHERE w.point_id = p.id AND l.variant_id = o.variant_id)"
        " FROM offers_offer o JOIN offers_sellingpoint p ON p.id = o.point_id"
        " WHERE p.id = %s AND o.listing = ANY(%s)",
        [point.id, [one.listing for one in figures]],
    )
    wanted = {level.offer: level.level for level in queries.levels([row[0] for row in rows])}
    there = {one.listing: one.quantity for one in figures}
    off = {}
    for offer, listing, buffer, minimum, maximum, free in rows:
        level, figure = wanted[offer], there[listing]
        if level == maximum or (minimum and level == minimum):
            continue
        # A level of nothing says at most that no more than the buffer is free.
        off[listing] = figure + buffer - free if not level and figure > 0 else figure - level
    return off


def _plan(run: RunContext, opened: Sequence[Receipt], again: Sequence[Count], known: Mapping[int, Decimal]) -> None:
    """What counting would make of what is on hand."""
    figures = {one.variant: one.quantity for one in opened} | {
        one.variant: one.counted for one in again if one.counted != known[one.variant]
    }
    names: dict[int, str] = dict(sql.rows("SELECT id, sku FROM catalog_variant WHERE id = ANY(%s)", [sorted(figures)]))
    run.plan(
        PlanLine(
            kind="stock",
            subject=f"variant:{variant}",
            label=names[variant],
            field="on_hand",
            old=levels.shown(known.get(variant, Decimal(0))),
            new=levels.shown(on_hand),
        )
        for variant, on_hand in figures.items()
    )


# -- comparing -----------------------------------------------------------------------------------------------------------


@flow("check_stock", direction=IN, title=_("Stock check"), needs=("stock",), cron="30 2 * * *", replays=True)
def check_stock(run: RunContext, channel: OpenChannel | None) -> None:
    """Compare every figure with what we would tell at that instant. Each mismatch is read again before it is reported;
    nothing is written by itself."""
    assert channel is not None  # noqa: S101
    if channel.client.sales is not None and not run.state:
        _read_sales(run, channel)  # sales that we do not know yet would look like differences
        levels.spread(run)
        if channel.client.levels is not None and may_write(channel.ref) and not run.is_preview:
            levels.push(run, channel, counted=False)
    figures = queries.Figures(channel.ref)
    odd: list[Odd] = []
    begun = time.monotonic()
    page = None
    for page in channel.client.stock.figures(run.state.get("place", {})):
        run.stop_if_asked()
        figures.add(page.items)
        odd += page.odd
        reporting.count_unread(run, page, (one.ref for one in page.items))
        if figures.count >= AT_ONCE or time.monotonic() - begun >= PATIENCE:
            _report(run, channel, figures, odd, place=page.cursor)
            odd, begun = [], time.monotonic()
    if page is not None and (figures.count or odd):
        _report(run, channel, figures, odd, place=page.cursor)


def _report(
    run: RunContext, channel: OpenChannel, figures: queries.Figures, odd: Sequence[Odd], *, place: dict[str, Any]
) -> None:
    """Compare what was put aside, and say what differs; one step."""
    with transaction.atomic():
        compared = figures.compare()
    confirmed: dict[str, tuple[StockFigure, Decimal]] = {}
    if compared.differing:
        again = queries.Figures(channel.ref, "offers_figure_again")
        again.add(_read_again(channel, [one.ref for one, _ in compared.differing]))
        with transaction.atomic():
            confirmed = {one.ref: (one, level) for one, level in again.compare().differing}
    with run.checkpoint(state={"place": place}):
        read = _complained_of(channel.ref, figures)
        reporting.report_odd(run, channel.row, odd, read, reporting.FIGURE_CODES)
        offers.know_refs(channel.ref, compared.moved)
        unknown = {one.ref for one in compared.untold}
        run.count(
            seen=figures.count,
            failed=len(confirmed),
            skipped=len(unknown),
            unchanged=figures.count - len(confirmed) - len(unknown),
        )
        open_still = {*(_subject(one) for one, _ in confirmed.values()), *map(_subject, compared.untold)}
        run.resolved(read - open_still, codes=("stock_differs",))
        for figure, level in confirmed.values():
            run.found(
                "stock_differs", _subject(figure), Severity.ERROR,
                there=levels.shown(figure.quantity), ours=levels.shown(level), listing=figure.listing,
            )  # fmt: skip
    figures.forget()


def _read_again(channel: OpenChannel, refs: Sequence[str]) -> list[StockFigure]:
    return [
        one
        for start in range(0, len(refs), STEP)
        for one in channel.client.stock.fetch(refs[start : start + STEP]).items
    ]


def _read(figures: Sequence[StockFigure]) -> set[str]:
    """Subjects under which findings speak of these figures."""
    return {f"figure:{one.ref}" for one in figures} | {f"listing:{one.listing}" for one in figures}


def _complained_of(channel: int, figures: queries.Figures) -> set[str]:
    """Subjects of these figures about which a finding is open."""
    known: set[str] = {
        row[0]
        for row in sql.rows(
            "SELECT subject FROM engine_finding WHERE channel_id = %s AND closed_at IS NULL AND code = ANY(%s)",
            [channel, ["stock_differs", *reporting.FIGURE_CODES]],
        )
    }
    if not known:
        return known
    about = [subject.partition(":")[::2] for subject in known]
    listings = {name for kind, name in about if kind == "listing"}
    listings |= {name.rpartition("@")[0] for name in listings}
    met = figures.among({name for kind, name in about if kind == "figure"}, listings)
    return known & (_read(met) | {_subject(one) for one in met})


def _subject(figure: StockFigure) -> str:
    return f"listing:{figure.listing}@{figure.selling_point}"
