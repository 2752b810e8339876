"""What the demo merchant sells, in every shop: the same SKUs everywhere, since one stock on several shops is the point."""

from __future__ import annotations

#: SKU, English, French, price without tax, stock
GOODS = (
    ("LAN-001", "White hanging heart lantern", "Lanterne cœur blanche", "8.50", 42),
    ("LAN-002", "Cream metal lantern", "Lanterne métal crème", "12.75", 18),
    ("CAN-010", "Set of six tea lights", "Lot de six bougies chauffe-plat", "3.25", 120),
    ("CAN-011", "Vanilla candle in a jar", "Bougie vanille en pot", "6.90", 64),
    ("CAN-012", "Fig candle in a jar", "Bougie figue en pot", "6.90", 0),
    ("MUG-020", "Enamel mug, blue rim", "Mug émaillé, bord bleu", "5.40", 55),
    ("MUG-021", "Enamel mug, red rim", "Mug émaillé, bord rouge", "5.40", 37),
    ("CUP-022", "Espresso cup pair", "Paire de tasses à espresso", "9.10", 24),
    ("PLT-023", "Stoneware dinner plate", "Assiette en grès", "7.80", 80),
    ("BWL-024", "Stoneware cereal bowl", "Bol en grès", "6.20", 73),
    ("TEA-030", "Glass teapot with infuser", "Théière en verre avec infuseur", "17.90", 12),
    ("TEA-031", "Cast iron teapot", "Théière en fonte", "29.50", 7),
    ("BAG-040", "Jumbo shopping bag, dots", "Grand cabas à pois", "2.08", 210),
    ("BAG-041", "Jumbo shopping bag, stripes", "Grand cabas rayé", "2.08", 180),
    ("BAG-042", "Lunch bag, retro spots", "Sac à déjeuner rétro", "1.65", 160),
    ("CLK-050", "Station wall clock", "Horloge de gare", "24.00", 9),
    ("CLK-051", "Travel alarm clock", "Réveil de voyage", "11.30", 26),
    ("FRA-060", "Oak photo frame 10 x 15", "Cadre en chêne 10 x 15", "8.25", 34),
    ("FRA-061", "Oak photo frame 20 x 30", "Cadre en chêne 20 x 30", "14.60", 21),
    ("TOY-070", "Wooden train", "Train en bois", "16.40", 15),
    ("TOY-071", "Spinning top", "Toupie", "4.15", 48),
    ("TOY-072", "Skittles in a box", "Quilles en boîte", "12.20", 11),
    ("GAR-080", "Zinc watering can", "Arrosoir en zinc", "13.75", 17),
    ("GAR-081", "Bird feeder house", "Mangeoire à oiseaux", "10.90", 22),
    ("GAR-082", "Set of five plant markers", "Lot de cinq étiquettes à plantes", "4.50", 66),
    ("KIT-090", "Recipe box", "Boîte à recettes", "9.95", 29),
    ("KIT-091", "Linen tea towel", "Torchon en lin", "5.60", 90),
    ("KIT-092", "Beech rolling pin", "Rouleau à pâtisserie en hêtre", "7.35", 31),
    ("PAR-100", "Party bunting", "Guirlande de fanions", "4.13", 144),
    ("PAR-101", "Paper lantern garland", "Guirlande de lampions", "6.25", 58),
    ("STA-110", "Notebook, dotted", "Carnet pointillé", "4.75", 75),
    ("STA-111", "Pencil set in a tin", "Crayons en boîte métal", "5.15", 40),
)


def barcode(number: int) -> str:
    """The EAN-13 of the n-th of them."""
    digits = f"50123450{number:04}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"
