"""What the shop sells: products of every type, their options, pictures, prices and categories."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from comptoir.connectors.magento.simulator.problem import no_such
from comptoir.connectors.magento.simulator.store import Row, Store, plain, text, whole
from comptoir.simulators.clock import Clock

#: those that hold stock; configurables, bundles and grouped products have no source items
STOCKED = ("simple", "virtual", "downloadable", "giftcard")
TAXABLE = 2
TAX_CLASSES = ((0, "None", "PRODUCT"), (2, "Taxable Goods", "PRODUCT"), (3, "Retail Customer", "CUSTOMER"))
#: with a table of their own, or part of it, and not custom attributes
_OWN = ("sku", "name", "price", "status", "visibility", "weight", "type_id")


#: what every stock item says as long as nobody configures it
_STOCK_DEFAULTS = {
    **dict.fromkeys(
        (
            "use_config_min_qty", "use_config_max_sale_qty", "use_config_backorders",
            "use_config_notify_stock_qty", "use_config_qty_increments", "use_config_enable_qty_inc",
            "use_config_manage_stock",
        ),
        True,
    ),
    **dict.fromkeys(("is_qty_decimal", "enable_qty_increments", "is_decimal_divided", "show_default_notification_message"), False),
    "min_qty": 0,
    "use_config_min_sale_qty": 1, "min_sale_qty": 1, "max_sale_qty": 10000, "backorders": 0, "notify_stock_qty": 1, "qty_increments": 0,
    "low_stock_date": None, "stock_status_changed_auto": 0,
}  # fmt: skip


class Catalogue:
    """Products and what surrounds them."""

    store: Store
    clock: Clock
    #: stock that the shop keeps by sources, or one figure for each product
    msi: bool

    def stamp(self, at: datetime | None = None) -> str:
        """A moment as the shop writes it: UTC, without saying so."""
        return (at or self.clock.now()).strftime("%Y-%m-%d %H:%M:%S")

    # Making ---------------------------------------------------------------------------------------------------------

    @whole
    def add_product(
        self,
        name: str,
        *,
        sku: str,
        price: str | Decimal = "5.00",
        quantity: int | str | None = None,
        kind: str = "simple",
        weight: str = "0.25",
        status: int = 1,
        visibility: int = 4,
        images: int = 0,
        options: Mapping[str, str] | None = None,
        bundle: Sequence[Mapping[str, Any]] = (),
        children: Sequence[int] = (),
        attributes: Mapping[str, Any] | None = None,
        categories: Sequence[int] = (),
        source: str = "default",
    ) -> int:
        """A product; `options` of a variant by attribute label, `children` of a configurable, `bundle` of a bundle:
        {"title", "links": [(sku, qty)], "required", "fixed"}."""
        custom: dict[str, Any] = {
            "tax_class_id": str(TAXABLE), "url_key": sku.lower().replace("/", "-"), "description": f"<p>{name}</p>"
        }  # fmt: skip
        for label, value in (options or {}).items():
            custom[label.lower()] = str(self.option(label, value))
        custom |= {code: str(value) for code, value in (attributes or {}).items()}
        if kind == "bundle":
            custom |= {"price_type": "1", "shipment_type": "0", "sku_type": "1", **(attributes or {})}
        document: Row = {
            "weight": weight,
            "custom": custom,
            "images": [],
            "children": list(children),
            "axes": self._axes(children),
            "bundle": [dict(one) for one in bundle],
            "categories": list(categories),
            "linked": [],
        }
        now = self.stamp()
        entity = self.store.insert_row(
            "INSERT INTO products (sku, type_id, name, price, status, visibility, created_at, updated_at, doc)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (sku, kind, name, float(price) if kind not in ("configurable", "grouped") else None, status, visibility, now, now,
             text(document)),
        )  # fmt: skip
        for _ in range(images):
            self.add_image(entity)
        if kind in STOCKED and quantity is not None:
            self.store.execute(
                "INSERT INTO source_items (sku, source_code, quantity, status) VALUES (?, ?, ?, ?)",
                (sku, source, float(quantity), int(float(quantity) > 0)),
            )
        return entity

    def add_configurable(
        self, name: str, *, sku: str, variants: Iterable[Mapping[str, Any]], **details: Any
    ) -> tuple[int, list[int]]:
        """A configurable with its variants: {"sku", "price", "quantity", "options": {"Size": "M"}}."""
        made = [
            self.add_product(
                f"{name}-{'-'.join(one['options'].values())}",
                sku=one["sku"],
                price=one.get("price", "5.00"),
                quantity=one.get("quantity", 0),
                options=one["options"],
                visibility=one.get("visibility", 1),
            )
            for one in variants
        ]
        return self.add_product(name, sku=sku, kind="configurable", children=made, **details), made

    def option(self, label: str, value: str) -> int:
        """The id of an option of a select attribute; made where it is not there."""
        known = json.loads(self.store.setting("options", "{}"))
        values = known.setdefault(label.lower(), {"label": label, "values": {}})["values"]
        if value not in values:
            values[value] = self.store.next("option") + 4
            self.store.set("options", json.dumps(known))
        return int(values[value])

    def add_category(self, name: str, parent: int = 2) -> int:
        """A category under another."""
        found = json.loads(self.store.setting("categories", "[]"))
        identity = 3 + len(found)
        found.append({"id": identity, "parent_id": parent, "name": name})
        self.store.set("categories", json.dumps(found))
        return identity

    @whole
    def add_image(self, product: int, *, missing: bool = False, disabled: bool = False) -> str:
        """A picture; gives its file."""
        row = self.product(product)
        images = row["doc"]["images"]
        number = self.store.next("image")
        file = f"/p/i/picture-{number}.png"
        types = ["image", "small_image", "thumbnail"] if not images else []
        images.append({"id": number, "file": file, "position": len(images) + 1, "types": types, "disabled": disabled,
                       "missing": missing})  # fmt: skip
        self._keep(row)
        return file

    @whole
    def edit_product(self, product: int, /, **values: Any) -> None:
        """Change fields or custom attributes; the stamp moves."""
        row = self.product(product)
        before = row["sku"]
        for name, value in values.items():
            if name == "children":
                row["doc"]["children"], row["doc"]["axes"] = list(value), self._axes(value)
            elif name in _OWN and name != "weight":
                row[name] = value
            elif name == "weight":
                row["doc"]["weight"] = value
            else:
                row["doc"]["custom"][name] = str(value)
        if row["sku"] != before:
            for table in ("source_items", "reservations"):
                self.store.execute(f"UPDATE {table} SET sku = ? WHERE sku = ?", (row["sku"], before))
        row["updated_at"] = self.stamp()
        self._keep(row)

    @whole
    def delete_product(self, product: int) -> None:
        """Gone, with its stock."""
        sku = self.product(product)["sku"]
        self.store.execute("DELETE FROM products WHERE entity_id = ?", (product,))
        self.store.execute("DELETE FROM source_items WHERE sku = ?", (sku,))

    def set_price(self, row: Row, price: Decimal) -> None:
        """The base price, for every store; the stamp does not move."""
        before = row["price"]
        self.store.execute("UPDATE products SET price = ? WHERE entity_id = ?", (float(price), row["entity_id"]))
        self.store.record("products/base-prices", row["sku"], before, float(price))

    # Finding --------------------------------------------------------------------------------------------------------

    def product(self, entity: int) -> Row:
        """A product by its id."""
        row = self.store.row("SELECT * FROM products WHERE entity_id = ?", (entity,))
        if row is None:
            raise no_such(entity_id=entity)
        return {**row, "doc": json.loads(row["doc"])}

    def by_sku(self, sku: str) -> Row | None:
        """A product by its SKU, or None."""
        row = self.store.row("SELECT * FROM products WHERE sku = ?", (sku,))
        return None if row is None else {**row, "doc": json.loads(row["doc"])}

    def parent_of(self, entity: int) -> Row | None:
        """The configurable that a product is a variant of."""
        found = self.store.value(
            "SELECT entity_id FROM products, json_each(doc, '$.children') c WHERE type_id = 'configurable' AND c.value = ?",
            (entity,),
        )
        return None if found is None else self.product(found)

    def _axes(self, children: Iterable[int]) -> list[str]:
        known = json.loads(self.store.setting("options", "{}"))
        return [code for code in known if any(code in self.product(child)["doc"]["custom"] for child in children)]

    def _keep(self, row: Row) -> None:
        self.store.execute(
            "UPDATE products SET sku = ?, name = ?, price = ?, status = ?, visibility = ?, type_id = ?, updated_at = ?,"
            " doc = ? WHERE entity_id = ?",
            (row["sku"], row["name"], None if row["price"] is None else float(row["price"]), row["status"],
             row["visibility"], row["type_id"], row["updated_at"], text(row["doc"]), row["entity_id"]),
        )  # fmt: skip

    # Showing --------------------------------------------------------------------------------------------------------

    def shown_product(self, row: Row, *, whole: bool = False) -> Row:
        """A product as lists have it; `whole`: as it is got alone."""
        document = row["doc"] if isinstance(row["doc"], dict) else json.loads(row["doc"])
        kind = row["type_id"]
        extension: Row = {"website_ids": [1]}
        if document["categories"]:
            extension["category_links"] = [{"position": 0, "category_id": str(one)} for one in document["categories"]]
        if kind == "configurable":
            known = json.loads(self.store.setting("options", "{}"))
            extension["configurable_product_options"] = [
                {
                    "id": 10 * row["entity_id"] + place, "attribute_id": str(90 + list(known).index(code)), "label": known[code]["label"],
                    "position": place, "product_id": row["entity_id"],
                    "values": [{"value_index": one} for one in known[code]["values"].values()],
                }
                for place, code in enumerate(document["axes"])
            ]  # fmt: skip
            extension["configurable_product_links"] = document["children"]
        if kind == "bundle":
            extension["bundle_product_options"] = [
                {
                    "option_id": 1000 * row["entity_id"] + place,
                    "title": one.get("title", "Part"),
                    "required": one.get("required", True),
                    "type": "select",
                    "position": place + 1,
                    "sku": row["sku"],
                    "product_links": [
                        {
                            "id": str(100 * row["entity_id"] + number), "sku": sku, "option_id": 1000 * row["entity_id"] + place,
                            "qty": plain(qty), "position": number + 1, "is_default": number == 0, "price": 0,
                            "price_type": 0, "can_change_quantity": 0 if one.get("fixed", True) else 1,
                        }
                        for number, (sku, qty) in enumerate(one["links"])
                    ],
                }
                for place, one in enumerate(document["bundle"])
            ]  # fmt: skip
        if whole:
            # Left out of lists, and the record of the default source alone: misleading where there are more.
            figure = self.store.row(
                "SELECT * FROM source_items WHERE sku = ? AND source_code = 'default'", (row["sku"],)
            )
            extension["stock_item"] = {
                "item_id": row["entity_id"], "product_id": row["entity_id"], "stock_id": 1,
                "qty": plain(figure["quantity"]) if figure else 0, "is_in_stock": bool(figure and figure["status"]),
                "manage_stock": True, **_STOCK_DEFAULTS,
            }  # fmt: skip
        shown: Row = {
            "id": row["entity_id"],
            "sku": row["sku"],
            "name": row["name"],
            "attribute_set_id": 4,
            "status": row["status"],
            "visibility": row["visibility"],
            "type_id": kind,
            "created_at": row["created_at"],
            "updated_at": row["updated_at"],
            "extension_attributes": extension,
            "product_links": [
                {"sku": row["sku"], "link_type": "associated", "linked_product_sku": one, "position": place}
                for place, one in enumerate(document["linked"])
            ],
            "options": [],
            "media_gallery_entries": [
                {
                    "id": one["id"], "media_type": "image", "label": None, "position": one["position"],
                    "disabled": one["disabled"], "types": one["types"], "file": one["file"],
                }
                for one in document["images"]
            ],
            "tier_prices": [],
            "custom_attributes": [
                {"attribute_code": code, "value": value} for code, value in document["custom"].items()
            ],
        }  # fmt: skip
        if row["price"] is not None:
            shown["price"] = plain(row["price"])
        if kind == "simple":
            shown["weight"] = plain(document["weight"])
        return shown

    def shown_attribute(self, code: str) -> Row:
        """One attribute with its options."""
        known = json.loads(self.store.setting("options", "{}"))
        if code not in known:
            raise no_such(attributeCode=code)
        return {
            "attribute_id": 90 + list(known).index(code),
            "attribute_code": code,
            "frontend_input": "select",
            "default_frontend_label": known[code]["label"],
            "options": [{"label": " ", "value": ""}]
            + [{"label": label, "value": str(value)} for label, value in known[code]["values"].items()],
        }

    def shown_categories(self) -> list[Row]:
        """Every category, with the two roots."""
        made = json.loads(self.store.setting("categories", "[]"))
        rows = [
            {"id": 1, "parent_id": 0, "name": "Root Catalog"}, {"id": 2, "parent_id": 1, "name": "Default Category"}, *made
        ]  # fmt: skip
        return [
            {**row, "is_active": True, "position": 1, "level": 0 if row["id"] == 1 else 1 if row["id"] == 2 else 2}
            for row in rows
        ]

    def picture(self, file: str) -> bytes | None:
        """The bytes of a picture, as the web server gives them out; None where the file is not there."""
        for row in self.store.rows("SELECT doc FROM products WHERE instr(doc, ?) > 0", (file,)):
            for one in json.loads(row["doc"])["images"]:
                if one["file"] == file:
                    return None if one["missing"] else _png(one["id"])
        return None


def _png(seed: int, size: int = 8) -> bytes:
    """A small real picture of one colour, made in code."""
    colour = zlib.crc32(seed.to_bytes(8, "big")).to_bytes(4, "big")[:3]

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress((b"\x00" + colour * size) * size))
        + chunk(b"IEND", b"")
    )
