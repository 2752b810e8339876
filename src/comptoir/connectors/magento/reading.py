"""Reading lists that change while they are read: pages by id, intervals of change, and pages of which one row is bad.

Pages go by `entity_id gt` and are always the first of what is left: counting pages loses and repeats rows, and some
versions give their last one for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from comptoir.channels.errors import NotUnderstood
from comptoir.channels.records import Odd
from comptoir.connectors.magento import wire
from comptoir.connectors.magento.client import PAGE, Filter, MagentoClient, chunks

#: Read again what changed so long before: a row may be saved a little after it was stamped, and clocks differ.
OVERLAP = timedelta(minutes=5)
AHEAD = timedelta(hours=1)  # of our clock, before a stamp of theirs is called wrong
_STAMP = "%Y-%m-%d %H:%M:%S"
_HOPELESS = 8  # unreadable rows in a row, and not one readable: then it is not about rows


@dataclass(frozen=True, slots=True)
class Listing:
    """One list: its path, what an id is called on the wire, and our word for one of its rows."""

    path: str
    id: str
    word: str


ORDERS = Listing("orders", "entity_id", "sale")
PRODUCTS = Listing("products", "id", "product")


@dataclass(slots=True)
class Batch:
    """One page: what could be read, every id that is on it, and how many rows are left after it."""

    rows: list[wire.Row] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    odd: list[Odd] = field(default_factory=list)
    is_last: bool = True


def to_utc(stamp: str) -> datetime:
    """A stamp of the shop, which is UTC; raises NotUnderstood for anything else."""
    try:
        return datetime.strptime(stamp.strip(), _STAMP).replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise NotUnderstood(f"{stamp!r} is not a time", answer=stamp) from error


def to_shop(at: datetime) -> str:
    """A moment as the shop writes it."""
    return at.astimezone(UTC).strftime(_STAMP)


def page(
    client: MagentoClient,
    of: Listing,
    *,
    after: int,
    filters: Sequence[Filter] = (),
    fields: str = "",
    size: int = PAGE,
) -> Batch:
    """The next rows by id. A page that cannot be read is read again in halves, down to the row that spoils it."""
    wanted = [*filters, ("entity_id", "gt", str(after))]
    try:
        found = client.search(of.path, wanted, sort=["entity_id"], size=size, fields=fields)
        batch = Batch(found.rows, [wire.identity(row, of.id) for row in found.rows])
    except NotUnderstood as error:
        found = client.search(of.path, wanted, sort=["entity_id"], size=size, fields=of.id)
        batch = Batch([], [wire.identity(row, of.id) for row in found.rows])
        if not batch.ids:
            raise
        _halves(client, of, batch.ids, fields, batch, error)
    # A plug-in of the shop may take rows out of a page, so a short page is the end only where no count says otherwise.
    batch.is_last = not batch.ids or (len(batch.ids) < size if found.total is None else found.total <= size)
    return batch


def some(client: MagentoClient, of: Listing, ids: Sequence[str], *, fields: str = "") -> Batch:
    """These rows; those that are gone are not among them."""
    batch = Batch()
    wanted = [one for one in dict.fromkeys(ids) if one.isdecimal()]
    for chunk in chunks(wanted):
        _some(client, of, chunk, fields, batch)
    there = {wire.identity(row, of.id) for row in batch.rows} | {odd.subject.partition(":")[2] for odd in batch.odd}
    batch.ids.extend(one for one in wanted if one in there)
    return batch


def changes(
    client: MagentoClient, of: Listing, cursor: Mapping[str, object], *, start: datetime | None, now: datetime
) -> Iterator[tuple[Batch, dict[str, Any]]]:
    """Pages of what changed, each with the cursor after it.

    The interval ends at the newest stamp that the shop itself shows, so no clock of ours decides what is seen. Rows
    that change while we read get a later stamp and come with the next reading.
    """
    if "from" in cursor:
        low, high, until, after = (str(cursor[name]) for name in ("from", "to", "until", "after"))
    else:
        low, high, until, after = "", "", "", "0"
        if "until" in cursor:
            low = to_shop(datetime.fromisoformat(str(cursor["until"])) - OVERLAP)
        elif start is not None:
            low = to_shop(start)
        since = [("updated_at", "gteq", low)] if low else []
        newest = client.search(of.path, since, sort=["-updated_at", "-entity_id"], size=1, fields=f"{of.id},updated_at")
        if not newest.rows:
            return
        high = str(newest.rows[0].get("updated_at", ""))
        reached = to_utc(high)
        if reached > now + AHEAD:
            facts = {"stamp": high, "now": now.isoformat(), "row": wire.identity(newest.rows[0], of.id)}
            client.note(Odd(code="clock_ahead", subject=f"clock:{of.word}", facts=facts))
        # A stamp from the future must not carry the cursor over what comes before it.
        until = min(reached, now).isoformat()
    filters: list[Filter] = [("updated_at", "lteq", high), *([("updated_at", "gteq", low)] if low else [])]
    while True:
        batch = page(client, of, after=int(after), filters=filters)
        if batch.is_last:
            yield batch, {"until": until}
            return
        after = str(last(batch, int(after)))
        yield batch, {"from": low, "to": high, "until": until, "after": after}


def last(batch: Batch, after: int) -> int:
    """The highest id of a page; raises NotUnderstood where the list does not move on, else we would read for ever."""
    numbers = [int(one) for one in batch.ids if one.isdecimal()]
    if not numbers or max(numbers) <= after:
        raise NotUnderstood(f"a list of ids after {after} holds none", answer=str(batch.ids[:10]))
    return max(numbers)


def malformed(of: Listing, row: wire.Row, error: NotUnderstood, code: str = "malformed_row", **facts: Any) -> Odd:
    """The finding for a row that lacks something we need."""
    return Odd(
        code=code,
        subject=f"{of.word}:{wire.identity(row, of.id) or '?'}",
        facts={"problem": str(error), "answer": str(error.facts.get("answer", "")), **facts},
    )


def _some(client: MagentoClient, of: Listing, ids: list[str], fields: str, batch: Batch) -> None:
    try:
        found = client.search(
            of.path, [("entity_id", "in", ",".join(ids))], sort=["entity_id"], size=len(ids), fields=fields
        )
        batch.rows.extend(found.rows)
    except NotUnderstood as error:
        _halves(client, of, ids, fields, batch, error)


def _halves(
    client: MagentoClient, of: Listing, ids: list[str], fields: str, batch: Batch, error: NotUnderstood
) -> None:
    if len(ids) == 1:
        facts: dict[str, Any] = {
            name: error.facts[name] for name in ("answer", "size", "limit", "status") if name in error.facts
        }
        batch.odd.append(
            Odd(code="unreadable_answer", subject=f"{of.word}:{ids[0]}", facts={**facts, "problem": str(error)})
        )
        if len(batch.odd) >= _HOPELESS and not batch.rows:
            raise error
        return
    middle = len(ids) // 2
    for half in (ids[:middle], ids[middle:]):
        _some(client, of, half, fields, batch)
