"""Changing suppliers and what they sell, for people one at a time; pages of a channel come in through `imports`.

What a person changed is not written over: the field is taken from the channel that wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models.functions import Lower
from django.utils.text import slugify

from comptoir.commerce.catalog.models import Variant
from comptoir.commerce.purchasing import events, imports
from comptoir.commerce.purchasing.errors import AlreadySupplied, SupplierCodeTaken
from comptoir.commerce.purchasing.models import Supplier, SupplierProduct
from comptoir.commerce.purchasing.records import Became, Imported, SupplierWanted, SupplyWanted
from comptoir.events import record
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput

LONGEST_LEAD = 1000  # days

SUPPLIER_FIELDS = ("code", "name", "email", "currency", "lead_days", "minimum_order", "notes", "enabled")
PRODUCT_FIELDS = ("reference", "price", "currency", "pack_units", "minimum")


def create_supplier(name: str, *, code: str = "", at: datetime, actor: Actor, **fields: Any) -> Supplier:
    """A new supplier; without a code it gets one made of its name. `fields`: see SUPPLIER_FIELDS."""
    imports.lock_suppliers()
    row = Supplier(created_at=at, changed_at=at)
    code = code.strip() or imports.free_codes([name])[0]
    _set_supplier(row, {**fields, "name": name, "code": code})
    row.save(force_insert=True)
    _tell(events.SUPPLIER_CREATED, {"supplier": row.pk, "code": row.code}, f"supplier:{row.pk}", at=at, actor=actor)
    return row


def edit_supplier(supplier: int, *, at: datetime, actor: Actor, **fields: Any) -> bool:
    """A person changes fields, which are theirs from then on. Whether something changed."""
    imports.lock_suppliers()
    row = Supplier.objects.select_for_update().get(pk=supplier)
    before = {name: getattr(row, name) for name in SUPPLIER_FIELDS}
    _set_supplier(row, fields)
    changed = [name for name, value in before.items() if getattr(row, name) != value]
    if not changed:
        return False
    row.owners = {name: owner for name, owner in row.owners.items() if name not in changed}
    row.changed_at = at
    row.save()
    facts = {"supplier": supplier, "fields": changed}
    _tell(events.SUPPLIER_CHANGED, facts, f"supplier:{supplier}", at=at, actor=actor)
    return True


def link_product(
    supplier: int, variant: int, *, is_primary: bool | None = None, at: datetime, actor: Actor, **fields: Any
) -> SupplierProduct:
    """Say that a supplier sells a variant. The first supplier of a variant is its primary one unless said otherwise;
    `fields`: see PRODUCT_FIELDS."""
    seller, _variant = Supplier.objects.get(pk=supplier), _locked(variant)
    known = SupplierProduct.objects.filter(supplier=supplier, variant=variant).first()
    if known is not None:
        raise AlreadySupplied(
            f"{seller.name} sells this already", place="variant", value=_variant.sku, cure="edit what there is",
            product=known.pk,
        )  # fmt: skip
    row = SupplierProduct(supplier=seller, variant_id=variant, created_at=at, changed_at=at)
    _set_product(row, fields, seller.currency)
    if is_primary is None:
        is_primary = not SupplierProduct.objects.filter(variant=variant, is_primary=True).exists()
    if is_primary:
        _no_primary(variant)
    row.is_primary = is_primary
    row.save(force_insert=True)
    facts = {"supplier": supplier, "variant": variant}
    _tell(events.PRODUCT_LINKED, facts, f"supplier:{supplier}", at=at, actor=actor)
    return row


def edit_product(product: int, *, is_primary: bool | None = None, at: datetime, actor: Actor, **fields: Any) -> bool:
    """A person changes what a supplier sells; the fields are theirs from then on. Whether something changed."""
    variant, seller = SupplierProduct.objects.values_list("variant", "supplier__currency").get(pk=product)
    _locked(variant)
    row = SupplierProduct.objects.select_for_update().get(pk=product)
    before = {name: getattr(row, name) for name in (*PRODUCT_FIELDS, "is_primary")}
    _set_product(row, fields, seller)
    if is_primary is not None and is_primary != row.is_primary:
        if is_primary:
            _no_primary(variant)
        row.is_primary = is_primary
    changed = [name for name, value in before.items() if getattr(row, name) != value]
    if not changed:
        return False
    taken = {"price" if name == "currency" else name for name in changed}
    row.owners = {name: owner for name, owner in row.owners.items() if name not in taken}
    row.changed_at = at
    row.save()
    facts = {"supplier": row.supplier_id, "variant": variant, "fields": changed}
    _tell(events.PRODUCT_CHANGED, facts, f"supplier:{row.supplier_id}", at=at, actor=actor)
    return True


def unlink_product(product: int, *, at: datetime, actor: Actor) -> None:
    """A supplier no longer sells a variant. A channel that still says so will bring it back."""
    row = SupplierProduct.objects.select_for_update().get(pk=product)
    facts = {"supplier": row.supplier_id, "variant": row.variant_id}
    row.delete()
    _tell(events.PRODUCT_UNLINKED, facts, f"supplier:{facts['supplier']}", at=at, actor=actor)


def import_suppliers(
    channel: int, wanted: Sequence[SupplierWanted], *, run: int | None, at: datetime, actor: Actor
) -> Imported:
    """Bring a page of a channel's suppliers in: linked ones follow their channel where nobody here has changed them, others
    are matched by name or made."""
    found = imports.suppliers(channel, wanted, run=run, at=at)
    _tell_imported(events.SUPPLIERS_IMPORTED, channel, found, at=at, actor=actor)
    return found


def import_products(
    channel: int, wanted: Sequence[SupplyWanted], *, run: int | None, at: datetime, actor: Actor
) -> Imported:
    """Bring a page of what a channel's suppliers sell in. Fields that a person here has changed stay."""
    found = imports.products(channel, wanted, run=run, at=at)
    _tell_imported(events.PRODUCTS_IMPORTED, channel, found, at=at, actor=actor)
    return found


def retire_missing(channel: int, run: int, *, what: str, most_share: Decimal, at: datetime) -> tuple[int, int]:
    """Mark what a complete reading did not hold as gone there; it stays here. (how many are missing, of how many); none is
    marked where they are more than `most_share`, since then the reading is the more likely mistake."""
    return imports.retire_missing(channel, run, what=what, most_share=most_share, at=at)


def seen(channel: int, run: int, external_ids: Collection[str], *, what: str) -> None:
    """These rows of a complete reading are there, although they could not be read or matched."""
    imports.seen(channel, run, external_ids, what=what)


# -- what fits ---------------------------------------------------------------------------------------------------------


def _set_supplier(row: Supplier, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        match name:
            case "code":
                row.code = _free_code(value, row.pk)
            case "name":
                row.name = _text(name, value, 120, required=True)
            case "email":
                row.email = _email(value)
            case "currency":
                row.currency = _currency(value)
            case "lead_days":
                if value is not None and not 0 <= value <= LONGEST_LEAD:
                    raise BadInput(
                        "these are no days", place="lead_days", value=str(value), cure=f"0 to {LONGEST_LEAD}"
                    )
                row.lead_days = value
            case "minimum_order":
                row.minimum_order = _amount("minimum_order", value)
            case "notes":
                row.notes = _text(name, value, 10_000)
            case "enabled":
                row.enabled = bool(value)
            case _:
                raise BadInput(
                    f"a supplier has no field {name}", place=name, value=str(value), cure="choose another field"
                )


def _set_product(row: SupplierProduct, fields: dict[str, Any], currency: str) -> None:
    for name, value in fields.items():
        match name:
            case "reference":
                row.reference = _text(name, value, 80)
            case "price":
                row.price = _amount(name, value)
            case "currency":
                row.currency = _currency(value)
            case "pack_units":
                row.pack_units = _units(name, value, least=Decimal("0.001"))
            case "minimum":
                row.minimum = _units(name, value, least=Decimal(0))
            case _:
                raise BadInput(
                    f"a supplier's product has no field {name}",
                    place=name,
                    value=str(value),
                    cure="choose another field",
                )
    if row.price is not None and not row.currency:
        if not currency:
            raise BadInput(
                "a price has a currency", place="currency", value="", cure="name it here, or at the supplier for all"
            )
        row.currency = currency


def _text(place: str, text: str, most: int, *, required: bool = False) -> str:
    tidy = text.strip()
    if "\0" in tidy or len(tidy) > most or (required and not tidy):
        raise BadInput(
            f"{place} is empty or too long", place=place, value=text[:200], cure=f"give 1 to {most} characters"
        )
    return tidy


def _email(text: str) -> str:
    tidy = _text("email", text, 254)
    if tidy and not re.fullmatch(r"[^@\s]+@[^@\s]+", tidy):
        raise BadInput("this is no e-mail address", place="email", value=tidy, cure="orders@supplier.example")
    return tidy


def _currency(text: str) -> str:
    tidy = text.strip().upper()
    if tidy and not re.fullmatch("[A-Z]{3}", tidy):
        raise BadInput("a currency has three letters", place="currency", value=text[:20], cure="EUR")
    return tidy


def _amount(place: str, value: Decimal | None) -> Decimal | None:
    if value is None:
        return None
    if not value.is_finite() or not 0 <= value < imports.LARGEST_PRICE:
        raise BadInput("a price is not negative", place=place, value=str(value), cure="give zero or more")
    return value.quantize(imports.SIX_DECIMALS)


def _units(place: str, value: Decimal, *, least: Decimal) -> Decimal:
    if not value.is_finite() or not least <= value < Decimal(10) ** 9:
        raise BadInput("this is no number of units", place=place, value=str(value), cure=f"{least} or more")
    return value.quantize(Decimal("0.001"))


def _free_code(text: str, supplier: int | None) -> str:
    tidy = _text("code", text, 40, required=True)
    rows = Supplier.objects.annotate(in_lower_case=Lower("code")).filter(in_lower_case=tidy.lower())
    holder = rows.values_list("pk", flat=True).first()
    if holder not in (None, supplier):
        raise SupplierCodeTaken(
            f"another supplier has the code {tidy}",
            place="code",
            value=tidy,
            cure=f"{slugify(tidy)}-2",
            supplier=holder,
        )
    return tidy


def _locked(variant: int) -> Variant:
    """Suppliers of one variant are changed one after another, so that two never both become the primary one."""
    return Variant.objects.select_for_update(no_key=True).get(pk=variant)


def _no_primary(variant: int) -> None:
    rows = SupplierProduct.objects.select_for_update().filter(variant=variant, is_primary=True)
    for row in rows:
        row.is_primary = False
        row.owners.pop("is_primary", None)
        row.save(update_fields=["is_primary", "owners"])


def _tell_imported(event: str, channel: int, found: Imported, *, at: datetime, actor: Actor) -> None:
    created, changed = found.count(Became.CREATED), found.count(Became.CHANGED)
    if created or changed:
        facts = {"channel": channel, "created": created, "changed": changed}
        _tell(event, facts, f"channel:{channel}", at=at, actor=actor)


def _tell(event: str, facts: dict[str, Any], subject: str, *, at: datetime, actor: Actor) -> None:
    record.record(event, facts, actor=actor, at=at, subject=subject)
