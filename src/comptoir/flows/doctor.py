"""The mapping doctor: what does not fit between a channel's listings and what is here, each ranked by the sales at risk.

One statement a suspicion, over all listings or over those that a decision concerns; nothing here changes links or variants.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from comptoir.channels.models import Channel
from comptoir.kit import sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput
from comptoir.offers import prices
from comptoir.offers.models import Doubt

LATELY = timedelta(days=90)  # sales of so long say what is at risk
IN_STEP = 60  # seconds that clocks may differ before anybody needs to hear of it

#: What there is to doubt, in the order in which people read about it.
CODES: Final = (
    "same_sku",  #: two listings with one SKU
    "no_sku",  #: a listing without any
    "same_barcode",  #: two listings with one barcode that are not one variant
    "barcode_elsewhere",  #: SKU or link says A, barcode says B
    "second_listing",  #: it would be a variant that another listing is already
    "pack_suspected",  #: it seems to hold another number of units than ours
    "only_there",  #: nothing here matches it
    "only_here",  #: a variant that is not listed there
    "currency_differs",  #: its prices are in another currency than ours
    "clock_differs",  #: its clock is wrong
)

_FOUND = "doctor_found"
_COLUMNS = ("code", "subject", "listing", "variant", "label", "facts")
_TYPES = ("text", "text", "text", "bigint", "text", "jsonb")

# Each statement gives the columns above. %(scope)s null: every listing of the channel.
_HERE = "l.channel_id = %(channel)s AND (%(scope)s::text[] IS NULL OR l.external_id = ANY(%(scope)s::text[]))"
_LABEL = "concat_ws(' · ', nullif(l.sku, ''), l.name, nullif(l.options, ''))"

_SAME_SKU = f"""
WITH twice AS (
    SELECT lower(l.sku) AS folded, count(*) AS number, (array_agg(l.external_id ORDER BY l.id))[1:6] AS ids
    FROM offers_listed l WHERE {_HERE} AND l.sku <> '' AND l.decided = '' GROUP BY 1 HAVING count(*) > 1
)
SELECT 'same_sku', 'listing:' || l.external_id, l.external_id, l.variant_id, {_LABEL},
    jsonb_build_object('sku', l.sku, 'others', t.number - 1,
        'other', array_to_string((array_remove(t.ids, l.external_id))[1:5], ', '))
FROM twice t JOIN offers_listed l ON lower(l.sku) = t.folded WHERE {_HERE} AND l.decided = ''
"""
_NO_SKU = f"""
SELECT 'no_sku', 'listing:' || l.external_id, l.external_id, l.variant_id, {_LABEL},
    jsonb_build_object('listing', l.external_id)
FROM offers_listed l LEFT JOIN catalog_variant v ON v.id = l.variant_id
WHERE {_HERE} AND l.sku = '' AND l.decided = '' AND l.own_sku = '' AND (v.id IS NULL OR v.is_sku_generated)
"""
_SAME_BARCODE = f"""
WITH coded AS (
    SELECT l.id, l.external_id, code, coalesce('v' || l.variant_id, 'l' || l.external_id) AS thing
    FROM offers_listed l CROSS JOIN LATERAL unnest(l.barcodes) AS code WHERE {_HERE} AND l.decided <> 'apart'
), twice AS (
    SELECT code, (array_agg(external_id ORDER BY id))[1:6] AS ids FROM coded GROUP BY code
    HAVING count(*) > 1 AND count(DISTINCT thing) > 1
)
SELECT DISTINCT ON (l.id) 'same_barcode', 'listing:' || l.external_id, l.external_id, l.variant_id, {_LABEL},
    jsonb_build_object('barcode', t.code, 'other', array_to_string((array_remove(t.ids, l.external_id))[1:5], ', '))
FROM twice t JOIN coded c ON c.code = t.code JOIN offers_listed l ON l.id = c.id WHERE l.decided = '' ORDER BY l.id, t.code
"""
_BARCODE_ELSEWHERE = f"""
SELECT DISTINCT ON (l.id) 'barcode_elsewhere', 'listing:' || l.external_id, l.external_id, l.variant_id, {_LABEL},
    jsonb_build_object('barcode', b.code, 'ours', v.sku, 'other', o.sku, 'other_variant', o.id)
FROM offers_listed l
JOIN catalog_variant v ON v.id = l.variant_id
JOIN catalog_barcode b ON b.code = ANY(l.barcodes)
JOIN catalog_variant o ON o.id = b.variant_id
WHERE {_HERE} AND l.decided = '' AND coalesce(o.alias_of_id, o.id) <> coalesce(v.alias_of_id, v.id)
ORDER BY l.id, b.code
"""
_SECOND_LISTING = f"""
SELECT DISTINCT ON (l.id) 'second_listing', 'listing:' || l.external_id, l.external_id, l.variant_id, {_LABEL},
    jsonb_build_object('ours', v.sku, 'other', o.external_id)
FROM offers_listed l
JOIN catalog_variant v ON v.id = l.variant_id
JOIN offers_listed o ON o.channel_id = l.channel_id AND o.variant_id = l.variant_id AND o.id <> l.id
WHERE {_HERE} AND l.match = 'doubt' AND l.decided = '' AND (l.sku = '' OR lower(o.sku) <> lower(l.sku))
ORDER BY l.id, o.id
"""
# How many units a text speaks of: "pack of 6", "6er", "6-pack", "x6", "6 x"; not "10 x 20 cm". Looked for here: PostgreSQL
# takes thirty times as long for it.
_PIECES = re.compile(
    r"\b(?:pack|set|box|case|carton|lot|lote|caja|paquete|packung|karton|bo[iî]te)\s*(?:of|de|von|à|x)?\s*(\d{1,4})\b(?!\s*[x×])"
    r"|\b(\d{1,4})(?:er|\s?-?\s?pack|\s?pcs|\s?pieces|\s?pièces|\s?piezas|\s?stück|\s?stk|\s?st)\b"
    r"|(?<![\d.,])(?<![\d.,]\s)\b[x×](\d{1,4})\b(?!\s*(?:[x×]|[cm]?m\b|in\b))"
    r"|(?<![x×])(?<![x×]\s)\b(\d{1,4})\s?[x×](?!\s?\d)"
)
_TEXTS = f"""
SELECT l.id, lower(concat_ws(' ', l.sku, l.name, l.options)), lower(concat_ws(' ', v.sku, p.name, CASE WHEN v.options <> '{{}}'
    THEN (SELECT string_agg(value, ' ') FROM jsonb_each_text(v.options)) END))
FROM offers_listed l JOIN catalog_variant v ON v.id = l.variant_id JOIN catalog_product p ON p.id = v.product_id
WHERE {_HERE} AND l.decided = '' AND v.kind <> 'kit' AND (lower(l.name) <> lower(p.name) OR lower(l.sku) <> lower(v.sku))
"""
_PACK_SUSPECTED = f"""
WITH judged AS MATERIALIZED (
    SELECT l.*, v.sku AS our_sku, v.unit AS our_unit, v.product_id, price.amount AS our_price, price.name AS list_name,
        n.there, n.here, CASE WHEN price.amount > 0
            THEN greatest(price.amount, l.price) / least(price.amount, l.price) END AS ratio
    FROM offers_listed l JOIN catalog_variant v ON v.id = l.variant_id
    LEFT JOIN doctor_pieces n ON n.id = l.id
    LEFT JOIN LATERAL (
        SELECT c.amount, t.name FROM catalog_price c JOIN catalog_pricelist t ON t.id = c.price_list_id
        WHERE c.variant_id = l.variant_id AND t.currency = l.currency AND t.tax_included = l.tax_included
          AND NOT t.code = ANY(%(own_lists)s) ORDER BY t.id LIMIT 1
    ) price ON l.price > 0
    WHERE {_HERE} AND l.decided = '' AND v.kind <> 'kit'
), said AS (
    SELECT *, there IS NOT NULL AS by_words,
        coalesce(ratio BETWEEN 1.9 AND 100 AND abs(ratio - round(ratio)) <= least(0.03 * ratio, 0.15), false) AS by_price,
        unit <> our_unit AS by_unit
    FROM judged
)
SELECT 'pack_suspected', 'listing:' || l.external_id, l.external_id, l.variant_id, {_LABEL},
    jsonb_build_object('ours', l.our_sku) || CASE
        WHEN by_words THEN jsonb_build_object('why', 'words', 'there', there, 'here', here)
        WHEN by_price THEN jsonb_build_object('why', 'price', 'ratio', round(ratio)::text, 'price', trim_scale(l.price)::text,
            'our_price', trim_scale(l.our_price)::text, 'list', l.list_name, 'currency', l.currency)
        ELSE jsonb_build_object('why', 'unit', 'there', l.unit, 'here', l.our_unit) END
FROM said l WHERE by_words OR by_price OR by_unit
"""
# Where nothing is here yet, and new products come in, every listing is new: that is no suspicion. After the others: what is
# said of a listing already is not said twice.
_ONLY_THERE = f"""
SELECT 'only_there', 'listing:' || l.external_id, l.external_id, NULL, {_LABEL},
    jsonb_build_object('creates', c.creates_products, 'own_sku', l.own_sku)
FROM offers_listed l JOIN channels_channel c ON c.id = l.channel_id
WHERE {_HERE} AND l.match = 'none' AND (NOT c.creates_products OR (l.own_sku = '' AND EXISTS (SELECT FROM catalog_variant)))
  AND NOT EXISTS (SELECT FROM doctor_found f WHERE f.listing = l.external_id AND f.code IN ('no_sku', 'same_sku'))
"""
_ONLY_HERE = """
SELECT 'only_here', 'variant:' || v.id, '', v.id, concat_ws(' · ', v.sku, p.name), jsonb_build_object('sku', v.sku)
FROM catalog_variant v JOIN catalog_product p ON p.id = v.product_id
WHERE v.retired_at IS NULL AND v.enabled AND v.kind <> 'alias' AND (%(scope)s::text[] IS NULL OR v.id = ANY(%(touched)s))
  AND NOT EXISTS (SELECT FROM offers_listed l WHERE l.channel_id = %(channel)s AND l.variant_id = v.id)
  AND NOT EXISTS (SELECT FROM offers_link k WHERE k.channel_id = %(channel)s AND k.variant_id = v.id AND k.gone_at IS NULL)
  AND NOT EXISTS (SELECT FROM catalog_variant a JOIN offers_listed l ON l.variant_id = a.id
      WHERE a.alias_of_id = v.id AND l.channel_id = %(channel)s)
  AND EXISTS (SELECT FROM offers_listed l WHERE l.channel_id = %(channel)s)
"""
# By the price list of a selling point; where none is chosen, by the lists that price what it matches.
_CURRENCY = """
WITH theirs AS (
    SELECT currency, count(*) AS number FROM offers_listed WHERE channel_id = %(channel)s AND currency <> '' GROUP BY currency
), chosen AS (
    SELECT p.id, p.name, t.currency FROM offers_sellingpoint p JOIN catalog_pricelist t ON t.id = p.price_list_id
    WHERE p.channel_id = %(channel)s
), priced AS (
    SELECT DISTINCT t.currency FROM catalog_pricelist t WHERE NOT t.code = ANY(%(own_lists)s) AND EXISTS (
        SELECT FROM catalog_price c JOIN offers_listed l ON l.variant_id = c.variant_id AND l.channel_id = %(channel)s
        WHERE c.price_list_id = t.id)
)
SELECT 'currency_differs', 'point:' || c.id || ':' || t.currency, '', NULL::bigint, c.name,
    jsonb_build_object('theirs', t.currency, 'ours', c.currency, 'listings', t.number, 'point', c.name)
FROM theirs t JOIN chosen c ON c.currency <> t.currency
UNION ALL
SELECT 'currency_differs', 'currency:' || t.currency, '', NULL::bigint, t.currency,
    jsonb_build_object('theirs', t.currency, 'listings', t.number,
        'ours', (SELECT string_agg(currency, ', ' ORDER BY currency) FROM priced))
FROM theirs t WHERE NOT EXISTS (SELECT FROM chosen) AND EXISTS (SELECT FROM priced)
  AND t.currency NOT IN (SELECT currency FROM priced)
"""
_CLOCK = f"""
SELECT 'clock_differs', 'clock', '', NULL::bigint, c.name, jsonb_build_object('seconds', round((s.content->>'clock_skew')::numeric))
FROM channels_seen s JOIN channels_channel c ON c.id = s.channel_id
WHERE c.id = %(channel)s AND abs(coalesce((s.content->>'clock_skew')::numeric, 0)) > {IN_STEP}
"""

_OF_LISTINGS = (
    _SAME_SKU,
    _NO_SKU,
    _SAME_BARCODE,
    _BARCODE_ELSEWHERE,
    _SECOND_LISTING,
    _PACK_SUSPECTED,
    _ONLY_THERE,
    _ONLY_HERE,
)
_OF_THE_CHANNEL = (_CURRENCY, _CLOCK)  # no decision about a listing changes these

# What was sold there lately, by listing: lines of orders, and of sales that are none yet; in the shop's own currency, as
# each sale states its rate. Else what is on hand of the variant, at its cost.
_SOLD = """
SELECT listing, sum(quantity) AS units, sum(amount) AS turnover FROM (
    SELECT n.listing, n.quantity, n.total / coalesce(nullif(o.rate, 0), 1) AS amount
    FROM orders_order o JOIN orders_line n ON n.order_id = o.id
    WHERE o.channel = %(channel)s AND o.placed_at >= %(since)s AND o.status <> 'cancelled' AND n.listing <> ''
      AND n.parent_id IS NULL
    UNION ALL
    SELECT line->>'listing', (line->>'quantity')::numeric,
        (line->>'total')::numeric / coalesce(nullif((s.sale->>'rate')::numeric, 0), 1)
    FROM staging_stagedsale s CROSS JOIN LATERAL jsonb_array_elements(s.sale->'lines') AS line
    WHERE s.channel_id = %(channel)s AND s."order" IS NULL AND s.placed_at >= %(since)s AND s.state IN ('ready', 'retry', 'repair')
      AND coalesce(line->>'listing', '') <> ''
) said GROUP BY listing
"""
_RANK = f"""
CREATE TEMPORARY TABLE doctor_ranked ON COMMIT DROP AS
WITH sold AS MATERIALIZED ({_SOLD}), stock AS (
    SELECT v.id, sum(e.on_hand) AS units,
        sum(e.on_hand) * coalesce(v.cost, (SELECT min(c.amount) FROM catalog_price c WHERE c.variant_id = v.id), 0) AS worth
    FROM (SELECT DISTINCT variant FROM doctor_found WHERE variant IS NOT NULL) f
    JOIN catalog_variant v ON v.id = f.variant
    JOIN inventory_level e ON e.variant_id = coalesce(v.alias_of_id, v.id) AND e.on_hand > 0
    GROUP BY v.id
), everything AS (SELECT sum(units) AS units, sum(turnover) AS turnover FROM sold)
SELECT f.code, f.subject, f.listing, f.variant, left(f.label, 255) AS label, f.facts,
    CASE WHEN coalesce(s.turnover, a.turnover, 0) > 0 THEN 2 WHEN k.worth > 0 THEN 1 ELSE 0 END AS basis,
    CASE WHEN coalesce(s.turnover, a.turnover, 0) > 0 THEN coalesce(s.units, a.units) ELSE coalesce(k.units, 0) END AS units,
    round(CASE WHEN coalesce(s.turnover, a.turnover, 0) > 0 THEN coalesce(s.turnover, a.turnover)
        ELSE coalesce(k.worth, 0) END, 2) AS risk
FROM doctor_found f
LEFT JOIN sold s ON s.listing = f.listing AND f.listing <> ''
LEFT JOIN everything a ON f.code IN ('currency_differs', 'clock_differs')
LEFT JOIN stock k ON k.id = f.variant
"""
_FORGET = """
DELETE FROM offers_doubt d WHERE d.channel_id = %(channel)s AND d.ignored_at IS NULL
  AND (%(scope)s::text[] IS NULL OR (d.listing <> '' AND d.listing = ANY(%(scope)s::text[]))
       OR (d.code = 'only_here' AND d.variant_id = ANY(%(touched)s)))
  AND NOT EXISTS (SELECT FROM doctor_ranked r WHERE r.code = d.code AND r.subject = d.subject)
"""
_REMEMBER = """
INSERT INTO offers_doubt AS d (channel_id, code, subject, listing, variant_id, label, facts, basis, units, risk, found_at,
    ignored_by, ignored_note)
SELECT %(channel)s, code, left(subject, 160), listing, variant, label, facts, basis, units, risk, %(at)s, '', ''
FROM doctor_ranked ORDER BY code, subject
ON CONFLICT (channel_id, code, subject) DO UPDATE SET variant_id = excluded.variant_id, label = excluded.label,
    facts = excluded.facts, basis = excluded.basis, units = excluded.units, risk = excluded.risk
WHERE (d.variant_id, d.label, d.facts, d.basis, d.units, d.risk) IS DISTINCT FROM
    (excluded.variant_id, excluded.label, excluded.facts, excluded.basis, excluded.units, excluded.risk)
"""


def look(channel: int, *, at: datetime, scope: Sequence[str] | None = None, touched: Sequence[int] = ()) -> None:
    """Find what does not fit, of all listings or of those in `scope` and the variants `touched`. What is no longer so is
    forgotten; what a person ignored stays so."""
    [code] = [row[0] for row in sql.rows("SELECT code FROM channels_channel WHERE id = %s", [channel])]
    currencies = [
        row[0] for row in sql.rows("SELECT DISTINCT currency FROM offers_listed WHERE channel_id = %s", [channel])
    ]
    params: dict[str, Any] = {
        "channel": channel,
        "scope": None if scope is None else list(scope),
        "touched": list(touched),
        "since": at - LATELY,
        "at": at,
        "own_lists": [prices.own_list(code, one, tax_included=taxed) for one in currencies for taxed in (False, True)],
    }
    sql.load(_FOUND, _COLUMNS, (), types=_TYPES)
    sql.load(
        "doctor_pieces", ("id", "there", "here"), list(_speaking_of_others(params)), types=("bigint", "text", "text")
    )
    for statement in (*_OF_LISTINGS, *(_OF_THE_CHANNEL if scope is None else ())):
        sql.execute(f"INSERT INTO {_FOUND} {statement}", params)
    sql.analyze(_FOUND)
    sql.execute("DROP TABLE IF EXISTS pg_temp.doctor_ranked")
    sql.execute(_RANK, params)
    sql.execute(_FORGET, params)
    sql.execute(_REMEMBER, params)


def _speaking_of_others(params: dict[str, Any]) -> Iterator[tuple[int, str, str]]:
    """Listings whose words speak of another number of pieces than ours, with both."""
    for listing, theirs, ours in sql.rows(_TEXTS, params):
        there, here = _pieces(theirs), _pieces(ours)
        if there != here:
            yield listing, str(there), str(here)


def _pieces(text: str) -> int:
    found = _PIECES.search(text)
    return int(next(filter(None, found.groups()))) if found else 1


def counts(channel: int, *, most: int) -> dict[str, int]:
    """How many there are to look at, by code; none of those that are ignored. Of each, counting stops at `most`."""
    found = sql.rows(
        "SELECT code, (SELECT count(*) FROM (SELECT FROM offers_doubt WHERE channel_id = %s AND code = kind.code"
        " AND ignored_at IS NULL LIMIT %s) AS met) FROM unnest(%s::text[]) WITH ORDINALITY AS kind (code, place) ORDER BY place",
        [channel, most, list(CODES)],
    )
    return {code: number for code, number in found if number}


def ignore(channel: Channel, doubt: int, note: str, *, actor: Actor, at: datetime) -> None:
    """A person looked and says why it may stay as it is. It stays findable."""
    if not note.strip():
        raise BadInput("say why it may stay as it is", place="reason", value="", cure="a few words")
    Doubt.objects.filter(channel=channel, pk=doubt, ignored_at__isnull=True).update(
        ignored_at=at, ignored_by=actor.label[:120], ignored_note=note.strip()[:255]
    )


def heed(channel: Channel, doubt: int) -> None:
    """Put it among those to look at again."""
    Doubt.objects.filter(channel=channel, pk=doubt).update(ignored_at=None, ignored_by="", ignored_note="")
