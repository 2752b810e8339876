"""Suppliers of the shop, and what each of them sells. Neither carries a date of change that could be asked for: all of them
are read every time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from comptoir.channels.errors import NotLetIn, NotUnderstood
from comptoir.channels.records import Odd, Page, Supplier, SupplierListing
from comptoir.connectors.prestashop import mapping, reading, wire
from comptoir.connectors.prestashop.client import PrestaShopClient, any_of, lacks_right
from comptoir.connectors.prestashop.lookups import Lookups, malformed

SUPPLIERS = 200
LINKS = 500


class PrestaShopSuppliers:
    """SupplierSource."""

    def __init__(self, client: PrestaShopClient) -> None:
        self._client = client

    def everything(self, cursor: Mapping[str, object]) -> Iterator[Page[Supplier]]:
        for batch, after in _pages(self._client, "suppliers", cursor, SUPPLIERS):
            odd = list(batch.odd)
            items = []
            for element in batch.elements:
                try:
                    row = wire.typed(wire.Supplier, element)
                except NotUnderstood as error:
                    odd.append(malformed("suppliers", element, error))
                    continue
                items.append(Supplier(external_id=str(row.id), name=row.name or f"#{row.id}", enabled=row.active))
            odd.extend(self._client.take_odd())
            named = tuple(reading.about(one, "suppliers", "supplier") for one in odd)
            yield Page(items=items, cursor=after, seen=tuple(batch.ids), odd=named)


class PrestaShopSupplierLinks:
    """SupplierListingSource."""

    def __init__(self, client: PrestaShopClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def everything(self, cursor: Mapping[str, object]) -> Iterator[Page[SupplierListing]]:
        for batch, after in _pages(self._client, "product_suppliers", cursor, LINKS):
            yield self._page(batch, after)

    def _page(self, batch: reading.Batch, cursor: dict[str, Any]) -> Page[SupplierListing]:
        odd = list(batch.odd)
        rows: list[wire.ProductSupplier] = []
        for element in batch.elements:
            try:
                rows.append(wire.typed(wire.ProductSupplier, element))
            except NotUnderstood as error:
                odd.append(malformed("product_suppliers", element, error))
        combinations, own = self._combinations(rows), self._with_own_rows(rows)
        defaults = self._defaults(rows)
        items: list[SupplierListing] = []
        for row in rows:
            listings = _listings(row, combinations.get(row.id_product, ()), own)
            if not listings:
                continue  # the product's own row says less than those of its combinations
            currency = self._lookups.currency(row.id_currency) if row.id_currency else self._lookups.base_currency
            price = (
                row.product_supplier_price_te if row.product_supplier_price_te > 0 else None
            )  # 0 is an empty box there
            if price is not None and not currency:
                odd.append(
                    Odd(
                        code="unknown_currency",
                        subject=f"supplier_link:{row.id}",
                        facts={"currency": str(row.id_currency)},
                    )
                )
            items.append(
                SupplierListing(
                    external_id=str(row.id),
                    supplier=str(row.id_supplier),
                    listings=listings,
                    reference=row.product_supplier_reference,
                    price=price if currency else None,
                    currency=currency if price is not None else "",
                    is_default=defaults.get(row.id_product) == row.id_supplier,
                )
            )
        odd.extend(self._client.take_odd())
        named = tuple(reading.about(one, "product_suppliers", "supplier_link") for one in odd)
        return Page(items=items, cursor=cursor, seen=tuple(batch.ids), odd=named)

    def _combinations(self, rows: Sequence[wire.ProductSupplier]) -> dict[int, list[int]]:
        """The combinations of products whose own row is on this page."""
        found: dict[int, list[int]] = defaultdict(list)
        for element in self._about(rows, "combinations", "id_product", "[id,id_product]"):
            found[wire.number(element, "id_product")].append(int(wire.identity(element)))
        return found

    def _with_own_rows(self, rows: Sequence[wire.ProductSupplier]) -> set[tuple[int, int]]:
        """(product, supplier) that have rows for single combinations, on this page or any other."""
        display = "[id,id_product,id_product_attribute,id_supplier]"
        return {
            (wire.number(element, "id_product"), wire.number(element, "id_supplier"))
            for element in self._about(rows, "product_suppliers", "id_product", display)
            if wire.number(element, "id_product_attribute")
        }

    def _about(self, rows: Sequence[wire.ProductSupplier], resource: str, field: str, display: str) -> Iterator[Any]:
        products = sorted({row.id_product for row in rows if not row.id_product_attribute})
        for start in range(0, len(products), 100):
            yield from reading.all_of(
                self._client,
                resource,
                filters={field: any_of(products[start : start + 100])},
                display=display,
                params=self._lookups.context if resource == "combinations" else None,
            )

    def _defaults(self, rows: Sequence[wire.ProductSupplier]) -> dict[int, int]:
        """The default supplier of each product."""
        products = sorted({row.id_product for row in rows})
        found: dict[int, int] = {}
        for start in range(0, len(products), 100):
            for element in self._client.rows(
                "products",
                filters={"id": any_of(products[start : start + 100])},
                display="[id,id_supplier]",
                params=self._lookups.context,
            ):
                found[int(wire.identity(element))] = wire.number(element, "id_supplier")
        return found


def _listings(row: wire.ProductSupplier, combinations: Sequence[int], own: set[tuple[int, int]]) -> tuple[str, ...]:
    """What a row speaks of. Attribute 0 is a simple product; of a product with combinations it stands for all of them, as
    long as none has a row of its own with this supplier."""
    if row.id_product_attribute:
        return (mapping.listing_id(row.id_product, row.id_product_attribute),)
    if not combinations:
        return (mapping.listing_id(row.id_product, 0),)
    if (row.id_product, row.id_supplier) in own:
        return ()
    return tuple(mapping.listing_id(row.id_product, one) for one in sorted(combinations))


def _pages(
    client: PrestaShopClient, resource: str, cursor: Mapping[str, object], limit: int
) -> Iterator[tuple[reading.Batch, dict[str, Any]]]:
    """Pages of a resource by id. A key without the right to read it reads nothing and says so: suppliers are no reason to
    stop the sales of a shop."""
    after = int(str(cursor.get("after", 0)))
    while True:
        try:
            batch = reading.page(client, resource, after=after, limit=limit)
        except NotLetIn as error:
            if not (right := lacks_right(error)):
                raise
            yield (
                reading.Batch([], [], [Odd(code="right_missing", subject=f"shop:{resource}", facts={"right": right})]),
                {"after": after},
            )
            return
        after = reading.last(batch, after) if batch.ids else after
        yield batch, {"after": after}
        if len(batch.ids) < limit:
            return
