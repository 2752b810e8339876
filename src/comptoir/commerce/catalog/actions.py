"""Changing the catalogue, for people one variant at a time; pages of a channel come in through `imports`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from comptoir.commerce.catalog import events
from comptoir.commerce.catalog.errors import BadPart
from comptoir.commerce.catalog.models import Kind, KitPart, Variant
from comptoir.commerce.catalog.records import ProductWanted, Retired, Upserted
from comptoir.events import record
from comptoir.kit import sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput
from comptoir.kit.money import quantity as exact_quantity


def upsert_products(channel: int, products: Sequence[ProductWanted], *, at: datetime, actor: Actor) -> Upserted:
    """Bring a page of a channel's products in: new ones are made, fields that the channel owns follow it, what it says of
    other fields is kept beside ours. Nothing is written for what has not changed."""
    raise NotImplementedError


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
