"""Orders of the shop as sales: what changed, and named ones; what was given back is asked for where an order says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from msgspec import Struct

from comptoir.channels.errors import Missing, NotUnderstood
from comptoir.channels.records import Odd, Page, Sale
from comptoir.connectors.woocommerce import mapping, reading, wire
from comptoir.connectors.woocommerce.client import V3, WooCommerceClient
from comptoir.connectors.woocommerce.lookups import Lookups

PAGE = 50
IDS = 100  # orders of which only the id is asked
PATH = f"{V3}/orders"
#: `dp`: without it amounts come rounded to the shop's two decimals, and lines no longer add up to the total.
PARAMS = {"status": "any", "dp": "6"}
SECOND = timedelta(seconds=1)


class _Placed(Struct):
    """An order of which we only ask when it was placed."""

    id: int
    status: str
    date_created_gmt: str | None = None


class WooCommerceSales:
    """SalesSource."""

    def __init__(self, client: WooCommerceClient, lookups: Lookups, *, page: int = PAGE) -> None:
        self._client = client
        self._lookups = lookups
        self._page_size = page

    def changed_since(self, cursor: Mapping[str, object], *, start: datetime | None) -> Iterator[Page[Sale]]:
        for batch, after in reading.changes(self._client, PATH, cursor, PARAMS, start=start, size=self._page_size):
            yield self._page(batch, after)

    def fetch(self, external_ids: Sequence[str]) -> Page[Sale]:
        wanted = [int(one) for one in dict.fromkeys(external_ids) if one.isdecimal()]
        batch = reading.some(self._client, PATH, wanted, PARAMS)
        # "any" leaves the bin out: what was thrown away is cancelled, not gone.
        if missing := [one for one in wanted if one not in set(batch.ids)]:
            binned = reading.some(self._client, PATH, missing, {**PARAMS, "status": "trash"})
            batch.rows |= binned.rows
            batch.ids += binned.ids
            batch.odd += binned.odd
        return self._page(batch, {})

    def placed_between(self, since: datetime, until: datetime) -> Iterator[Sequence[str]]:
        """The filters leave both ends out, so a second more is asked for on either side."""
        params = {
            "status": "any",
            "after": reading.to_gmt(since - SECOND),
            "before": reading.to_gmt(until + SECOND),
            "dates_are_gmt": "true",
            "_fields": "id,status,date_created_gmt",
        }
        for step in reading.walk(self._client, PATH, params, size=IDS):
            rows = [wire.typed(_Placed, row) for row in step.batch.rows.values()]
            yield [
                str(one.id)
                for one in rows
                if one.status not in mapping.DRAFTS
                and since <= wire.moment(one.date_created_gmt, "date_created_gmt") < until
            ]

    def _page(self, batch: reading.Batch, cursor: dict[str, Any]) -> Page[Sale]:
        odd = list(batch.odd)
        items: list[Sale] = []
        raw: dict[str, str] = {}
        for identity, row in batch.rows.items():
            raw[str(identity)] = bytes(row).decode("utf-8", "replace")
            try:
                order = wire.typed(wire.Order, row)
            except NotUnderstood as error:
                odd.append(_bad("malformed_row", identity, error))
                continue
            if order.status in mapping.DRAFTS:
                continue
            try:
                items.append(mapping.sale(order, self._around(order)))
            except NotUnderstood as error:
                is_currency = error.facts.get("field") == "currency"
                odd.append(_bad("unknown_currency" if is_currency else "malformed_sale", identity, error))
        odd += self._client.take_odd()
        return Page(
            items=items,
            cursor=dict(cursor),
            seen=tuple(map(str, batch.ids)),
            odd=tuple(reading.about(one, PATH, "sale") for one in odd),
            raw=raw,
            total=batch.total,
        )

    def _around(self, order: wire.Order) -> mapping.SaleContext:
        return mapping.SaleContext(
            good_methods=self._client.config.good_methods,
            rounds_the_total=self._lookups.rounds_the_total,
            statuses=self._names if order.status not in mapping.STATES and order.status != "processing" else None,
            refunds=self._refunds(order) if order.refunds else (),
        )

    @cached_property
    def _names(self) -> dict[str, str]:
        """Names of the statuses that plugins brought."""
        return statuses(self._lookups)

    def _refunds(self, order: wire.Order) -> list[wire.Refund]:
        found: list[wire.Refund] = []
        for batch in reading.all_of(self._client, f"{PATH}/{order.id}/refunds", {"dp": "6"}):
            if batch.odd:
                raise NotUnderstood(str(batch.odd[0].facts["problem"]), answer=batch.odd[0].facts.get("answer", ""))
            found += [wire.typed(wire.Refund, row) for row in batch.rows.values()]
        return found


def _bad(code: str, identity: int, error: NotUnderstood) -> Odd:
    facts = {"problem": str(error), "answer": str(error.facts.get("answer", ""))}
    return Odd(code=code, subject=f"sale:{identity}", facts=facts)


def statuses(lookups: Lookups) -> dict[str, str]:
    """Slug -> name of every status; the list is not on every version, the report is."""
    found = lookups.trying(f"{V3}/orders/statuses") or lookups.trying(f"{V3}/reports/orders/totals") or []
    rows = found if isinstance(found, list) else []
    named = (row for row in rows if isinstance(row, dict) and row.get("slug"))
    return {str(row["slug"]).removeprefix("wc-"): str(row.get("name", "")) for row in named}


def one_order(client: WooCommerceClient, sale: str) -> wire.Order:
    """An order as it is now, in the bin or not; raises Missing."""
    if not sale.isdecimal():
        raise Missing(f"{sale!r} is not an order of this shop", sale=sale)
    return wire.typed(wire.Order, client.one(f"{PATH}/{sale}"))
