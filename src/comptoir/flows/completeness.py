"""Whether every order is here: the ids that a channel holds of a stretch of time, against those that came in.

Ids, not counts: one lost and one too many would make the same sum. What is missing is named and fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext_lazy as _

from comptoir.channels.channel import OpenChannel
from comptoir.channels.models import Channel
from comptoir.engine.flow import IN, flow
from comptoir.engine.models import Severity
from comptoir.engine.runs import RunContext
from comptoir.flows.sales import FETCH, fetch_sales
from comptoir.kit import clock, sql

KIND = "check_sales"
DAYS = 31  # looked back every night
NOT_YET = timedelta(minutes=15)  # what is newer may still be on its way
NAMED = 1_000  # ids that a run keeps of each sort


@dataclass(frozen=True, slots=True)
class Compared:
    """Sales placed from `since` on and before `until`. `only_here`: the channel does not hold them any more."""

    since: datetime
    until: datetime
    there: int
    missing: tuple[str, ...]
    only_here: tuple[str, ...]


def compare(channel: OpenChannel, since: datetime, until: datetime) -> Compared:
    """Ask the channel for its ids of that time, and look which are not here; reads only."""
    there: set[str] = set()
    for ids in channel.client.sales.placed_between(since, until):
        there.update(ids)
    asked = sorted(there)
    here = {
        row[0]
        for start in range(0, len(asked), 10_000)
        for row in sql.rows(
            "SELECT external_id FROM staging_stagedsale WHERE channel_id = %s AND external_id = ANY(%s)",
            [channel.ref, asked[start : start + 10_000]],
        )
    }
    placed = sql.rows(
        "SELECT external_id FROM staging_stagedsale WHERE channel_id = %s AND placed_at >= %s AND placed_at < %s"
        " ORDER BY placed_at, id",
        [channel.ref, since, until],
    )
    return Compared(
        since,
        until,
        len(there),
        tuple(one for one in asked if one not in here),
        tuple(row[0] for row in placed if row[0] not in there),
    )


def stretch(row: Channel, *, at: datetime) -> tuple[datetime, datetime]:
    """What is looked at every night: the last month, as far as its sales come in at all."""
    until = at - NOT_YET
    since = until - timedelta(days=DAYS)
    return max(since, row.sales_from) if row.sales_from is not None else since, until


@flow(KIND, direction=IN, title=_("Completeness of orders"), needs=("sales",), cron="40 3 * * *", replays=True)
def check_sales(run: RunContext, channel: OpenChannel | None) -> None:
    """Name every sale of the last month that the channel holds and that never came in, and fetch it."""
    assert channel is not None  # noqa: S101 - the engine opens it for IN and OUT
    since, until = stretch(channel.row, at=clock.now())
    if since >= until:
        return
    found = compare(channel, since, until)
    with run.checkpoint():
        known = found.there - len(found.missing)
        run.count(seen=known, unchanged=known)
        run.resolved([f"channel:{channel.ref}"], codes=("sales_missing",))
    came: set[str] = set()
    for start in range(0, len(found.missing), FETCH):
        came |= _fetch(run, channel, found.missing[start : start + FETCH])
    lost = [one for one in found.missing if one not in came]
    with run.checkpoint(cursor=_told(found, lost)):
        if found.missing:
            # Said even where all of them are here now: that they were passed over is worth knowing.
            severity = Severity.ERROR if lost else Severity.INFO
            run.found(
                "sales_missing", f"channel:{channel.ref}", severity,
                sales=len(found.missing), named=", ".join(found.missing[:20]), lost=len(lost),
                since=since.isoformat(), until=until.isoformat(),
            )  # fmt: skip


def _fetch(run: RunContext, channel: OpenChannel, missing: Sequence[str]) -> set[str]:
    came = fetch_sales(run, channel, missing)
    if gone := sorted(set(missing) - came):
        with run.checkpoint():
            run.count(seen=len(gone), failed=len(gone))
    return came


def _told(found: Compared, lost: Sequence[str]) -> dict[str, object]:
    return {
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "there": found.there,
        "missing": list(found.missing[:NAMED]),
        "lost": list(lost[:NAMED]),
        "only_here": list(found.only_here[:NAMED]),
    }
