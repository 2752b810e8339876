"""Products come in: new and changed ones, all of them once a night, and their pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import msgspec
from django.utils.translation import gettext_lazy as _

from comptoir.channels.channel import OpenChannel
from comptoir.channels.errors import NotUnderstood, Refused
from comptoir.channels.models import Channel
from comptoir.channels.records import Listing, Page, Price, Product, keepable
from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.catalog import images
from comptoir.commerce.catalog.errors import BadImage
from comptoir.commerce.catalog.models import PriceList
from comptoir.commerce.catalog.records import (
    PROBLEM_CODES,
    ImageWanted,
    Outcome,
    PartWanted,
    Problem,
    ProductWanted,
    Upserted,
    VariantWanted,
)
from comptoir.engine.flow import IN, flow, minutes
from comptoir.engine.models import Severity
from comptoir.engine.runs import RunContext
from comptoir.flows import matching, reporting
from comptoir.kit import ids, sql
from comptoir.offers import actions as offers
from comptoir.offers import prices
from comptoir.offers import queries as offered
from comptoir.staging import actions as staging

MOST_SHARE = Decimal("0.2")  # of a channel's listings that one run may retire
FETCH = 50
PICTURES = 20  # in one step
PICTURE_TRIES = 5


def wanting_pictures(channels: Sequence[int]) -> set[int]:
    """Which of these channels have a picture that nobody has asked for yet; those that failed are tried again at night."""
    return {
        row[0]
        for row in sql.rows(
            "SELECT c FROM unnest(%s::bigint[]) c WHERE EXISTS (SELECT 1 FROM catalog_productimage"
            " WHERE image_id IS NULL AND attempts = 0 AND starts_with(source, c || ':'))",
            [list(channels)],
        )
    }


@flow("pull_products", direction=IN, title=_("New products"), needs=("products",), every=minutes(30), replays=True)
def pull_products(run: RunContext, channel: OpenChannel | None) -> None:
    """Bring new and changed products in."""
    assert channel is not None  # noqa: S101 - the engine opens it for IN and OUT
    is_first, is_any = True, False
    for page in channel.client.products.changed_since(run.cursor):
        _keep_page(run, channel.row, page, {"cursor": page.cursor}, is_first=is_first)
        is_first, is_any = False, is_any or bool(page.items)
    _second_look(run, channel)
    matching.follow_up(run, channel.row, is_changed=is_any)


@flow(
    "update_products",
    direction=IN,
    title=_("All products"),
    needs=("products",),
    cron="15 3 * * *",
    replays=True,
)
def update_products(run: RunContext, channel: OpenChannel | None) -> None:
    """Read every product, since shops do not stamp every change; what is missing from the complete list is retired."""
    assert channel is not None  # noqa: S101
    if run.state.get("is_complete") is not True:
        for page in channel.client.products.everything(run.state.get("place", {})):
            _keep_page(run, channel.row, page, {"state": {**run.state, "place": page.cursor}})
        with run.checkpoint(state={**run.state, "is_complete": True}):
            pass
    _second_look(run, channel)
    with run.checkpoint():
        _retire_missing(run, channel.row)
    matching.follow_up(run, channel.row, is_changed=True)


@flow(
    "pull_images",
    direction=IN,
    title=_("Product images"),
    needs=("products",),
    cron="45 3 * * *",
    facts=wanting_pictures,
)
def pull_images(run: RunContext, channel: OpenChannel | None) -> None:
    """Fetch pictures that products want, each kept once by content."""
    assert channel is not None  # noqa: S101
    after = 0
    while wanted := images.wanted(channel.ref, after, most_attempts=PICTURE_TRIES, size=PICTURES):
        after = wanted[-1][0]
        fetched: list[tuple[int, str, bytes, str] | tuple[int, str, None, str]] = []
        for row, ref in wanted:
            try:
                content, kind = channel.client.products.image(ref)
                fetched.append((row, ref, content, kind))
            except (Refused, NotUnderstood) as error:  # of this one: the others go on
                fetched.append((row, ref, None, str(error)))
        with run.checkpoint():
            for row, ref, picture, told in fetched:
                _keep_picture(run, row, ref, picture, told)


def _keep_picture(run: RunContext, row: int, ref: str, content: bytes | None, told: str) -> None:
    subject = f"image:{ref}"
    problem = told if content is None else ""
    if content is not None:
        try:
            image = images.store_image(content, told)
        except BadImage as error:
            problem = str(error)
        else:
            images.attach(row, image)
            run.count(seen=1, created=1)
            run.resolved([subject])
            return
    images.failed([row])
    run.count(seen=1, failed=1)
    run.found("image_missing", subject, Severity.INFO, problem=problem)


# -- keeping a page ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    """What is linked already."""

    products: Mapping[str, tuple[int, str, bool]]  # external id -> (ours, content hash, is gone)
    listings: Mapping[str, int]
    gone: frozenset[str]  # listings that were missing from a complete reading


@dataclass(frozen=True, slots=True)
class _Lists:
    """Where the prices of a channel are kept: its own lists by currency and tax habit."""

    own: Mapping[tuple[str, bool], int]
    told: frozenset[int]  # lists that the hub owns and tells to this channel: what it shows is not taken over into them

    def of(self, price: Price | None, *, is_known: bool) -> dict[int, Decimal]:
        """The price of a listing as the catalogue takes it; a listing that is new brings its first one along."""
        if price is None:
            return {}
        chosen = self.own[price.currency, price.tax_included]
        return {} if is_known and chosen in self.told else {chosen: price.amount}


def _keep_page(
    run: RunContext,
    channel: Channel,
    page: Page[Product],
    step: dict[str, dict[str, object]],
    *,
    is_first: bool = False,
) -> None:
    if page.total is not None:
        run.expect(page.total)
    with run.checkpoint(**step):
        reporting.count_unread(run, page, (product.external_id for product in page.items))
        _seen_unread(channel.pk, page, run)
        if is_first:
            reporting.clock_is_right(run, "product")
        report_odd(run, channel, page)
        again = keep_products(run, channel, page.items)
        if again:
            run.state["again"] = sorted({*run.state.get("again", ()), *again})


def report_odd(run: RunContext, channel: Channel, page: Page[Product]) -> None:
    """What was untidy in a page of products; what was said before of those that were read is over."""
    if page.items:
        run.resolved(["shop"], codes=("unknown_currency",))
    read = [f"product:{product.external_id}" for product in page.items]
    read += [f"listing:{one.external_id}" for product in page.items for one in product.listings]
    reporting.report_odd(run, channel, page.odd, read, reporting.PRODUCT_CODES)


def keep_products(run: RunContext, channel: Channel, products: Sequence[Product]) -> list[str]:
    """Bring a page of products into the catalogue and link it. Products whose pack has a part that is not here yet come
    back, to be looked at once more when the others are in."""
    products = [keepable(product) for product in products]
    if not channel.creates_products or matching.is_kept(channel.pk):
        matching.keep(run, channel.pk, products, counted=False)
    allowed = matching.allowed(channel, products)
    run.count(seen=allowed.left_out, skipped=allowed.left_out)
    by_id = {product.external_id: product for product in allowed.products}
    prints = {key: ids.fingerprint(msgspec.json.encode(product)) for key, product in by_id.items()}
    known = _known(channel.pk, by_id)
    known = replace(known, listings={**allowed.matched, **known.listings})
    same = [
        key
        for key in by_id
        if key in known.products
        and known.products[key][1] == prints[key]
        and not known.products[key][2]
        and not any(one.external_id in known.gone for one in by_id[key].listings)
    ]
    run.count(seen=len(by_id), unchanged=len(same))
    _seen_again(channel.pk, [by_id[key] for key in same], run)
    changed = [product for key, product in by_id.items() if key not in set(same)]
    if not changed:
        return []
    lists = _Lists(_price_lists(channel, changed), prices.lists_told(channel.pk))
    result = catalog.upsert_products(
        channel.pk,
        [_wanted(channel, product, known, lists, allowed.own_skus) for product in changed],
        at=run.at,
        actor=run.actor,
    )
    return _linked(run, channel, changed, prints, result)


def _linked(
    run: RunContext, channel: Channel, changed: Sequence[Product], prints: Mapping[str, str], result: Upserted
) -> list[str]:
    troubled: dict[str, set[str]] = {}
    owner = {f"{channel.pk}/{one.external_id}": product.external_id for product in changed for one in product.listings}
    owner |= {product.external_id: product.external_id for product in changed}
    problems = [*result.problems, *_same_sku_elsewhere(channel.pk, changed, result)]
    doubled = {one.key for one in problems if one.code == "duplicate_sku"}
    for problem in problems:
        key = problem.key
        subject = f"listing:{key.partition('/')[2]}" if "/" in key else f"product:{key}"
        run.found(problem.code, subject, Severity.ERROR, **problem.facts)
        troubled.setdefault(owner.get(key, key), set()).add(problem.code)
    # What the catalogue refuses was listed all the same: it is not missing.
    _seen_again(channel.pk, [product for product in changed if product.external_id in troubled], run)
    products: dict[str, tuple[int, str]] = {}
    listings: list[offers.ListingSeen] = []
    for product in changed:
        answer = result.products[product.external_id]
        variants = {one.external_id: result.variants[f"{channel.pk}/{one.external_id}"] for one in product.listings}
        if answer.id is None:
            run.count(failed=1)
            continue
        run.count(**{_worst(answer.outcome, [one.outcome for one in variants.values()]): 1})
        # A product with a problem is examined again at its next reading, changed or not.
        products[product.external_id] = (
            answer.id,
            "" if product.external_id in troubled else prints[product.external_id],
        )
        listings.extend(
            offers.ListingSeen(one.external_id, found, one.sku, pushes_stock=one.stocked and not one.stock_computed)
            for one in product.listings
            # Two listings of one shop with one SKU are more likely a mistake than one thing: a person says which.
            if (found := variants[one.external_id].id) is not None and f"{channel.pk}/{one.external_id}" not in doubled
        )
        if product.external_id not in troubled:
            run.resolved(
                [f"product:{product.external_id}", *(f"listing:{one.external_id}" for one in product.listings)],
                codes=_CATALOGUE_CODES,
            )
    offers.link_products(channel.pk, products, run=run.id, at=run.at)
    offers.link_listings(channel.pk, listings, run=run.id, at=run.at)
    staging.newly_offered(channel.pk, [one.listing for one in listings], run.at)
    shown = {one.external_id: one.price for product in changed for one in product.listings if one.price is not None}
    prices.seen(channel.pk, shown, at=run.at)
    if listings and (waiting := sql.rows(_HELPED, [channel.pk])):
        rows = [row[0] for row in waiting]
        reporting.report_staged(run, staging.recheck(channel, staged=rows, actor=run.actor, at=run.at))
    return [key for key, codes in troubled.items() if "part_unknown" in codes]


#: Waiting sales that a product may help. Others would be examined and written again with every page, for nothing.
_HELPED = """
SELECT id FROM staging_stagedsale WHERE channel_id = %s AND state IN ('repair', 'retry') AND anomalies @? '$[*] ? (
    @.code == "unknown_sku" || @.code == "kit_without_parts"
    || @.code == "bad_quantity" && !(@.facts.quantity starts with "-"))'
"""


def _same_sku_elsewhere(channel: int, changed: Sequence[Product], result: Upserted) -> list[Problem]:
    """Listings that are new here and were matched to a variant which another listing of this shop already is. A
    combination made anew on the same product is no doubt; one of another product is."""
    listings = {one.external_id for product in changed for one in product.listings}
    known = offered.linked(channel, sorted(listings))
    fresh = {
        one.external_id: (product, one.sku, variant)
        for product in changed
        for one in product.listings
        if one.external_id not in known and (variant := result.variants[f"{channel}/{one.external_id}"].id) is not None
    }
    if not fresh:
        return []
    others: dict[int, list[tuple[str, list[str]]]] = {}
    for variant, other, pages in sql.rows(
        "SELECT l.variant_id, l.external_id, ARRAY(SELECT p.external_id FROM offers_link p WHERE p.channel_id = l.channel_id"
        "  AND p.kind = 'product' AND p.product_id = v.product_id AND p.gone_at IS NULL)"
        " FROM offers_link l JOIN catalog_variant v ON v.id = l.variant_id WHERE l.channel_id = %s AND l.kind = 'listing'"
        " AND l.gone_at IS NULL AND l.variant_id = ANY(%s)",
        [channel, sorted({found[2] for found in fresh.values()})],
    ):
        others.setdefault(variant, []).append((other, pages))
    return [
        Problem("duplicate_sku", f"{channel}/{listing}", {"sku": sku, "other": f"{channel}/{other}"})
        for listing, (product, sku, variant) in fresh.items()
        for other, pages in others.get(variant, ())[:1]
        if other in {one.external_id for one in product.listings} or set(pages) - {product.external_id}
    ]


#: What the catalogue may complain of. What the connector said of this very reading stays.
_CATALOGUE_CODES = (*(code for code in PROBLEM_CODES if code not in reporting.PRODUCT_CODES), "listing_gone")


def _worst(product: Outcome, variants: Sequence[Outcome]) -> str:
    if product is Outcome.CREATED:
        return "created"
    return "changed" if {product, *variants} - {Outcome.UNCHANGED} else "unchanged"


def _wanted(
    channel: Channel,
    product: Product,
    known: _Known,
    lists: _Lists,
    own_skus: Mapping[str, str],
) -> ProductWanted:
    linked = known.products.get(product.external_id)
    return ProductWanted(
        key=product.external_id,
        name=product.name,
        product=linked[0] if linked else None,
        description=product.description,
        brand=product.brand,
        categories=product.categories,
        page_url=product.page_url,
        names=product.names,
        custom=product.custom,
        images=tuple(ImageWanted(one.ref, one.position) for one in product.images),
        variants=tuple(
            _variant(channel, one, known, lists, own_skus.get(one.external_id, "")) for one in product.listings
        ),
    )


def _variant(channel: Channel, listing: Listing, known: _Known, lists: _Lists, own_sku: str) -> VariantWanted:
    price = listing.price
    sku = listing.sku or own_sku
    return VariantWanted(
        key=f"{channel.pk}/{listing.external_id}",
        sku=sku or f"{channel.code}-{listing.external_id}",
        is_sku_generated=not sku,
        variant=known.listings.get(listing.external_id),
        barcodes=listing.barcodes,
        options=listing.options,
        prices=lists.of(price, is_known=listing.external_id in known.listings),
        cost=listing.cost,
        weight=listing.weight,
        enabled=listing.enabled,
        is_stocked=listing.stocked,
        unit=listing.unit,
        mpn=listing.mpn,
        images=tuple(ImageWanted(ref) for ref in listing.images),
        parts=tuple(
            PartWanted(part.quantity, variant=known.listings.get(part.listing), key=f"{channel.pk}/{part.listing}")
            for part in listing.parts
        ),
    )


def _known(channel: int, products: Mapping[str, Product]) -> _Known:
    listings = sorted(
        {one.external_id for product in products.values() for one in product.listings}
        | {part.listing for product in products.values() for one in product.listings for part in one.parts}
    )
    return _Known(
        products={
            row[0]: (row[1], row[2], row[3])
            for row in sql.rows(
                "SELECT external_id, product_id, content_hash, gone_at IS NOT NULL FROM offers_link"
                " WHERE channel_id = %s AND kind = 'product' AND external_id = ANY(%s)",
                [channel, sorted(products)],
            )
        },
        listings=offered.linked(channel, listings),
        gone=frozenset(
            row[0]
            for row in sql.rows(
                "SELECT external_id FROM offers_link WHERE channel_id = %s AND kind = 'listing'"
                " AND external_id = ANY(%s) AND gone_at IS NOT NULL",
                [channel, listings],
            )
        ),
    )


def _seen_again(channel: int, products: Sequence[Product], run: RunContext) -> None:
    """Unchanged products were seen: only a complete listing needs to know, so nothing is written for the others."""
    if run.kind != "update_products" or not products:
        return
    sql.execute(
        "UPDATE offers_link SET seen_run = %s, seen_at = %s WHERE channel_id = %s AND ("
        " (kind = 'product' AND external_id = ANY(%s)) OR (kind = 'listing' AND external_id = ANY(%s)))",
        [
            run.id,
            run.at,
            channel,
            [product.external_id for product in products],
            [one.external_id for product in products for one in product.listings],
        ],
    )


def _seen_unread(channel: int, page: Page[Product], run: RunContext) -> None:
    """Products on the wire that could not be read are listed: they are a finding, not missing."""
    unread = set(page.seen) - {product.external_id for product in page.items}
    unread &= {odd.subject.partition(":")[2] for odd in page.odd if odd.severity != "info"}
    if run.kind != "update_products" or not unread:
        return
    sql.execute(
        "UPDATE offers_link l SET seen_run = %s, seen_at = %s FROM offers_link p, catalog_variant v"
        " WHERE p.channel_id = %s AND p.kind = 'product' AND p.external_id = ANY(%s) AND v.product_id = p.product_id"
        " AND l.channel_id = p.channel_id AND l.kind = 'listing' AND l.variant_id = v.id",
        [run.id, run.at, channel, sorted(unread)],
    )


def _price_lists(channel: Channel, products: Sequence[Product]) -> dict[tuple[str, bool], int]:
    """A list of prices per currency and tax habit of the channel, made when first met."""
    found: dict[tuple[str, bool], int] = {}
    for product in products:
        for listing in product.listings:
            if listing.price is None or (listing.price.currency, listing.price.tax_included) in found:
                continue
            currency, included = listing.price.currency, listing.price.tax_included
            row, _made = PriceList.objects.get_or_create(
                code=prices.own_list(channel.code, currency, tax_included=included),
                defaults={"name": f"{channel.name} {currency}", "currency": currency, "tax_included": included},
            )
            found[currency, included] = row.pk
    return found


def _second_look(run: RunContext, channel: OpenChannel) -> None:
    """Packs whose parts came on a later page: fetch them once more, now that everything is in."""
    waiting = [str(one) for one in run.state.get("again", ())]
    for start in range(0, len(waiting), FETCH):
        page = channel.client.products.fetch(waiting[start : start + FETCH])
        left = waiting[start + FETCH :]
        with run.checkpoint(state={**run.state, "again": left}):
            report_odd(run, channel.row, page)
            keep_products(run, channel.row, page.items)


def _retire_missing(run: RunContext, channel: Channel) -> None:
    """Missing from a complete, verified listing: retired, unless it is more than a run may retire. What another flow or
    a person has seen since the listing began is there, whether it was on a page or not."""
    missing = [
        row[0]
        for row in sql.rows(
            "SELECT external_id FROM offers_link WHERE channel_id = %s AND kind = 'listing' AND gone_at IS NULL"
            " AND made_by = 'channel' AND seen_run IS DISTINCT FROM %s"
            " AND seen_at < (SELECT started_at FROM engine_run WHERE id = %s)",
            [channel.pk, run.id, run.id],
        )
    ]
    total = sql.value(
        "SELECT count(*) FROM offers_link WHERE channel_id = %s AND kind = 'listing' AND gone_at IS NULL", [channel.pk]
    )
    subject = f"channel:{channel.pk}"
    if missing and len(missing) > max(MOST_SHARE * total, 1):
        run.found("listing_shrank", subject, Severity.ERROR, missing=len(missing), of=total, share=str(MOST_SHARE))
        return
    run.resolved([subject], codes=("listing_shrank",))
    if missing:
        left_over = offers.listings_gone(channel.pk, missing, at=run.at)
        catalog.retire(left_over, at=run.at, actor=run.actor)
        for listing in missing:
            run.found("listing_gone", f"listing:{listing}", Severity.INFO)
