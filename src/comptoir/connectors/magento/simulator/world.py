"""Ready-made shops: `empty` has only what an installation has, `demo` is a giftware retailer with orders in every state."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

from comptoir.connectors.magento.simulator.ordering import Line
from comptoir.connectors.magento.simulator.shop import Shop
from comptoir.simulators.goods import GOODS, barcode

#: what people type as SKUs: a slash, a blank with a plus, an accent, a comma
AWKWARD = (("GLU/10", "Glue, 10 ml"), ("TIN + LID", "Tin with lid"), ("CAFÉ-7", "Café sign"), ("PEN,RED", "Red pen"))


def empty(shop: Shop, seed: int) -> None:
    """A fresh installation without goods."""


def demo(shop: Shop, seed: int) -> None:
    """A giftware retailer. The same seed, the same shop."""
    chance = random.Random(seed)  # noqa: S311 - a world that can be repeated, not a secret
    with shop.store.transaction():
        _goods(shop)
        _orders(shop, chance)


def _goods(shop: Shop) -> None:
    table = shop.add_category("Table and kitchen")
    light = shop.add_category("Candles and light")
    lanterns = shop.add_category("Lanterns", light)
    for number, (sku, english, _, price, quantity) in enumerate(GOODS):
        shop.add_product(
            english,
            sku=sku,
            price=price,
            quantity=quantity,
            images=1 + number % 2,
            categories=[lanterns if sku.startswith("LAN") else light if sku.startswith("CAN") else table],
            attributes={"ean": barcode(number), "cost": str(float(price) / 2)},
        )
    shop.add_configurable(
        "Linen cushion",
        sku="CUS-200",
        images=2,
        categories=[table],
        variants=[
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
    for sku, name in AWKWARD:
        shop.add_product(name, sku=sku, quantity=20)
    shop.add_product(
        "Breakfast gift box",
        sku="PCK-300",
        price="15.50",
        kind="bundle",
        images=1,
        bundle=[{"title": "Mugs", "links": [("MUG-020", 2)]}, {"title": "Bowl", "links": [("BWL-024", 1)]}],
    )
    shop.add_product("Gift guide (download)", sku="GVC-400", price="3.00", quantity=1000, kind="downloadable")
    shop.add_product("Retired vase", sku="VAS-900", price="19.00", quantity=2, status=2)


def _orders(shop: Shop, chance: random.Random) -> None:
    now = shop.clock.now()
    common = [sku for sku, _, _, _, quantity in GOODS if quantity > 10]
    states = ("complete", "complete", "closed", "processing", "processing", "new", "pending_payment", "payment_review",
              "canceled", "holded", "processing")  # fmt: skip
    for number, state in enumerate(states):
        lines = [Line(sku, chance.randint(1, 3)) for sku in chance.sample(common, chance.randint(1, 4))]
        if number % 4 == 0:
            lines.append(Line("CUS-200-SAN-40"))
        if number == 4:
            lines.append(Line("PCK-300"))
        shop.place_order(
            lines,
            state=state,
            method="banktransfer" if state == "new" else "stripe_payments",
            discount="2.00" if number == 3 else "0",
            comment="Please leave with a neighbour." if number == 4 else "",
            placed_at=now - timedelta(days=len(states) - number, minutes=chance.randrange(600)),
        )
    shop.place_order([Line("GVC-400")], placed_at=now - timedelta(hours=3))


WORLDS: dict[str, Callable[[Shop, int], None]] = {"empty": empty, "demo": demo}
