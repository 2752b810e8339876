"""Reading lists that change while they are read: pages by id, intervals of change, and pages of which one row is bad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo

import msgspec

from comptoir.channels.errors import NotUnderstood
from comptoir.channels.records import Odd
from comptoir.connectors.prestashop import wire
from comptoir.connectors.prestashop.client import PrestaShopClient, any_of

#: Read again what changed so long before: in autumn one hour of shop time comes twice, and clocks differ a little.
OVERLAP = timedelta(hours=2)
BEGINNING = "2000-01-01 00:00:00"
END = "9999-12-31 23:59:59"
_STAMP = "%Y-%m-%d %H:%M:%S"
_HOPELESS = 8  # unreadable rows in a row, and not one readable: then it is not about rows


@dataclass(frozen=True, slots=True)
class Batch:
    """One page: what could be read, and every id that is on it."""

    elements: list[Element]
    ids: list[str]
    odd: list[Odd] = field(default_factory=list)


def to_utc(stamp: str, zone: ZoneInfo) -> datetime:
    """A stamp of the shop as UTC; of a repeated hour the first. Raises NotUnderstood for anything else."""
    try:
        return datetime.strptime(stamp.strip(), _STAMP).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NotUnderstood(f"{stamp!r} is not a time", answer=stamp) from error


def to_shop(at: datetime, zone: ZoneInfo) -> str:
    """A moment as the shop writes it; digits, colons and a blank only, else filters compare as text in silence."""
    return at.astimezone(zone).strftime(_STAMP)


def page(
    client: PrestaShopClient,
    resource: str,
    *,
    after: int,
    limit: int,
    filters: Mapping[str, str] | None = None,
    display: str = "full",
    params: Mapping[str, str] | None = None,
) -> Batch:
    """The next objects by id. A page that cannot be read is read again in halves, down to the row that spoils it."""
    wanted = {**(filters or {}), "id": f">[{after}]"}
    try:
        found = client.rows(resource, filters=wanted, display=display, sort="id_ASC", limit=limit, params=params)
        return Batch(found, [wire.identity(one) for one in found])
    except NotUnderstood as error:
        light = client.rows(resource, filters=wanted, display="[id]", sort="id_ASC", limit=limit, params=params)
        ids = [wire.identity(one) for one in light]
        if not ids:
            raise
        batch = Batch([], ids)
        _halves(client, resource, ids, display, params, batch, error)
        return batch


def some(
    client: PrestaShopClient, resource: str, ids: Sequence[str], *, params: Mapping[str, str] | None = None
) -> Batch:
    """These objects, in one call where all of them can be read."""
    batch = Batch([], list(ids))
    if ids:
        _some(client, resource, list(ids), "full", params, batch)
    return batch


def around(
    client: PrestaShopClient,
    resource: str,
    field: str,
    values: Sequence[object],
    *,
    params: Mapping[str, str] | None = None,
) -> tuple[list[Element], dict[str, NotUnderstood]]:
    """The objects whose `field` is one of `values`, and the values for which the answer could not be read."""
    found: list[Element] = []
    bad: dict[str, NotUnderstood] = {}
    waiting = [list(values[start : start + 100]) for start in range(0, len(values), 100)]
    while waiting:
        chunk = waiting.pop()
        try:
            found += client.rows(resource, filters={field: any_of(chunk)}, params=params)
        except NotUnderstood as error:
            if len(chunk) > 1:
                middle = len(chunk) // 2
                waiting += [chunk[:middle], chunk[middle:]]
                continue
            bad[str(chunk[0])] = error
            if len(bad) >= _HOPELESS and not found:
                raise
    return found, bad


def all_of(
    client: PrestaShopClient,
    resource: str,
    *,
    filters: Mapping[str, str] | None = None,
    display: str = "full",
    limit: int = 1000,
    params: Mapping[str, str] | None = None,
) -> Iterator[Element]:
    """Every object, page by page."""
    after = 0
    while True:
        batch = page(client, resource, after=after, limit=limit, filters=filters, display=display, params=params)
        for odd in batch.odd:
            client.note(odd)
        yield from batch.elements
        if len(batch.ids) < limit:
            return
        after = last(batch, after)


def changes(
    client: PrestaShopClient,
    resource: str,
    cursor: Mapping[str, object],
    *,
    zone: ZoneInfo,
    start: datetime | None,
    now: datetime,
    limit: int,
    params: Mapping[str, str] | None = None,
) -> Iterator[tuple[Batch, dict[str, Any]]]:
    """Pages of what changed, each with the cursor after it.

    The interval ends at the newest stamp that the shop itself shows, so no clock of ours decides what is seen. Rows
    that change while we read get a later stamp and come with the next reading.
    """
    if "from" in cursor:
        low, high, until, after = (str(cursor[name]) for name in ("from", "to", "until", "after"))
    else:
        low, high, until, after = BEGINNING, "", "", "0"
        if "until" in cursor:
            low = to_shop(datetime.fromisoformat(str(cursor["until"])) - OVERLAP, zone)
        elif start is not None:
            low = to_shop(start, zone)
        newest = client.rows(
            resource,
            filters={"date_upd": f"[{low},{END}]"},
            display="[id,date_upd]",
            sort="date_upd_DESC,id_DESC",
            limit=1,
            params=params,
        )
        if not newest:
            return
        high = (newest[0].findtext("date_upd") or "").strip()
        reached = to_utc(high, zone)
        if reached > now + OVERLAP:
            client.note(
                Odd(
                    code="clock_ahead",
                    subject=f"clock:{resource}",  # not of the row: that one is read, and well
                    facts={"stamp": high, "now": now.isoformat(), "row": wire.identity(newest[0])},
                )
            )
        # A stamp from the future must not carry the cursor over what comes before it.
        until = min(reached, now).isoformat()
    while True:
        batch = page(
            client,
            resource,
            after=int(after),
            limit=limit,
            filters={"date_upd": f"[{low},{high}]"},
            params=params,
        )
        if len(batch.ids) < limit:
            yield batch, {"until": until}
            return
        after = str(last(batch, int(after)))
        yield batch, {"from": low, "to": high, "until": until, "after": after}


def about(odd: Odd, resource: str, word: str) -> Odd:
    """The same with its subject in our words: "orders:7" is "sale:7", "clock:orders" is "clock:sale"."""
    name, _, identity = odd.subject.partition(":")
    if odd.subject == f"clock:{resource}":
        return msgspec.structs.replace(odd, subject=f"clock:{word}")
    return msgspec.structs.replace(odd, subject=f"{word}:{identity}") if name == resource else odd


def last(batch: Batch, after: int) -> int:
    """The highest id of a page; raises NotUnderstood where the list does not move on, else we would read for ever."""
    numbers = [int(one) for one in batch.ids if one.isdigit()]
    if not numbers or max(numbers) <= after:
        raise NotUnderstood(f"a list of ids after {after} holds none", answer=str(batch.ids[:10]))
    return max(numbers)


def _some(
    client: PrestaShopClient,
    resource: str,
    ids: list[str],
    display: str,
    params: Mapping[str, str] | None,
    batch: Batch,
) -> None:
    try:
        batch.elements.extend(
            client.rows(resource, filters={"id": any_of(ids)}, display=display, sort="id_ASC", params=params)
        )
    except NotUnderstood as error:
        _halves(client, resource, ids, display, params, batch, error)


def _halves(
    client: PrestaShopClient,
    resource: str,
    ids: list[str],
    display: str,
    params: Mapping[str, str] | None,
    batch: Batch,
    error: NotUnderstood,
) -> None:
    if len(ids) == 1:
        facts: dict[str, Any] = {
            name: error.facts[name] for name in ("answer", "size", "limit", "status") if name in error.facts
        }
        batch.odd.append(
            Odd(code="unreadable_answer", subject=f"{resource}:{ids[0]}", facts={**facts, "problem": str(error)})
        )
        if len(batch.odd) >= _HOPELESS and not batch.elements:
            raise error
        return
    middle = len(ids) // 2
    for half in (ids[:middle], ids[middle:]):
        _some(client, resource, half, display, params, batch)
