"""Ready-made shops: `empty` has only what a new shop has, `demo` is a giftware retailer with orders in flight."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from comptoir.connectors.shopify.simulator.shop import Line, Shop, money
from comptoir.simulators.goods import GOODS, barcode

TAX = Decimal("1.2")

PEOPLE = (
    ("Grace", "Hopper", "GB", "", "London", "EC1A 1BB"),
    ("Jean", "Moulin", "FR", "Café du Coin SARL", "Lyon", "69001"),
    ("Hedy", "Lamarr", "DE", "", "Berlin", "10115"),
    ("Rosa", "Parks", "US", "", "New York", "10001"),
    ("Ada", "Lovelace", "GB", "Engines & Co Ltd", "Bath", "BA1 1AA"),
)


def empty(shop: Shop, seed: int) -> None:
    """A new shop without goods."""


def demo(shop: Shop, seed: int) -> None:
    """A giftware retailer: goods in every shape, and orders in every state. The same seed, the same shop."""
    chance = random.Random(seed)  # noqa: S311 - a world that can be repeated, not a secret
    with shop.store.transaction():
        variants = _goods(shop)
        _orders(shop, variants, chance)
    shop.deliveries()  # nobody has subscribed to what was before


def _goods(shop: Shop) -> dict[str, int]:
    found: dict[str, int] = {}

    def add(title: str, sku: str, price: str, **given: object) -> int:
        own = {name: given.pop(name) for name in ("status", "images", "gift_card", "product_type") if name in given}
        product = shop.add_product(title, [{"sku": sku, "price": price, **given}], **own)  # type: ignore[arg-type]
        variant: int = shop.store.get("product", product)["variants"][0]
        return variant

    for number, (sku, english, _french, price, units) in enumerate(GOODS):
        found[sku] = add(
            english,
            sku,
            money(Decimal(price) * TAX),
            quantity=units,
            barcode=barcode(number),
            grams=250 + 100 * (number % 7),
            cost=money(Decimal(price) / 2),
            images=1 + number % 2,
        )
    cushion = shop.add_product(
        "Linen cushion",
        [
            {
                "sku": f"CUS-200-{colour[:3].upper()}-{size}",
                "price": "26.40" if size == "60" else "21.60",
                "quantity": 10 + len(colour) + int(size) // 20,
                "options": {"Colour": colour, "Size": size},
                "image": 0,
            }
            for colour in ("Sand", "Indigo", "Moss")
            for size in ("40", "60")
        ],
        images=2,
    )
    for variant in shop.store.get("product", cushion)["variants"]:
        found[shop.store.get("variant", variant)["sku"]] = variant
    shop.add_product(
        "Wool scarf",
        [{"price": "26.40", "quantity": 8, "options": {"Colour": colour}} for colour in ("Sand", "Indigo")],
    )
    found["PCK-300"] = add(
        "Breakfast gift box", "PCK-300", "18.60", parts=[(found["MUG-020"], 2), (found["BWL-024"], 1)], images=1
    )
    found["GVC-400"] = add("Gift guide (download)", "GVC-400", "3.60", tracked=False, requires_shipping=False)
    add("Gift card", "GIFT-25", "25.00", gift_card=True, tracked=False)
    add("Mystery ornament", "", "3.00", quantity=33)
    add("Ribbon, green", "DUP-500", "1.44", quantity=40)
    add("Ribbon, gold", "DUP-500", "1.44", quantity=25)
    add("Retired vase", "VAS-900", "22.80", quantity=2, status="ARCHIVED")
    add("Vase to come", "VAS-901", "22.80", status="DRAFT")
    return found


def _orders(shop: Shop, variants: dict[str, int], chance: random.Random) -> None:
    common = [variants[sku] for sku, _, _, _, units in GOODS if units > 10]
    now = shop.clock.now()
    plan = (
        *("shipped", "shipped", "shipped", "PAID", "PAID", "partly shipped", "PAID", "PENDING"),
        *("AUTHORIZED", "cancelled", "PAID", "VOIDED", "PARTIALLY_PAID", "refunded", "part refunded", "PAID"),
    )
    for number, fate in enumerate(plan):
        first, last, country, company, city, postcode = PEOPLE[number % len(PEOPLE)]
        address = {
            "firstName": first,
            "lastName": last,
            "company": company or None,
            "address1": f"{number + 1} Long Street",
            "zip": postcode,
            "city": city,
            "countryCodeV2": country,
            "provinceCode": "NY" if country == "US" else None,
            "phone": "+44 20 7946 0000",
        }
        lines = [
            Line(variant, quantity=chance.randint(1, 3)) for variant in chance.sample(common, chance.randint(1, 4))
        ]
        if number == 4:
            lines[0] = Line(lines[0].variant, lines[0].quantity, discounts=("1.00",))
        order = shop.place_order(
            lines,
            financial=fate if fate.isupper() else "PAID",
            customer={
                "id": 500 + number % len(PEOPLE),
                "firstName": first,
                "lastName": last,
                "email": f"{first}.{last}@example.test".lower(),
            },
            address=address,
            note="Please leave with a neighbour." if number == 3 else "",
            placed_at=now
            - timedelta(days=len(plan) - number, hours=chance.randrange(12), minutes=chance.randrange(60)),
        )
        first_line = shop.store.get("order", order)["lines"][0]["id"]
        if fate == "shipped":
            shop.ship_in_shop(order, f"GB{order % 1_000_000_000:09}")
        elif fate == "partly shipped":
            one = next(row for row in shop.store.all("fulfillment_order") if row["order"] == order)
            shop.fulfil([(one["id"], {one["lines"][0]["id"]: 1})], tracking={"company": "My carrier", "number": "GB1"})
        elif fate == "cancelled":
            shop.cancel(order)
        elif fate == "refunded":
            lines_of = shop.store.get("order", order)["lines"]
            shop.refund(order, {line["id"]: line["quantity"] for line in lines_of}, all_of_it=True, restock="CANCEL")
        elif fate == "part refunded":
            shop.refund(order, {first_line: 1}, restock="NO_RESTOCK")
    # An order for downloads alone: no parcel.
    shop.place_order([Line(variants["GVC-400"])], shipping_title="", placed_at=now)


WORLDS: dict[str, Callable[[Shop, int], None]] = {"empty": empty, "demo": demo}
