"""What a channel's listings are here: read without putting anything into the catalogue, matched by link, SKU, then barcode,
and decided by people one by one or by a file. Products that come in later follow what was decided here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from comptoir.channels.channel import OpenChannel
from comptoir.channels.models import Channel
from comptoir.channels.records import Listing, Product
from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.catalog import queries as variants
from comptoir.commerce.inventory import actions as inventory
from comptoir.engine import findings
from comptoir.engine.flow import IN, flow
from comptoir.engine.models import Severity
from comptoir.engine.runs import RunContext
from comptoir.events import record
from comptoir.feeds import tables
from comptoir.flows import doctor, reporting
from comptoir.kit import ids, sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput
from comptoir.kit.money import quantity as exact_quantity
from comptoir.offers import actions as offers
from comptoir.offers import queries as offered
from comptoir.offers.models import Listed, Match
from comptoir.staging import actions as staging
from comptoir.staging.actions import Staged

KIND = "match_products"
#: What the products flow said of a listing that a person has decided about since.
SETTLED = ("duplicate_sku", "barcode_taken", "sku_differs")
LEFT_OUT = "listings_left_out"


@flow(KIND, direction=IN, title=gettext_lazy("Products, to be matched"), needs=("products",))
def match_products(run: RunContext, channel: OpenChannel | None) -> None:
    """Read every product of a channel and say what each listing would be here. By hand only; the catalogue stays as it is."""
    assert channel is not None  # noqa: S101 - the engine opens it for IN and OUT
    if run.state.get("is_complete") is not True:
        for page in channel.client.products.everything(run.state.get("place", {})):
            if page.total is not None:
                run.expect(page.total)
            with run.checkpoint(state={**run.state, "place": page.cursor}):
                reporting.count_unread(run, page, (product.external_id for product in page.items))
                reporting.report_odd(run, channel.row, page.odd, _read(page.items), reporting.PRODUCT_CODES)
                keep(run, channel.ref, page.items)
        with run.checkpoint(state={**run.state, "is_complete": True}):
            # What a complete reading no longer shows is not there, unless it was seen by another flow meanwhile.
            sql.execute(
                "DELETE FROM offers_listed WHERE channel_id = %s AND read_run IS DISTINCT FROM %s"
                " AND read_at < (SELECT started_at FROM engine_run WHERE id = %s)",
                [channel.ref, run.id, run.id],
            )
    with run.phase("matching"), run.checkpoint():
        examine(channel.ref, at=run.at)


def _read(products: Sequence[Product]) -> list[str]:
    return [f"product:{one.external_id}" for one in products] + [
        f"listing:{one.external_id}" for product in products for one in product.listings
    ]


# -- what is there ---------------------------------------------------------------------------------------------------


def is_kept(channel: int) -> bool:
    """Whether this channel's listings have been read for matching: from then on every reading of products keeps them."""
    return bool(sql.value("SELECT EXISTS (SELECT FROM offers_listed WHERE channel_id = %s)", [channel]))


def keep(run: RunContext, channel: int, products: Sequence[Product], *, counted: bool = True) -> None:
    """Keep a page of products as they are there; what has not changed is only seen again."""
    by_id = {product.external_id: product for product in products}
    prints = {key: ids.fingerprint(msgspec.json.encode(product)) for key, product in by_id.items()}
    known: dict[str, str] = dict(
        sql.rows(
            "SELECT page, min(fingerprint) FROM offers_listed WHERE channel_id = %s AND page = ANY(%s) GROUP BY page",
            [channel, sorted(by_id)],
        )
    )
    same = [key for key in by_id if known.get(key) == prints[key]]
    changed = [key for key in by_id if known.get(key) != prints[key]]
    bare = [key for key in changed if not by_id[key].listings]
    if counted:
        new = [key for key in changed if key not in known and by_id[key].listings]
        others = len(changed) - len(new) - len(bare)
        run.count(seen=len(by_id), created=len(new), changed=others, unchanged=len(same), skipped=len(bare))
    if same:
        sql.execute(
            "UPDATE offers_listed SET read_run = %s, read_at = %s WHERE channel_id = %s AND page = ANY(%s)",
            [run.id, run.at, channel, same],
        )
    listings = [(by_id[key], one, prints[key]) for key in changed for one in by_id[key].listings]
    sql.execute(
        "DELETE FROM offers_listed WHERE channel_id = %s AND page = ANY(%s) AND NOT external_id = ANY(%s)",
        [channel, changed, [one.external_id for _product, one, _print in listings]],
    )
    if listings:
        sql.execute(_KEEP, {"channel": channel, "run": run.id, "at": run.at, **_columns(listings)})


_KEEP = """
INSERT INTO offers_listed (channel_id, external_id, page, name, options, sku, barcodes, price, currency, tax_included, unit,
    pushes_stock, address, search, fingerprint, read_at, read_run, match, decided, own_sku)
SELECT %(channel)s, s.id, s.page, s.name, s.options, s.sku, string_to_array(s.barcodes, E'\\x1f'), s.price, s.currency, s.tax,
    s.unit, s.pushes, s.address, lower(concat_ws(' ', s.sku, s.name, s.id, replace(s.barcodes, E'\\x1f', ' '))), s.print,
    %(at)s, %(run)s, 'none', '', ''
FROM unnest(%(id)s::text[], %(page)s::text[], %(name)s::text[], %(options)s::text[], %(sku)s::text[], %(barcodes)s::text[],
    %(price)s::numeric[], %(currency)s::text[], %(tax)s::bool[], %(unit)s::text[], %(pushes)s::bool[], %(address)s::text[],
    %(print)s::text[])
    AS s (id, page, name, options, sku, barcodes, price, currency, tax, unit, pushes, address, print)
ORDER BY s.id
ON CONFLICT (channel_id, external_id) DO UPDATE SET page = excluded.page, name = excluded.name, options = excluded.options,
    sku = excluded.sku, barcodes = excluded.barcodes, price = excluded.price, currency = excluded.currency,
    tax_included = excluded.tax_included, unit = excluded.unit, pushes_stock = excluded.pushes_stock,
    address = excluded.address, search = excluded.search, fingerprint = excluded.fingerprint, read_at = excluded.read_at,
    read_run = excluded.read_run
"""


def _columns(listings: Sequence[tuple[Product, Listing, str]]) -> dict[str, list[Any]]:
    """As the columns take it: somebody else's words are cut, and lose what PostgreSQL cannot hold."""
    rows = [
        {
            "id": one.external_id,
            "page": product.external_id,
            "name": _text(product.name, 255),
            "options": _text(", ".join(f"{name}: {value}" for name, value in one.options.items()), 255),
            "sku": _text(one.sku, 80),
            "barcodes": "\x1f".join(dict.fromkeys(code for text in one.barcodes if (code := _text(text, 64)))),
            "price": one.price.amount if one.price else None,
            "currency": one.price.currency if one.price else "",
            "tax": one.price.tax_included if one.price else None,
            "unit": one.unit[:8],
            "pushes": one.stocked and not one.stock_computed,
            "address": product.page_url if _is_address(product.page_url) else "",
            "print": fingerprint,
        }
        for product, one, fingerprint in listings
    ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _text(value: str, most: int) -> str:
    return value.replace("\0", "").replace("\x1f", " ").strip()[:most]


def _is_address(text: str) -> bool:
    return text.startswith(("https://", "http://")) and len(text) <= 500 and "\0" not in text


# -- what it would be here ---------------------------------------------------------------------------------------------

# Two looks: the second one sees that a variant is another listing already.
_MATCH = """
WITH found AS (
    SELECT l.id, l.decided, k.variant_id AS linked, v.id AS by_sku, codes.one, codes.other,
        l.sku <> '' AND l.decided = ''
            AND count(*) FILTER (WHERE l.decided = '') OVER (PARTITION BY nullif(lower(l.sku), '')) > 1 AS is_twice
    FROM offers_listed l
    LEFT JOIN offers_link k ON k.channel_id = l.channel_id AND k.kind = 'listing' AND k.external_id = l.external_id
    LEFT JOIN catalog_variant v ON lower(v.sku) = lower(nullif(l.sku, ''))
    LEFT JOIN LATERAL (SELECT min(b.variant_id) AS one, max(b.variant_id) AS other FROM catalog_barcode b
        WHERE b.code = ANY(l.barcodes)) codes ON l.barcodes <> '{}'
    WHERE l.channel_id = %(channel)s AND (%(scope)s::text[] IS NULL OR l.external_id = ANY(%(scope)s::text[]))
), judged AS (
    SELECT id,
        CASE WHEN decided = 'apart' THEN 'apart' WHEN linked IS NOT NULL AND decided = 'hand' THEN 'hand'
            WHEN linked IS NOT NULL THEN 'link' WHEN is_twice AND by_sku IS NOT NULL THEN 'doubt'
            WHEN by_sku IS NOT NULL THEN 'sku' WHEN is_twice AND one IS NOT NULL THEN 'doubt' WHEN one = other THEN 'barcode'
            WHEN one IS NOT NULL THEN 'doubt' ELSE 'none' END AS match,
        CASE WHEN decided = 'apart' THEN NULL ELSE coalesce(linked, by_sku, one) END AS variant
    FROM found
)
UPDATE offers_listed l SET match = j.match, variant_id = j.variant FROM judged j
WHERE l.id = j.id AND (l.match <> j.match OR l.variant_id IS DISTINCT FROM j.variant)
"""
_TAKEN = """
UPDATE offers_listed l SET match = 'doubt'
WHERE l.channel_id = %(channel)s AND (%(scope)s::text[] IS NULL OR l.external_id = ANY(%(scope)s::text[]))
  AND l.match IN ('sku', 'barcode') AND EXISTS (
    SELECT FROM offers_listed o WHERE o.channel_id = l.channel_id AND o.variant_id = l.variant_id AND o.id <> l.id
      AND o.page <> l.page AND (o.match IN ('link', 'hand', 'sku') OR (l.match = 'barcode' AND o.match = 'barcode')))
"""
# Whom a decision about some listings may concern: those of the same SKU, barcode or variant.
_SCOPE = """
WITH me AS (SELECT * FROM offers_listed WHERE channel_id = %(channel)s AND external_id = ANY(%(listings)s))
SELECT external_id FROM me
UNION SELECT o.external_id FROM me JOIN offers_listed o ON o.channel_id = me.channel_id AND lower(o.sku) = lower(me.sku)
    WHERE me.sku <> ''
UNION SELECT o.external_id FROM me JOIN offers_listed o ON o.channel_id = me.channel_id AND o.barcodes && me.barcodes
    WHERE me.barcodes <> '{}'
UNION SELECT o.external_id FROM offers_listed o WHERE o.channel_id = %(channel)s AND o.variant_id = ANY(%(variants)s)
"""


def examine(channel: int, *, at: datetime, listings: Sequence[str] | None = None, touched: Sequence[int] = ()) -> None:
    """Match listings again and look for what does not fit: all of the channel, or those whom a decision about `listings`
    concerns, with the variants that it has `touched`."""
    scope: list[str] | None = None
    if listings is not None:
        before = sql.rows(
            "SELECT variant_id FROM offers_listed WHERE channel_id = %s AND external_id = ANY(%s) AND variant_id IS NOT NULL"
            " UNION SELECT variant_id FROM offers_link WHERE channel_id = %s AND kind = 'listing' AND external_id = ANY(%s)",
            [channel, list(listings), channel, list(listings)],
        )
        touched = sorted({*touched, *(row[0] for row in before)})
        known = {"channel": channel, "listings": list(listings), "variants": touched}
        scope = [row[0] for row in sql.rows(_SCOPE, known)]
    params = {"channel": channel, "scope": scope}
    sql.execute(_MATCH, params)
    sql.execute(_TAKEN, params)
    if scope is not None:
        met = sql.rows(
            "SELECT coalesce(v.alias_of_id, v.id) FROM offers_listed l JOIN catalog_variant v ON v.id = l.variant_id"
            " WHERE l.channel_id = %s AND l.external_id = ANY(%s)",
            [channel, scope],
        )
        touched = sorted({*touched, *(row[0] for row in met)})
    doctor.look(channel, at=at, scope=scope, touched=touched)


def counts(channel: int, *, most: int) -> dict[str, int]:
    """How many listings match by what; of each, counting stops at `most`."""
    return dict(
        sql.rows(
            "SELECT match, (SELECT count(*) FROM (SELECT FROM offers_listed WHERE channel_id = %s AND match = kind.match"
            " LIMIT %s) AS met) FROM unnest(%s::text[]) WITH ORDINALITY AS kind (match, place) ORDER BY place",
            [channel, most, Match.values],
        )
    )


# -- what the products flow follows ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Allowed:
    """What of a page of products may come in."""

    products: Sequence[Product]
    left_out: int = 0  # products none of whose listings may
    matched: Mapping[str, int] = field(default_factory=dict)  # listing -> variant, where its SKU does not say so
    own_skus: Mapping[str, str] = field(default_factory=dict)  # listing -> what a person calls it here


def allowed(channel: Channel, products: Sequence[Product]) -> Allowed:
    """Leave out listings that a person set apart and, where the channel only maps, those that match nothing here. What
    matches by barcode alone is linked where a person has seen the matching."""
    listings = [one for product in products for one in product.listings]
    said = {
        row[0]: row[1:]
        for row in sql.rows(
            "SELECT external_id, decided, own_sku, CASE WHEN match = 'barcode' THEN variant_id END FROM offers_listed"
            " WHERE channel_id = %s AND external_id = ANY(%s) AND (decided = 'apart' OR own_sku <> '' OR match = 'barcode')",
            [channel.pk, [one.external_id for one in listings]],
        )
    }
    apart = {key for key, (decided, _sku, _variant) in said.items() if decided == Match.APART}
    matched = {key: variant for key, (_decided, _sku, variant) in said.items() if variant is not None}
    own_skus = {key: sku for key, (_decided, sku, _variant) in said.items() if sku}
    if channel.creates_products:
        if not apart:
            return Allowed(products, 0, matched, own_skus)
        may_come = {one.external_id for one in listings} - apart
    else:
        matched = {**_by_barcode(listings), **matched}
        linked = offered.linked(channel.pk, [one.external_id for one in listings])
        by_sku = variants.by_sku([one.sku for one in listings if one.sku])
        may_come = {one.external_id for one in listings if one.sku in by_sku}
        may_come = (may_come | set(linked) | set(matched)) - apart
    left, left_out = [], 0
    for product in products:
        kept = tuple(one for one in product.listings if one.external_id in may_come)
        if kept:
            left.append(
                product if len(kept) == len(product.listings) else msgspec.structs.replace(product, listings=kept)
            )
        elif product.listings:
            left_out += 1
        else:
            left.append(product)
    return Allowed(left, left_out, matched, own_skus)


def _by_barcode(listings: Sequence[Listing]) -> dict[str, int]:
    """Listings whose SKU is not here, and whose barcodes all mean one variant."""
    by_sku = variants.by_sku([one.sku for one in listings if one.sku])
    holders = variants.by_barcode([code for one in listings for code in one.barcodes])
    found = {}
    for one in listings:
        meant = {holders[code] for code in one.barcodes if code in holders}
        if one.sku not in by_sku and len(meant) == 1:
            found[one.external_id] = meant.pop()
    return found


def follow_up(run: RunContext, channel: Channel, *, is_changed: bool) -> None:
    """After products came in: what the listings are by now, and one finding for all that the channel may not create."""
    if not channel.creates_products or is_kept(channel.pk):
        with run.checkpoint():
            if is_changed:
                examine(channel.pk, at=run.at)
            report_left_out(run, channel)


def report_left_out(run: RunContext, channel: Channel) -> None:
    """Say once how many listings wait because this channel only maps."""
    subject = f"channel:{channel.pk}"
    run.resolved([subject], codes=(LEFT_OUT,))
    if channel.creates_products:
        return
    row = sql.one(
        "SELECT count(*), (array_agg(coalesce(nullif(sku, ''), external_id) ORDER BY id))[1] FROM offers_listed"
        " WHERE channel_id = %s AND match IN ('none', 'doubt')",
        [channel.pk],
    )
    if row is not None and row[0]:
        run.found(LEFT_OUT, subject, Severity.INFO, listings=row[0], sku=row[1])


# -- what people say ---------------------------------------------------------------------------------------------------


def choose(channel: Channel, *, creates: bool, actor: Actor, at: datetime) -> bool:
    """Say whether listings that match nothing become products here; whether that is new."""
    row = Channel.objects.select_for_update().get(pk=channel.pk)
    if row.creates_products == creates:
        return False
    Channel.objects.filter(pk=row.pk).update(creates_products=creates)
    channel.creates_products = creates
    record.record(
        "channels.channel.products_chosen",
        {"channel": row.pk, "creates": creates},
        actor=actor,
        at=at,
        subject=f"channel:{row.pk}",
    )
    if is_kept(row.pk):
        examine(row.pk, at=at)
    return True


def link(channel: Channel, pairs: Mapping[str, int], *, actor: Actor, at: datetime) -> Staged:
    """A person says which variant each of these listings is, whatever SKU and barcode say. Sales that waited for them go
    on: the caller reports what staging says."""
    listed = {
        one.external_id: one
        for one in Listed.objects.select_for_update()
        .filter(channel=channel, external_id__in=list(pairs))
        .order_by("external_id")
    }
    if missing := sorted(set(pairs) - set(listed)):
        raise _no_such_listing(missing[0])
    now = {one.external_id: one.variant_id for one in listed.values() if one.decided == Match.HAND}
    wanted = {key: variant for key, variant in pairs.items() if now.get(key) != variant}
    if not wanted:
        return Staged()
    offers.link_listings(
        channel.pk,
        [offers.ListingSeen(key, wanted[key], listed[key].sku, listed[key].pushes_stock) for key in sorted(wanted)],
        run=None,
        at=at,
    )
    staging.newly_offered(channel.pk, wanted, at)
    sql.execute(
        "UPDATE offers_listed SET decided = 'hand', own_sku = '' WHERE channel_id = %s AND external_id = ANY(%s)",
        [channel.pk, sorted(wanted)],
    )
    _read_anew(channel.pk, [listed[key].page for key in wanted])
    findings.close(channel.pk, [f"listing:{key}" for key in wanted], SETTLED, at=at)
    _tell("offers.listings.matched", channel, {"listings": _few(wanted), "count": len(wanted)}, actor=actor, at=at)
    examine(
        channel.pk,
        at=at,
        listings=sorted(wanted),
        touched=[one.variant_id for one in listed.values() if one.variant_id is not None],
    )
    return staging.recheck(channel, actor=actor, at=at)


def set_apart(channel: Channel, listing: str, *, actor: Actor, at: datetime) -> None:
    """A person says that a listing is nothing of ours: it is unlinked, nothing is told there any more, and products that
    come in leave it alone."""
    one = _locked(channel, listing)
    if one.decided == Match.APART:
        return
    touched = [one.variant_id] if one.variant_id is not None else []
    offers.unlink(channel.pk, [listing])
    Listed.objects.filter(pk=one.pk).update(decided=Match.APART, own_sku="")
    _read_anew(channel.pk, [one.page])
    findings.close(channel.pk, [f"listing:{listing}"], SETTLED, at=at)
    _tell("offers.listing.set_apart", channel, {"listing": listing}, actor=actor, at=at)
    examine(channel.pk, at=at, listings=[listing], touched=touched)


def leave_to_rules(channel: Channel, listing: str, *, actor: Actor, at: datetime) -> None:
    """Take back what a person said of a listing: link, SKU and barcode decide again."""
    one = _locked(channel, listing)
    if not one.decided and not one.own_sku:
        return
    touched = [one.variant_id] if one.variant_id is not None else []
    if one.decided == Match.HAND:
        offers.unlink(channel.pk, [listing])
    Listed.objects.filter(pk=one.pk).update(decided="", own_sku="")
    _read_anew(channel.pk, [one.page])
    _tell("offers.listing.left_to_rules", channel, {"listing": listing}, actor=actor, at=at)
    examine(channel.pk, at=at, listings=[listing], touched=touched)


def call_it(channel: Channel, listing: str, sku: str, *, actor: Actor, at: datetime) -> None:
    """Give a listing without a SKU one of ours: the variant that it is under a made-up code gets it, or will be made so."""
    one = _locked(channel, listing)
    sku = sku.strip()
    if not sku or len(sku) > 80 or "\0" in sku:
        raise BadInput(_("a SKU has 1 to 80 characters"), place="SKU", value=sku[:80], cure=_("type another"))
    if one.sku:
        raise BadInput(_("the shop gives it a SKU"), place="SKU", value=one.sku, cure=_("change it at the shop"))
    if one.variant_id is not None:
        catalog.edit_variant(one.variant_id, sku=sku, at=at, actor=actor)
    elif sku in variants.by_sku([sku]):
        raise BadInput(_("a variant of yours has this SKU"), place="SKU", value=sku, cure=_("link the listing to it"))
    elif Listed.objects.filter(channel=channel, own_sku__iexact=sku).exclude(pk=one.pk).exists():
        raise BadInput(_("another listing will get this SKU"), place="SKU", value=sku, cure=_("type another"))
    else:
        Listed.objects.filter(pk=one.pk).update(own_sku=sku)
        _read_anew(channel.pk, [one.page])
    _tell("offers.listing.named", channel, {"listing": listing, "sku": sku}, actor=actor, at=at)
    examine(channel.pk, at=at, listings=[listing])


def make_pack(channel: Channel, listing: str, number: str, sku: str, *, actor: Actor, at: datetime) -> Staged:
    """A listing sells several of what it matches: make a kit of so many, and link the listing to that."""
    variant = _matched(channel, listing)
    if not number.isdigit() or not 2 <= int(number) <= 10_000:
        raise BadInput(_("a pack has 2 to 10000 pieces"), place=_("pieces"), value=number, cure="6")
    [(product, part)] = sql.rows(
        "SELECT product_id, coalesce(alias_of_id, id) FROM catalog_variant WHERE id = %s", [variant]
    )
    kit = catalog.create_variant(product, sku, at=at, actor=actor)
    inventory.make_kit(kit.pk, {part: exact_quantity(number)}, at=at, actor=actor)
    return link(channel, {listing: kit.pk}, actor=actor, at=at)


def make_alias(channel: Channel, listing: str, master: int, *, actor: Actor, at: datetime) -> None:
    """Two variants of ours are one thing: the one that a listing matches shares the stock of `master` from now on."""
    inventory.make_alias(_matched(channel, listing), master, at=at, actor=actor)
    examine(channel.pk, at=at, listings=[listing], touched=[master])


def _locked(channel: Channel, listing: str) -> Listed:
    one = Listed.objects.select_for_update().filter(channel=channel, external_id=listing).first()
    if one is None:
        raise _no_such_listing(listing)
    return one


def _no_such_listing(listing: str) -> BadInput:
    return BadInput(
        _("the channel has no such listing any more"),
        place=_("listing"),
        value=listing,
        cure=_("read its products again"),
    )


def _matched(channel: Channel, listing: str) -> int:
    """The variant that a listing matches; it is refused where there is none."""
    one = _locked(channel, listing)
    if one.variant_id is None:
        raise BadInput(_("it matches nothing of yours"), place=_("listing"), value=listing, cure=_("link it first"))
    return one.variant_id


def _read_anew(channel: int, pages: Sequence[str]) -> None:
    """These products are examined again with the next reading, changed or not."""
    sql.execute(
        "UPDATE offers_link SET content_hash = '' WHERE channel_id = %s AND kind = 'product' AND external_id = ANY(%s)",
        [channel, sorted(set(pages))],
    )


def _few(pairs: Mapping[str, int]) -> dict[str, int]:
    """Enough of a long list for a history."""
    return dict(sorted(pairs.items())[:50])


def _tell(event: str, channel: Channel, facts: dict[str, Any], *, actor: Actor, at: datetime) -> None:
    facts = {"channel": channel.pk, **facts}
    record.record(event, facts, actor=actor, at=at, subject=f"channel:{channel.pk}")


# -- by a file ---------------------------------------------------------------------------------------------------------

FIELDS = (
    tables.Wanted("listing", ("externalid", "listingid", "id", "theirid", "channelid")),
    tables.Wanted("their_sku", ("externalsku", "theirsku", "channelsku", "shopsku", "reference")),
    tables.Wanted("sku", ("oursku", "ourreference", "variant"), required=True),
)


@dataclass(frozen=True, slots=True)
class Fault(tables.Fault):
    """What is wrong with one cell, and what would be right."""

    cure: str


@dataclass(slots=True)
class Read:
    """What a file says: which variant each listing is; or what is wrong with it, and then nothing else."""

    rows: int = 0
    pairs: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    faults_in_all: int = 0


@dataclass(slots=True)
class _Asked:
    row: int
    listing: str
    their_sku: str
    sku: str


def read_file(channel: Channel, path: Path, name: str) -> Read:
    """Read a file of (external id or their SKU, our SKU); every row is judged, nothing is kept. Raises BadInput where it is
    no such file; `name` is what people call it."""
    try:
        head, rows = tables.read(path)
        where = tables.columns(head, FIELDS, {})
    except BadInput as error:
        facts = {key: str(fact).replace(str(path), name) for key, fact in error.facts.items()}
        if str(facts.get("cure", "")).startswith("--map"):
            facts["cure"] = _("name a column “sku”, and one “external id” or “external sku”")
        raise BadInput(str(error), **facts) from error
    if not {"listing", "their_sku"} & set(where):
        raise BadInput(
            _("no column says which listing"),
            place=_("row 1"),
            value=", ".join(head),
            cure=_("name a column “external id” or “external sku”"),
        )
    asked = [
        _Asked(row.number, *(row.cells.get(where.get(one, ""), "") for one in ("listing", "their_sku", "sku")))
        for row in rows
    ]
    read = Read(rows=len(asked))
    _judge(channel, asked, where, read)
    read.faults_in_all = len(read.faults)
    if read.faults:
        read.pairs = {}
        del read.faults[tables.MOST_FAULTS :]
    return read


def _judge(channel: Channel, asked: Sequence[_Asked], where: Mapping[str, str], read: Read) -> None:
    there = sql.rows(
        "SELECT external_id, lower(sku) FROM offers_listed WHERE channel_id = %s AND (external_id = ANY(%s)"
        " OR lower(sku) = ANY(%s))",
        [
            channel.pk,
            [one.listing for one in asked if one.listing],
            [one.their_sku.lower() for one in asked if one.their_sku],
        ],
    )
    known = {external for external, _sku in there}
    by_their_sku: dict[str, list[str]] = {}
    for external, sku in there:
        by_their_sku.setdefault(sku, []).append(external)
    ours = variants.by_sku([one.sku for one in asked if one.sku])
    first: dict[str, _Asked] = {}
    for one in asked:

        def wrong(name: str, value: str, text: str, cure: str, row: int = one.row) -> None:
            read.faults.append(Fault(row, where.get(name, name), value[:80], text, cure))

        listing = one.listing
        meant = by_their_sku.get(one.their_sku.lower(), []) if one.their_sku else []
        if not one.listing and not one.their_sku:
            name = "listing" if "listing" in where else "their_sku"
            wrong(name, "", _("says no listing"), _("its external id, or its SKU at the channel"))
            continue
        if one.listing and one.listing not in known:
            wrong(
                "listing",
                one.listing,
                _("is no listing of this channel"),
                _("look for a slip; or read the products again"),
            )
            continue
        if one.listing and one.their_sku and one.listing not in meant:
            wrong(
                "their_sku",
                one.their_sku,
                _("is not the SKU of this listing"),
                _("correct one of them, or leave it empty"),
            )
            continue
        if not one.listing and not meant:
            wrong(
                "their_sku",
                one.their_sku,
                _("is no SKU of this channel"),
                _("look for a slip; or read the products again"),
            )
            continue
        if not one.listing and len(meant) > 1:
            text = _("is the SKU of %(n)d listings") % {"n": len(meant)}
            wrong("their_sku", one.their_sku, text, _("give the external id"))
            continue
        listing = one.listing or meant[0]
        if one.sku not in ours:
            wrong(
                "sku", one.sku, _("is no SKU of yours") if one.sku else _("is missing"), _("look it up under Products")
            )
            continue
        if listing in first and read.pairs.get(listing) != ours[one.sku]:
            text = _("stands in row %(row)d with another SKU") % {"row": first[listing].row}
            wrong("sku", one.sku, text, _("leave one of them out"))
            continue
        first.setdefault(listing, one)
        read.pairs[listing] = ours[one.sku]


def propose(channel: Channel, pairs: Mapping[str, int]) -> None:
    """Put aside what a file says until somebody has looked at it; an earlier file is forgotten."""
    forget_proposed(channel)
    sql.execute(
        "UPDATE offers_listed l SET proposed_id = s.variant FROM unnest(%s::text[], %s::bigint[]) AS s (id, variant)"
        " WHERE l.channel_id = %s AND l.external_id = s.id",
        [list(pairs), list(pairs.values()), channel.pk],
    )


def forget_proposed(channel: Channel) -> int:
    """Nothing of the file is kept."""
    return sql.execute(
        "UPDATE offers_listed SET proposed_id = NULL WHERE channel_id = %s AND proposed_id IS NOT NULL", [channel.pk]
    )


def keep_proposed(channel: Channel, *, actor: Actor, at: datetime) -> tuple[int, Staged]:
    """Link what a file said: how many listings, and what staging says of sales that waited for them."""
    pairs: dict[str, int] = dict(
        sql.rows(
            "SELECT external_id, proposed_id FROM offers_listed WHERE channel_id = %s AND proposed_id IS NOT NULL"
            " ORDER BY external_id FOR UPDATE",
            [channel.pk],
        )
    )
    forget_proposed(channel)
    return len(pairs), link(channel, pairs, actor=actor, at=at) if pairs else Staged()
