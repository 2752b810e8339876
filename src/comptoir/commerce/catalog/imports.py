"""A page of a channel's products comes in: compared with what is here, and only differences are written, set-wise.

Pages come in one at a time (an advisory lock): two shops that sell the same new SKU make one variant, and nobody waits
for anybody in a circle. New rows go in by COPY under ids taken beforehand, changes by one UPDATE per table.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, LiteralString

import psycopg
from django.db import connection

from comptoir.commerce.catalog.records import (
    Answer,
    ImageWanted,
    Outcome,
    Problem,
    ProductWanted,
    Upserted,
    VariantWanted,
)
from comptoir.kit import sql
from comptoir.kit.money import THOUSANDTH, Unit

CATALOG_LOCK = 0x_C0_4D_70_01  # also taken by whoever gives a variant a SKU or a barcode

PRODUCT_FIELDS = ("name", "description", "brand", "categories", "page_url", "names", "custom", "images")
# With the types they travel in; JSON as text.
PRODUCT_COLUMNS = {
    "id": "bigint",
    "name": "text",
    "brand_id": "bigint",
    "description": "text",
    "names": "text",
    "page_url": "text",
    "custom": "text",
}
VARIANT_COLUMNS = {
    "options": "text",
    "unit": "text",
    "weight": "numeric",
    "is_stocked": "boolean",
    "enabled": "boolean",
    "cost": "numeric",
    "mpn": "text",
}
VARIANT_FIELDS = (*VARIANT_COLUMNS, "sku", "barcodes", "price", "parts", "images")

PATH_SIGN = " / "  # between the names of a category's path
_UNITS = frozenset(unit.value for unit in Unit)
_SIX = Decimal("0.000001")
_FOUR = Decimal("0.0001")
_LARGEST = Decimal(10) ** 8  # a weight has eight digits before the point; no price needs more than that and six


def lock_catalog() -> None:
    """Wait until no other page, and no person, is giving SKUs and barcodes; until the end of the transaction."""
    sql.execute("SELECT pg_advisory_xact_lock(%s)", [CATALOG_LOCK])


def upsert(channel: int, products: Sequence[ProductWanted], *, at: datetime) -> tuple[Upserted, set[int]]:
    """Bring a page in; what became of it, and which kits it has made or changed."""
    lock_catalog()
    page = _Page(channel, at)
    page.read(products)
    page.match()
    page.compare()
    page.write()
    return Upserted(page.product_answers, page.variant_answers, tuple(page.problems)), page.composed


@dataclass(slots=True)
class _Product:
    wanted: ProductWanted
    values: dict[str, Any]  # name, description, brand, categories (paths as text), page_url, names, custom
    paths: dict[str, tuple[str, ...]]  # of its categories
    images: dict[str, int]  # source -> position
    variants: list[_Variant] = field(default_factory=list)
    id: int | None = None
    is_new: bool = False


@dataclass(slots=True)
class _Variant:
    wanted: VariantWanted
    sku: str
    values: dict[str, Any]  # by VARIANT_COLUMNS
    barcodes: tuple[str, ...]
    prices: dict[int, Decimal]
    images: dict[str, int]
    product: _Product
    id: int | None = None
    is_new: bool = False
    was_matched: bool = False
    same_as: _Variant | None = None  # another listing of this page is this variant already
    parts: dict[int, Decimal] | None = None  # None: no pack, or its parts are not all known

    @property
    def kind(self) -> str:
        """What it is when it is made: a pack with unknown parts is a kit without any, of which there are none to sell."""
        return "kit" if self.wanted.parts else "simple"


@dataclass(slots=True)
class _KnownProduct:
    values: dict[str, Any]
    owners: Mapping[str, int]
    images: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _KnownVariant:
    product: int
    sku: str
    kind: str
    is_retired: bool
    values: dict[str, Any]
    owners: Mapping[str, int]
    barcodes: set[str] = field(default_factory=set)
    prices: dict[int, Decimal] = field(default_factory=dict)
    parts: dict[int, Decimal] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)


class _Page:
    """One page on its way in."""

    def __init__(self, channel: int, at: datetime) -> None:
        self.channel = channel
        self.at = at
        self.problems: list[Problem] = []
        self.product_answers: dict[str, Answer] = {}
        self.variant_answers: dict[str, Answer] = {}
        self.composed: set[int] = set()
        self._tidy_paths: dict[tuple[str, ...], str] = {}  # a page has few categories and names them often
        self._products: list[_Product] = []
        self._variants: list[_Variant] = []
        self._known_products: dict[int, _KnownProduct] = {}
        self._known_variants: dict[int, _KnownVariant] = {}
        self._barcode_holders: dict[str, int] = {}
        self._foreign: dict[tuple[int, int | None, str], Any] = {}
        self._foreign_known: dict[tuple[int, int | None, str], Any] = {}
        self._compared: set[tuple[int, int | None]] = set()  # product, variant that were here already
        self._changed_products: set[int] = set()
        self._changed_variants: set[int] = set()
        self._unretired: set[int] = set()
        self._barcodes_gone: list[str] = []
        self._barcodes_new: list[tuple[int, str]] = []
        self._prices_new: list[tuple[int, int, Decimal]] = []
        self._prices_changed: list[tuple[int, int, Decimal]] = []
        self._parts_of: dict[int, dict[int, Decimal]] = {}
        self._images_gone: list[tuple[int, int | None, str]] = []
        self._images_moved: list[tuple[int, int | None, str, int]] = []
        self._images_new: list[tuple[int, int | None, str, int]] = []
        self._categories_of: dict[int, Collection[str]] = {}

    def _problem(self, code: str, key: str, **facts: Any) -> None:
        self.problems.append(Problem(code, key, facts))

    # Reading what is wanted

    def read(self, products: Sequence[ProductWanted]) -> None:
        """Take the page in, with what is untidy in it left out and named."""
        lists = {price_list for p in products for v in p.variants for price_list in v.prices}
        known_lists = {
            price_list
            for (price_list,) in sql.rows("SELECT id FROM catalog_pricelist WHERE id = ANY (%s)", [list(lists)])
        }
        for wanted in products:
            key = wanted.key
            name = self._text(wanted.name, 255, "name", key)
            if not name:
                self._problem("name_empty", key)
                name = key
            paths = self._paths(wanted.categories, key)
            product = _Product(
                wanted,
                {
                    "name": name,
                    "description": wanted.description.replace("\0", ""),
                    "brand": self._text(wanted.brand, 120, "brand", key),
                    "categories": set(paths),
                    "page_url": self._url(wanted.page_url, key),
                    "names": _plain(wanted.names),
                    "custom": _plain(wanted.custom),
                },
                paths,
                self._sources(wanted.images),
            )
            self._products.append(product)
            for listing in wanted.variants:
                if variant := self._read_variant(product, listing, known_lists):
                    product.variants.append(variant)
                    self._variants.append(variant)

    def _read_variant(self, product: _Product, wanted: VariantWanted, known_lists: set[int]) -> _Variant | None:
        key = wanted.key
        sku = wanted.sku.replace("\0", "").strip()
        if not sku or len(sku) > 80:
            self._problem("sku_empty" if not sku else "value_too_long", key, field="sku", value=sku[:200], most=80)
            self.variant_answers[key] = Answer(None, Outcome.REFUSED)
            return None
        unit: str = wanted.unit
        if unit not in _UNITS:
            self._problem("unit_unknown", key, value=unit)
            unit = Unit.PIECE.value
        values = {
            "options": _plain(wanted.options),
            "unit": unit,
            "weight": self._number(wanted.weight, _FOUR, "weight", key),
            "is_stocked": wanted.is_stocked,
            "enabled": wanted.enabled,
            "cost": self._number(wanted.cost, _SIX, "cost", key),
            "mpn": self._text(wanted.mpn, 80, "mpn", key),
        }
        barcodes = []
        for code in wanted.barcodes:
            tidy = code.replace("\0", "").strip()
            if len(tidy) > 64:
                self._problem("value_too_long", key, field="barcode", value=tidy[:200], most=64)
            elif tidy and tidy not in barcodes:
                barcodes.append(tidy)
        prices = {}
        for price_list, amount in wanted.prices.items():
            if price_list not in known_lists:
                self._problem("price_list_unknown", key, price_list=price_list)
            elif amount < 0:
                self._problem("negative_price", key, price=str(amount), price_list=price_list)
            elif (tidy_amount := self._number(amount, _SIX, "price", key)) is not None:
                prices[price_list] = tidy_amount
        return _Variant(wanted, sku, values, tuple(barcodes), prices, self._sources(wanted.images), product)

    def _text(self, value: str, most: int, name: str, key: str) -> str:
        tidy = value.replace("\0", "").strip()
        if len(tidy) > most:
            self._problem("value_too_long", key, field=name, value=tidy[:200], most=most)
            tidy = tidy[:most].rstrip()
        return tidy

    def _url(self, value: str, key: str) -> str:
        tidy = value.replace("\0", "").strip()
        if len(tidy) > 500:  # half an address is none
            self._problem("value_too_long", key, field="page_url", value=tidy[:200], most=500)
            return ""
        return tidy

    def _number(self, value: Decimal | None, places: Decimal, name: str, key: str) -> Decimal | None:
        if value is None:
            return None
        if not value.is_finite() or abs(value) >= _LARGEST:
            self._problem("not_a_number", key, field=name, value=str(value))
            return None
        return value.quantize(places)

    def _paths(self, categories: Iterable[tuple[str, ...]], key: str) -> dict[str, tuple[str, ...]]:
        paths = {}
        for path in categories:
            if (known := self._tidy_paths.get(path)) is not None:
                paths[known] = path
                continue
            tidy = tuple(name for part in path if (name := self._text(part, 200, "category", key)))
            text = PATH_SIGN.join(tidy)
            if len(text) > 1000:
                self._problem("value_too_long", key, field="categories", value=text[:200], most=1000)
            elif tidy:
                paths[text] = tidy
                if tidy == path:
                    self._tidy_paths[path] = text
        return paths

    def _sources(self, images: Sequence[ImageWanted]) -> dict[str, int]:
        return {f"{self.channel}:{image.ref}"[:200]: min(image.position, 32767) for image in images}

    # Finding out what it is here

    def match(self) -> None:
        """Find each variant by the id given, else its SKU, else (where it has no SKU of its own) a barcode."""
        self._read_known({v.wanted.variant for v in self._variants if v.wanted.variant is not None}, ())
        folded = self._match_skus()
        first: dict[int, _Variant] = {}
        by_folded: dict[str, _Variant] = {}
        for place, variant in enumerate(self._variants):
            lower, found = folded[place]
            given = variant.wanted.variant
            if given is not None and given not in self._known_variants:
                self._problem("variant_unknown", variant.wanted.key, variant=given)
                given = None
            if given is None and found is None and variant.wanted.is_sku_generated:
                found = next((self._barcode_holders[c] for c in variant.barcodes if c in self._barcode_holders), None)
            variant.id = given if given is not None else found
            variant.was_matched = given is None and found is not None
            variant.same_as = first.get(variant.id) if variant.id is not None else by_folded.get(lower)
            if variant.same_as is not None:
                same = variant.same_as
                self._problem("duplicate_sku", variant.wanted.key, sku=variant.sku, other=same.wanted.key)
            elif variant.id is not None:
                first[variant.id] = variant
            else:
                variant.is_new = True
            by_folded.setdefault(lower, variant)
        self._settle_products()
        self._take_ids()

    def _match_skus(self) -> list[tuple[str, int | None]]:
        """For each variant of the page: its SKU as PostgreSQL folds it, and who has it here. Reads those and who has the
        barcodes of the page."""
        codes = [code for v in self._variants for code in v.barcodes]
        if codes:
            self._barcode_holders = dict(
                sql.rows("SELECT code, variant_id FROM catalog_barcode WHERE code = ANY (%s)", [codes])
            )
        folded = [
            (lower, found)
            for lower, found in sql.rows(
                """
                SELECT lower(asked.sku), variant.id
                FROM unnest(%s::text[]) WITH ORDINALITY AS asked (sku, place)
                LEFT JOIN catalog_variant AS variant ON lower(variant.sku) = lower(asked.sku)
                ORDER BY asked.place
                """,
                [[v.sku for v in self._variants]],
            )
        ]
        found = {variant for _, variant in folded if variant is not None}
        self._read_known(found | set(self._barcode_holders.values()), ())
        return folded

    def _settle_products(self) -> None:
        given = {p.wanted.product for p in self._products if p.wanted.product is not None}
        self._read_known((), given | {v.product for v in self._known_variants.values()})
        for product in self._products:
            if product.wanted.product in self._known_products:
                product.id = product.wanted.product
                continue
            if product.wanted.product is not None:
                self._problem("product_unknown", product.wanted.key, product=product.wanted.product)
            ours = [self._known_variants[v.id].product for v in product.variants if v.id in self._known_variants]
            if ours:
                product.id = ours[0]
            elif any(v.is_new for v in product.variants):
                product.is_new = True
            elif not product.variants:
                self._problem("product_without_variants", product.wanted.key)

    def _take_ids(self) -> None:
        new_products = [p for p in self._products if p.is_new]
        for product, number in zip(new_products, _ids("catalog_product", len(new_products)), strict=True):
            product.id = number
        new_variants = [v for v in self._variants if v.is_new]
        for variant, number in zip(new_variants, _ids("catalog_variant", len(new_variants)), strict=True):
            variant.id = number
        for variant in self._variants:
            if variant.same_as is not None:
                variant.id = variant.same_as.id
        for product in self._products:  # all of its listings are variants of another product of this page
            if product.id is None and product.variants:
                same = product.variants[0].same_as
                product.id = same.product.id if same else None

    def _read_known(self, variants: Collection[int], products: Collection[int]) -> None:
        """Read what is here of these, unless it has been read."""
        if new := [variant for variant in variants if variant not in self._known_variants]:
            for number, product, sku, kind, is_retired, owners, *values in sql.rows(
                "SELECT id, product_id, sku, kind, retired_at IS NOT NULL, owners, "
                f"{', '.join(VARIANT_COLUMNS)} FROM catalog_variant WHERE id = ANY (%s)",
                [new],
            ):
                known = dict(zip(VARIANT_COLUMNS, values, strict=True))
                known["options"] = _parsed(known["options"])
                self._known_variants[number] = _KnownVariant(product, sku, kind, is_retired, known, _owners(owners))
            for number, code in sql.rows(
                "SELECT variant_id, code FROM catalog_barcode WHERE variant_id = ANY (%s)", [new]
            ):
                self._known_variants[number].barcodes.add(code)
            for number, price_list, amount in sql.rows(
                "SELECT variant_id, price_list_id, amount FROM catalog_price WHERE variant_id = ANY (%s)", [new]
            ):
                self._known_variants[number].prices[price_list] = amount
            for number, part, quantity in sql.rows(
                "SELECT kit_id, part_id, quantity FROM catalog_kitpart WHERE kit_id = ANY (%s)", [new]
            ):
                self._known_variants[number].parts[part] = quantity
        if asked := [product for product in products if product not in self._known_products]:
            self._read_known_products(asked)

    def _read_known_products(self, asked: list[int]) -> None:
        paths: dict[int, set[str]] = defaultdict(set)
        for product, path in sql.rows(
            "SELECT placed.product_id, category.path FROM catalog_product_categories AS placed"
            " JOIN catalog_category AS category ON category.id = placed.category_id WHERE placed.product_id = ANY (%s)",
            [asked],
        ):
            paths[product].add(path)
        for number, owners, name, description, brand, page_url, names, custom in sql.rows(
            "SELECT product.id, owners, product.name, description, COALESCE(brand.name, ''), page_url, names, custom"
            " FROM catalog_product AS product LEFT JOIN catalog_brand AS brand ON brand.id = product.brand_id"
            " WHERE product.id = ANY (%s)",
            [asked],
        ):
            self._known_products[number] = _KnownProduct(
                {
                    "name": name,
                    "description": description,
                    "brand": brand,
                    "categories": paths.get(number, set()),
                    "page_url": page_url,
                    "names": _parsed(names),
                    "custom": _parsed(custom),
                },
                _owners(owners),
            )
        for product, variant, source, position in sql.rows(
            "SELECT product_id, variant_id, source, position FROM catalog_productimage"
            " WHERE product_id = ANY (%s) AND starts_with(source, %s)",
            [asked, f"{self.channel}:"],
        ):
            if variant is None:
                self._known_products[product].images[source] = position
            elif variant in self._known_variants:
                self._known_variants[variant].images[source] = position
        for product, variant, name, value in sql.rows(
            "SELECT product_id, variant_id, field, value FROM catalog_foreignvalue"
            " WHERE product_id = ANY (%s) AND channel = %s",
            [asked, self.channel],
        ):
            self._foreign_known[product, variant, name] = json.loads(value)

    # Comparing

    def compare(self) -> None:
        """Work out what is to be written, and the answers."""
        self._resolve_parts()
        written: set[int] = set()
        for variant in self._variants:
            if variant.same_as is None and variant.id is not None:
                self._compare_variant(variant, variant.id)
        for product in self._products:
            if product.id is None:
                self.product_answers[product.wanted.key] = Answer(None, Outcome.REFUSED)
                continue
            # Two pages of a shop that are one product here: the first one speaks for it.
            if product.id not in written:
                written.add(product.id)
                self._compare_product(product, product.id)
            changed = product.id in self._changed_products
            outcome = Outcome.CREATED if product.is_new else Outcome.CHANGED if changed else Outcome.UNCHANGED
            was_matched = not product.is_new and product.wanted.product != product.id
            self.product_answers[product.wanted.key] = Answer(product.id, outcome, was_matched)
        for variant in self._variants:
            outcome = Outcome.UNCHANGED
            if variant.same_as is None and variant.is_new:
                outcome = Outcome.CREATED
            elif variant.same_as is None and variant.id in self._changed_variants:
                outcome = Outcome.CHANGED
            was_matched = variant.was_matched or variant.same_as is not None
            self.variant_answers[variant.wanted.key] = Answer(variant.id, outcome, was_matched)

    def _resolve_parts(self) -> None:
        packs = [v for v in self._variants if v.wanted.parts and v.same_as is None]
        if not packs:
            return
        by_key = {v.wanted.key: v.id for v in self._variants}
        ids = {p.variant if p.variant is not None else by_key.get(p.key) for v in packs for p in v.wanted.parts}
        # Id -> the variant whose stock it is, and of which kind that is.
        here: dict[int, tuple[int, str]] = {
            number: (stocked, kind)
            for number, stocked, kind in sql.rows(
                "SELECT asked.id, stocked.id, stocked.kind FROM catalog_variant AS asked"
                " JOIN catalog_variant AS stocked ON stocked.id = COALESCE(asked.alias_of_id, asked.id)"
                " WHERE asked.id = ANY (%s)",
                [[number for number in ids if number is not None]],
            )
        }
        for variant in self._variants:
            if variant.is_new and variant.id is not None:
                here[variant.id] = (variant.id, variant.kind)
        for pack in packs:
            parts: dict[int, Decimal] = defaultdict(Decimal)
            for part in pack.wanted.parts:
                number = part.variant if part.variant is not None else by_key.get(part.key)
                target, kind = here.get(number, (None, "")) if number is not None else (None, "")
                named = part.key or str(part.variant)
                if target is None:
                    self._problem("part_unknown", pack.wanted.key, part=named)
                elif kind != "simple" or target == pack.id:
                    self._problem("part_is_kit", pack.wanted.key, part=named, variant=target)
                elif not _is_quantity(part.quantity):
                    self._problem("not_a_number", pack.wanted.key, field="parts", value=str(part.quantity))
                else:
                    parts[target] += part.quantity
                    continue
                break
            else:
                pack.parts = dict(parts)

    def _compare_variant(self, variant: _Variant, number: int) -> None:
        known = self._known_variants.get(number)
        if known is None:
            self._barcodes(variant, number, set())
            self._prices_new += [(number, price_list, amount) for price_list, amount in variant.prices.items()]
            if variant.parts:
                self._parts_of[number] = variant.parts
            if variant.wanted.parts:
                self.composed.add(number)
            self._images(number, variant.product.id, variant.images, {})
            return
        before = len(self._barcodes_new), len(self._barcodes_gone), len(self._prices_new), len(self._prices_changed)
        owned = {name for name, owner in known.owners.items() if owner == self.channel}
        is_changed = False
        for name, value in variant.values.items():
            if known.values[name] == value:
                continue
            if name in owned:
                known.values[name] = value
                is_changed = True
            else:
                self._foreign[known.product, number, name] = value
        if known.is_retired:
            self._unretired.add(number)
            is_changed = True
        if "barcodes" in owned:
            self._barcodes(variant, number, known.barcodes)
        elif set(variant.barcodes) != known.barcodes:
            self._foreign[known.product, number, "barcodes"] = sorted(variant.barcodes)
        self._compare_prices(variant, number, known, is_owned="price" in owned)
        if known.sku.lower() != variant.sku.lower() and not variant.wanted.is_sku_generated:
            if "sku" in owned:  # ours changes only after a person has seen it
                self._problem("sku_differs", variant.wanted.key, ours=known.sku, theirs=variant.sku, variant=number)
            else:
                self._foreign[known.product, number, "sku"] = variant.sku
        self._compare_parts(variant, number, known, is_owned="parts" in owned)
        if "images" in owned:
            is_changed |= self._images(number, known.product, variant.images, known.images)
        self._compared.add((known.product, number))
        after = len(self._barcodes_new), len(self._barcodes_gone), len(self._prices_new), len(self._prices_changed)
        if is_changed or before != after or number in self.composed:
            self._changed_variants.add(number)

    def _compare_prices(self, variant: _Variant, number: int, known: _KnownVariant, *, is_owned: bool) -> None:
        for price_list, amount in variant.prices.items():
            ours = known.prices.get(price_list)
            if ours == amount:
                continue
            if not is_owned and ours is not None:
                self._foreign[known.product, number, f"price:{price_list}"] = str(amount)
            elif ours is None:  # a list that had no price yet is nobody's
                self._prices_new.append((number, price_list, amount))
            else:
                self._prices_changed.append((number, price_list, amount))

    def _compare_parts(self, variant: _Variant, number: int, known: _KnownVariant, *, is_owned: bool) -> None:
        if not is_owned:
            return
        if variant.wanted.parts and known.kind != "kit":
            self._problem("became_pack", variant.wanted.key, variant=number, sku=known.sku)
        elif not variant.wanted.parts and known.kind == "kit":
            self._problem("no_longer_pack", variant.wanted.key, variant=number, sku=known.sku)
        elif variant.parts is not None and variant.parts != known.parts:
            self._parts_of[number] = variant.parts
            self.composed.add(number)

    def _barcodes(self, variant: _Variant, number: int, before: set[str]) -> None:
        for code in variant.barcodes:
            if code in before:
                continue
            holder = self._barcode_holders.setdefault(code, number)
            if holder != number:
                self._problem("barcode_taken", variant.wanted.key, barcode=code, variant=holder)
            else:
                self._barcodes_new.append((number, code))
        self._barcodes_gone += before.difference(variant.barcodes)

    def _images(
        self, variant: int | None, product: int | None, wanted: Mapping[str, int], before: Mapping[str, int]
    ) -> bool:
        if product is None or wanted == before:
            return False
        self._images_gone += [(product, variant, source) for source in before if source not in wanted]
        for source, position in wanted.items():
            if source not in before:
                self._images_new.append((product, variant, source, position))
            elif before[source] != position:
                self._images_moved.append((product, variant, source, position))
        return True

    def _compare_product(self, product: _Product, number: int) -> None:
        known = self._known_products.get(number)
        values = product.values
        if known is None:
            self._images(None, number, product.images, {})
            self._categories_of[number] = values["categories"]
            return
        is_changed = False
        for name, value in values.items():
            if known.values[name] == value:
                continue
            if known.owners.get(name) != self.channel:
                self._foreign[number, None, name] = sorted(value) if name == "categories" else value
                continue
            is_changed = True
            known.values[name] = value
            if name == "categories":
                self._categories_of[number] = value
        if known.owners.get("images") == self.channel:
            is_changed |= self._images(None, number, product.images, known.images)
        self._compared.add((number, None))
        if is_changed:
            self._changed_products.add(number)

    # Writing

    def write(self) -> None:
        """Put the differences down."""
        self._write_products()
        self._write_variants()
        self._write_parts()
        self._write_barcodes_and_prices()
        self._write_images()
        self._write_foreign()

    def _write_products(self) -> None:
        new = [(p.id, p.values) for p in self._products if p.is_new and p.id is not None]
        changed = [(number, self._known_products[number].values) for number in sorted(self._changed_products)]
        brands = self._brands({values["brand"] for _, values in [*new, *changed]} - {""})
        if new:
            owners = json.dumps(dict.fromkeys(PRODUCT_FIELDS, self.channel))
            columns = ", ".join(PRODUCT_COLUMNS)
            _copy(
                "catalog_product",
                f"{columns}, owners, created_at, changed_at",
                ((*_product_columns(number, v, brands), owners, self.at, self.at) for number, v in new),
            )
        if changed:
            _load("changed_product", PRODUCT_COLUMNS, (_product_columns(number, v, brands) for number, v in changed))
            sql.execute(
                """
                UPDATE catalog_product AS product
                SET name = changed.name, brand_id = changed.brand_id, description = changed.description,
                    names = changed.names::jsonb, page_url = changed.page_url, custom = changed.custom::jsonb, changed_at = %s
                FROM changed_product AS changed WHERE changed.id = product.id
                """,
                [self.at],
            )
        self._write_categories()

    def _brands(self, names: set[str]) -> dict[str, int]:
        if not names:
            return {}
        sql.execute(
            "INSERT INTO catalog_brand (name) SELECT name FROM unnest(%s::text[]) AS wanted (name)"
            " WHERE NOT EXISTS (SELECT FROM catalog_brand AS brand WHERE brand.name = wanted.name) ORDER BY name",
            [sorted(names)],
        )
        return dict(sql.rows("SELECT name, id FROM catalog_brand WHERE name = ANY (%s)", [list(names)]))

    def _write_categories(self) -> None:
        wanted = self._categories() if any(self._categories_of.values()) else {}
        known = [number for number in self._categories_of if number in self._known_products]
        if known:
            sql.execute("DELETE FROM catalog_product_categories WHERE product_id = ANY (%s)", [known])
        rows = [(number, wanted[path]) for number, paths in self._categories_of.items() for path in sorted(paths)]
        if rows:
            _copy("catalog_product_categories", "product_id, category_id", rows)

    def _categories(self) -> dict[str, int]:
        """The tree grows from the root, a statement per depth; path -> id."""
        wanted = {path for paths in self._categories_of.values() for path in paths}
        names = {path: tidy for product in self._products for path, tidy in product.paths.items() if path in wanted}
        by_depth: dict[int, dict[str, tuple[str, str]]] = defaultdict(dict)
        for tidy in names.values():
            for depth in range(1, len(tidy) + 1):
                parent = PATH_SIGN.join(tidy[: depth - 1])
                by_depth[depth][PATH_SIGN.join(tidy[:depth])] = (parent, tidy[depth - 1])
        for depth in sorted(by_depth):
            rows = [(path, parent, name) for path, (parent, name) in sorted(by_depth[depth].items())]
            sql.execute(
                """
                INSERT INTO catalog_category (path, name, parent_id)
                SELECT wanted.path, wanted.name, parent.id
                FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted (path, parent, name)
                LEFT JOIN catalog_category AS parent ON parent.path = wanted.parent
                WHERE NOT EXISTS (SELECT FROM catalog_category AS here WHERE here.path = wanted.path)
                """,
                [list(column) for column in zip(*rows, strict=True)],
            )
        return dict(sql.rows("SELECT path, id FROM catalog_category WHERE path = ANY (%s)", [list(names)]))

    def _write_variants(self) -> None:
        new = [v for v in self._variants if v.is_new]
        columns = ", ".join(VARIANT_COLUMNS)
        if new:
            owners = json.dumps(dict.fromkeys(VARIANT_FIELDS, self.channel))
            stamps = (False, False, owners, self.at, self.at)
            _copy(
                "catalog_variant",
                "id, product_id, sku, is_sku_generated, kind, mixes_warehouses, discontinued, owners, created_at,"
                f" changed_at, {columns}",
                (
                    (v.id, v.product.id, v.sku, v.wanted.is_sku_generated, v.kind, *stamps, *_columns(v.values))
                    for v in new
                ),
            )
        if self._changed_variants:
            known = self._known_variants
            _load(
                "changed_variant",
                {"id": "bigint", "is_unretired": "boolean", **VARIANT_COLUMNS},
                (
                    (number, number in self._unretired, *_columns(known[number].values))
                    for number in sorted(self._changed_variants)
                ),
            )
            sql.execute(
                """
                UPDATE catalog_variant AS variant
                SET options = changed.options::jsonb, unit = changed.unit, weight = changed.weight,
                    is_stocked = changed.is_stocked, enabled = changed.enabled, cost = changed.cost, mpn = changed.mpn,
                    changed_at = %s,
                    retired_at = CASE WHEN changed.is_unretired THEN NULL ELSE variant.retired_at END
                FROM changed_variant AS changed WHERE changed.id = variant.id
                """,
                [self.at],
            )

    def _write_parts(self) -> None:
        if not self._parts_of:
            return
        sql.execute("DELETE FROM catalog_kitpart WHERE kit_id = ANY (%s)", [list(self._parts_of)])
        rows = [(kit, part, quantity) for kit, parts in self._parts_of.items() for part, quantity in parts.items()]
        _copy("catalog_kitpart", "kit_id, part_id, quantity", rows)

    def _write_barcodes_and_prices(self) -> None:
        if self._barcodes_gone:
            sql.execute("DELETE FROM catalog_barcode WHERE code = ANY (%s)", [self._barcodes_gone])
        if self._barcodes_new:
            _copy("catalog_barcode", "variant_id, code", self._barcodes_new)
        if self._prices_new:
            _copy("catalog_price", "variant_id, price_list_id, amount", self._prices_new)
        if self._prices_changed:
            sql.execute(
                "UPDATE catalog_price AS price SET amount = changed.amount"
                " FROM unnest(%s::bigint[], %s::bigint[], %s::numeric[]) AS changed (variant, price_list, amount)"
                " WHERE price.variant_id = changed.variant AND price.price_list_id = changed.price_list",
                [list(column) for column in zip(*self._prices_changed, strict=True)],
            )

    def _write_images(self) -> None:
        if self._images_gone:
            sql.execute(
                "DELETE FROM catalog_productimage AS image"
                " USING unnest(%s::bigint[], %s::bigint[], %s::text[]) AS gone (product, variant, source)"
                " WHERE image.product_id = gone.product AND image.variant_id IS NOT DISTINCT FROM gone.variant"
                " AND image.source = gone.source",
                [list(column) for column in zip(*self._images_gone, strict=True)],
            )
        if self._images_moved:
            sql.execute(
                "UPDATE catalog_productimage AS image SET position = moved.position"
                " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::int[])"
                "   AS moved (product, variant, source, position)"
                " WHERE image.product_id = moved.product AND image.variant_id IS NOT DISTINCT FROM moved.variant"
                " AND image.source = moved.source",
                [list(column) for column in zip(*self._images_moved, strict=True)],
            )
        if self._images_new:
            _copy(
                "catalog_productimage",
                "product_id, variant_id, source, position, attempts",
                ((*row, 0) for row in self._images_new),
            )

    def _write_foreign(self) -> None:
        told = {place: _plain_value(value) for place, value in self._foreign.items()}
        agreed = [place for place in self._foreign_known if place not in told and place[:2] in self._compared]
        if agreed:
            sql.execute(
                "DELETE FROM catalog_foreignvalue AS kept"
                " USING unnest(%s::bigint[], %s::bigint[], %s::text[]) AS gone (product, variant, field)"
                " WHERE kept.product_id = gone.product AND kept.variant_id IS NOT DISTINCT FROM gone.variant"
                " AND kept.field = gone.field AND kept.channel = %s",
                [*(list(column) for column in zip(*agreed, strict=True)), self.channel],
            )
        new = [
            (*place, json.dumps(value))
            for place, value in told.items()
            if place not in self._foreign_known or self._foreign_known[place] != value
        ]
        if new:
            sql.execute(
                """
                INSERT INTO catalog_foreignvalue (product_id, variant_id, channel, field, value, seen_at)
                SELECT product, variant, %s, field, value::jsonb, %s
                FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[]) AS said (product, variant, field, value)
                ON CONFLICT (product_id, variant_id, channel, field)
                DO UPDATE SET value = EXCLUDED.value, seen_at = EXCLUDED.seen_at
                """,
                [self.channel, self.at, *(list(column) for column in zip(*new, strict=True))],
            )


def _is_quantity(value: Decimal) -> bool:
    return value.is_finite() and 0 < value < _LARGEST and value == value.quantize(THOUSANDTH)


def _columns(values: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        json.dumps(values["options"]) if values["options"] else "{}",
        values["unit"],
        values["weight"],
        values["is_stocked"],
        values["enabled"],
        values["cost"],
        values["mpn"],
    )


def _product_columns(number: int, values: Mapping[str, Any], brands: Mapping[str, int]) -> tuple[Any, ...]:
    return (
        number,
        values["name"],
        brands.get(values["brand"]),
        values["description"],
        json.dumps(values["names"]),
        values["page_url"],
        json.dumps(values["custom"]),
    )


def _ids(table: LiteralString, number: int) -> list[int]:
    if not number:
        return []
    return [
        i
        for (i,) in sql.rows(
            f"SELECT nextval(pg_get_serial_sequence('{table}', 'id')) FROM generate_series(1, %s)", [number]
        )
    ]


def _copy(table: LiteralString, columns: str, rows: Iterable[Sequence[Any]]) -> None:
    statement = f"COPY {table} ({columns}) FROM STDIN"
    with psycopg.Cursor(sql.raw()) as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        sql.write_rows(copy, rows)


def _load(table: str, columns: dict[str, str], rows: Iterable[Sequence[Any]]) -> None:
    sql.load(table, list(columns), rows, types=list(columns.values()))


# Django has PostgreSQL's JSON come as text.
def _parsed(text: str) -> dict[str, Any]:
    return dict(json.loads(text)) if text != "{}" else {}


@lru_cache(maxsize=1024)  # a page's rows have a handful of different owners
def _owners(text: str) -> Mapping[str, int]:
    return _parsed(text)


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes back from a jsonb column, which holds no NUL characters."""
    if all(type(one) is str and "\0" not in one and "\0" not in name for name, one in value.items()):
        return dict(value)
    text = json.dumps(dict(value), default=str)
    return dict(json.loads(text.replace("\\u0000", "")))


def _plain_value(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value
