"""Spread changes to offers, remember what was told, link listings. All set-based, all within the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from comptoir.channels.records import Answer, Fate, Named, Point, StockFigure
from comptoir.commerce.catalog import queries as catalog
from comptoir.events import record
from comptoir.kit import sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput
from comptoir.offers import queries
from comptoir.offers.queries import Level

# How long an offer waits after its n-th failure in a row.
AFTER_REFUSAL = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=12),
)
AFTER_SILENCE = (
    timedelta(seconds=2),
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
)
AFTER_CONFLICT = timedelta(seconds=5)  # the sale behind it is asked for meanwhile


# -- marks -> waiting ------------------------------------------------------------------------------------------------


def drain(*, at: datetime, limit: int = 10_000) -> int:
    """Turn marks into waiting offers, kits and aliases included; the number of marks taken.

    Marks that another drain has locked are left to it. A mark committed while this runs is taken next time.
    """
    taken = sql.rows(
        "DELETE FROM inventory_mark WHERE id IN (SELECT id FROM inventory_mark ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)"
        " RETURNING variant",
        [limit],
    )
    if taken:
        changed = catalog.affected_by({row[0] for row in taken})
        variants = sorted({variant for affected in changed.values() for variant in affected})
        sql.execute(
            _TOUCH.format(
                which="o.variant_id = ANY(%(variants)s)",
                told="o.told",
            ),
            {"variants": variants, "at": at},
        )
    return len(taken)


# Rows are locked by id, so that a drain, a push and a staging page never wait for each other in a circle.
_TOUCH = """
WITH due AS (SELECT o.id FROM offers_offer o WHERE {which} ORDER BY o.id FOR UPDATE)
UPDATE offers_offer o
SET is_waiting = true, waiting_since = CASE WHEN o.is_waiting THEN o.waiting_since ELSE %(at)s END,
    touched = o.touched + 1, told = {told}, not_before = NULL
FROM due WHERE o.id = due.id
"""


def composed(variants: Collection[int], *, at: datetime) -> None:
    """These became kits, aliases or simple again: whoever sells them, or what depends on them, is told anew."""
    affected = {one for depending in catalog.affected_by(variants).values() for one in depending} | set(variants)
    sql.execute(
        _TOUCH.format(which="o.variant_id = ANY(%(variants)s)", told="o.told"), {"variants": sorted(affected), "at": at}
    )


def forget_told(channel: int, listings: Collection[str], *, at: datetime) -> int:
    """What was told of these listings is no longer believed: something was seen there that may have moved the figure."""
    if not listings:
        return 0
    return sql.execute(
        _TOUCH.format(
            which="o.listing = ANY(%(listings)s) AND o.point_id IN"
            " (SELECT id FROM offers_sellingpoint WHERE channel_id = %(channel)s)",
            told="NULL",
        ),
        {"listings": sorted(listings), "channel": channel, "at": at},
    )


def tell_again(channel: int, *, offers: Sequence[int] | None = None, at: datetime, actor: Actor) -> int:
    """Make offers wait whatever was told: all of a channel, or these. For people, and after a restore."""
    which = "o.point_id IN (SELECT id FROM offers_sellingpoint WHERE channel_id = %(channel)s)"
    if offers is not None:
        which += " AND o.id = ANY(%(offers)s)"
    touched = sql.execute(
        _TOUCH.format(which=which, told="NULL"), {"channel": channel, "offers": list(offers or ()), "at": at}
    )
    record.record(
        "offers.told.forgotten",
        {"channel": channel, "offers": touched},
        actor=actor,
        at=at,
        subject=f"channel:{channel}",
    )
    return touched


# -- waiting -> told -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Batch:
    """Some waiting offers: those to send, and how many needed no call since they were told just that."""

    send: list[Level]
    settled: int
    last: int  # id to go on after; 0 where nothing waits


def take(channel: int, *, after: int, size: int, at: datetime) -> Batch:
    """Compute the levels of the next waiting offers. Those to send are *unknown* from here on, so that a worker killed
    between the call and its record leaves no belief behind."""
    ids = queries.waiting_ids(channel, after=after, size=size, at=at, lock=True)
    if not ids:
        return Batch([], 0, 0)
    found = queries.levels(ids)
    send = [level for level in found if level.told is None or level.told != level.level]
    settled = [level for level in found if level.told is not None and level.told == level.level]
    if settled:
        sql.execute(
            "UPDATE offers_offer o SET is_waiting = false, waiting_since = NULL, refusals = 0"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS s (id, touched)"
            " WHERE o.id = s.id AND o.touched = s.touched",
            [[level.offer for level in settled], [level.touched for level in settled]],
        )
    if known := [level.offer for level in send if level.told is not None]:
        sql.execute("UPDATE offers_offer SET told = NULL WHERE id = ANY(%s)", [known])
    return Batch(send, len(settled), ids[-1])


def _lock(offers: Sequence[int]) -> None:
    """Lock offers in the one order there is: by id."""
    sql.execute("SELECT FROM offers_offer WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [list(offers)])


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a batch."""

    done: int
    refused: list[tuple[Level, str]]
    unsure: int  # lost answers and conflicts: they stay waiting
    conflicts: int = 0  # something else stood there than we believed: a sale, most of all, that is not known here yet


def told(run: int, batch: Sequence[Level], answers: Sequence[Answer], *, at: datetime) -> Told:
    """Record the answers of a batch in one statement. What was touched since its level was computed stays waiting, and
    is not believed."""
    by_offer = {answer.item: answer for answer in answers}
    missing = [level.offer for level in batch if level.offer not in by_offer]
    if missing:
        raise BadInput(
            "a connector left levels without an answer", place="set_levels", value=missing[:5], cure="answer each item"
        )
    done = [level for level in batch if by_offer[level.offer].fate is Fate.DONE]
    refused = [level for level in batch if by_offer[level.offer].fate is Fate.REFUSED]
    unknown = [level for level in batch if by_offer[level.offer].fate is Fate.UNKNOWN]
    conflicts = [level.offer for level in batch if by_offer[level.offer].fate is Fate.CONFLICT]
    if len(done) < len(batch):  # several statements will follow
        _lock([level.offer for level in batch])
    sql.execute(
        """
        WITH due AS (SELECT id FROM offers_offer WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE)
        UPDATE offers_offer o SET
            told = CASE WHEN o.touched = s.touched THEN s.level END,
            told_at = %(at)s, told_run = %(run)s, refusals = 0,
            is_waiting = o.touched <> s.touched,
            waiting_since = CASE WHEN o.touched <> s.touched THEN o.waiting_since END,
            ref = CASE WHEN s.ref <> '' THEN s.ref ELSE o.ref END
        FROM unnest(%(ids)s::bigint[], %(touched)s::bigint[], %(levels)s::numeric[], %(refs)s::text[])
            AS s (id, touched, level, ref)
        JOIN due USING (id)
        WHERE o.id = s.id
        """,
        {
            "at": at,
            "run": run,
            "ids": [level.offer for level in done],
            "touched": [level.touched for level in done],
            "levels": [level.level for level in done],
            "refs": [by_offer[level.offer].ref for level in done],
        },
    )
    for failed, waits in ((refused, AFTER_REFUSAL), (unknown, AFTER_SILENCE)):
        if failed:
            sql.execute(
                "UPDATE offers_offer SET refusals = least(refusals + 1, 100), not_before = %(at)s::timestamptz"
                " + (%(waits)s::interval[])[least(refusals + 1, %(most)s)] WHERE id = ANY(%(ids)s)",
                {"at": at, "waits": list(waits), "most": len(waits), "ids": [level.offer for level in failed]},
            )
    if conflicts:
        sql.execute("UPDATE offers_offer SET not_before = %s WHERE id = ANY(%s)", [at + AFTER_CONFLICT, conflicts])
    return Told(
        len(done),
        [(level, by_offer[level.offer].reason) for level in refused],
        len(unknown) + len(conflicts),
        len(conflicts),
    )


def believe(channel: int, figures: Sequence[StockFigure], *, at: datetime) -> int:
    """Take over figures just read at the channel: what was told is what stands there. Offers whose figure differs from
    what we believed wait. Refs are kept. The number of figures that surprised us."""
    params = _figure_params(channel, figures) | {"at": at}
    sql.execute(_FIGURES + "UPDATE offers_offer o SET ref = f.ref FROM f WHERE o.id = f.id AND o.ref <> f.ref", params)
    return sql.execute(
        _FIGURES + "UPDATE offers_offer o SET told = f.quantity, told_at = %(at)s, is_waiting = true,"
        " waiting_since = coalesce(o.waiting_since, %(at)s), touched = o.touched + 1"
        " FROM f WHERE o.id = f.id AND o.told IS DISTINCT FROM f.quantity",
        params,
    )


def surprising(channel: int, figures: Sequence[StockFigure]) -> list[str]:
    """The listings whose figure, just read at the channel, is another than was told. What is being told is not looked at."""
    return [
        row[0]
        for row in sql.rows(
            _FIGURES + "SELECT DISTINCT o.listing FROM offers_offer o JOIN f ON f.id = o.id WHERE o.told <> f.quantity",
            _figure_params(channel, figures),
        )
    ]


def know_refs(channel: int, figures: Sequence[StockFigure]) -> None:
    """Remember by what each figure is written."""
    sql.execute(
        _FIGURES + "UPDATE offers_offer o SET ref = f.ref FROM f WHERE o.id = f.id AND o.ref <> f.ref",
        _figure_params(channel, figures),
    )


_FIGURES = """
WITH f AS (
    SELECT o.id, s.ref, s.quantity FROM unnest(%(listings)s::text[], %(points)s::text[], %(refs)s::text[], %(figures)s::numeric[])
        AS s (listing, point, ref, quantity)
    JOIN offers_sellingpoint p ON p.channel_id = %(channel)s AND p.external_id = s.point
    JOIN offers_offer o ON o.point_id = p.id AND o.listing = s.listing
    ORDER BY o.id FOR UPDATE OF o
)
"""


def _figure_params(channel: int, figures: Sequence[StockFigure]) -> dict[str, object]:
    return {
        "channel": channel,
        "listings": [figure.listing for figure in figures],
        "points": [figure.selling_point for figure in figures],
        "refs": [figure.ref for figure in figures],
        "figures": [figure.quantity for figure in figures],
    }


def set_staged_units(channel: int, units: Mapping[tuple[str, str], Decimal], *, at: datetime) -> None:
    """How many units of sales that are not accepted yet a *physical* shop subtracts itself, by (listing, point)."""
    sql.execute(
        """
        WITH s AS (
            SELECT o.id, s.units FROM unnest(%(listings)s::text[], %(points)s::text[], %(units)s::numeric[]) AS s (listing, point, units)
            JOIN offers_sellingpoint p ON p.channel_id = %(channel)s AND p.external_id = s.point AND p.figure = 'physical'
            JOIN offers_offer o ON o.point_id = p.id AND o.listing = s.listing ORDER BY o.id FOR UPDATE OF o
        )
        UPDATE offers_offer o SET staged_units = s.units, is_waiting = true, touched = o.touched + 1,
            waiting_since = coalesce(o.waiting_since, %(at)s)
        FROM s WHERE o.id = s.id AND o.staged_units <> s.units
        """,
        {
            "channel": channel,
            "listings": [listing for listing, _ in units],
            "points": [point for _, point in units],
            "units": list(units.values()),
            "at": at,
        },
    )


# -- links -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListingSeen:
    """A listing of a channel and the variant that it is here."""

    listing: str
    variant: int
    sku: str
    pushes_stock: bool
    content_hash: str = ""


def link_products(channel: int, products: Mapping[str, tuple[int, str]], *, run: int | None, at: datetime) -> None:
    """Link products by external id to (our id, content hash)."""
    sql.execute(
        """
        INSERT INTO offers_link (channel_id, kind, external_id, product_id, content_hash, seen_at, seen_run, made_by, sku, pushes_stock)
        SELECT %(channel)s, 'product', s.external_id, s.product, s.hash, %(at)s, %(run)s, 'channel', '', false
        FROM unnest(%(ids)s::text[], %(products)s::bigint[], %(hashes)s::text[]) AS s (external_id, product, hash)
        ORDER BY s.external_id
        ON CONFLICT (channel_id, kind, external_id) DO UPDATE SET
            product_id = excluded.product_id, content_hash = excluded.content_hash, seen_at = excluded.seen_at,
            seen_run = excluded.seen_run, gone_at = NULL
        """,
        {
            "channel": channel,
            "run": run,
            "at": at,
            "ids": list(products),
            "products": [product for product, _ in products.values()],
            "hashes": [content for _, content in products.values()],
        },
    )


def link_listings(channel: int, seen: Sequence[ListingSeen], *, run: int | None, at: datetime) -> None:
    """Link listings and give each its offer at every selling point of the channel. A listing that now means another
    variant takes its offers along, and what was told of it is forgotten."""
    sql.execute(
        """
        INSERT INTO offers_link (channel_id, kind, external_id, variant_id, sku, pushes_stock, content_hash, seen_at, seen_run, made_by)
        SELECT %(channel)s, 'listing', s.listing, s.variant, s.sku, s.pushes, s.hash, %(at)s, %(run)s, 'channel'
        FROM unnest(%(listings)s::text[], %(variants)s::bigint[], %(skus)s::text[], %(pushes)s::bool[], %(hashes)s::text[])
            AS s (listing, variant, sku, pushes, hash)
        ORDER BY s.listing
        ON CONFLICT (channel_id, kind, external_id) DO UPDATE SET
            variant_id = excluded.variant_id, sku = excluded.sku, pushes_stock = excluded.pushes_stock,
            content_hash = excluded.content_hash, seen_at = excluded.seen_at, seen_run = excluded.seen_run, gone_at = NULL
        """,
        {
            "channel": channel,
            "run": run,
            "at": at,
            "listings": [one.listing for one in seen],
            "variants": [one.variant for one in seen],
            "skus": [one.sku for one in seen],
            "pushes": [one.pushes_stock for one in seen],
            "hashes": [one.content_hash for one in seen],
        },
    )
    offer_linked(channel, [one.listing for one in seen], at=at)


def offer_linked(channel: int, listings: Sequence[str] | None, *, at: datetime) -> None:
    """Give linked listings (all of the channel where None) an offer at every selling point."""
    sql.execute(
        """
        INSERT INTO offers_offer (point_id, variant_id, listing, ref, is_waiting, waiting_since, touched, is_active, refusals, staged_units)
        SELECT p.id, l.variant_id, l.external_id, '', true, %(at)s, 0, l.pushes_stock AND v.is_stocked, 0, 0
        FROM offers_link l
        JOIN offers_sellingpoint p ON p.channel_id = l.channel_id
        JOIN catalog_variant v ON v.id = l.variant_id
        WHERE l.channel_id = %(channel)s AND l.kind = 'listing' AND l.gone_at IS NULL
          AND (%(listings)s::text[] IS NULL OR l.external_id = ANY(%(listings)s))
        ORDER BY p.id, l.external_id
        ON CONFLICT (point_id, listing) DO UPDATE SET
            variant_id = excluded.variant_id, is_active = excluded.is_active, told = NULL, is_waiting = true,
            waiting_since = coalesce(offers_offer.waiting_since, excluded.waiting_since), touched = offers_offer.touched + 1
        WHERE offers_offer.variant_id <> excluded.variant_id OR offers_offer.is_active <> excluded.is_active
        """,
        {"channel": channel, "listings": None if listings is None else list(listings), "at": at},
    )


def listings_gone(channel: int, listings: Collection[str], *, at: datetime) -> list[int]:
    """Listings that a complete, verified reading no longer holds: nothing is told there; the variants left without any."""
    sql.execute(
        "UPDATE offers_link SET gone_at = %s WHERE channel_id = %s AND kind = 'listing' AND external_id = ANY(%s) AND gone_at IS NULL",
        [at, channel, sorted(listings)],
    )
    sql.execute(
        "UPDATE offers_offer SET is_active = false, is_waiting = false WHERE listing = ANY(%s) AND point_id IN"
        " (SELECT id FROM offers_sellingpoint WHERE channel_id = %s)",
        [sorted(listings), channel],
    )
    return [
        row[0]
        for row in sql.rows(
            "SELECT DISTINCT l.variant_id FROM offers_link l WHERE l.channel_id = %s AND l.kind = 'listing'"
            " AND l.external_id = ANY(%s) AND NOT EXISTS (SELECT 1 FROM offers_link o WHERE o.variant_id = l.variant_id"
            " AND o.gone_at IS NULL)",
            [channel, sorted(listings)],
        )
    ]


def unlink(channel: int, listings: Collection[str]) -> None:
    """These listings are nothing of ours any more: no link, no offer, nothing is told there."""
    sql.execute(
        "DELETE FROM offers_offerprice WHERE offer_id IN (SELECT o.id FROM offers_offer o JOIN offers_sellingpoint p"
        " ON p.id = o.point_id WHERE p.channel_id = %s AND o.listing = ANY(%s))",
        [channel, sorted(listings)],
    )
    sql.execute(
        "DELETE FROM offers_offer WHERE listing = ANY(%s) AND point_id IN"
        " (SELECT id FROM offers_sellingpoint WHERE channel_id = %s)",
        [sorted(listings), channel],
    )
    sql.execute(
        "DELETE FROM offers_link WHERE channel_id = %s AND kind = 'listing' AND external_id = ANY(%s)",
        [channel, sorted(listings)],
    )


# -- selling points and mappings ---------------------------------------------------------------------------------------


def ensure_points(
    channel: int, found: Sequence[Point], *, figure: str, warehouses: Sequence[int], at: datetime
) -> None:
    """Make the selling points that a channel has; a new one sells from `warehouses` until somebody says otherwise. `figure`
    is what the figures mean of points that do not say it themselves."""
    for point in found:
        made = sql.value(
            "INSERT INTO offers_sellingpoint (channel_id, external_id, name, figure, buffer, minimum, owns_stock, owns_price)"
            " VALUES (%s, %s, %s, %s, 0, 0, false, true) ON CONFLICT (channel_id, external_id) DO NOTHING RETURNING id",
            [channel, point.external_id, point.name, point.figure or figure],
        )
        if made is not None:
            set_sources(made, warehouses, at=at)
    offer_linked(channel, None, at=at)


def set_sources(point: int, warehouses: Sequence[int], *, at: datetime) -> None:
    """Say which warehouses a point sells from, in which order. Every offer there waits."""
    place_sources(point, warehouses)
    sql.execute(_TOUCH.format(which="o.point_id = %(point)s", told="o.told"), {"point": point, "at": at})


def place_sources(point: int, warehouses: Sequence[int]) -> None:
    """The rows of `set_sources`, without anything that follows from them."""
    sql.execute(
        "DELETE FROM offers_pointwarehouse WHERE point_id = %s AND NOT warehouse_id = ANY(%s)",
        [point, list(warehouses)],
    )
    sql.execute(
        "INSERT INTO offers_pointwarehouse (point_id, warehouse_id, position)"
        " SELECT %s, w, n FROM unnest(%s::bigint[]) WITH ORDINALITY AS s (w, n)"
        " ON CONFLICT (point_id, warehouse_id) DO UPDATE SET position = excluded.position",
        [point, list(warehouses)],
    )


def set_limits(
    point: int, *, buffer: Decimal, minimum: Decimal, maximum: Decimal | None, at: datetime, actor: Actor
) -> None:
    """Change a point's buffer, minimum and maximum. Every offer there waits."""
    place_limits(point, buffer=buffer, minimum=minimum, maximum=maximum)
    sql.execute(_TOUCH.format(which="o.point_id = %(point)s", told="o.told"), {"point": point, "at": at})
    record.record(
        "offers.limits.changed",
        {"point": point, "buffer": str(buffer), "minimum": str(minimum), "maximum": str(maximum)},
        actor=actor, at=at, subject=f"point:{point}",
    )  # fmt: skip


def place_limits(point: int, *, buffer: Decimal, minimum: Decimal, maximum: Decimal | None) -> None:
    """The row of `set_limits`, without anything that follows from it."""
    if buffer < 0 or minimum < 0 or (maximum is not None and maximum < minimum):
        raise BadInput(
            "these limits do not fit", place="buffer, minimum, maximum", value=f"{buffer}, {minimum}, {maximum}",
            cure="none below zero, and the maximum not below the minimum",
        )  # fmt: skip
    sql.execute(
        "UPDATE offers_sellingpoint SET buffer = %s, minimum = %s, maximum = %s WHERE id = %s",
        [buffer, minimum, maximum, point],
    )


def see(
    channel: int, kind: str, things: Sequence[Named], *, at: datetime, proposals: Mapping[str, str] | None = None
) -> None:
    """Remember what there is to map; `proposals` map those that nobody has mapped yet. A person's choice is kept, and so is
    the name of what is met again without one."""
    proposals = proposals or {}
    sql.execute(
        """
        INSERT INTO offers_mapping (channel_id, kind, external_id, name, ours, retry, changed_at)
        SELECT %(channel)s, %(kind)s, s.id, s.name, s.ours, false, %(at)s
        FROM unnest(%(ids)s::text[], %(names)s::text[], %(ours)s::text[]) AS s (id, name, ours)
        ON CONFLICT (channel_id, kind, external_id) DO UPDATE SET name = excluded.name
            WHERE excluded.name NOT IN ('', offers_mapping.name)
        """,
        {
            "channel": channel,
            "kind": kind,
            "at": at,
            "ids": [thing.external_id for thing in things],
            "names": [thing.name for thing in things],
            "ours": [proposals.get(thing.external_id, "") for thing in things],
        },
    )


def map_to(channel: int, kind: str, external_id: str, ours: str, *, at: datetime, actor: Actor, name: str = "") -> None:
    """Say what a channel's thing is here; an empty `ours` unmaps it."""
    sql.execute(
        "INSERT INTO offers_mapping (channel_id, kind, external_id, name, ours, retry, changed_at)"
        " VALUES (%s, %s, %s, %s, %s, false, %s) ON CONFLICT (channel_id, kind, external_id)"
        " DO UPDATE SET ours = excluded.ours, changed_at = excluded.changed_at",
        [channel, kind, external_id, name, ours, at],
    )
    record.record(
        "offers.mapping.changed", {"channel": channel, "kind": kind, "external_id": external_id, "ours": ours},
        actor=actor, at=at, subject=f"channel:{channel}",
    )  # fmt: skip
