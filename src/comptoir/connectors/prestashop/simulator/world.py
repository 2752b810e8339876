"""Ready-made shops: `empty` has only what an installation has, `demo` is a giftware retailer with orders in flight."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from comptoir.connectors.prestashop.simulator.ordering import Line
from comptoir.connectors.prestashop.simulator.state import Shop
from comptoir.simulators.goods import GOODS, barcode


def empty(shop: Shop, seed: int) -> None:
    """A fresh installation without goods."""


def demo(shop: Shop, seed: int) -> None:
    """A giftware retailer: about forty products in every shape, and orders in every state. The same seed, the same shop."""
    chance = random.Random(seed)  # noqa: S311 - a world that can be repeated, not a secret
    with shop.store.transaction():
        products = _goods(shop)
        _orders(shop, products, chance)


def _goods(shop: Shop) -> dict[str, int]:
    light = shop.add_category({1: "Candles and light", 2: "Bougies et lumière"})
    table = shop.add_category({1: "Table and kitchen", 2: "Table et cuisine"})
    home = shop.add_category({1: "Home and garden", 2: "Maison et jardin"})
    category = {"LAN": light, "CAN": light, "GAR": home, "CLK": home, "FRA": home, "PAR": home}
    brand = shop.add_manufacturer("Harbour & Hill")
    suppliers = [shop.add_supplier("Northern Giftware Ltd"), shop.add_supplier("Atelier du Port")]
    products: dict[str, int] = {}
    for number, (reference, english, french, price, quantity) in enumerate(GOODS):
        products[reference] = shop.add_product(
            {1: english, 2: french},
            reference=reference,
            ean13=barcode(number),
            price=price,
            wholesale_price=Decimal(price) / 2,
            quantity=quantity,
            weight=Decimal("0.250") + Decimal(number % 7) / 10,
            images=1 + number % 2,
            category=category.get(reference[:3], table),
            id_manufacturer=brand if number % 3 else 0,
            id_supplier=suppliers[number % 2],
            description_short={1: f"<p>{english} for every day.</p>", 2: f"<p>{french} pour tous les jours.</p>"},
        )
        shop.link_supplier(
            products[reference],
            suppliers[number % 2],
            reference=f"S{number:04}",
            price=str(Decimal(price) / 2),
            currency=1 if number % 2 else 0,
        )
    cushion = shop.add_product(
        {1: "Linen cushion", 2: "Coussin en lin"},
        reference="CUS-200",
        price="18.00",
        images=2,
        category=home,
        combinations=[
            {
                "reference": f"CUS-200-{colour[:3].upper()}-{size}",
                "price": "4.00" if size == "60" else "0",
                "quantity": 10 + len(colour) + int(size) // 20,
                "options": {"Colour": colour, "Size": size},
            }
            for colour in ("Sand", "Indigo", "Moss")
            for size in ("40", "60")
        ],
    )
    products["CUS-200"] = cushion
    for place, combination in enumerate(shop.combinations_of(cushion)[:2]):
        shop.link_supplier(
            cushion, suppliers[1], attribute=combination, reference=f"LIN-{place}", price="7.50", currency=1
        )
    # Combinations without a reference of their own, as shops often have them.
    products["SCA-201"] = shop.add_product(
        {1: "Wool scarf", 2: "Écharpe en laine"},
        reference="SCA-201",
        price="22.00",
        images=1,
        combinations=[
            {"quantity": 8, "options": {"Colour": "Sand"}},
            {"quantity": 5, "options": {"Colour": "Indigo"}},
        ],
    )
    # Its supplier is named for the product as a whole.
    shop.link_supplier(products["SCA-201"], suppliers[0], reference="WOOL", price="9.250000", currency=0)
    products["PCK-300"] = shop.add_product(
        {1: "Breakfast gift box", 2: "Coffret petit déjeuner"},
        reference="PCK-300",
        price="15.50",
        bundle=[(products["MUG-020"], 0, 2), (products["BWL-024"], 0, 1)],
        pack_stock_type=1,
        images=1,
    )
    products["GVC-400"] = shop.add_product(
        {1: "Gift guide (download)", 2: "Guide cadeaux (à télécharger)"},
        reference="GVC-400",
        price="3.00",
        quantity=1000,
        virtual=True,
    )
    products["no reference"] = shop.add_product(
        {1: "Mystery ornament", 2: "Ornement mystère"}, price="2.50", quantity=33, images=1
    )
    products["DUP-500 a"] = shop.add_product("Ribbon, green", reference="DUP-500", price="1.20", quantity=40)
    products["DUP-500 b"] = shop.add_product("Ribbon, gold", reference="DUP-500", price="1.20", quantity=25)
    shop.add_product("Retired vase", reference="VAS-900", price="19.00", quantity=2, active=0)
    shop.add_product("Unsaved draft", price="0", state=0, active=0)
    shop.add_image(products["LAN-001"], missing=True)
    return products


def _orders(shop: Shop, products: dict[str, int], chance: random.Random) -> None:
    people = (
        ("Grace", "Hopper", "GB", "", "London", "EC1A 1BB"),
        ("Jean", "Moulin", "FR", "Café du Coin SARL", "Lyon", "69001"),
        ("Hedy", "Lamarr", "DE", "", "Berlin", "10115"),
        ("Rosa", "Parks", "US", "", "New York", "10001"),
        ("Ada", "Lovelace", "GB", "Engines & Co Ltd", "Bath", "BA1 1AA"),
    )
    buyers = []
    for first, last, country, company, city, postcode in people:
        buyer = shop.add_customer(first, last, company=company)
        region = {"id_state": 1} if country == "US" else {}
        address = shop.add_address(
            buyer,
            country=country,
            company=company,
            city=city,
            postcode=postcode,
            vat_number="FR32123456789" if country == "FR" else "",
            phone="+44 20 7946 0000",
            **region,
        )
        buyers.append((buyer, address))
    common = [products[reference] for reference, _, _, _, quantity in GOODS if quantity > 10]
    cushion = products["CUS-200"]
    colours = shop.combinations_of(cushion)
    now = shop.clock.now()
    states = (
        "PS_OS_DELIVERED",
        "PS_OS_SHIPPING",
        "PS_OS_SHIPPING",
        "PS_OS_PAYMENT",
        "PS_OS_PAYMENT",
        "PS_OS_PREPARATION",
        "PS_OS_PAYMENT",
        "PS_OS_BANKWIRE",
        "PS_OS_CHEQUE",
        "PS_OS_CANCELED",
        "PS_OS_WS_PAYMENT",
        "PS_OS_ERROR",
        "PS_OS_PAYMENT",
    )
    for number, state in enumerate(states):
        buyer, address = buyers[number % len(buyers)]
        placed_at = now - timedelta(days=len(states) - number, hours=chance.randrange(12), minutes=chance.randrange(60))
        lines = [
            Line(product, quantity=chance.randint(1, 3)) for product in chance.sample(common, chance.randint(1, 4))
        ]
        if number % 4 == 0:
            lines.append(Line(cushion, colours[number % len(colours)], 1))
        if number == 6:
            lines.append(Line(products["PCK-300"], quantity=1))
        order = shop.place_order(
            lines,
            customer=buyer,
            address=address,
            state=state,
            payment="Bank wire" if state == "PS_OS_BANKWIRE" else "Card",
            shipping="4.80",
            discounts="2.00" if number == 4 else 0,
            message="Please leave with a neighbour." if number == 3 else "",
            placed_at=placed_at,
        )
        if state == "PS_OS_SHIPPING":
            parcel = shop.store.value("SELECT id FROM order_carriers WHERE id_order = ?", (order,))
            shop.store.update("order_carriers", parcel, tracking_number=f"GB{order:09}")
    # An order for downloads alone: no parcel.
    shop.place_order([Line(products["GVC-400"])], customer=buyers[0][0], address=buyers[0][1], placed_at=now)


WORLDS: dict[str, Callable[[Shop, int], None]] = {"empty": empty, "demo": demo}
