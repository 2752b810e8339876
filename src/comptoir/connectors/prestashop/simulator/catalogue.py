"""Products, combinations, packs, images and stock rows, and what a merchant does with them in the back office."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from comptoir.connectors.prestashop.simulator.base import Base
from comptoir.connectors.prestashop.simulator.store import Row, whole

#: product, attribute, shop -> units
StockDeltas = dict[tuple[int, int, int], int]

#: pack_stock_type: an order takes the pack itself, its parts, or (2) both; 3 means the shop's default
PACK_ONLY, PARTS_ONLY = 0, 1


class Catalogue(Base):
    """The goods of the shop."""

    # Small things -----------------------------------------------------------------------------------------------

    def add_category(self, name: str | Mapping[int, str], parent: int = 2) -> int:
        """A category."""
        now = self.shop_time()
        return self.store.insert(
            "categories", id_parent=parent, active=1, name=name, link_rewrite="category", date_add=now, date_upd=now
        )

    def add_manufacturer(self, name: str) -> int:
        """A brand."""
        now = self.shop_time()
        return self.store.insert("manufacturers", name=name, active=1, date_add=now, date_upd=now)

    def add_supplier(self, name: str) -> int:
        """A supplier."""
        now = self.shop_time()
        return self.store.insert("suppliers", name=name, active=1, date_add=now, date_upd=now)

    @whole
    def link_supplier(
        self,
        product: int,
        supplier: int,
        *,
        attribute: int = 0,
        reference: str = "",
        price: str = "0",
        currency: int = 0,
    ) -> int:
        """A product-supplier row. A product with combinations also gets a row of its own with that supplier, which says
        nothing, as its page in the back office makes one."""
        if attribute and not self.store.rows(
            "SELECT id FROM product_suppliers WHERE id_product = ? AND id_supplier = ? AND id_product_attribute = 0",
            (product, supplier),
        ):
            self.store.insert("product_suppliers", id_product=product, id_supplier=supplier)
        return self.store.insert(
            "product_suppliers",
            id_product=product,
            id_product_attribute=attribute,
            id_supplier=supplier,
            id_currency=currency,
            product_supplier_reference=reference,
            product_supplier_price_te=price,
        )

    @whole
    def option_value(self, option: str, value: str) -> int:
        """The id of an option value such as ("Colour", "Red"), made where it is missing."""
        group = next(
            (
                row["id"]
                for row in self.store.rows("SELECT id, name FROM product_options")
                if option in json.loads(row["name"]).values()
            ),
            None,
        )
        if group is None:
            group = self.store.insert("product_options", group_type="select", name=option, public_name=option)
        for row in self.store.rows("SELECT id, name FROM product_option_values WHERE id_attribute_group = ?", (group,)):
            if value in json.loads(row["name"]).values():
                return int(row["id"])
        return self.store.insert("product_option_values", id_attribute_group=group, name=value)

    # Products ---------------------------------------------------------------------------------------------------

    def add_product(
        self,
        name: str | Mapping[int, str],
        *,
        reference: str = "",
        price: str | Decimal = "0",
        quantity: int = 0,
        combinations: Iterable[Mapping[str, Any]] = (),
        bundle: Iterable[tuple[int, int, int]] = (),
        images: int = 0,
        tax_rules_group: int = 1,
        category: int = 2,
        virtual: bool = False,
        pack_stock_type: int = 3,
        shops: Sequence[int] = (1,),
        **fields: Any,
    ) -> int:
        """A product with its stock rows. Combinations: {"reference", "price", "quantity", "options": {"Colour": "Red"}}.

        `bundle` makes a pack of (product, attribute, quantity); further keywords are fields of `products`.
        """
        made = list(combinations)
        parts = [
            {"id": part, "id_product_attribute": attribute, "quantity": units} for part, attribute, units in bundle
        ]
        kind = "virtual" if virtual else "pack" if parts else "combinations" if made else "standard"
        now = self.shop_time()
        values: dict[str, Any] = {
            "name": name,
            "link_rewrite": _slug(name),
            "reference": reference,
            "price": price,
            "id_tax_rules_group": tax_rules_group,
            "id_category_default": category,
            "id_shop_default": shops[0],
            "product_type": kind,
            "is_virtual": virtual,
            "cache_is_pack": bool(parts),
            "pack_stock_type": pack_stock_type,
            "state": 1,
            "active": 1,
            "visibility": "both",
            "condition": "new",
            "available_for_order": 1,
            "show_price": 1,
            "minimal_quantity": 1,
            "date_add": now,
            "date_upd": now,
            "associations": {
                "categories": [{"id": category}] if category == 2 else [{"id": 2}, {"id": category}],
                **({"product_bundle": parts} if parts else {}),
            },
            **fields,
        }
        with self.store.transaction():
            product = self.store.insert("products", **values)
            for shop in shops:
                self.store.execute("INSERT INTO shop_members VALUES ('products', ?, ?)", (product, shop))
            for place, group in sorted({self.stock_place(shop) for shop in shops}):
                self._add_stock_row(product, 0, place, group, quantity)
            for one in made:
                self.add_combination(product, **one)
            for _ in range(images):
                self.add_image(product)
            if parts:
                self._forget_packs()
                self._recompute_packs({(part["id"], part["id_product_attribute"]) for part in parts})
        return product

    def add_products(self, products: Iterable[Mapping[str, Any]]) -> list[int]:
        """Many products in one transaction: mappings of `add_product`'s arguments."""
        with self.store.transaction():
            return [self.add_product(**dict(one)) for one in products]

    @whole
    def edit_product(self, /, product: int, **fields: Any) -> None:
        """Change fields of a product; this touches its date_upd."""
        self.store.update("products", product, **fields, date_upd=self.shop_time())
        self.goods_changed()

    @whole
    def delete_product(self, product: int) -> None:
        """Delete a product with all that hangs on it; orders keep its number."""
        with self.store.transaction():
            for combination in self.combinations_of(product):
                self.store.delete("combinations", combination)
            self.store.delete("products", product)
            self.store.execute("DELETE FROM stock_availables WHERE id_product = ?", (product,))
            self.store.execute("DELETE FROM product_suppliers WHERE id_product = ?", (product,))
            self.store.execute("DELETE FROM product_images WHERE id_product = ?", (product,))
            self.store.execute("DELETE FROM shop_members WHERE resource = 'products' AND id = ?", (product,))
        self.goods_changed()

    @whole
    def add_combination(
        self,
        /,
        product: int,
        *,
        reference: str = "",
        price: str | Decimal = "0",
        quantity: int = 0,
        options: Mapping[str, str] | None = None,
        images: Sequence[int] = (),
        **fields: Any,
    ) -> int:
        """A combination; `price` is its impact. The product's date_upd stays as it was, as in the real shop."""
        with self.store.transaction():
            first = not self.combinations_of(product)
            values = [{"id": self.option_value(option, value)} for option, value in (options or {}).items()]
            combination = self.store.insert(
                "combinations",
                id_product=product,
                reference=reference,
                price=price,
                default_on=first,
                minimal_quantity=1,
                associations={
                    "product_option_values": values,
                    **({"images": [{"id": image} for image in images]} if images else {}),
                },
                **fields,
            )
            places = self.store.rows(
                "SELECT DISTINCT id_shop, id_shop_group FROM stock_availables WHERE id_product = ? "
                "AND id_product_attribute = 0 AND (id_shop <> 0 OR id_shop_group <> 0)",
                (product,),
            )
            for place in places:
                self._add_stock_row(product, combination, place["id_shop"], place["id_shop_group"], quantity)
                self._recompute_total(product, place["id_shop"], place["id_shop_group"])
            if first:
                self.store.execute("UPDATE products SET product_type = 'combinations' WHERE id = ?", (product,))
        self.goods_changed()
        return combination

    @whole
    def delete_combination(self, combination: int) -> None:
        """Delete a combination; order rows keep its number."""
        found = self.store.get("combinations", combination)
        if found is None:
            raise LookupError(f"no combination {combination}")
        with self.store.transaction():
            self.store.delete("combinations", combination)
            self.store.execute("DELETE FROM stock_availables WHERE id_product_attribute = ?", (combination,))
            for place in self.store.rows(
                "SELECT id_shop, id_shop_group FROM stock_availables WHERE id_product = ?", (found["id_product"],)
            ):
                self._recompute_total(found["id_product"], place["id_shop"], place["id_shop_group"])
        self.goods_changed()

    def combinations_of(self, product: int) -> list[int]:
        """The combinations of a product."""
        rows = self.store.rows("SELECT id FROM combinations WHERE id_product = ? ORDER BY id", (product,))
        return [row["id"] for row in rows]

    # Images -----------------------------------------------------------------------------------------------------

    @whole
    def add_image(self, product: int, *, missing: bool = False) -> int:
        """A picture; `missing`: listed, but its file is gone from the disk. The product's date_upd stays."""
        image = self.store.reserve_ids("product_images", 1)
        position = 1 + int(self.store.value("SELECT count(*) FROM product_images WHERE id_product = ?", (product,)))
        self.store.execute(
            "INSERT INTO product_images VALUES (?, ?, ?, ?, ?)", (image, product, position, position == 1, missing)
        )
        return image

    def delete_image(self, image: int) -> None:
        """Take a picture away."""
        self.store.execute("DELETE FROM product_images WHERE id = ?", (image,))

    # Stock ------------------------------------------------------------------------------------------------------

    def stock(self, product: int, attribute: int = 0, shop: int = 1) -> int:
        """What the shop would still sell."""
        place, group = self.stock_place(shop)
        return int(
            self.store.value(
                "SELECT quantity FROM stock_availables WHERE id_product = ? AND id_product_attribute = ? "
                "AND id_shop = ? AND id_shop_group = ?",
                (product, attribute, place, group),
            )
            or 0
        )

    @whole
    def set_stock(self, product: int, quantity: int, attribute: int = 0, shop: int = 1) -> None:
        """Type a figure in the back office."""
        self.move_stock({(product, attribute, shop): quantity - self.stock(product, attribute, shop)})

    def move_stock(self, deltas: StockDeltas) -> None:
        """Add or take units; totals of products with combinations and computed packs follow."""
        totals: set[tuple[int, int, int]] = set()
        with self.store.transaction():
            places = {shop: self.stock_place(shop) for shop in {key[2] for key in deltas}}
            for (product, attribute, shop), delta in deltas.items():
                place, group = places[shop]
                found = self.store.rows(
                    "SELECT id, quantity FROM stock_availables WHERE id_product = ? AND id_product_attribute = ? "
                    "AND id_shop = ? AND id_shop_group = ?",
                    (product, attribute, place, group),
                )
                if not found:
                    # The row of this shop is gone or broken: the shop makes a second one.
                    self._add_stock_row(product, attribute, place, group, delta)
                elif delta:
                    before = found[0]["quantity"]
                    self.store.execute(
                        "UPDATE stock_availables SET quantity = quantity + ? WHERE id = ?", (delta, found[0]["id"])
                    )
                    self.store.record(
                        "stock_availables", found[0]["id"], {"quantity": before}, {"quantity": before + delta}
                    )
                if attribute:
                    totals.add((product, place, group))
            for product, place, group in totals:
                self._recompute_total(product, place, group)
            self._recompute_packs({(product, attribute) for product, attribute, _shop in deltas})

    def stock_row_written(self, product: int, attribute: int, place: int, group: int) -> None:
        """What the core does after a stock row was saved: the total of a product with combinations is their sum."""
        if attribute:
            self._recompute_total(product, place, group)
        self._recompute_packs({(product, attribute)})

    def _add_stock_row(self, product: int, attribute: int, place: int, group: int, quantity: int) -> int:
        return self.store.insert(
            "stock_availables",
            id_product=product,
            id_product_attribute=attribute,
            id_shop=place,
            id_shop_group=group,
            quantity=quantity,
            out_of_stock=2,
        )

    def _recompute_total(self, product: int, place: int, group: int) -> None:
        total = self.store.value(
            "SELECT sum(quantity) FROM stock_availables WHERE id_product = ? AND id_product_attribute <> 0 "
            "AND id_shop = ? AND id_shop_group = ?",
            (product, place, group),
        )
        row = self.store.rows(
            "SELECT id, quantity FROM stock_availables WHERE id_product = ? AND id_product_attribute = 0 "
            "AND id_shop = ? AND id_shop_group = ?",
            (product, place, group),
        )
        if row and row[0]["quantity"] != (total or 0):
            self.store.execute("UPDATE stock_availables SET quantity = ? WHERE id = ?", (total or 0, row[0]["id"]))
            self.store.record(
                "stock_availables", row[0]["id"], {"quantity": row[0]["quantity"]}, {"quantity": total or 0}
            )

    # Packs ------------------------------------------------------------------------------------------------------

    def pack_type(self, product: Row) -> int:
        """How a pack counts: 0 itself, 1 its parts, 2 both."""
        own = int(product["pack_stock_type"])
        return int(self.configuration("PS_PACK_STOCK_TYPE") or 0) if own == 3 else own

    def pack_parts(self, product: Row) -> list[tuple[int, int, int]]:
        """(product, attribute, units) of a pack; empty for anything else."""
        if not product["cache_is_pack"]:
            return []
        return [
            (int(part["id"]), int(part.get("id_product_attribute", 0)), int(part["quantity"]))
            for part in json.loads(product["associations"]).get("product_bundle", [])
        ]

    def _packs(self) -> dict[tuple[int, int], set[int]]:
        """Which computed packs a good is part of."""
        if self._packs_of is None:
            found: dict[tuple[int, int], set[int]] = defaultdict(set)
            for pack in self.store.rows("SELECT * FROM products WHERE cache_is_pack = 1"):
                if self.pack_type(pack) == PARTS_ONLY:
                    for product, attribute, _units in self.pack_parts(pack):
                        found[product, attribute].add(pack["id"])
            self._packs_of = dict(found)
        return self._packs_of

    _packs_of: dict[tuple[int, int], set[int]] | None = None

    def _forget_packs(self) -> None:
        self._packs_of = None

    def _recompute_packs(self, changed: set[tuple[int, int]]) -> None:
        """A pack that counts by its parts shows as many as the parts allow."""
        packs = self._packs()
        if not packs:
            return
        for identity in sorted({pack for good in changed for pack in packs.get(good, ())}):
            pack = self.store.get("products", identity)
            if pack is None:
                continue
            for row in self.store.rows(
                "SELECT * FROM stock_availables WHERE id_product = ? AND id_product_attribute = 0", (identity,)
            ):
                possible = min(
                    self._units_at(part, attribute, row["id_shop"], row["id_shop_group"]) // units
                    for part, attribute, units in self.pack_parts(pack)
                )
                if possible != row["quantity"]:
                    self.store.execute("UPDATE stock_availables SET quantity = ? WHERE id = ?", (possible, row["id"]))

    def _units_at(self, product: int, attribute: int, place: int, group: int) -> int:
        return int(
            self.store.value(
                "SELECT quantity FROM stock_availables WHERE id_product = ? AND id_product_attribute = ? "
                "AND id_shop = ? AND id_shop_group = ?",
                (product, attribute, place, group),
            )
            or 0
        )

    def goods_changed(self) -> None:
        """Something about the goods changed: what was remembered for placing orders is stale."""
        self._forget_packs()

    # Prices -----------------------------------------------------------------------------------------------------

    def tax_rate(self, group: int, country: int | None = None) -> Decimal:
        """Percent of tax for a group of rules in a country."""
        wanted = country or int(self.configuration("PS_COUNTRY_DEFAULT") or 0)
        rate = self.store.value(
            "SELECT t.rate FROM tax_rules r JOIN taxes t ON t.id = r.id_tax "
            "WHERE r.id_tax_rules_group = ? AND r.id_country = ? LIMIT 1",
            (group, wanted),
        )
        return Decimal(rate or 0)


def _slug(name: str | Mapping[int, str]) -> str:
    text = name if isinstance(name, str) else next(iter(name.values()))
    return "-".join("".join(sign if sign.isalnum() else " " for sign in text.lower()).split()) or "product"
