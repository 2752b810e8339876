"""Reading lists that shift while they are read: an anchor row shows what moved, and pages of which one row is bad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Raw

from comptoir.channels.errors import NotUnderstood
from comptoir.channels.records import Odd
from comptoir.connectors.woocommerce import wire
from comptoir.connectors.woocommerce.client import WooCommerceClient
from comptoir.kit import clock

#: Read again what changed so long before: the answer's date may be an intermediate server's.
OVERLAP = timedelta(minutes=10)
AT_ONCE = 100  # ids in one question, and the most that a page may hold
_STAMP = "%Y-%m-%dT%H:%M:%S"
_HOPELESS = 8  # unreadable rows in a row, and not one readable: then it is not about rows
_STANDSTILL = 20  # full pages without a row that is new: the shop does not listen to `offset`


@dataclass(slots=True)
class Batch:
    """One page: what could be read, by id, and every id that is on it."""

    rows: dict[int, Raw] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)
    odd: list[Odd] = field(default_factory=list)
    total: int | None = None

    def after(self, identity: int) -> Batch:
        """Only what comes after this id."""
        rows = {one: row for one, row in self.rows.items() if one > identity}
        return Batch(rows, [one for one in self.ids if one > identity], self.odd, self.total)


@dataclass(frozen=True, slots=True)
class Step:
    """A page of a walk, and where to go on after it."""

    batch: Batch
    after: int
    offset: int
    is_last: bool


def walk(
    client: WooCommerceClient, path: str, params: Mapping[str, str], *, size: int, after: int = 0, offset: int = 0
) -> Iterator[Step]:
    """A list by id, a page a step, from behind `after`.

    There is neither a cursor nor a filter by id. Each page begins with the last row of the one before: where it is not
    there, rows before it have left and we step back; rows that have come before it are passed over.
    """
    idle = 0
    while True:
        start = max(0, offset - 1)
        batch = _page(client, path, params, start, size)
        while start and (not batch.ids or batch.ids[0] > after):
            start = max(0, start - size)
            batch = _page(client, path, params, start, size)
        is_last = len(batch.ids) < size
        offset = start + len(batch.ids)
        fresh = batch.after(after)
        idle = 0 if fresh.ids else idle + 1
        if idle > _STANDSTILL:
            raise NotUnderstood(f"{path} does not move on", answer=str(batch.ids[:10]))
        if fresh.ids:
            after = max(fresh.ids)
        if fresh.ids or is_last:
            yield Step(fresh, after, offset, is_last)
        if is_last:
            return


def everything(
    client: WooCommerceClient, path: str, cursor: Mapping[str, object], params: Mapping[str, str], *, size: int
) -> Iterator[tuple[Batch, dict[str, Any]]]:
    """Every object, a page a step, each with the cursor after it."""
    after, offset = int(str(cursor.get("after", 0))), int(str(cursor.get("offset", 0)))
    for step in walk(client, path, params, size=size, after=after, offset=offset):
        yield step.batch, {"after": step.after, "offset": step.offset}


def changes(
    client: WooCommerceClient,
    path: str,
    cursor: Mapping[str, object],
    params: Mapping[str, str],
    *,
    start: datetime | None,
    size: int,
) -> Iterator[tuple[Batch, dict[str, Any]]]:
    """Pages of what changed, each with the cursor after it.

    Only the beginning of the window is asked for: with an end, rows that change while we read would leave it and pull others
    over pages that are read already. What changes meanwhile is on a later page or comes with the next reading, which goes on
    from the shop's own date when this one began.
    """
    if "from" in cursor:
        low, until = str(cursor["from"]), str(cursor["until"])
        after, offset = int(str(cursor["after"])), int(str(cursor["offset"]))
    else:
        low, until, after, offset = "", "", 0, 0
        if "until" in cursor:
            low = to_gmt(datetime.fromisoformat(str(cursor["until"])) - OVERLAP)
        elif start is not None:
            low = to_gmt(start)
    asked = {**params, **({"modified_after": low, "dates_are_gmt": "true"} if low else {})}
    for step in walk(client, path, asked, size=size, after=after, offset=offset):
        if not until:
            # A clock of theirs that is ahead must not carry us over what they stamp once it is right.
            now = clock.now()
            until = min(client.date or now, now).isoformat()
            if client.date is not None and client.date > now + OVERLAP:
                client.note(
                    Odd(
                        code="clock_ahead",
                        subject=f"clock:{path}",
                        facts={"stamp": client.date.isoformat(), "now": now.isoformat(), "row": ""},
                    )
                )
        place = {"until": until}
        if not step.is_last:
            place |= {"from": low, "after": str(step.after), "offset": str(step.offset)}
        yield step.batch, place


def some(client: WooCommerceClient, path: str, ids: Sequence[int], params: Mapping[str, str]) -> Batch:
    """These objects; one that is gone is not among the ids."""
    batch = Batch()
    for begin in range(0, len(ids), AT_ONCE):
        _some(client, path, list(ids[begin : begin + AT_ONCE]), params, batch)
    return batch


def all_of(client: WooCommerceClient, path: str, params: Mapping[str, str] | None = None) -> Iterator[Batch]:
    """Every page of a smaller list."""
    for step in walk(client, path, params or {}, size=AT_ONCE):
        yield step.batch


def to_gmt(at: datetime) -> str:
    """A moment as the filters take it: GMT without a zone, which would be ignored."""
    return at.astimezone(UTC).strftime(_STAMP)


def _page(client: WooCommerceClient, path: str, params: Mapping[str, str], offset: int, size: int) -> Batch:
    """A page by id. One that cannot be read is read again in halves, down to the row that spoils it."""
    asked = {**params, "orderby": "id", "order": "asc", "per_page": str(size), "offset": str(offset)}
    try:
        rows, total = client.rows(path, asked)
        ids = wire.identities(rows)
        batch = Batch(dict(zip(ids, rows, strict=True)), ids, total=total)
    except NotUnderstood as error:
        rows, total = client.rows(path, {**asked, "_fields": "id"})
        ids = wire.identities(rows)
        if not ids:
            raise
        batch = Batch(total=total)
        _halves(client, path, ids, params, batch, error)
        batch.ids = ids
    if batch.ids != sorted(batch.ids):
        raise NotUnderstood(f"{path} does not come in the order of ids", answer=str(batch.ids[:10]))
    return batch


def _some(client: WooCommerceClient, path: str, ids: list[int], params: Mapping[str, str], batch: Batch) -> None:
    asked = {**params, "include": ",".join(map(str, ids)), "per_page": str(AT_ONCE), "orderby": "id", "order": "asc"}
    try:
        rows, _ = client.rows(path, asked)
        found = wire.identities(rows)
    except NotUnderstood as error:
        _halves(client, path, ids, params, batch, error)
        return
    batch.ids += found
    batch.rows |= dict(zip(found, rows, strict=True))


def _halves(
    client: WooCommerceClient,
    path: str,
    ids: list[int],
    params: Mapping[str, str],
    batch: Batch,
    error: NotUnderstood,
) -> None:
    if len(ids) == 1:
        facts: dict[str, Any] = {
            name: error.facts[name] for name in ("answer", "size", "limit", "status") if name in error.facts
        }
        batch.odd.append(
            Odd(code="unreadable_answer", subject=f"{path}:{ids[0]}", facts={**facts, "problem": str(error)})
        )
        batch.ids.append(ids[0])
        if len(batch.odd) >= _HOPELESS and not batch.rows:
            raise error
        return
    middle = len(ids) // 2
    for half in (ids[:middle], ids[middle:]):
        _some(client, path, half, params, batch)


def about(odd: Odd, path: str, word: str) -> Odd:
    """The same with its subject in our words: "wc/v3/orders:7" is "sale:7", "clock:wc/v3/orders" is "clock:sale"."""
    name, _, identity = odd.subject.rpartition(":")
    if odd.subject == f"clock:{path}":
        subject = f"clock:{word}"
    elif name == path:
        subject = f"{word}:{identity}"
    else:
        return odd
    return Odd(code=odd.code, subject=subject, severity=odd.severity, facts=odd.facts)
