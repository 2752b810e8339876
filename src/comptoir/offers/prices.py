"""Base prices out: which offers wait to have theirs told, what it is in the channel's terms, and what was told.

Only points whose prices the hub owns take part. A price is compared with what stands at the channel before it is written, so
what was told is for people to read, and never a reason to write or not to write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from comptoir.channels.records import Answer, Fate, Price, PriceFigure
from comptoir.events import record
from comptoir.kit import sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput
from comptoir.offers.actions import AFTER_REFUSAL, AFTER_SILENCE

SIX = Decimal("0.000001")
HUNDRED = Decimal(100)
LARGEST_RATE = Decimal(10) ** 9

#: Past tense: who owns prices at a point, by which list and rate. Facts: point, channel, before, after.
RULED = "offers.prices.ruled"


# -- what an offer costs in the channel's terms ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """A waiting offer and its price in the point's list. `amount` None: the list has none, so nothing is told."""

    offer: int
    listing: str
    point: str
    variant: int
    sku: str
    told: Decimal | None
    touched: int
    refusals: int
    amount: Decimal | None
    currency: str
    tax_included: bool
    rate: Decimal | None
    rate_from: str
    rate_to: str
    most_share: int
    most_change: int


class RateMissing(BadInput):
    """A price cannot be said in another currency: no rate is stated for the two. Facts: `from`, `to`."""


class TaxRateMissing(BadInput):
    """A price cannot be said with, or without, tax: no rate is stated. Facts: `tax` (the channel's class)."""


def rate_subject(wanted: Wanted, there: PriceFigure) -> str:
    """What a finding about a missing rate is about."""
    return f"rate:{wanted.currency}-{there.currency}@{wanted.point}"


def tax_subject(there: PriceFigure) -> str:
    """What a finding about a missing tax rate is about."""
    return f"tax:{there.tax_class}"


def convert(wanted: Wanted, there: PriceFigure, tax_rates: Mapping[str, Decimal]) -> Decimal:
    """The price of a list in the terms of the price that stands there: another currency only at the rate stated for the two,
    with or without tax only at a stated rate, that of a person before that of the channel."""
    if wanted.amount is None:
        raise ValueError("an offer without a price")
    amount = wanted.amount
    if wanted.currency != there.currency:
        if wanted.rate is None or (wanted.rate_from, wanted.rate_to) != (wanted.currency, there.currency):
            pair = {"from": wanted.currency, "to": there.currency}
            raise RateMissing(f"no rate is stated from {wanted.currency} to {there.currency}", **pair)
        amount *= wanted.rate
    if wanted.tax_included != there.tax_included:
        tax = tax_rates.get(there.tax_class, there.tax_rate)
        if tax is None:
            raise TaxRateMissing(f"no rate is stated for tax class {there.tax_class}", tax=there.tax_class)
        factor = 1 + tax / HUNDRED
        amount = amount / factor if wanted.tax_included else amount * factor
    return amount.quantize(SIX, ROUND_HALF_UP)


def is_zeroed(before: Decimal, after: Decimal) -> bool:
    """Whether something that had a price would be given away."""
    return after == 0 and before != 0


def is_much(before: Decimal, after: Decimal, percent: int) -> bool:
    """Whether a change is larger than so many percent; a price where there was none is."""
    return before <= 0 or abs(after - before) * HUNDRED > before * percent


def own_list(channel: str, currency: str, *, tax_included: bool) -> str:
    """The code of the list that keeps what the channel of this code shows, by currency and tax habit."""
    return f"{channel}-{currency.lower()}{'-incl' if tax_included else ''}"[:40]


# -- waiting ---------------------------------------------------------------------------------------------------------------

#: Offers that have prices of ours: at points whose prices the hub owns, listed there. Packs and services, too.
_OURS = """
offers_offer o JOIN offers_sellingpoint p ON p.id = o.point_id AND NOT p.owns_price AND p.price_list_id IS NOT NULL
JOIN offers_link l ON l.channel_id = p.channel_id AND l.kind = 'listing' AND l.external_id = o.listing AND l.gone_at IS NULL
"""
# Rows are made when there is first something to tell.
_MARK = """
INSERT INTO offers_offerprice AS w (offer_id, point_id, currency, tax_included, is_waiting, waiting_since, touched, refusals, is_aside)
SELECT o.id, o.point_id, '', false, true, %(at)s, 0, 0, false FROM {ours} WHERE {which} ORDER BY o.id
ON CONFLICT (offer_id) DO UPDATE SET
    is_waiting = true, waiting_since = CASE WHEN w.is_waiting THEN w.waiting_since ELSE excluded.waiting_since END,
    touched = w.touched + 1, not_before = NULL, is_aside = false, told = {told}
"""


def mark_variants(variants: Collection[int], *, at: datetime) -> list[int]:
    """Prices of these changed: wherever the hub owns prices they wait. The channels concerned."""
    if not variants:
        return []
    channels = sql.rows(
        f"SELECT DISTINCT p.channel_id FROM {_OURS} WHERE o.variant_id = ANY(%s) ORDER BY 1", [sorted(variants)]
    )
    if channels:
        sql.execute(
            _MARK.format(ours=_OURS, which="o.variant_id = ANY(%(variants)s)", told="w.told"),
            {"variants": sorted(variants), "at": at},
        )
    return [row[0] for row in channels]


def mark_point(point: int, *, at: datetime) -> int:
    """Every price of a point waits: its list or its rules changed."""
    return sql.execute(
        _MARK.format(ours=_OURS, which="o.point_id = %(point)s", told="w.told"), {"point": point, "at": at}
    )


def forget_told(channel: int, listings: Collection[str] | None = None, *, at: datetime) -> int:
    """What was told of these listings (all of the channel where None) is not believed any more, and compared again."""
    return sql.execute(
        _MARK.format(
            ours=_OURS,
            which="p.channel_id = %(channel)s AND (%(listings)s::text[] IS NULL OR o.listing = ANY(%(listings)s))",
            told="NULL",
        ),
        {"channel": channel, "listings": None if listings is None else sorted(listings), "at": at},
    )


def gather(channel: int, *, at: datetime) -> int:
    """Listings that were linked since prices were last looked at wait, too."""
    return sql.execute(
        _MARK.format(
            ours=_OURS,
            which="p.channel_id = %(channel)s AND NOT EXISTS (SELECT FROM offers_offerprice k WHERE k.offer_id = o.id)",
            told="w.told",
        ),
        {"channel": channel, "at": at},
    )


def seen(channel: int, prices: Mapping[str, Price], *, at: datetime) -> None:
    """What a reading of products showed. Where the hub owns prices, one that we did not tell waits to be compared."""
    if not prices or not lists_told(channel):
        return
    sql.execute(
        f"""
        INSERT INTO offers_offerprice AS w (offer_id, point_id, there, there_at, currency, tax_included, is_waiting,
            waiting_since, touched, refusals, is_aside)
        SELECT o.id, o.point_id, s.amount, %(at)s, s.currency, s.taxed, true, %(at)s, 0, 0, false
        FROM {_OURS} JOIN unnest(%(listings)s::text[], %(amounts)s::numeric[], %(currencies)s::text[], %(taxed)s::bool[])
            AS s (listing, amount, currency, taxed) ON s.listing = o.listing
        WHERE p.channel_id = %(channel)s ORDER BY o.id
        ON CONFLICT (offer_id) DO UPDATE SET
            there = excluded.there, there_at = excluded.there_at,
            currency = excluded.currency, tax_included = excluded.tax_included,
            is_waiting = w.is_waiting OR w.told IS DISTINCT FROM excluded.there,
            waiting_since = coalesce(w.waiting_since, CASE WHEN w.told IS DISTINCT FROM excluded.there THEN %(at)s END),
            touched = w.touched + CASE WHEN w.told IS DISTINCT FROM excluded.there THEN 1 ELSE 0 END,
            told = CASE WHEN w.told = excluded.there THEN w.told END
        """,
        {
            "channel": channel,
            "at": at,
            "listings": list(prices),
            "amounts": [one.amount for one in prices.values()],
            "currencies": [one.currency for one in prices.values()],
            "taxed": [one.tax_included for one in prices.values()],
        },
    )


def lists_told(channel: int) -> frozenset[int]:
    """The price lists that the hub owns and tells to a channel."""
    return frozenset(
        row[0]
        for row in sql.rows(
            "SELECT DISTINCT price_list_id FROM offers_sellingpoint WHERE channel_id = %s AND NOT owns_price"
            " AND price_list_id IS NOT NULL",
            [channel],
        )
    )


_WAITING = """
FROM offers_sellingpoint p
JOIN offers_offerprice w ON w.point_id = p.id AND w.is_waiting AND (%(later)s OR w.not_before IS NULL OR w.not_before <= %(at)s)
JOIN offers_offer o ON o.id = w.offer_id
JOIN offers_link l ON l.channel_id = p.channel_id AND l.kind = 'listing' AND l.external_id = o.listing AND l.gone_at IS NULL
WHERE NOT p.owns_price AND p.price_list_id IS NOT NULL
"""


def waiting_ids(channel: int, *, after: int, size: int, at: datetime, put_off_too: bool = False) -> list[int]:
    """Offers of a channel whose price waits to be told, by id; `put_off_too`: also those whose time has not come."""
    return [
        row[0]
        for row in sql.rows(
            f"SELECT o.id {_WAITING} AND p.channel_id = %(channel)s AND o.id > %(after)s ORDER BY o.id LIMIT %(size)s",
            {"channel": channel, "after": after, "size": size, "at": at, "later": put_off_too},
        )
    ]


def channels_waiting(channels: Sequence[int], at: datetime) -> set[int]:
    """Which of these channels have a price to tell."""
    return {
        row[0]
        for row in sql.rows(
            f"SELECT c FROM unnest(%(channels)s::bigint[]) c WHERE EXISTS (SELECT {_WAITING} AND p.channel_id = c)",
            {"channels": list(channels), "at": at, "later": False},
        )
    }


_WANTED = """
SELECT o.id, o.listing, p.external_id, o.variant_id, v.sku, w.told, w.touched, w.refusals, price.amount, list.currency,
       list.tax_included, p.price_rate, p.price_rate_from, p.price_rate_to, p.price_most_share, p.price_most_change
FROM offers_offerprice w
JOIN offers_offer o ON o.id = w.offer_id
JOIN offers_sellingpoint p ON p.id = o.point_id
JOIN catalog_pricelist list ON list.id = p.price_list_id
JOIN catalog_variant v ON v.id = o.variant_id
LEFT JOIN catalog_price price ON price.price_list_id = list.id AND price.variant_id = o.variant_id
WHERE o.id = ANY(%(offers)s) AND NOT p.owns_price ORDER BY o.id
"""


def wanted(offers: Sequence[int]) -> list[Wanted]:
    """What each of these offers costs in its point's list, at this moment, by id."""
    return [Wanted(*row) for row in sql.rows(_WANTED, {"offers": list(offers)})]


def tax_rates(channel: int) -> dict[str, Decimal]:
    """The tax rates that a person has stated for the channel's tax classes, in percent."""
    rows = sql.rows(
        "SELECT external_id, ours FROM offers_mapping WHERE channel_id = %s AND kind = 'tax' AND ours <> ''", [channel]
    )
    return {key: Decimal(text) for key, text in rows}


def count(channel: int) -> int:
    """How many prices of a channel are ours."""
    return int(
        sql.value(
            "SELECT count(*) FROM offers_offerprice w JOIN offers_sellingpoint p ON p.id = w.point_id"
            " WHERE p.channel_id = %s AND NOT p.owns_price",
            [channel],
        )
    )


# -- told ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """A price that stands there and is to be another one."""

    offer: int
    listing: str
    point: str
    variant: int
    sku: str
    touched: int
    refusals: int
    before: Decimal
    after: Decimal
    currency: str
    tax_included: bool


def settle(run: int, same: Sequence[tuple[Wanted, PriceFigure]], *, at: datetime) -> None:
    """These stand there just as we would tell them."""
    sql.execute(
        f"{_DUE} UPDATE offers_offerprice w SET told = s.amount, told_at = coalesce(w.told_at, %(at)s),"
        " told_run = coalesce(w.told_run, %(run)s), there = s.amount, there_at = %(at)s, currency = s.currency,"
        " tax_included = s.taxed, is_waiting = false, waiting_since = NULL, refusals = 0, is_aside = false"
        f" {_FROM} AND w.touched = s.touched",
        {
            "at": at,
            "run": run,
            "ids": [one.offer for one, _ in same],
            "touched": [one.touched for one, _ in same],
            "amounts": [figure.amount for _, figure in same],
            "currencies": [figure.currency for _, figure in same],
            "taxed": [figure.tax_included for _, figure in same],
        },
    )


# Rows are locked by id, so that a push, a mark and a reading never wait for each other in a circle.
_DUE = "WITH due AS (SELECT offer_id FROM offers_offerprice WHERE offer_id = ANY(%(ids)s) ORDER BY offer_id FOR UPDATE)"
_FROM = """
FROM unnest(%(ids)s::bigint[], %(touched)s::bigint[], %(amounts)s::numeric[], %(currencies)s::text[], %(taxed)s::bool[])
    AS s (id, touched, amount, currency, taxed)
JOIN due ON due.offer_id = s.id WHERE w.offer_id = s.id
"""


def without_price(offers: Sequence[Wanted]) -> None:
    """Their list has no price for them: nothing is told, until it has."""
    sql.execute(
        "UPDATE offers_offerprice w SET is_waiting = false, waiting_since = NULL, is_aside = false"
        " FROM unnest(%s::bigint[], %s::bigint[]) AS s (id, touched) WHERE w.offer_id = s.id AND w.touched = s.touched",
        [[one.offer for one in offers], [one.touched for one in offers]],
    )


def put_off(offers: Sequence[int], *, until: datetime, aside: bool = False) -> None:
    """These wait: for a rule that somebody must state, or (`aside`) for a person to look at them."""
    sql.execute(
        "UPDATE offers_offerprice SET not_before = %s, is_aside = %s WHERE offer_id = ANY(%s)",
        [until, aside, list(offers)],
    )


def take(changes: Sequence[Change]) -> list[Change]:
    """Those that are still to be told, now that it is their turn. They are *unknown* from here on, so that a worker killed
    between the call and its record leaves no belief behind."""
    still = {
        row[0]
        for row in sql.rows(
            "WITH due AS (SELECT w.offer_id, w.touched FROM offers_offerprice w"
            "  JOIN offers_sellingpoint p ON p.id = w.point_id AND NOT p.owns_price"
            "  WHERE w.offer_id = ANY(%s) AND w.is_waiting ORDER BY w.offer_id FOR UPDATE OF w)"
            " UPDATE offers_offerprice w SET told = NULL FROM unnest(%s::bigint[], %s::bigint[]) AS s (id, touched)"
            " JOIN due ON due.offer_id = s.id AND due.touched = s.touched WHERE w.offer_id = s.id RETURNING s.id",
            [[one.offer for one in changes], [one.offer for one in changes], [one.touched for one in changes]],
        )
    }
    return [one for one in changes if one.offer in still]


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a batch."""

    done: int
    refused: list[tuple[Change, str]]
    unsure: int  # lost answers: they stay waiting, and the channel is asked before anything is written again


def told(run: int, batch: Sequence[Change], answers: Sequence[Answer], *, at: datetime) -> Told:
    """Record the answers of a batch. What was touched since it was taken stays waiting, and is not believed."""
    by_offer = {answer.item: answer for answer in answers}
    if missing := [one.offer for one in batch if one.offer not in by_offer]:
        raise BadInput(
            "a connector left prices without an answer", place="set_prices", value=missing[:5], cure="answer each item"
        )
    done = [one for one in batch if by_offer[one.offer].fate is Fate.DONE]
    refused = [one for one in batch if by_offer[one.offer].fate is Fate.REFUSED]
    unsure = [one for one in batch if by_offer[one.offer].fate not in (Fate.DONE, Fate.REFUSED)]
    sql.execute(
        f"{_DUE} UPDATE offers_offerprice w SET told = CASE WHEN w.touched = s.touched THEN s.amount END, told_at = %(at)s,"
        " told_run = %(run)s, there = s.amount, there_at = %(at)s, currency = s.currency, tax_included = s.taxed,"
        " is_waiting = w.touched <> s.touched, refusals = 0, is_aside = false,"
        f" waiting_since = CASE WHEN w.touched <> s.touched THEN w.waiting_since END {_FROM}",
        {
            "at": at,
            "run": run,
            "ids": [one.offer for one in done],
            "touched": [one.touched for one in done],
            "amounts": [one.after for one in done],
            "currencies": [one.currency for one in done],
            "taxed": [one.tax_included for one in done],
        },
    )
    for failed, waits in ((refused, AFTER_REFUSAL), (unsure, AFTER_SILENCE)):
        failures([one.offer for one in failed], waits, at=at)
    return Told(len(done), [(one, by_offer[one.offer].reason) for one in refused], len(unsure))


def failures(offers: Sequence[int], waits: Sequence[timedelta] = AFTER_REFUSAL, *, at: datetime) -> None:
    """These were not told: each time in a row they wait longer."""
    if offers:
        sql.execute(
            "UPDATE offers_offerprice SET refusals = least(refusals + 1, 100), not_before = %(at)s::timestamptz"
            " + (%(waits)s::interval[])[least(refusals + 1, %(most)s)] WHERE offer_id = ANY(%(ids)s)",
            {"at": at, "waits": list(waits), "most": len(waits), "ids": list(offers)},
        )


# -- rules -----------------------------------------------------------------------------------------------------------------


def set_rules(
    point: int,
    *,
    owns_price: bool,
    price_list: int | None,
    rate: Decimal | None,
    most_share: int,
    most_change: int,
    at: datetime,
    actor: Actor,
) -> bool:
    """Say who owns prices at a point, which list is told there, at which rate where currencies differ, and when a push waits
    for a person. Every price there is compared anew. Whether something changed."""
    found = sql.one(
        "SELECT p.channel_id, c.currency, p.owns_price, p.price_list_id, p.price_rate, p.price_rate_from, p.price_rate_to,"
        " p.price_most_share, p.price_most_change FROM offers_sellingpoint p JOIN channels_channel c ON c.id = p.channel_id"
        " WHERE p.id = %s FOR UPDATE OF p",
        [point],
    )
    if found is None:
        raise BadInput("there is no such selling point", place="point", value=str(point), cure="choose another")
    channel, currency, *before = found
    list_currency = sql.value("SELECT currency FROM catalog_pricelist WHERE id = %s", [price_list])
    if not owns_price and list_currency is None:
        raise BadInput(
            "a price list is missing", place="price_list", value="", cure="choose the list that is told there"
        )
    if rate is not None and (not rate.is_finite() or not 0 < rate < LARGEST_RATE):
        raise BadInput("a rate is above zero", place="rate", value=str(rate), cure="1.0834")
    for name, percent in (("most_share", most_share), ("most_change", most_change)):
        if not 1 <= percent <= 1000:
            raise BadInput("this is no percentage", place=name, value=str(percent), cure="1 to 1000")
    if list_currency == currency:
        rate = None  # nothing to convert: a rate would only wait to be wrong
    pair = (list_currency, currency) if rate is not None else ("", "")
    after = [
        owns_price, price_list, None if rate is None else rate.quantize(Decimal("0.0000000001")), *pair, most_share,
        most_change,
    ]  # fmt: skip
    if after == before:
        return False
    sql.execute(
        "UPDATE offers_sellingpoint SET owns_price = %s, price_list_id = %s, price_rate = %s, price_rate_from = %s,"
        " price_rate_to = %s, price_most_share = %s, price_most_change = %s WHERE id = %s",
        [*after, point],
    )
    names = ("owns_price", "price_list", "rate", "rate_from", "rate_to", "most_share", "most_change")
    facts = {
        "point": point,
        "channel": channel,
        "before": dict(zip(names, map(_plain, before), strict=True)),
        "after": dict(zip(names, map(_plain, after), strict=True)),
    }
    mark_point(point, at=at)
    record.record(RULED, facts, actor=actor, at=at, subject=f"point:{point}")
    return True


def hold(point: int, *, until: datetime) -> int:
    """Whatever waits at a point waits for a person to look at it; how many."""
    return sql.execute(
        "UPDATE offers_offerprice SET is_aside = true, not_before = %s WHERE point_id = %s AND is_waiting",
        [until, point],
    )


def approve(channel: int, *, until: datetime) -> None:
    """A person has looked: changes that seemed too large are told, for a while."""
    sql.execute(
        "UPDATE offers_sellingpoint SET approved_prices_until = %s WHERE channel_id = %s AND NOT owns_price",
        [until, channel],
    )
    sql.execute(
        "UPDATE offers_offerprice SET not_before = NULL, is_aside = false WHERE is_aside AND point_id IN"
        " (SELECT id FROM offers_sellingpoint WHERE channel_id = %s)",
        [channel],
    )


def is_approved(channel: int, *, at: datetime) -> bool:
    """Whether a person lets large changes through at this moment."""
    return bool(
        sql.value(
            "SELECT EXISTS (SELECT FROM offers_sellingpoint WHERE channel_id = %s AND approved_prices_until > %s)",
            [channel, at],
        )
    )


def are_aside(channel: int) -> bool:
    """Whether prices of a channel still wait for a person."""
    return bool(
        sql.value(
            "SELECT EXISTS (SELECT FROM offers_offerprice w JOIN offers_sellingpoint p ON p.id = w.point_id"
            " WHERE p.channel_id = %s AND w.is_waiting AND w.is_aside)",
            [channel],
        )
    )


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


# -- for pages -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExplainedPrice:
    """What one channel is told that a variant costs, and where that comes from."""

    channel: int
    channel_name: str
    channel_code: str
    point_name: str
    offer: int
    listing: str
    owns_price: bool  # the channel does
    list_name: str | None
    amount: Decimal | None  # in the list
    list_currency: str | None
    list_tax_included: bool | None
    told: Decimal | None
    told_at: datetime | None
    told_run: int | None
    there: Decimal | None
    there_at: datetime | None
    currency: str
    tax_included: bool
    is_waiting: bool
    is_aside: bool


def explain(variant: int) -> list[ExplainedPrice]:
    """For each offer of a variant: who owns its price, what it is in our list, what was told and what stood there."""
    return [
        ExplainedPrice(*row)
        for row in sql.rows(
            "SELECT c.id, c.name, c.code, p.name, o.id, o.listing, p.owns_price, list.name, price.amount, list.currency,"
            " list.tax_included, w.told, w.told_at, w.told_run, w.there, w.there_at, coalesce(w.currency, ''),"
            " coalesce(w.tax_included, false), coalesce(w.is_waiting, NOT p.owns_price AND list.id IS NOT NULL),"
            " coalesce(w.is_aside, false)"
            " FROM offers_offer o JOIN offers_sellingpoint p ON p.id = o.point_id"
            " JOIN channels_channel c ON c.id = p.channel_id AND c.archived_at IS NULL"
            " JOIN offers_link l ON l.channel_id = c.id AND l.kind = 'listing' AND l.external_id = o.listing"
            "  AND l.gone_at IS NULL"
            " LEFT JOIN offers_offerprice w ON w.offer_id = o.id AND NOT p.owns_price"
            " LEFT JOIN catalog_pricelist list ON list.id = p.price_list_id"
            " LEFT JOIN catalog_price price ON price.price_list_id = list.id AND price.variant_id = o.variant_id"
            " WHERE o.variant_id = %s ORDER BY c.id, p.id, o.id",
            [variant],
        )
    ]
