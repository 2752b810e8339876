"""Reading lists that change while they are read: by the stamp of change, with an overlap, each state of a row once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from comptoir.channels.errors import NotUnderstood
from comptoir.channels.records import Odd
from comptoir.connectors.shopify import wire
from comptoir.connectors.shopify.client import PageSize, ShopifyClient, TooCostly
from comptoir.kit import clock

#: The search index lags behind by seconds: what changed so long before the last change seen is read again.
OVERLAP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Batch:
    """One page: its rows and where to go on after them."""

    rows: list[dict[str, Any]]
    cursor: dict[str, Any]


def changes(
    client: ShopifyClient,
    query: str,
    name: str,
    size: PageSize,
    cursor: Mapping[str, object],
    *,
    start: datetime | None = None,
    only: str = "",
    **variables: object,
) -> Iterator[Batch]:
    """Rows by their stamp of change. The cursor holds from when is read, the place within that reading, and the last stamp
    seen, from which the next reading begins; it never runs ahead of the rows that it came with."""
    size.go_on(cursor)
    since, after = str(cursor.get("since") or ""), str(cursor.get("after") or "") or None
    last = str(cursor.get("last") or since)
    if not since and start is not None:
        since = last = stamp(start)
    begin = stamp(moment(since) - OVERLAP) if cursor.get("since") and not cursor.get("after") else since
    wanted = [only, f"updated_at:>='{begin}'" if begin else ""]
    text = " AND ".join(part for part in wanted if part) or None
    latest = stamp(clock.now() + OVERLAP)  # a stamp from the future must not hide what comes before it
    met: dict[str, str] = {}
    for rows, place, is_last in client.pages(query, (name,), size, after, query=text, **variables):
        fresh = []
        for row in rows:
            identity, changed = str(row.get("id", "")), str(row.get("updatedAt", ""))
            if met.get(identity) == changed and changed:
                continue  # it moved to another page while we read, and is no other for that
            met[identity] = changed
            fresh.append(row)
            last = max(last, min(changed, latest))
        if is_last:
            yield Batch(fresh, {"since": last, "size": size.now} if last else {})
            return
        yield Batch(fresh, {"since": begin, "after": place, "last": last, "size": size.now})


def by_id(client: ShopifyClient, query: str, kind: str, wanted: Sequence[str], size: PageSize) -> list[dict[str, Any]]:
    """These objects; one that is gone is simply not among them."""
    left = wire.gids(kind, wanted)
    found: list[dict[str, Any]] = []
    while left:
        asked = left[: size.now]
        try:
            data = client.ask(query, ids=asked)
        except TooCostly as error:
            size.shrink(error)
            continue
        left = left[len(asked) :]
        rows = data.get("nodes")
        if not isinstance(rows, list):
            raise NotUnderstood("nodes is not a list", answer=str(data)[:2_000])
        found += [row for row in rows if row and row.get("id", row.get("legacyResourceId"))]
    return found


def malformed(kind: str, row: Mapping[str, Any], error: NotUnderstood, code: str = "malformed_row") -> Odd:
    """A row that could not be read, as a finding."""
    facts = {"problem": str(error), "answer": str(error.facts.get("answer", "")), "reference": str(row.get("name", ""))}
    return Odd(code=code, subject=f"{kind}:{identity(row)}", facts=facts)


def identity(row: Mapping[str, Any]) -> str:
    """The number of a row, also where nothing else of it can be read."""
    return str(row.get("legacyResourceId") or wire.number(str(row.get("id", ""))))


def stamp(at: datetime) -> str:
    """A moment as filters take it: UTC, to be quoted."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """A stamp of theirs; raises NotUnderstood for anything else."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise NotUnderstood(f"{text!r} is not a time", answer=text) from error
    if at.tzinfo is None:
        raise NotUnderstood(f"{text!r} has no zone", answer=text)
    return at
