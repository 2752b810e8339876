"""Products and variations of the shop, and whose figure of stock is whose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from comptoir.connectors.woocommerce.simulator.hooks import Hooks
from comptoir.connectors.woocommerce.simulator.store import Row, opened, whole

PRODUCT: Row = {
    "name": "",
    "type": "simple",
    "catalog_visibility": "visible",
    "description": "",
    "short_description": "",
    "global_unique_id": "",
    "regular_price": "",
    "sale_price": "",
    "tax_status": "taxable",
    "tax_class": "",
    "manage_stock": False,
    "stock_quantity": None,
    "stock_status": "instock",
    "backorders": "no",
    "weight": "",
    "virtual": False,
    "downloadable": False,
    "categories": [],
    "brands": [],
    "images": [],
    "attributes": [],
    "grouped_products": [],
    "meta_data": [],
}
VARIATION: Row = {
    "description": "",
    "global_unique_id": "",
    "regular_price": "",
    "sale_price": "",
    "tax_class": "parent",
    "manage_stock": False,
    "stock_quantity": None,
    "stock_status": "instock",
    "backorders": "no",
    "weight": "",
    "virtual": False,
    "downloadable": False,
    "image": None,
    "attributes": [],
    "meta_data": [],
}


class Goods(Hooks):
    """What the shop sells."""

    def show(self, row: Row) -> Row:
        """An object as REST answers it; `state.Shop` fills this in."""
        raise NotImplementedError

    @whole
    def add_category(self, name: str, parent: int = 0) -> int:
        """A category of products."""
        return self.store.add("category", {"name": name, "slug": name.lower().replace(" ", "-")}, parent=parent)

    @whole
    def add_product(
        self,
        /,
        name: str,
        *,
        sku: str = "",
        price: str = "",
        quantity: int | None = None,
        status: str = "publish",
        images: int = 0,
        variations: Iterable[Mapping[str, Any]] = (),
        **fields: Any,
    ) -> int:
        """A product; `quantity` makes its stock counted. A variation: sku, price, quantity, options {"Size": "M"}, …"""
        wanted = list(variations)
        doc = {**PRODUCT, "name": name, "regular_price": price, "type": "variable" if wanted else "simple", **fields}
        if quantity is not None:
            doc |= {"manage_stock": True, "stock_quantity": quantity}
        names: dict[str, list[str]] = {}
        for one in wanted:
            for label, option in one.get("options", {}).items():
                names.setdefault(label, [])
                if option not in names[label]:
                    names[label].append(option)
        if names:
            doc["attributes"] = [
                {"id": 0, "name": label, "position": place, "visible": True, "variation": True, "options": options}
                for place, (label, options) in enumerate(names.items())
            ]
        identity = self.store.add("product", doc, status=status, sku=self._free_sku(sku))
        row = self.store.get("product", identity)
        self.store.save(row, touch=False, images=[self._image(identity, place) for place in range(images)])
        for one in wanted:
            self.add_variation(identity, **one)
        self.fire("product.created", self.show(self.store.get("product", identity)))
        return identity

    @whole
    def add_variation(
        self,
        /,
        product: int,
        *,
        sku: str = "",
        price: str = "",
        quantity: int | None = None,
        status: str = "publish",
        options: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> int:
        """A variation of a variable product."""
        attributes = [{"id": 0, "name": name, "option": option} for name, option in (options or {}).items()]
        doc = {**VARIATION, "regular_price": price, "attributes": attributes, **fields}
        if quantity is not None:
            doc |= {"manage_stock": True, "stock_quantity": quantity}
        return self.store.add("variation", doc, parent=product, status=status, sku=self._free_sku(sku))

    @whole
    def edit_product(self, /, product: int, **fields: Any) -> None:
        """Save a product in the back office."""
        row = self.store.get("product", product)
        self.store.save(row, **fields)
        self.product_saved(product)

    @whole
    def edit_variation(self, /, variation: int, *, touches_product: bool = True, **fields: Any) -> None:
        """Save a variation; its product's date normally moves too."""
        row = self.store.get("variation", variation)
        self.store.save(row, **fields)
        if touches_product:
            self.store.save(self.store.get("product", row["parent"]))
        self.product_saved(row["parent"])

    def product_saved(self, product: int) -> None:
        """Tell whoever listens."""
        self.fire("product.updated", self.show(self.store.get("product", product)))

    @whole
    def trash_product(self, product: int) -> None:
        """Move it to the bin."""
        self.store.save(self.store.get("product", product), status="trash")
        self.fire("product.deleted", {"id": product})

    @whole
    def delete_product(self, product: int) -> None:
        """Delete it for good, with its variations."""
        for one in self.variations_of(product):
            self.store.remove("variation", one["id"])
        self.store.remove("product", product)
        self.fire("product.deleted", {"id": product})

    @whole
    def delete_variation(self, variation: int) -> None:
        """Delete one for good; its product's date moves."""
        row = self.store.get("variation", variation)
        self.store.remove("variation", variation)
        self.store.save(self.store.get("product", row["parent"]))

    def variations_of(self, product: int) -> list[Row]:
        """The variations of a product, by id."""
        return self.store.all("variation", parent=product)

    # Stock ---------------------------------------------------------------------------------------------------------

    def counts_stock(self) -> bool:
        """The shop-wide switch."""
        return self.setting("woocommerce_manage_stock") == "yes"

    def counted_by(self, row: Row) -> Row | None:
        """Where the figure of a product or variation is kept: itself, its parent, or nowhere."""
        if row["doc"]["manage_stock"] is True:
            return row
        if row["kind"] == "variation":
            parent = self.store.get("product", row["parent"])
            return parent if parent["doc"]["manage_stock"] is True else None
        return None

    def figure(self, product: int, variation: int = 0) -> int | None:
        """The figure that a buyer sees; None where nobody counts."""
        row = self._row(product, variation)
        holder = self.counted_by(row)
        return None if holder is None else int(holder["doc"]["stock_quantity"] or 0)

    def move_stock(self, product: int, variation: int, units: int) -> bool:
        """Units come or go through orders. No date of change moves; tells whether anything is counted."""
        row = self.store.find("variation" if variation else "product", variation or product)
        holder = self.counted_by(row) if row is not None and self.counts_stock() else None
        if holder is None:
            return False
        self.store.save(holder, touch=False, stock_quantity=int(holder["doc"]["stock_quantity"] or 0) + units)
        return True

    @whole
    def set_stock(self, product: int, quantity: int, variation: int = 0) -> None:
        """Type a figure in the back office."""
        row = self._row(product, variation)
        self.store.save(row, manage_stock=True, stock_quantity=quantity)
        self.product_saved(product)

    def by_sku(self) -> dict[str, Row]:
        """Everything that can be bought and has a SKU of its own; where a parent counts, its variations go by theirs."""
        rows = self.store.rows(
            "SELECT * FROM objects WHERE kind IN ('product', 'variation') AND sku <> '' AND status = 'publish' ORDER BY id"
        )
        found = [opened(row) for row in rows]
        return {row["sku"]: row for row in found if row["kind"] == "variation" or row["doc"]["type"] == "simple"}

    def _row(self, product: int, variation: int) -> Row:
        return self.store.get("variation", variation) if variation else self.store.get("product", product)

    def _free_sku(self, sku: str) -> str:
        if sku and self.sku_taken(sku, 0):
            raise ValueError(f"the SKU {sku} is in the lookup table already")
        return sku

    def sku_taken(self, sku: str, but: int) -> bool:
        """SKUs are unique over products and variations, the bin left out."""
        return (
            self.store.value("SELECT id FROM objects WHERE sku = ? AND id <> ? AND status <> 'trash'", (sku, but))
            is not None
        )

    def _image(self, product: int, place: int) -> Row:
        number = self.store.fresh("image")
        now = self.gmt()
        return {
            "id": 90_000 + number,
            "src": f"{self.url}wp-content/uploads/{product}-{place}.png",
            "name": f"{product}-{place}",
            "alt": "",
            "date_created_gmt": now,
            "date_modified_gmt": now,
        }


def images_of(rows: Sequence[Row]) -> dict[str, Row]:
    """Path of each picture -> the picture."""
    found: dict[str, Row] = {}
    for row in rows:
        pictures = row["doc"].get("images") or ([row["doc"]["image"]] if row["doc"].get("image") else [])
        found |= {"/" + one["src"].split("/", 3)[3]: one for one in pictures}
    return found
