"""The shop itself: what merchants and buyers do in it, without HTTP or GraphQL. Amounts are text with two decimals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from comptoir.connectors.shopify.simulator.postbox import Postbox
from comptoir.connectors.shopify.simulator.store import Row, Store, whole
from comptoir.simulators.clock import Clock

CENT = Decimal("0.01")

#: What the hub's app is granted in the demo.
HUB_SCOPES = (
    *("read_products", "write_products", "read_orders", "read_all_orders", "write_orders", "read_customers"),
    *("read_inventory", "write_inventory", "read_locations", "read_shipping"),
    *("read_merchant_managed_fulfillment_orders", "write_merchant_managed_fulfillment_orders"),
)
METHODS = ("Standard", "Express")


@dataclass
class Quirks:
    """Misbehaviour that belongs to the shop, and sizes that tests make small."""

    index_lag: float = 0.0  #: seconds until lists know of a change; what is asked for by id is always fresh
    bulk_seconds: float = 3.0  #: how long a bulk operation runs
    bulk_fails: str = ""  #: error code with which the next ones end
    most_cost: float = 1000.0  #: points that one operation may cost
    bucket: float = 2000.0  #: points when it is full
    restore: float = 100.0  #: points per second
    stale_without_place: bool = False  #: an error about a level does not say which one
    token_seconds: int = 86399
    slow_cancel: bool = False  #: a cancellation is accepted and done later
    ignores_ranges: bool = False  #: files are always served whole


@dataclass(frozen=True)
class Line:
    """One line of an order; without a variant it is free text."""

    variant: int | None = None
    quantity: int = 1
    price: str | None = None
    discounts: Sequence[str] = ()
    title: str = ""
    sku: str | None = None
    tax_rate: str | None = None
    tax: str | None = None  #: an amount that the shop worked out otherwise
    gift_card: bool = False


@dataclass
class Placing:
    """How an order is placed."""

    financial: str = "PAID"
    shipping: str = "4.80"
    shipping_title: str = "Standard"
    gateway: str = "shopify_payments"
    gift_card_used: str = "0"
    tip: str = "0"
    duties: str | None = None
    fees: Sequence[tuple[str, str]] = ()
    customer: Mapping[str, Any] = field(default_factory=dict)
    address: Mapping[str, Any] | None = None
    note: str = ""
    test: bool = False
    placed_at: datetime | None = None
    location: int | None = None  #: sold over the counter there
    presentment: str = ""
    rate: str = "1"


def money(amount: Decimal | str | int) -> str:
    """An amount as the shop writes it."""
    return str(Decimal(amount).quantize(CENT, ROUND_HALF_UP))


class Shop(Postbox):
    """One shop. Every public action is one piece."""

    def __init__(self, clock: Clock, *, domain: str, timezone: str, currency: str, path: Path | None) -> None:
        self.store = Store(path)
        self.quirks = Quirks()
        super().__init__(clock)
        if self.store.find("meta", "shop") is None:
            with self.store.transaction():
                self._install(domain, timezone, currency)

    def _install(self, domain: str, timezone: str, currency: str) -> None:
        self.store.add(
            "meta",
            "shop",
            name="Gifts and Lights",
            myshopifyDomain=domain,
            currencyCode=currency,
            ianaTimezone=timezone,
            taxesIncluded=True,
            taxRate="0.2",
            scopes=list(HUB_SCOPES),
            methods=list(METHODS),
            orders=1000,
            installed=True,
        )
        self.add_location("Harbour Street")

    def now_text(self, at: datetime | None = None) -> str:
        """A moment as the shop writes it; now, unless it is told which."""
        return (at or self.clock.now()).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def settings(self) -> Row:
        """What the merchant has set."""
        return self.store.get("meta", "shop")

    @whole
    def configure(self, /, **settings: Any) -> None:
        """Change settings: `taxesIncluded`, `taxRate`, `scopes`, `name`, …"""
        self.store.change("meta", "shop", **settings)

    @whole
    def uninstall(self) -> None:
        """The merchant takes the app away: every token is void, subscriptions are gone."""
        self.store.change("meta", "shop", installed=False)
        for kind in ("token", "webhook"):
            for row in self.store.all(kind):
                self.store.remove(kind, row["id"])

    def set_quirk(self, name: str, value: Any = True) -> None:
        """Switch one misbehaviour on or off."""
        if not hasattr(self.quirks, name):
            raise KeyError(f"no quirk {name}")
        setattr(self.quirks, name, value)

    # Goods --------------------------------------------------------------------------------------------------------------

    @whole
    def add_location(self, name: str, *, online: bool = True, active: bool = True) -> int:
        """A place that holds stock."""
        row = self.store.add("location", name=name, isActive=active, fulfillsOnlineOrders=online, shipsInventory=online)
        return int(row["id"])

    def locations(self) -> list[Row]:
        """Active ones, oldest first."""
        return [row for row in self.store.all("location") if row["isActive"]]

    @whole
    def add_product(
        self,
        title: str,
        variants: Sequence[Mapping[str, Any]] = ({},),
        *,
        status: str = "ACTIVE",
        vendor: str = "Harbour & Hill",
        product_type: str = "",
        category: str = "",
        description: str = "",
        images: int = 0,
        gift_card: bool = False,
    ) -> int:
        """A product. A variant: `sku, barcode, price, quantity` (a number, or by location)`, options, tracked,
        requires_shipping, cost, grams, taxable, parts` ([(variant, quantity)])."""
        now = self.now_text()
        product = self.store.new_id()
        media = [self.store.add("media", product=product)["id"] for _ in range(images)]
        self.store.add(
            "product",
            product,
            title=title,
            handle=f"p-{product}",
            status=status,
            vendor=vendor,
            productType=product_type,
            category=category,
            descriptionHtml=description,
            isGiftCard=gift_card,
            createdAt=now,
            updatedAt=now,
            media=media,
            variants=[],
        )
        made = [self._add_variant(product, position, one) for position, one in enumerate(variants, start=1)]
        self.store.change("product", product, variants=made)
        self._emit("PRODUCTS_CREATE", self._product_payload(product))
        return product

    def _add_variant(self, product: int, position: int, given: Mapping[str, Any]) -> int:
        options = dict(given.get("options") or {"Title": "Default Title"})
        variant, item = self.store.new_id(), self.store.new_id()
        owner = self.store.get("product", product)
        picture = given.get("image")
        self.store.add(
            "item",
            item,
            variant=variant,
            tracked=given.get("tracked", True),
            requiresShipping=given.get("requires_shipping", not owner["isGiftCard"]),
            cost=given.get("cost"),
            grams=given.get("grams", 0),
        )
        self.store.add(
            "variant",
            variant,
            product=product,
            sku=given.get("sku", ""),
            barcode=given.get("barcode"),
            title=" / ".join(options.values()),
            position=position,
            price=money(given.get("price", "5.00")),
            taxable=given.get("taxable", True),
            options=options,
            item=item,
            media=[owner["media"][picture]] if picture is not None else [],
            parts=[list(part) for part in given.get("parts", ())],
            updatedAt=self.now_text(),
        )
        quantity = given.get("quantity", 0)
        if not given.get("parts"):
            where = quantity if isinstance(quantity, Mapping) else {self.locations()[0]["id"]: quantity}
            for location, units in where.items():
                self._make_level(item, int(location), int(units))
        return variant

    @whole
    def add_variant(self, product: int, given: Mapping[str, Any]) -> int:
        """One more variant of a product."""
        row = self.store.get("product", product)
        made = self._add_variant(product, len(row["variants"]) + 1, given)
        self.edit_product(product, variants=[*row["variants"], made])
        return made

    @whole
    def edit_product(self, product: int, /, **fields: Any) -> None:
        """Change a product."""
        self.store.change("product", product, **fields, updatedAt=self.now_text())
        self._emit("PRODUCTS_UPDATE", self._product_payload(product))

    @whole
    def edit_variant(self, variant: int, /, **fields: Any) -> None:
        """Change a variant; its product is touched."""
        row = self.store.change("variant", variant, **fields, updatedAt=self.now_text())
        self.edit_product(row["product"])

    @whole
    def edit_item(self, variant: int, /, **fields: Any) -> None:
        """Change what a variant is as a stocked thing: `tracked`, `requiresShipping`, …"""
        row = self.store.get("variant", variant)
        self.store.change("item", row["item"], **fields)
        self.edit_product(row["product"])

    @whole
    def delete_product(self, product: int) -> None:
        """A product, its variants and their stock are gone; orders keep their texts."""
        for variant in self.store.get("product", product)["variants"]:
            item = self.store.get("variant", variant)["item"]
            for level in [row for row in self.store.all("level") if row["item"] == item]:
                self.store.remove("level", level["key"])
            self.store.remove("item", item)
            self.store.remove("variant", variant)
        self.store.remove("product", product)
        self._emit("PRODUCTS_DELETE", {"id": product})

    # Stock --------------------------------------------------------------------------------------------------------------

    def level(self, item: int, location: int) -> Row | None:
        """What stands of an item at a location; None where it is not stocked there."""
        found: Row | None = self.store.find("level", f"{item}@{location}")
        return found if found is not None and found["active"] else None

    def _make_level(self, item: int, location: int, available: int) -> None:
        key = f"{item}@{location}"
        if self.store.find("level", key) is not None:  # stocked there before: what stood there stands again
            self.store.change("level", key, active=True, updatedAt=self.now_text())
            return
        self.store.add(
            "level",
            key,
            key=key,
            number=self.store.new_id(),
            item=item,
            location=location,
            available=available,
            committed=0,
            active=True,
            updatedAt=self.now_text(),
        )

    @whole
    def activate(self, item: int, location: int, available: int) -> None:
        """Stock an item at a location."""
        self._make_level(item, location, available)
        self._emit("INVENTORY_LEVELS_CONNECT", {"inventory_item_id": item, "location_id": location})

    @whole
    def deactivate(self, item: int, location: int) -> None:
        """An item is not stocked at a location any more."""
        self.store.change("level", f"{item}@{location}", active=False)
        self._emit("INVENTORY_LEVELS_DISCONNECT", {"inventory_item_id": item, "location_id": location})

    @whole
    def set_available(self, item: int, location: int, available: int) -> None:
        """A figure becomes another one."""
        row = self.store.change("level", f"{item}@{location}", available=available, updatedAt=self.now_text())
        self._moved(row)

    @whole
    def set_stock(self, variant: int, quantity: int, location: int | None = None) -> None:
        """The merchant types a figure."""
        item = self.store.get("variant", variant)["item"]
        place = location or self.locations()[0]["id"]
        if self.level(item, place) is None:
            self._make_level(item, place, quantity)
        self.set_available(item, place, quantity)

    def available(self, variant: int, location: int | None = None) -> int:
        """What may still be sold, there or everywhere."""
        item = self.store.get("variant", variant)["item"]
        places = [location] if location else [row["id"] for row in self.locations()]
        return sum(row["available"] for place in places if (row := self.level(item, place)) is not None)

    def _moved(self, level: Row) -> None:
        variant = self.store.find("item", level["item"], {}).get("variant")
        row = self.store.find("variant", variant)
        if row is not None:  # a product's stamp moves with its stock
            self.store.change("product", row["product"], updatedAt=self.now_text())
        self._emit(
            "INVENTORY_LEVELS_UPDATE",
            {
                "inventory_item_id": level["item"],
                "location_id": level["location"],
                "available": level["available"],
                "updated_at": level["updatedAt"],
                "admin_graphql_api_id": f"gid://shopify/InventoryLevel/{level['number']}"
                f"?inventory_item_id={level['item']}",
            },
        )

    def _commit_units(self, variant: int | None, location: int, units: int) -> None:
        """Units go from *available* to *committed* (or back, below zero)."""
        row = self.store.find("variant", variant) if variant else None
        if row is None or not self.store.get("item", row["item"])["tracked"]:
            return
        level = self.level(row["item"], location)
        if level is None:
            return
        self._moved(
            self.store.change(
                "level",
                level["key"],
                available=level["available"] - units,
                committed=level["committed"] + units,
                updatedAt=self.now_text(),
            )
        )

    def _location_for(self, variant: int | None, units: int) -> int:
        places = [row["id"] for row in self.locations() if row["fulfillsOnlineOrders"]]
        row = self.store.find("variant", variant) if variant else None
        if row is not None:
            stocked = [(place, level) for place in places if (level := self.level(row["item"], place)) is not None]
            for place, level in stocked:
                if level["available"] >= units:
                    return int(place)
            if stocked:
                return int(stocked[0][0])
        return int(places[0])

    # Orders -------------------------------------------------------------------------------------------------------------

    @whole
    def place_order(self, lines: Iterable[Line | Mapping[str, Any]], /, **how: Any) -> int:
        """Somebody buys; units are committed at once, paid or not."""
        placing = Placing(**how)
        now = self.now_text()
        created = self.now_text(placing.placed_at)
        settings = self.settings
        wanted = [line if isinstance(line, Line) else Line(**line) for line in lines]
        made = [self._line(line, placing, settings) for line in wanted]
        shipping = self._shipping(placing, settings) if placing.shipping_title else []
        order = self.store.new_id()
        self.store.change("meta", "shop", orders=settings["orders"] + 1)
        row = self.store.add(
            "order",
            order,
            name=f"#{settings['orders'] + 1}",
            createdAt=created,
            processedAt=created,
            updatedAt=created if placing.placed_at else now,
            cancelledAt=None,
            cancelReason=None,
            closedAt=None,
            confirmed=True,
            edited=False,
            test=placing.test,
            financial=placing.financial,
            currencyCode=settings["currencyCode"],
            presentmentCurrencyCode=placing.presentment or settings["currencyCode"],
            rate=placing.rate,
            taxesIncluded=settings["taxesIncluded"],
            dutiesIncluded=False,
            lines=made,
            shipping=shipping,
            tip=money(placing.tip),
            duties=None if placing.duties is None else money(placing.duties),
            fees=[{"id": self.store.new_id(), "name": name, "price": money(price)} for name, price in placing.fees],
            transactions=[],
            refunds=[],
            note=placing.note or None,
            email=placing.customer.get("email"),
            phone=placing.customer.get("phone"),
            customer=dict(placing.customer) or None,
            address=dict(placing.address) if placing.address is not None else None,
            retail=placing.location,
            gateway=placing.gateway,
        )
        self._take_money(row, placing)
        by_location: dict[int, list[Row]] = {}
        for line in made:
            self._commit_units(line["variant"], line["location"], line["quantity"])
            if line["requiresShipping"]:
                by_location.setdefault(line["location"], []).append(line)
        for location, parts in by_location.items():
            self.store.add(
                "fulfillment_order",
                order=order,
                location=location,
                status="OPEN",
                hold=None,
                lines=[
                    {
                        "id": self.store.new_id(),
                        "line": part["id"],
                        "total": part["quantity"],
                        "remaining": part["quantity"],
                    }
                    for part in parts
                ],
            )
        self._emit("ORDERS_CREATE", self._order_payload(order))
        if placing.financial == "PAID":
            self._emit("ORDERS_PAID", self._order_payload(order))
        return order

    def _line(self, line: Line, placing: Placing, settings: Row) -> Row:
        variant = self.store.find("variant", line.variant) if line.variant else None
        product = self.store.get("product", variant["product"]) if variant else None
        item = self.store.get("item", variant["item"]) if variant else None
        price = Decimal(line.price if line.price is not None else variant["price"] if variant else "1.00")
        cost = price * line.quantity - sum((Decimal(one) for one in line.discounts), Decimal(0))
        rate = Decimal(line.tax_rate if line.tax_rate is not None else settings["taxRate"])
        taxable = variant["taxable"] if variant else True
        gift = line.gift_card or bool(product and product["isGiftCard"])
        taxes = self._taxes(cost, rate, settings, line.tax) if taxable and not gift else []
        name = line.title or (product["title"] if product else "Custom item")
        plain = variant is None or variant["title"] == "Default Title"
        return {
            "id": self.store.new_id(),
            "variant": line.variant,
            "product": product["id"] if product else None,
            "title": name,
            "variantTitle": None if plain or variant is None else variant["title"],
            "sku": line.sku if line.sku is not None else (variant["sku"] if variant else None),
            "quantity": line.quantity,
            "removed": 0,
            "refunded": 0,
            "fulfilled": 0,
            "price": money(price),
            "discounts": [money(one) for one in line.discounts],
            "taxes": taxes,
            "requiresShipping": item["requiresShipping"] if item else not gift,
            "isGiftCard": gift,
            "location": placing.location or self._location_for(line.variant, line.quantity),
        }

    def _taxes(self, cost: Decimal, rate: Decimal, settings: Row, amount: str | None = None) -> list[Row]:
        if not rate:
            return []
        due = cost * rate / (1 + rate) if settings["taxesIncluded"] else cost * rate
        return [{"title": "VAT", "rate": float(rate), "amount": money(due) if amount is None else money(amount)}]

    def _shipping(self, placing: Placing, settings: Row) -> list[Row]:
        price = Decimal(placing.shipping)
        return [
            {
                "id": self.store.new_id(),
                "title": placing.shipping_title,
                "code": placing.shipping_title,
                "price": money(price),
                "taxes": self._taxes(price, Decimal(settings["taxRate"]), settings) if price else [],
            }
        ]

    def total(self, order: Row) -> Decimal:
        """What an order costs after edits, before returns."""
        excluded = not order["taxesIncluded"]
        found: Decimal = Decimal(order["tip"]) + Decimal(order["duties"] or 0)
        found += sum((Decimal(fee["price"]) for fee in order["fees"]), Decimal(0))
        for one in order["shipping"]:
            found += Decimal(one["price"]) + (_tax(one) if excluded else 0)
        for line in order["lines"]:
            found += line_total(line, excluded=excluded)
        return found

    def _take_money(self, order: Row, placing: Placing) -> None:
        due = self.total(order)
        rows = []
        used = Decimal(placing.gift_card_used)
        paid = {"PAID": "SALE", "PARTIALLY_PAID": "SALE", "AUTHORIZED": "AUTHORIZATION"}.get(order["financial"])
        if used:
            rows.append(self._transaction("SALE", "gift_card", used))
        if paid and due - used > 0:
            amount = due - used if order["financial"] != "PARTIALLY_PAID" else (due / 2).quantize(CENT)
            rows.append(self._transaction(paid, placing.gateway, amount))
        elif order["financial"] == "VOIDED":
            rows.append(self._transaction("VOID", placing.gateway, due))
        self.store.change("order", order["id"], transactions=rows)

    def _transaction(self, kind: str, gateway: str, amount: Decimal, status: str = "SUCCESS") -> Row:
        return {
            "id": self.store.new_id(),
            "kind": kind,
            "status": status,
            "gateway": gateway,
            "amount": money(amount),
            "processedAt": self.now_text(),
        }

    def _touch(self, order: int, **fields: Any) -> Row:
        row = self.store.change("order", order, **fields, updatedAt=self.now_text())
        self._emit("ORDERS_UPDATED", self._order_payload(order))
        return row

    @whole
    def pay(self, order: int) -> None:
        """The money arrives."""
        row = self.store.get("order", order)
        taken = [*row["transactions"], self._transaction("SALE", row["gateway"], self.total(row))]
        self._touch(order, financial="PAID", transactions=taken)
        self._emit("ORDERS_PAID", self._order_payload(order))

    @whole
    def cancel(self, order: int, *, reason: str = "CUSTOMER", restock: bool = True, refund: bool = True) -> None:
        """The merchant cancels; what was paid is given back where asked."""
        row = self.store.get("order", order)
        if row["cancelledAt"]:
            return
        lines = []
        for line in row["lines"]:
            left = line["quantity"] - line["removed"] - line["refunded"] - line["fulfilled"]
            if restock and left:
                self._commit_units(line["variant"], line["location"], -left)
            lines.append({**line, "refunded": line["refunded"] + left} if refund else line)
        for one in self.fulfillment_orders(order):
            self.store.change("fulfillment_order", one["id"], status="CANCELLED")
        paid = row["financial"] in ("PAID", "PARTIALLY_PAID", "PARTIALLY_REFUNDED")
        refunds, financial = row["refunds"], row["financial"]
        if refund:
            given = [
                {"line": line["id"], "quantity": after["refunded"] - line["refunded"], "restock": "CANCEL"}
                for line, after in zip(row["lines"], lines, strict=True)
                if after["refunded"] != line["refunded"]
            ]
            refunds = [*refunds, {"id": self.store.new_id(), "createdAt": self.now_text(), "lines": given}]
            financial = "REFUNDED" if paid else "VOIDED"
        self._touch(
            order, cancelledAt=self.now_text(), cancelReason=reason, lines=lines, refunds=refunds, financial=financial
        )
        self._emit("ORDERS_CANCELLED", self._order_payload(order))

    @whole
    def refund(self, order: int, units: Mapping[int, int], *, restock: str = "RETURN", all_of_it: bool = False) -> int:
        """Money given back for units: RETURN and CANCEL put them back on the shelf, NO_RESTOCK does not."""
        row = self.store.get("order", order)
        wanted = {int(line): int(count) for line, count in units.items()}
        for line in row["lines"]:
            back = wanted.get(line["id"], 0)
            if not back:
                continue
            if restock == "CANCEL":
                self._commit_units(line["variant"], line["location"], -back)
            elif restock == "RETURN" and (variant := self.store.find("variant", line["variant"])):
                level = self.level(variant["item"], line["location"])
                if level is not None:
                    self.set_available(variant["item"], line["location"], level["available"] + back)
        lines = [{**line, "refunded": line["refunded"] + wanted.get(line["id"], 0)} for line in row["lines"]]
        if restock == "CANCEL":
            self._take_from_fulfillment_orders(order, wanted)
        identity = self.store.new_id()
        one = {
            "id": identity,
            "createdAt": self.now_text(),
            "lines": [{"line": line, "quantity": count, "restock": restock} for line, count in wanted.items()],
        }
        self._touch(
            order,
            lines=lines,
            refunds=[*row["refunds"], one],
            financial="REFUNDED" if all_of_it else "PARTIALLY_REFUNDED",
        )
        self._emit("REFUNDS_CREATE", {"id": identity, "order_id": order})
        return identity

    @whole
    def edit_order(self, order: int, remove: Mapping[int, int] | None = None, add: Sequence[Line] = ()) -> None:
        """Order editing: units come off lines, lines are added. `quantity` stays what it was."""
        row = self.store.get("order", order)
        off = {int(line): int(count) for line, count in (remove or {}).items()}
        lines = []
        for line in row["lines"]:
            if off.get(line["id"]):
                self._commit_units(line["variant"], line["location"], -off[line["id"]])
            lines.append({**line, "removed": line["removed"] + off.get(line["id"], 0)})
        self._take_from_fulfillment_orders(order, off)
        more = [self._line(one, Placing(), self.settings) for one in add]
        for line in more:
            self._commit_units(line["variant"], line["location"], line["quantity"])
            self.store.add(
                "fulfillment_order",
                order=order,
                location=line["location"],
                status="OPEN",
                hold=None,
                lines=[
                    {
                        "id": self.store.new_id(),
                        "line": line["id"],
                        "total": line["quantity"],
                        "remaining": line["quantity"],
                    }
                ],
            )
        self._touch(order, lines=[*lines, *more], edited=True)
        self._emit("ORDERS_EDITED", {"order_edit": {"id": self.store.new_id(), "order_id": order}})

    def _take_from_fulfillment_orders(self, order: int, units: Mapping[int, int]) -> None:
        left = dict(units)
        for one in self.fulfillment_orders(order):
            lines = []
            for line in one["lines"]:
                less = min(line["remaining"], left.get(line["line"], 0))
                left[line["line"]] = left.get(line["line"], 0) - less
                lines.append({**line, "remaining": line["remaining"] - less, "total": line["total"] - less})
            is_over = one["status"] == "OPEN" and not any(line["remaining"] for line in lines)
            self.store.change(
                "fulfillment_order", one["id"], lines=lines, status="CLOSED" if is_over else one["status"]
            )

    @whole
    def hold(self, order: int, reason: str = "OTHER", notes: str = "") -> None:
        """What is left of an order waits."""
        for one in self.fulfillment_orders(order):
            self.store.change(
                "fulfillment_order",
                one["id"],
                status="ON_HOLD",
                hold={"id": self.store.new_id(), "reason": reason, "reasonNotes": notes},
            )
        self._touch(order)

    def fulfillment_orders(self, order: int) -> list[Row]:
        """What is to leave of an order, one for each location."""
        return [row for row in self.store.all("fulfillment_order") if row["order"] == order]

    def fulfillments(self, order: int) -> list[Row]:
        """The parcels of an order, oldest first."""
        return [row for row in self.store.all("fulfillment") if row["order"] == order]

    @whole
    def fulfil(
        self,
        parts: Sequence[tuple[int, Mapping[int, int] | None]],
        *,
        tracking: Mapping[str, Any] | None = None,
        notify: bool = False,
    ) -> int:
        """Ship parts of fulfilment orders of one order and one location: (fulfilment order, units by its lines or all)."""
        order, location = 0, 0
        shipped: list[Row] = []
        for identity, wanted in parts:
            one = self.store.get("fulfillment_order", identity)
            order, location = one["order"], one["location"]
            lines = []
            for line in one["lines"]:
                units = line["remaining"] if wanted is None else wanted.get(line["id"], 0)
                if units > line["remaining"]:
                    raise ValueError("quantity is greater than what is left to fulfil")
                if units:
                    shipped.append({"id": self.store.new_id(), "line": line["line"], "quantity": units})
                lines.append({**line, "remaining": line["remaining"] - units})
            is_over = not any(line["remaining"] for line in lines)
            self.store.change("fulfillment_order", identity, lines=lines, status="CLOSED" if is_over else "IN_PROGRESS")
        row = self.store.get("order", order)
        units_of = {line["line"]: 0 for line in shipped}
        for line in shipped:
            units_of[line["line"]] += line["quantity"]
        for line in row["lines"]:
            variant = self.store.find("variant", line["variant"])
            level = self.level(variant["item"], location) if variant else None
            if level is not None and units_of.get(line["id"]) and self.store.get("item", level["item"])["tracked"]:
                self.store.change("level", level["key"], committed=level["committed"] - units_of[line["id"]])
        made = self.store.add(
            "fulfillment",
            order=order,
            location=location,
            status="SUCCESS",
            createdAt=self.now_text(),
            tracking=dict(tracking or {}),
            lines=shipped,
            notified=notify,
        )
        lines = [{**line, "fulfilled": line["fulfilled"] + units_of.get(line["id"], 0)} for line in row["lines"]]
        self._touch(order, lines=lines)
        self._emit("ORDERS_FULFILLED", self._order_payload(order))
        return int(made["id"])

    @whole
    def ship_in_shop(self, order: int, tracking: str, company: str = "My carrier") -> None:
        """The merchant ships all that is left with the shop's own screen."""
        for one in self.fulfillment_orders(order):
            if one["status"] in ("OPEN", "IN_PROGRESS"):
                self.fulfil([(one["id"], None)], tracking={"company": company, "number": tracking})

    def fulfilment(self, order: Row) -> str:
        """displayFulfillmentStatus."""
        ones = self.fulfillment_orders(order["id"])
        if any(one["status"] == "ON_HOLD" for one in ones):
            return "ON_HOLD"
        lines = [line for line in order["lines"] if line["requiresShipping"]]
        left = sum(max(0, line["quantity"] - line["removed"] - line["refunded"] - line["fulfilled"]) for line in lines)
        done = sum(line["fulfilled"] for line in lines)
        if done:
            return "PARTIALLY_FULFILLED" if left else "FULFILLED"
        return "UNFULFILLED"

    def dump(self) -> dict[str, Any]:
        """What tests compare: goods, stock, orders, parcels."""
        return {
            kind: self.store.all(kind)
            for kind in (
                *("product", "variant", "item", "level", "location"),
                *("order", "fulfillment_order", "fulfillment", "webhook"),
            )
        }


def line_total(line: Row, *, excluded: bool) -> Decimal:
    """What a line costs after edits, before returns, with its tax."""
    discounts = sum((Decimal(one) for one in line["discounts"]), Decimal(0))
    kept = line["quantity"] - line["removed"]
    share = Decimal(kept) / line["quantity"] if line["quantity"] else Decimal(0)
    found: Decimal = Decimal(line["price"]) * kept - (discounts * share).quantize(CENT, ROUND_HALF_UP)
    if excluded:
        found += (_tax(line) * share).quantize(CENT, ROUND_HALF_UP)
    return found


def _tax(line: Row) -> Decimal:
    return sum((Decimal(one["amount"]) for one in line["taxes"]), Decimal(0))
