"""Changing the catalogue, for people one variant at a time; pages of a channel come in through `imports`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from comptoir.commerce.catalog import events, imports
from comptoir.commerce.catalog.errors import BadPart, BarcodeTaken, SkuTaken
from comptoir.commerce.catalog.models import Barcode, Brand, Category, Kind, KitPart, Price, PriceList, Product, Variant
from comptoir.commerce.catalog.records import Outcome, ProductWanted, Retired, Upserted
from comptoir.events import record
from comptoir.kit import sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput
from comptoir.kit.money import Unit
from comptoir.kit.money import quantity as exact_quantity

EDITABLE = (
    "options",
    "unit",
    "weight",
    "is_stocked",
    "mixes_warehouses",
    "enabled",
    "discontinued",
    "cost",
    "mpn",
)
LARGEST_PRICE = Decimal(10) ** 8
SIX_DECIMALS = Decimal("0.000001")


def upsert_products(channel: int, products: Sequence[ProductWanted], *, at: datetime, actor: Actor) -> Upserted:
    """Bring a page of a channel's products in: new ones are made, fields that the channel owns follow it, what it says of
    other fields is kept beside ours. Nothing is written for what has not changed."""
    outcome, composed = imports.upsert(channel, products, at=at)
    made = [a.id for a in outcome.variants.values() if a.outcome is Outcome.CREATED and a.id is not None]
    changed = [a.id for a in outcome.variants.values() if a.outcome is Outcome.CHANGED and a.id is not None]
    pages = [
        a.id for a in outcome.products.values() if a.outcome in (Outcome.CREATED, Outcome.CHANGED) and a.id is not None
    ]
    if made or changed or pages:
        facts = {"channel": channel, "created": len(made), "changed": len(changed), "products": pages}
        _tell(events.IMPORTED, made + changed, facts, at=at, actor=actor)
    if composed:
        _tell(events.COMPOSED, sorted(composed), {"kind": Kind.KIT}, at=at, actor=actor)
    return outcome


def create_product(
    name: str,
    sku: str,
    *,
    brand: str = "",
    categories: Sequence[tuple[str, ...]] = (),
    barcodes: Sequence[str] = (),
    at: datetime,
    actor: Actor,
    **fields: Any,
) -> Variant:
    """A new product with its first variant; `fields` are the variant's (`unit`, `weight`, `cost`, `options`, …)."""
    product = Product(name=_given("name", name, 255), created_at=at, changed_at=at)
    product.brand = Brand.objects.get_or_create(name=_given("brand", brand, 120))[0] if brand.strip() else None
    imports.lock_catalog()
    product.save()
    product.categories.set([_category(path) for path in categories])
    return create_variant(product.pk, sku, barcodes=barcodes, at=at, actor=actor, **fields)


def create_variant(
    product: int, sku: str, *, barcodes: Sequence[str] = (), at: datetime, actor: Actor, **fields: Any
) -> Variant:
    """One more variant of a product; the hub owns all its fields."""
    imports.lock_catalog()
    row = Variant(product_id=product, sku=_free_sku(sku, None), created_at=at, changed_at=at)
    _set_fields(row, fields)
    row.save()
    _set_barcodes(row, barcodes)
    _tell(events.CREATED, [row.pk], {"products": [product]}, at=at, actor=actor)
    return row


def edit_variant(
    variant: int,
    *,
    barcodes: Sequence[str] | None = None,
    sku: str | None = None,
    at: datetime,
    actor: Actor,
    **fields: Any,
) -> bool:
    """A person changes fields. Whether something changed. A channel that owns a field will write it again with its next
    page: give the field to the hub with `set_owner` to keep it."""
    if sku is not None or barcodes is not None:
        imports.lock_catalog()
    row = _locked(variant)
    before = {name: getattr(row, name) for name in (*EDITABLE, "sku")}
    if sku is not None:
        row.sku = _free_sku(sku, variant)
        row.is_sku_generated = row.is_sku_generated and row.sku == before["sku"]
    _set_fields(row, fields)
    changed = sorted(name for name, value in before.items() if getattr(row, name) != value)
    if barcodes is not None and _set_barcodes(row, barcodes):
        changed.append("barcodes")
    if changed:
        row.changed_at = at
        row.save()
        _tell(events.CHANGED, [variant], {"fields": sorted(changed)}, at=at, actor=actor)
    return bool(changed)


def edit_product(product: int, *, at: datetime, actor: Actor, **fields: Any) -> bool:
    """A person changes a product's `name`, `description`, `page_url`, `names`, `custom`, `brand` (a name) or `categories`
    (paths). Whether something changed."""
    row = Product.objects.select_for_update().get(pk=product)
    changed = []
    for name, value in fields.items():
        if name == "categories":
            wanted = {_category(path).pk for path in value}
            if wanted != set(row.categories.values_list("pk", flat=True)):
                row.categories.set(wanted)
                changed.append(name)
            continue
        if name == "brand":
            value = Brand.objects.get_or_create(name=_given("brand", value, 120))[0] if value.strip() else None
        elif name == "name":
            value = _given("name", value, 255)
        elif name not in ("description", "page_url", "names", "custom"):
            raise BadInput(f"a product has no field {name}", place=name, value=str(value), cure="choose another field")
        if getattr(row, name) != value:
            setattr(row, name, value)
            changed.append(name)
    if changed:
        row.changed_at = at
        row.save()
        _tell(events.CHANGED, [], {"products": [product], "fields": sorted(changed)}, at=at, actor=actor)
    return bool(changed)


def set_owner(
    field: str, owner: int | None, *, product: int | None = None, variant: int | None = None, at: datetime, actor: Actor
) -> None:
    """From now on this channel writes the field, or (None) the hub alone."""
    if (product is None) == (variant is None):
        raise BadInput(
            "a field belongs to a product or to a variant", place="field", value=field, cure="name one of them"
        )
    known = imports.VARIANT_FIELDS if product is None else imports.PRODUCT_FIELDS
    if field not in known:
        raise BadInput(f"{field} has no owner", place="field", value=field, cure=f"one of {', '.join(known)}")
    row: Product | Variant
    if variant is not None:
        row = _locked(variant)
    elif product is not None:
        row = Product.objects.select_for_update().get(pk=product)
    before = row.owners.pop(field, None)
    if owner is not None:
        row.owners[field] = owner
    if before != owner:
        row.changed_at = at
        row.save(update_fields=["owners", "changed_at"])
        facts = {"field": field, "before": before, "after": owner, "products": [product] if product else []}
        _tell(events.OWNED, [variant] if variant else [], facts, at=at, actor=actor)


def price_list(code: str, name: str, currency: str, *, tax_included: bool) -> PriceList:
    """The list with this code, made at the first call. A code that exists with another currency or tax is refused."""
    row, _is_new = PriceList.objects.get_or_create(
        code=code, defaults={"name": name, "currency": currency, "tax_included": tax_included}
    )
    if (row.currency, row.tax_included) != (currency, tax_included):
        raise BadInput(
            f"price list {code} is in {row.currency}, tax {'included' if row.tax_included else 'not included'}",
            place="code",
            value=code,
            cure="choose another code",
        )
    return row


def set_price(variant: int, price_list: int, amount: Decimal | None, *, at: datetime, actor: Actor) -> bool:
    """What it costs in a list; None takes it out of the list. Whether something changed."""
    if amount is not None and (not amount.is_finite() or not 0 <= amount < LARGEST_PRICE):
        raise BadInput("a price is not negative", place="amount", value=str(amount), cure="give zero or more")
    _locked(variant)
    before = Price.objects.filter(variant=variant, price_list=price_list).values_list("amount", flat=True).first()
    after = None if amount is None else amount.quantize(SIX_DECIMALS)
    if before == after:
        return False
    if after is None:
        Price.objects.filter(variant=variant, price_list=price_list).delete()
    else:
        Price.objects.update_or_create(variant_id=variant, price_list_id=price_list, defaults={"amount": after})
    facts = {"price_list": price_list, "before": _text(before), "after": _text(after)}
    _tell(events.PRICED, [variant], facts, at=at, actor=actor)
    return True


def make_alias(variant: int, master: int, *, at: datetime, actor: Actor) -> None:
    """Let `variant` share the stock of `master`. Ask `inventory.actions.make_alias`, which refuses one with a history."""
    row, target = _locked(variant), _locked(master)
    if target.kind == Kind.ALIAS or variant == master or KitPart.objects.filter(part=variant).exists():
        raise BadPart(
            f"{target.sku} cannot be the master of {row.sku}", variant=master, sku=target.sku, kind=target.kind
        )
    KitPart.objects.filter(kit=variant).delete()
    row.kind, row.alias_of, row.changed_at = Kind.ALIAS, target, at
    row.save(update_fields=["kind", "alias_of", "changed_at"])
    _tell(events.COMPOSED, [variant], {"kind": Kind.ALIAS, "master": master}, at=at, actor=actor)


def make_simple(variant: int, *, at: datetime, actor: Actor) -> None:
    """A kit or an alias is counted itself again."""
    row = _locked(variant)
    if row.kind != Kind.SIMPLE:
        KitPart.objects.filter(kit=variant).delete()
        row.kind, row.alias_of, row.changed_at = Kind.SIMPLE, None, at
        row.save(update_fields=["kind", "alias_of", "changed_at"])
        _tell(events.COMPOSED, [variant], {"kind": Kind.SIMPLE}, at=at, actor=actor)


def make_kit(kit: int, parts: Mapping[int, Decimal], *, at: datetime, actor: Actor) -> None:
    """Let `kit` consist of these parts. Ask `inventory.actions.make_kit`, which refuses one with stock of its own."""
    if not parts:
        raise BadInput("a kit has parts", place="parts", value="", cure="name at least one")
    row = _locked(kit)
    if KitPart.objects.filter(part=kit).exists():
        raise BadPart(f"{row.sku} is a part of a kit itself", variant=kit, sku=row.sku, kind=row.kind)
    for part in Variant.objects.select_for_update().filter(pk__in=parts).order_by("pk"):
        if part.kind != Kind.SIMPLE or part.pk == kit:
            raise BadPart(f"{part.sku} cannot be a part", variant=part.pk, sku=part.sku, kind=part.kind)
    KitPart.objects.filter(kit=kit).exclude(part__in=parts).delete()
    for part_id, amount in parts.items():
        KitPart.objects.update_or_create(kit=row, part_id=part_id, defaults={"quantity": exact_quantity(amount)})
    row.kind, row.alias_of, row.changed_at = Kind.KIT, None, at
    row.save(update_fields=["kind", "alias_of", "changed_at"])
    _tell(events.COMPOSED, [kit], {"kind": Kind.KIT}, at=at, actor=actor)


def retire(variants: Collection[int], *, at: datetime, actor: Actor) -> tuple[int, ...]:
    """They are gone from where they were sold; their history stays. Which of them were not retired yet."""
    changed = sql.rows(
        "UPDATE catalog_variant SET retired_at = %(at)s, changed_at = %(at)s"
        " WHERE id = ANY (%(variants)s) AND retired_at IS NULL RETURNING id",
        {"at": at, "variants": sorted(variants)},
    )
    return _told(events.RETIRED, changed, at=at, actor=actor)


def unretire(variants: Collection[int], *, at: datetime, actor: Actor) -> tuple[int, ...]:
    """They are sold again. Which of them had been retired."""
    changed = sql.rows(
        "UPDATE catalog_variant SET retired_at = NULL, changed_at = %(at)s"
        " WHERE id = ANY (%(variants)s) AND retired_at IS NOT NULL RETURNING id",
        {"at": at, "variants": sorted(variants)},
    )
    return _told(events.UNRETIRED, changed, at=at, actor=actor)


def retire_missing(
    candidates: Collection[int], seen: Collection[int], *, most_share: Decimal, at: datetime, actor: Actor
) -> Retired:
    """Retire those `candidates` that a complete, verified listing did not show; none where they are more than `most_share`
    of all candidates, since then the listing is the more likely mistake."""
    missing = set(candidates) - set(seen)
    if len(missing) > most_share * len(set(candidates)):
        return Retired((), len(missing), is_refused=True)
    return Retired(retire(missing, at=at, actor=actor), len(missing), is_refused=False)


def _given(place: str, text: str, most: int) -> str:
    tidy = text.strip()
    if not tidy or len(tidy) > most or "\0" in tidy:
        raise BadInput(
            f"{place} is empty or too long", place=place, value=text[:200], cure=f"give 1 to {most} characters"
        )
    return tidy


def _free_sku(sku: str, variant: int | None) -> str:
    tidy = _given("sku", sku, 80)
    holder = sql.value("SELECT id FROM catalog_variant WHERE lower(sku) = lower(%s)", [tidy])
    if holder not in (None, variant):
        raise SkuTaken(f"another variant has the SKU {tidy}", place="sku", value=tidy, sku=tidy, variant=holder)
    return tidy


def _set_fields(row: Variant, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if name not in EDITABLE:
            raise BadInput(f"a variant has no field {name}", place=name, value=str(value), cure="choose another field")
        setattr(row, name, value)
    if row.unit not in set(Unit):
        raise BadInput(f"{row.unit} is not a unit", place="unit", value=row.unit, cure=", ".join(Unit))


def _set_barcodes(row: Variant, barcodes: Sequence[str]) -> bool:
    wanted = [_given("barcode", code, 64) for code in dict.fromkeys(barcodes)]
    for code, holder in Barcode.objects.filter(code__in=wanted).exclude(variant=row).values_list("code", "variant_id"):
        raise BarcodeTaken(
            f"another variant has barcode {code}", place="barcode", value=code, barcode=code, variant=holder
        )
    before = set(row.barcodes.values_list("code", flat=True))
    row.barcodes.exclude(code__in=wanted).delete()
    Barcode.objects.bulk_create([Barcode(variant=row, code=code) for code in wanted if code not in before])
    return before != set(wanted)


def _category(path: Sequence[str]) -> Category:
    here: Category | None = None
    names: list[str] = []
    for name in path:
        names.append(_given("category", name, 200))
        here = Category.objects.get_or_create(
            path=imports.PATH_SIGN.join(names), defaults={"name": names[-1], "parent": here}
        )[0]
    if here is None:
        raise BadInput("a category has a name", place="category", value="", cure="give one")
    return here


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _locked(variant: int) -> Variant:
    return Variant.objects.select_for_update().get(pk=variant)


def _told(event: str, changed: list[sql.Row], *, at: datetime, actor: Actor) -> tuple[int, ...]:
    variants = sorted(variant for (variant,) in changed)
    if variants:
        _tell(event, variants, {}, at=at, actor=actor)
    return tuple(variants)


def _tell(event: str, variants: Sequence[int], facts: dict[str, Any], *, at: datetime, actor: Actor) -> None:
    subject = f"variant:{variants[0]}" if len(variants) == 1 else ""
    record.record(event, {"variants": list(variants), **facts}, actor=actor, at=at, subject=subject)
