"""Orders of the shop as sales: what changed, and named ones; what surrounds a page of orders is asked for in batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from xml.etree.ElementTree import Element

from msgspec import Struct

from comptoir.channels.errors import Missing, NotLetIn, NotUnderstood
from comptoir.channels.records import Address, Odd, Page, Sale
from comptoir.connectors.prestashop import mapping, reading, wire
from comptoir.connectors.prestashop.client import PrestaShopClient
from comptoir.connectors.prestashop.lookups import Lookups, malformed
from comptoir.kit import clock

T = TypeVar("T", bound=Struct)

PAGE = 50  # orders; more of them run into the memory of small shops
IDS = 1000  # orders of which only the id is asked
HOUR = timedelta(hours=1)
REFERENCE = 9  # automatic payments keep only so much of an order's reference


class PrestaShopSales:
    """SalesSource."""

    def __init__(self, client: PrestaShopClient, lookups: Lookups, *, page: int = PAGE) -> None:
        self._client = client
        self._lookups = lookups
        self._page_size = page
        self._closed: set[str] = set()  # optional lists that our key may not read

    def changed_since(self, cursor: Mapping[str, object], *, start: datetime | None) -> Iterator[Page[Sale]]:
        for batch, after in reading.changes(
            self._client,
            "orders",
            cursor,
            zone=self._lookups.zone,
            start=start,
            now=clock.now(),
            limit=self._page_size,
            params=self._lookups.context,
        ):
            yield self._page(batch, after)

    def fetch(self, external_ids: Sequence[str]) -> Page[Sale]:
        wanted = [one for one in dict.fromkeys(external_ids) if one.isdigit()]
        batch = reading.Batch([], [])
        for start in range(0, len(wanted), PAGE):
            found = reading.some(self._client, "orders", wanted[start : start + PAGE], params=self._lookups.context)
            batch.elements.extend(found.elements)
            batch.odd.extend(found.odd)
        there = {wire.identity(one) for one in batch.elements} | {odd.subject.partition(":")[2] for odd in batch.odd}
        batch.ids.extend(one for one in wanted if one in there)
        return self._page(batch, {})

    def placed_between(self, since: datetime, until: datetime) -> Iterator[Sequence[str]]:
        """Asked for by an hour more on both sides: in autumn the same shop time comes twice, and one is the wrong one."""
        zone, after = self._lookups.zone, 0
        first, last = (reading.to_shop(one, zone) for one in (since - HOUR, until + HOUR))
        while True:
            rows = self._client.rows(
                "orders",
                filters={"date_add": f"[{first},{last}]", "id": f">[{after}]"},
                display="[id,date_add,id_shop,id_shop_group]",
                sort="id_ASC",
                limit=IDS,
                params=self._lookups.context,
            )
            found = [wire.typed(wire.Placed, element) for element in rows]
            yield [str(one.id) for one in found if self._is_within(one, since, until)]
            if len(found) < IDS:
                return
            after = found[-1].id

    def _is_within(self, order: wire.Placed, since: datetime, until: datetime) -> bool:
        if not self._lookups.is_ours(order.id_shop, order.id_shop_group):
            return False
        first = reading.to_utc(order.date_add, self._lookups.zone)
        # An hour of shop time that comes twice is within where either of the two is.
        again = first.astimezone(self._lookups.zone).replace(fold=1).astimezone(UTC)
        return any(since <= one < until for one in (first, again))

    def _page(self, batch: reading.Batch, cursor: dict[str, object]) -> Page[Sale]:
        odd = list(batch.odd)
        orders: list[tuple[wire.Order, Element]] = []
        skipped: set[str] = set()
        for element in batch.elements:
            try:
                order = wire.typed(wire.Order, element)
            except NotUnderstood as error:
                odd.append(malformed("orders", element, error))
                continue
            if self._lookups.is_ours(order.id_shop, order.id_shop_group):
                orders.append((order, element))
            else:
                skipped.add(str(order.id))
        items: list[Sale] = []
        raw: dict[str, str] = {}
        around = _Around(self._client, self._lookups, self._closed, [order for order, _ in orders])
        for order, element in orders:
            external_id = str(order.id)
            raw[external_id] = wire.shown("order", element, order_details=around.raw.get(order.id, ()))
            try:
                if problem := around.problems.get(order.id):
                    raise problem
                items.append(mapping.sale(order, around.of(order)))
            except NotUnderstood as error:
                unknown_currency = error.facts.get("field") == "id_currency"
                odd.append(
                    Odd(
                        code="unknown_currency" if unknown_currency else "malformed_sale",
                        subject=f"sale:{external_id}",
                        facts={
                            "problem": str(error),
                            "reference": order.reference,
                            "answer": error.facts.get("answer", ""),
                        },
                    )
                )
        odd.extend(self._client.take_odd())
        named = tuple(reading.about(one, "orders", "sale") for one in odd)
        seen = tuple(one for one in batch.ids if one not in skipped)
        return Page(items=items, cursor=dict(cursor), seen=seen, odd=named, raw=raw)


class _Around:
    """Everything around a page of orders, each kind of thing in one call."""

    def __init__(
        self, client: PrestaShopClient, lookups: Lookups, closed: set[str], orders: Sequence[wire.Order]
    ) -> None:
        self._client, self._lookups, self._closed = client, lookups, closed
        self.raw: dict[int, list[Element]] = defaultdict(list)
        self.problems: dict[int, NotUnderstood] = {}
        ids = [order.id for order in orders]
        self._details = self._by_order("order_details", wire.OrderDetail, ids, keep=True)
        self._carriers = self._by_order("order_carriers", wire.OrderCarrier, ids)
        self._messages = self._by_order("messages", wire.Message, ids, optional=True)
        self._payments: dict[str, list[wire.OrderPayment]] = defaultdict(list)
        for payment in self._payments_of(orders):
            self._payments[payment.order_reference[:REFERENCE]].append(payment)
        addresses: dict[int, list[int]] = defaultdict(list)
        customers: dict[int, list[int]] = defaultdict(list)
        for order in orders:
            addresses[order.id_address_invoice].append(order.id)
            addresses[order.id_address_delivery].append(order.id)
            customers[order.id_customer].append(order.id)
        self._addresses = self._by_id("addresses", wire.Address, addresses)
        self._customers = self._by_id("customers", wire.Customer, customers)
        products = {row.product_id for rows in self._details.values() for row in rows}
        self._kinds = lookups.kinds(products)

    def of(self, order: wire.Order) -> mapping.SaleContext:
        """What one order needs."""
        lookups = self._lookups
        lookups.knows_state(order.current_state)
        return mapping.SaleContext(
            zone=lookups.zone,
            states=states(lookups),
            currency=lookups.currency(order.id_currency),
            selling_point=lookups.point(order.id_shop, order.id_shop_group),
            details=self._details.get(order.id, ()),
            payments=self._payments.get(order.reference[:REFERENCE], ()),
            carriers=self._carriers.get(order.id, ()),
            messages=self._messages.get(order.id, ()),
            carrier=lookups.carrier(order.id_carrier),
            billing=self._address(order.id_address_invoice),
            shipping=self._address(order.id_address_delivery),
            customer=self._customers.get(order.id_customer),
            kinds=self._kinds,
            shop_name=lookups.settings.get("PS_SHOP_NAME", ""),
        )

    def _address(self, identity: int) -> Address | None:
        row = self._addresses.get(identity)
        if row is None:
            return None
        country, region = self._lookups.countries.get(row.id_country), None
        if row.id_state:
            region = self._lookups.regions.get(row.id_state)
        return mapping.address(row, (country.iso_code if country else "").upper(), region.iso_code if region else "")

    def _by_order(
        self, resource: str, kind: type[T], orders: Sequence[int], *, optional: bool = False, keep: bool = False
    ) -> dict[int, list[T]]:
        """Rows that hang on orders. A sale without one of its lines would be a wrong sale: it waits as a whole."""
        found: dict[int, list[T]] = defaultdict(list)
        elements, bad = self._elements(resource, "id_order", orders, optional)
        self.problems.update({int(order): error for order, error in bad.items()})
        for element in elements:
            owner = wire.number(element, "id_order")
            if keep:
                self.raw[owner].append(element)
            try:
                found[owner].append(wire.typed(kind, element))
            except NotUnderstood as error:
                self.problems[owner] = error
        return found

    def _by_id(self, resource: str, kind: type[T], wanted: Mapping[int, Sequence[int]]) -> dict[int, T]:
        """Rows that orders point to: {id: orders}. What cannot be read holds those orders back."""
        found: dict[int, T] = {}
        elements, bad = self._elements(resource, "id", [one for one in wanted if one], False)
        for value, error in bad.items():
            self.problems.update(dict.fromkeys(wanted[int(value)], error))
        for element in elements:
            identity = wire.number(element, "id")
            try:
                found[identity] = wire.typed(kind, element)
            except NotUnderstood as error:
                self.problems.update(dict.fromkeys(wanted.get(identity, ()), error))
        return found

    def _payments_of(self, orders: Sequence[wire.Order]) -> Iterator[wire.OrderPayment]:
        references = list(dict.fromkeys(order.reference[:REFERENCE] for order in orders if order.reference))
        elements, bad = self._elements("order_payments", "order_reference", references, True)
        for order in orders:
            if error := bad.get(order.reference[:REFERENCE]):
                self.problems[order.id] = error
        for element in elements:
            try:
                yield wire.typed(wire.OrderPayment, element)
            except NotUnderstood as error:
                self._client.note(malformed("order_payments", element, error))

    def _elements(
        self, resource: str, field: str, values: Sequence[object], optional: bool
    ) -> tuple[list[Element], dict[str, NotUnderstood]]:
        if not values or resource in self._closed:
            return [], {}
        try:
            return reading.around(self._client, resource, field, values, params=self._lookups.context)
        except NotLetIn as error:
            if not optional or not str(error.facts.get("right", "")).startswith(resource):
                raise
            self._closed.add(resource)
            self._client.note(
                Odd(code="right_missing", subject="shop", severity="info", facts={"right": f"{resource}: GET"})
            )
            return [], {}


def states(lookups: Lookups) -> mapping.States:
    """The shop's order states with those that its settings name."""
    return mapping.States(
        rows=lookups.states,
        cancelled=lookups.setting("PS_OS_CANCELED"),
        refunded=lookups.setting("PS_OS_REFUND"),
        error=lookups.setting("PS_OS_ERROR"),
        shipping=lookups.setting("PS_OS_SHIPPING"),
        language=lookups.language,
    )


def one_order(client: PrestaShopClient, lookups: Lookups, sale: str) -> wire.Order:
    """An order as it is now; raises Missing."""
    if not sale.isdigit():
        raise Missing(f"{sale!r} is not an order of this shop", sale=sale)
    found = client.rows("orders", filters={"id": f"[{sale}]"}, params=lookups.context)
    if not found:
        raise Missing(f"order {sale} is not there", sale=sale)
    return wire.typed(wire.Order, found[0])
