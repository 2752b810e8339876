"""What must always be true of offers, looked over on live data."""

from __future__ import annotations

from comptoir.kit import sql
from comptoir.kit.breach import Breach
from comptoir.offers import queries

STEP = 5_000


def check_books(*, most: int = 1000) -> list[Breach]:
    """Every invariant of this part: what does not hold, at most `most` of each."""
    return [*_strays(most), *_untold(most)]


def _strays(most: int) -> list[Breach]:
    """An offer speaks of the variant that its listing is linked to."""
    return [
        Breach("offer_not_its_link", f"offer:{row[0]}", {"listing": row[1], "offer": row[2], "link": row[3]})
        for row in sql.rows(
            "SELECT o.id, o.listing, o.variant_id, l.variant_id FROM offers_offer o"
            " JOIN offers_sellingpoint p ON p.id = o.point_id"
            " LEFT JOIN offers_link l ON l.channel_id = p.channel_id AND l.kind = 'listing' AND l.external_id = o.listing"
            " WHERE o.is_active AND o.variant_id IS DISTINCT FROM l.variant_id ORDER BY o.id LIMIT %s",
            [most],
        )
    ]


def _untold(most: int) -> list[Breach]:
    """An offer that waits for nothing was told just the level it has: no change is ever forgotten.

    Variants with undrained marks wait, whatever their offers say.
    """
    found: list[Breach] = []
    after = 0
    while len(found) < most:
        ids = [
            row[0]
            for row in sql.rows(
                "SELECT o.id FROM offers_offer o JOIN offers_sellingpoint p ON p.id = o.point_id"
                " WHERE o.is_active AND NOT o.is_waiting AND NOT p.owns_stock AND o.id > %s ORDER BY o.id LIMIT %s",
                [after, STEP],
            )
        ]
        if not ids:
            break
        after = ids[-1]
        wrong = [level for level in queries.levels(ids) if level.told is None or level.told != level.level]
        marked = _marked([level.variant for level in wrong]) if wrong else set()
        found += [
            Breach(
                "level_not_told",
                f"offer:{level.offer}",
                {
                    "listing": level.listing,
                    "level": str(level.level),
                    "told": None if level.told is None else str(level.told),
                },
            )
            for level in wrong
            if level.variant not in marked
        ]
    return found[:most]


def _marked(variants: list[int]) -> set[int]:
    return {
        row[0]
        for row in sql.rows(
            "WITH m AS (SELECT DISTINCT variant AS id FROM inventory_mark)"
            " SELECT v FROM unnest(%s::bigint[]) v WHERE v IN (SELECT id FROM m)"
            " OR EXISTS (SELECT FROM catalog_kitpart k JOIN m ON m.id = k.part_id WHERE k.kit_id = v)"
            " OR EXISTS (SELECT FROM catalog_variant a LEFT JOIN catalog_kitpart k ON k.kit_id = a.alias_of_id"
            "   JOIN m ON m.id IN (a.alias_of_id, k.part_id) WHERE a.id = v)",
            [variants],
        )
    }
