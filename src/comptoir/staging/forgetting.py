"""The answer of a shop as received is kept beside its sale for whoever has to find out why; not for ever."""

from __future__ import annotations

from datetime import datetime

from comptoir.kit import sql

PAGE = 5_000


def raw_answers(after: int, *, before: datetime, limit: int = PAGE) -> tuple[int, int]:
    """Empty the raw answers of settled sales that did not change since then, among the next `limit` sales; (id to go on
    after, 0 at the end; how many were emptied). The neutral sale, which the books read, stays."""
    last, number = sql.one(
        "SELECT max(id), count(*) FROM (SELECT id FROM staging_stagedsale WHERE id > %s ORDER BY id LIMIT %s) page",
        [after, limit],
    ) or (None, 0)
    if last is None:
        return 0, 0
    emptied = sql.execute(
        "UPDATE staging_stagedsale SET raw = '' WHERE id > %s AND id <= %s AND raw <> '' AND changed_at < %s"
        " AND state IN ('accepted', 'information', 'rejected', 'closed')",
        [after, last, before],
    )
    return (0 if number < limit else int(last)), emptied
