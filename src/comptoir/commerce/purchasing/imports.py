"""Pages of suppliers and of what they sell, brought in set-wise. Everything runs in the caller's transaction."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal

from django.utils.text import slugify

from comptoir.commerce.purchasing.records import Became, Imported, SupplierWanted, SupplyWanted
from comptoir.kit import sql

_SUPPLIERS_LOCK = 7_240_021  # pages and people make suppliers one after another: codes and names are looked up first
SIX_DECIMALS = Decimal("0.000001")
LARGEST_PRICE = Decimal(10) ** 8

#: What a channel writes of a supplier, and of a supplier's product, as long as nobody here has changed it.
SUPPLIER_OWNED = ("name", "enabled", "email", "currency")
PRODUCT_OWNED = ("reference", "price", "is_primary")


def lock_suppliers() -> None:
    """Wait until nobody else is making or renaming suppliers; until the end of the transaction."""
    sql.execute("SELECT pg_advisory_xact_lock(%s)", [_SUPPLIERS_LOCK])


def free_codes(names: Sequence[str]) -> list[str]:
    """A code for each of these names that no supplier has, nor another of them."""
    bases = [slugify(name)[:34].strip("-") or "supplier" for name in names]
    taken = {
        row[0]
        for row in sql.rows(
            "SELECT lower(code) FROM purchasing_supplier s WHERE EXISTS"
            " (SELECT FROM unnest(%s::text[]) AS b (base) WHERE starts_with(lower(s.code), b.base))",
            [sorted(set(bases))],
        )
    }
    found = []
    for base in bases:
        code = next(one for n in itertools.count(1) if (one := base if n == 1 else f"{base}-{n}") not in taken)
        taken.add(code)
        found.append(code)
    return found


def suppliers(channel: int, wanted: Sequence[SupplierWanted], *, run: int | None, at: datetime) -> Imported:
    """See `actions.import_suppliers`."""
    by_key = {one.key: _tidy_supplier(one) for one in wanted}
    if not by_key:
        return Imported()
    lock_suppliers()
    linked: dict[str, int] = dict(
        sql.rows(
            "SELECT external_id, supplier_id FROM purchasing_supplierlink WHERE channel = %s AND external_id = ANY(%s)",
            [channel, list(by_key)],
        )
    )
    fresh = [one for key, one in by_key.items() if key not in linked]
    matched = _by_name(channel, fresh)
    new = [one for one in fresh if one.key not in matched]
    made = _make(channel, new, at=at)
    sql.execute(
        "INSERT INTO purchasing_supplierlink (supplier_id, channel, external_id)"
        " SELECT s.supplier, %s, s.key FROM unnest(%s::bigint[], %s::text[]) AS s (supplier, key)",
        [channel, [*matched.values(), *made.values()], [*matched, *made]],
    )
    sql.execute(
        "UPDATE purchasing_supplierlink SET seen_run = %s, gone_at = NULL WHERE channel = %s AND external_id = ANY(%s)"
        " AND (seen_run IS DISTINCT FROM %s OR gone_at IS NOT NULL)",
        [run, channel, list(by_key), run],
    )
    changed = _follow(channel, {linked[key]: one for key, one in by_key.items() if key in linked}, at=at)
    return Imported(
        {
            key: Became.CREATED
            if key in made
            else Became.CHANGED
            if key in matched or linked[key] in changed
            else Became.UNCHANGED
            for key in by_key
        }
    )


def _tidy_supplier(one: SupplierWanted) -> SupplierWanted:
    name = one.name.replace("\0", "").strip()[:120] or f"#{one.key}"
    return SupplierWanted(one.key, name, one.enabled, one.email.strip()[:254], one.currency[:3].upper())


def _by_name(channel: int, fresh: Sequence[SupplierWanted]) -> dict[str, int]:
    """Suppliers that are here under just that name and that this channel has not linked: the same people sell to two shops.
    Of several that are called so none is taken."""
    rows = sql.rows(
        "SELECT lower(name), min(id) FROM purchasing_supplier s WHERE lower(name) = ANY(%s) AND NOT EXISTS"
        " (SELECT FROM purchasing_supplierlink l WHERE l.supplier_id = s.id AND l.channel = %s)"
        " GROUP BY lower(name) HAVING count(*) = 1",
        [sorted({one.name.lower() for one in fresh}), channel],
    )
    here: dict[str, int] = dict(rows)
    return {one.key: here.pop(one.name.lower()) for one in fresh if one.name.lower() in here}


def _make(channel: int, new: Sequence[SupplierWanted], *, at: datetime) -> dict[str, int]:
    if not new:
        return {}
    codes = free_codes([one.name for one in new])
    rows = sql.rows(
        """
        INSERT INTO purchasing_supplier (code, name, email, currency, notes, enabled, owners, created_at, changed_at)
        SELECT s.code, s.name, s.email, s.currency, '', s.enabled, %(owners)s::jsonb, %(at)s, %(at)s
        FROM unnest(%(codes)s::text[], %(names)s::text[], %(emails)s::text[], %(currencies)s::text[], %(enabled)s::bool[])
            AS s (code, name, email, currency, enabled)
        RETURNING code, id
        """,
        {
            "owners": sql.Jsonb(dict.fromkeys(SUPPLIER_OWNED, channel)),
            "at": at,
            "codes": codes,
            "names": [one.name for one in new],
            "emails": [one.email for one in new],
            "currencies": [one.currency for one in new],
            "enabled": [one.enabled for one in new],
        },
    )
    by_code: dict[str, int] = dict(rows)
    return {one.key: by_code[code] for one, code in zip(new, codes, strict=True)}


def _follow(channel: int, known: dict[int, SupplierWanted], *, at: datetime) -> set[int]:
    """Suppliers follow their channel in the fields that it owns; which of them were different."""
    return {
        row[0]
        for row in sql.rows(
            """
            UPDATE purchasing_supplier p SET
                name = new.name, enabled = new.enabled, email = new.email, currency = new.currency, changed_at = %(at)s
            FROM (
                SELECT o.id,
                    CASE WHEN o.owners->'name' = %(channel)s THEN s.name ELSE o.name END AS name,
                    CASE WHEN o.owners->'enabled' = %(channel)s THEN s.enabled ELSE o.enabled END AS enabled,
                    CASE WHEN o.owners->'email' = %(channel)s THEN s.email ELSE o.email END AS email,
                    CASE WHEN o.owners->'currency' = %(channel)s THEN s.currency ELSE o.currency END AS currency
                FROM unnest(%(ids)s::bigint[], %(names)s::text[], %(enabled)s::bool[], %(emails)s::text[],
                    %(currencies)s::text[]) AS s (id, name, enabled, email, currency)
                JOIN purchasing_supplier o ON o.id = s.id ORDER BY o.id FOR UPDATE OF o
            ) new
            WHERE p.id = new.id
              AND (p.name, p.enabled, p.email, p.currency) IS DISTINCT FROM (new.name, new.enabled, new.email, new.currency)
            RETURNING p.id
            """,
            {
                "channel": sql.Jsonb(channel),
                "at": at,
                "ids": list(known),
                "names": [one.name for one in known.values()],
                "enabled": [one.enabled for one in known.values()],
                "emails": [one.email for one in known.values()],
                "currencies": [one.currency for one in known.values()],
            },
        )
    }


def products(channel: int, wanted: Sequence[SupplyWanted], *, run: int | None, at: datetime) -> Imported:
    """See `actions.import_products`."""
    last = {(one.supplier, one.variant): one for one in wanted}  # two rows of a shop for one pair: the later one counts
    if not last:
        return Imported()
    # Whoever changes the suppliers of a variant holds its row: a page takes all of its variants, in the one order.
    sql.execute(
        "SELECT FROM catalog_variant WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
        [sorted({one.variant for one in last.values()})],
    )
    became: dict[tuple[int, int], Became] = {
        (supplier, variant): Became.CREATED if is_new else Became.CHANGED
        for supplier, variant, is_new in sql.rows(
            """
            INSERT INTO purchasing_supplierproduct AS p (supplier_id, variant_id, reference, price, currency, pack_units,
                minimum, is_primary, owners, channel, external_id, seen_run, created_at, changed_at)
            SELECT s.supplier, s.variant, s.reference, s.price, s.currency, 1, 0, false, %(owners)s::jsonb, %(channel)s,
                s.key, %(run)s, %(at)s, %(at)s
            FROM unnest(%(suppliers)s::bigint[], %(variants)s::bigint[], %(references)s::text[], %(prices)s::numeric[],
                %(currencies)s::text[], %(keys)s::text[]) AS s (supplier, variant, reference, price, currency, key)
            ORDER BY s.supplier, s.variant
            ON CONFLICT (supplier_id, variant_id) DO UPDATE SET
                reference = CASE WHEN p.owners->'reference' = %(owner)s THEN excluded.reference ELSE p.reference END,
                price = CASE WHEN p.owners->'price' = %(owner)s THEN excluded.price ELSE p.price END,
                currency = CASE WHEN p.owners->'price' = %(owner)s THEN excluded.currency ELSE p.currency END,
                gone_at = NULL, changed_at = excluded.changed_at
            WHERE p.gone_at IS NOT NULL
               OR p.owners->'reference' = %(owner)s AND p.reference <> excluded.reference
               OR p.owners->'price' = %(owner)s
                  AND (p.price, p.currency) IS DISTINCT FROM (excluded.price, excluded.currency)
            RETURNING supplier_id, variant_id, xmax = 0
            """,
            {
                "owners": sql.Jsonb(dict.fromkeys(PRODUCT_OWNED, channel)),
                "owner": sql.Jsonb(channel),
                "channel": channel,
                "run": run,
                "at": at,
                "suppliers": [one.supplier for one in last.values()],
                "variants": [one.variant for one in last.values()],
                "references": [one.reference.replace("\0", "").strip()[:80] for one in last.values()],
                "prices": [_price(one) for one in last.values()],
                "currencies": ["" if _price(one) is None else one.currency for one in last.values()],
                "keys": [one.key for one in last.values()],
            },
        )
    }
    _mark_seen(channel, last.values(), run=run)
    for pair in _set_primary(channel, [one for one in last.values() if one.is_primary], at=at):
        became.setdefault(pair, Became.CHANGED)
    outcomes: dict[str, Became] = {}
    for one in wanted:  # a row of the shop may stand for several variants: the most that became of any of them counts
        of = became.get((one.supplier, one.variant), Became.UNCHANGED)
        outcomes[one.key] = min(outcomes.get(one.key, of), of, key=list(Became).index)
    return Imported(outcomes)


def _price(one: SupplyWanted) -> Decimal | None:
    price = one.price
    if price is None or not one.currency or not price.is_finite() or not 0 <= price < LARGEST_PRICE:
        return None
    return price.quantize(SIX_DECIMALS)


def _mark_seen(channel: int, rows: Collection[SupplyWanted], *, run: int | None) -> None:
    sql.execute(
        "UPDATE purchasing_supplierproduct p SET seen_run = %s, channel = %s, external_id = s.key"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS s (supplier, variant, key)"
        " WHERE p.supplier_id = s.supplier AND p.variant_id = s.variant AND (p.seen_run, p.channel, p.external_id)"
        " IS DISTINCT FROM (%s::bigint, %s::bigint, s.key)",
        [
            run,
            channel,
            [one.supplier for one in rows],
            [one.variant for one in rows],
            [one.key for one in rows],
            run,
            channel,
        ],
    )


def _set_primary(channel: int, rows: Sequence[SupplyWanted], *, at: datetime) -> set[tuple[int, int]]:
    """A channel's default supplier of a variant becomes the primary one, unless a person has chosen: of two defaults the
    later one."""
    wanted = {one.variant: one.supplier for one in rows}
    if not wanted:
        return set()
    params = {
        "owner": sql.Jsonb(channel),
        "at": at,
        "variants": list(wanted),
        "suppliers": list(wanted.values()),
    }
    chosen = (
        "unnest(%(variants)s::bigint[], %(suppliers)s::bigint[]) AS s (variant, supplier)"
        " JOIN purchasing_supplierproduct n ON n.variant_id = s.variant AND n.supplier_id = s.supplier"
        "   AND NOT n.is_primary AND n.owners->'is_primary' = %(owner)s"
    )
    sql.execute(
        "UPDATE purchasing_supplierproduct p SET is_primary = false, changed_at = %(at)s"
        f" FROM {chosen} WHERE p.variant_id = s.variant AND p.is_primary AND p.owners->'is_primary' = %(owner)s",
        params,
    )
    return {
        (row[0], row[1])
        for row in sql.rows(
            "UPDATE purchasing_supplierproduct p SET is_primary = true, changed_at = %(at)s"
            f" FROM {chosen} WHERE p.id = n.id AND NOT EXISTS"
            " (SELECT FROM purchasing_supplierproduct o WHERE o.variant_id = s.variant AND o.is_primary)"
            " RETURNING p.supplier_id, p.variant_id",
            params,
        )
    }


_TABLES = {"suppliers": "purchasing_supplierlink", "products": "purchasing_supplierproduct"}


def seen(channel: int, run: int, external_ids: Collection[str], *, what: str) -> None:
    """See `actions.seen`."""
    sql.execute(
        f"UPDATE {_TABLES[what]} SET seen_run = %s WHERE channel = %s AND external_id = ANY(%s)",
        [run, channel, sorted(external_ids)],
    )


def retire_missing(channel: int, run: int, *, what: str, most_share: Decimal, at: datetime) -> tuple[int, int]:
    """See `actions.retire_missing`."""
    table = _TABLES[what]
    total, missing = sql.rows(
        f"SELECT count(*), count(*) FILTER (WHERE seen_run IS DISTINCT FROM %s) FROM {table}"
        " WHERE channel = %s AND gone_at IS NULL",
        [run, channel],
    )[0]
    if missing == 1 or 0 < missing <= most_share * total:
        sql.execute(
            f"UPDATE {table} SET gone_at = %s WHERE channel = %s AND gone_at IS NULL AND seen_run IS DISTINCT FROM %s",
            [at, channel, run],
        )
    return missing, total
