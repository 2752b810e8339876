"""Ready-made shops: `empty` has only what an installation has, `demo` is a giftware retailer with orders in flight."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

from comptoir.connectors.woocommerce.simulator.state import Shop
from comptoir.simulators.goods import GOODS, barcode


def empty(shop: Shop, seed: int) -> None:
    """A fresh installation without goods."""


def demo(shop: Shop, seed: int) -> None:
    """A giftware retailer: products in every shape, and orders in every status. The same seed, the same shop."""
    chance = random.Random(seed)  # noqa: S311 - a world that can be repeated, not a secret
    products = _goods(shop)
    _orders(shop, products, chance)


def _goods(shop: Shop) -> dict[str, int]:
    light = shop.add_category("Candles and light")
    home = shop.add_category("Home and garden")
    table = shop.add_category("Table and kitchen", parent=home)
    category = {"LAN": light, "CAN": light, "GAR": home, "CLK": home, "FRA": home, "PAR": home}
    products: dict[str, int] = {}
    for number, (sku, english, _, price, quantity) in enumerate(GOODS):
        products[sku] = shop.add_product(
            english,
            sku=sku,
            price=price,
            quantity=quantity,
            images=1 + number % 2,
            weight=f"0.{250 + number % 7 * 100}",
            global_unique_id=barcode(number),
            categories=[category.get(sku[:3], table)],
            brands=["Harbour & Hill"] if number % 3 else [],
            short_description=f"<p>{english} for every day.</p>",
        )
    products["CUS-200"] = shop.add_product(
        "Linen cushion",
        sku="CUS-200",
        categories=[home],
        images=2,
        variations=[
            {
                "sku": f"CUS-200-{colour[:3].upper()}-{size}",
                "price": "22.00" if size == "60" else "18.00",
                "quantity": 10 + len(colour) + int(size) // 20,
                "options": {"Colour": colour, "Size": size},
            }
            for colour in ("Sand", "Indigo", "Moss")
            for size in ("40", "60")
        ],
    )
    # Variations without a SKU of their own show their product's.
    products["SCA-201"] = shop.add_product(
        "Wool scarf",
        sku="SCA-201",
        images=1,
        variations=[
            {"price": "22.00", "quantity": 8, "options": {"Colour": "Sand"}},
            {"price": "22.00", "quantity": 5, "options": {"Colour": "Indigo"}},
        ],
    )
    # One figure for all of them, kept by the product.
    products["RIB-210"] = shop.add_product(
        "Ribbon off the reel",
        sku="RIB-210",
        quantity=60,
        variations=[
            {"sku": f"RIB-210-{colour[:3].upper()}", "price": "1.20", "options": {"Colour": colour}}
            for colour in ("Green", "Gold", "Red")
        ],
    )
    products["GVC-400"] = shop.add_product(
        "Gift guide (download)", sku="GVC-400", price="3.00", virtual=True, downloadable=True
    )
    products["no SKU"] = shop.add_product("Mystery ornament", price="2.50", quantity=33, images=1)
    products["uncounted"] = shop.add_product("Gift wrapping paper", sku="WRP-310", price="1.10")
    shop.add_product(
        "Breakfast set", sku="SET-320", type="grouped", grouped_products=[products["MUG-020"], products["BWL-024"]]
    )
    shop.add_product("Garden bench, at a partner's", sku="EXT-330", price="120.00", type="external")
    shop.add_product("Breakfast gift box", sku="BOX-340", price="15.50", type="bundle")
    shop.add_product("Retired vase", sku="VAS-900", price="19.00", quantity=2, status="private")
    shop.add_product("Unfinished draft", status="draft")
    shop.trash_product(shop.add_product("Thrown away", sku="OLD-901", price="1.00", quantity=1))
    lantern = shop.store.get("product", products["LAN-001"])
    shop.store.save(
        lantern, images=[*lantern["doc"]["images"], {**shop._image(products["LAN-001"], 9), "missing": True}]
    )
    return products


PEOPLE = (
    {"first_name": "Grace", "last_name": "Hopper", "country": "GB", "city": "London", "postcode": "EC1A 1BB"},
    {
        "first_name": "Jean",
        "last_name": "Moulin",
        "company": "Café du Coin SARL",
        "country": "FR",
        "city": "Lyon",
        "postcode": "69001",
    },
    {"first_name": "Hedy", "last_name": "Lamarr", "country": "DE", "city": "Berlin", "postcode": "10115"},
    {
        "first_name": "Rosa",
        "last_name": "Parks",
        "country": "US",
        "state": "NY",
        "city": "New York",
        "postcode": "10001",
    },
    {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "company": "Engines & Co Ltd",
        "country": "GB",
        "city": "Bath",
        "postcode": "BA1 1AA",
    },
)
ORDERS = (
    ("completed", "stripe"),
    ("completed", "stripe"),
    ("processing", "stripe"),
    ("processing", "cod"),
    ("processing", "stripe"),
    ("on-hold", "bacs"),
    ("on-hold", "cheque"),
    ("pending", "stripe"),
    ("failed", "stripe"),
    ("cancelled", "bacs"),
    ("processing", "stripe"),
    ("refunded", "stripe"),
    ("partial-payment", "stripe"),
    ("checkout-draft", ""),
)


def _orders(shop: Shop, products: dict[str, int], chance: random.Random) -> None:
    shop.add_status("partial-payment", "Partially paid")
    common = [products[sku] for sku, _, _, _, quantity in GOODS if quantity > 10]
    now = shop.clock.now()
    for number, (status, method) in enumerate(ORDERS):
        placed_at = now - timedelta(days=len(ORDERS) - number, hours=chance.randrange(12), minutes=chance.randrange(60))
        lines = [
            {"product": product, "quantity": chance.randint(1, 3)}
            for product in chance.sample(common, chance.randint(1, 4))
        ]
        if number % 4 == 0:
            variations = shop.variations_of(products["CUS-200"])
            lines.append(
                {"product": products["CUS-200"], "variation": variations[number % len(variations)]["id"], "quantity": 1}
            )
        if number == 2:
            ribbons = shop.variations_of(products["RIB-210"])
            lines.append({"product": products["RIB-210"], "variation": ribbons[0]["id"], "quantity": 2})
        began = "processing" if status == "refunded" else status
        order = shop.place_order(
            lines,
            status=began,
            payment_method=method,
            shipping="4.80",
            coupon="10" if number == 4 else "0",
            fees=[("Gift card", "-2.00")] if number == 10 else (),
            billing=PEOPLE[number % len(PEOPLE)],
            customer_note="Please leave with a neighbour." if number == 3 else "",
            placed_at=placed_at,
        )
        if status == "completed":
            shop.add_note(order, f"Sent with Royal Mail: GB{order:09}", customer_note=True)
        if status == "refunded":
            shop.refund(order, amount=shop.store.get("order", order)["doc"]["total"])
        if number == 10:
            line = shop.store.get("order", order)["doc"]["lines"][0]
            shop.refund(order, {line["id"]: 1}, reason="Arrived broken")
    # An order for a download alone: no parcel.
    shop.place_order([{"product": products["GVC-400"]}], instance=0, billing=PEOPLE[0], placed_at=now)


WORLDS: dict[str, Callable[[Shop, int], None]] = {"empty": empty, "demo": demo}
