"""Stock goes out: every level a channel should know, told when it changes, previewed, guarded against mass zeros."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from comptoir.channels.channel import OpenChannel
from comptoir.channels.records import Answer, LevelToTell
from comptoir.engine.errors import Fenced
from comptoir.engine.flow import HERE, OUT, Lane, flow
from comptoir.engine.models import Severity
from comptoir.engine.runs import PlanLine, RunContext, start_after_commit
from comptoir.kit import clock, sql
from comptoir.offers import actions as offers
from comptoir.offers import queries
from comptoir.offers.queries import Level

MARKS = 5_000  # drained in one step
PREVIEW = 1_000  # offers computed in one step of a preview
FEWEST_SUSPICIOUS = 10
MOST_SHARE = Decimal("0.1")  # of a channel's offers that a push may zero, or raise from zero, without an explanation
LOOK_AGAIN = timedelta(hours=1)
HELD = "held"  # kind of a planned line that would not be written: it waits for a person


def with_levels_to_tell(channels: Sequence[int]) -> set[int]:
    """Which of these channels have something to tell. An undrained mark may concern any of them."""
    if queries.has_marks():
        return set(channels)
    return queries.channels_waiting(channels, clock.now())


def _changed_since(channel: int, at: datetime) -> bool:
    """Whether an offer began to wait, or was told, after then. A mark may concern any of them."""
    return queries.has_marks() or bool(
        sql.value(
            "SELECT EXISTS (SELECT FROM offers_offer o JOIN offers_sellingpoint p ON p.id = o.point_id"
            " WHERE p.channel_id = %s AND o.is_waiting AND o.is_active AND o.waiting_since > %s)",
            [channel, at],
        )
    )


@flow(
    "push_stock",
    direction=OUT,
    title=_("Stock levels"),
    needs=("levels",),
    lane=Lane.LIVE,
    facts=with_levels_to_tell,
    linger=2.0,
    writes=True,
    previews=True,
    changed_since=_changed_since,
    replays=True,
)
def push_stock(run: RunContext, channel: OpenChannel | None) -> None:
    """Tell a channel what it may sell now: waiting offers only, each computed at the moment it is sent."""
    assert channel is not None  # noqa: S101 - the engine opens it for IN and OUT
    spread(run)
    if run.is_preview:
        plan(run, channel.ref)
        return
    _set_suspicious_aside(run, channel.ref)
    push(run, channel)


def push(run: RunContext, channel: OpenChannel, *, counted: bool = True) -> None:
    """Send every waiting level of a channel, a batch a call. What changes meanwhile stays waiting.

    The answers of one batch are booked in the step that takes the next: one commit a batch.
    """
    after = 0
    size = channel.client.levels.batch_size
    sent: list[Level] = []
    answers: list[Answer] = []
    while True:
        with _doubted_if_fenced(channel.ref, sent), run.checkpoint():
            if sent:
                _book(run, sent, answers, counted=counted)
            batch = offers.take(channel.ref, after=after, size=size, at=run.at)
            if counted:
                run.count(seen=batch.settled, unchanged=batch.settled)
        if not batch.last:
            return
        after, sent = batch.last, batch.send
        if sent:
            with _doubted_if_fenced(channel.ref, sent):
                answers = channel.client.levels.set_levels([_to_tell(level) for level in sent])


def _book(run: RunContext, sent: Sequence[Level], answers: Sequence[Answer], *, counted: bool) -> None:
    told = offers.told(run.id, sent, answers, at=run.at)
    if counted:
        run.count(seen=len(sent), changed=told.done, failed=len(told.refused), parked=told.unsure)
    if told.conflicts:
        # Somebody bought there, most likely: learn of it before these levels are computed again.
        start_after_commit("pull_sales", [run.channel_id])
    refused = {level.offer for level, _ in told.refused}
    again = [level for level in sent if level.failures and level.offer not in refused]
    run.resolved([f"listing:{level.listing}" for level in again], codes=("level_refused",))
    for level, reason in told.refused:
        run.found("level_refused", f"listing:{level.listing}", Severity.ERROR, level=str(level.level), reason=reason)


@contextmanager
def _doubted_if_fenced(channel: int, batch: Sequence[Level]) -> Iterator[None]:
    """A worker that was stopped just before it sent sends when it wakes, over the levels of whoever has its run by then.
    It may book nothing any more, but it says that these levels are to be told again."""
    try:
        yield
    except Fenced:
        with transaction.atomic():
            offers.forget_told(channel, [level.listing for level in batch], at=clock.now())
        raise


def spread(run: RunContext) -> None:
    """Turn marks into waiting offers; channels other than the run's own that now wait are started."""
    while True:
        with run.checkpoint():
            taken = offers.drain(at=run.at, limit=MARKS)
            if taken:
                others = [
                    row[0]
                    for row in sql.rows(
                        "SELECT id FROM channels_channel WHERE mode = 'production' AND archived_at IS NULL AND id <> %s",
                        [run.channel_id],
                    )
                ]
                start_after_commit("push_stock", queries.channels_waiting(others, run.at) if others else ())
        if taken < MARKS:
            return


def _to_tell(level: Level) -> LevelToTell:
    return LevelToTell(
        offer=level.offer,
        listing=level.listing,
        selling_point=level.point,
        ref=level.ref,
        level=level.level,
        expected=level.told,
    )


def plan(run: RunContext, channel: int, *, counted: bool = True) -> None:
    """Keep with this run what a push would write at this moment, and apart from it what would wait for a person."""
    with run.checkpoint(state={**run.state, "as_of": clock.now().isoformat()}):
        aside, _total = _suspicious(run, channel)
    held = set(aside)
    after = 0
    while ids := queries.waiting_ids(channel, after=after, size=PREVIEW, at=run.at):
        after = ids[-1]
        levels = queries.levels(ids)
        names: dict[int, str] = dict(
            sql.rows("SELECT id, sku FROM catalog_variant WHERE id = ANY(%s)", [[level.variant for level in levels]])
        )
        differing = [level for level in levels if level.told is None or level.told != level.level]
        with run.checkpoint():
            if counted:
                waits = sum(level.offer in held for level in differing)
                run.count(
                    seen=len(levels),
                    changed=len(differing) - waits,
                    parked=waits,
                    unchanged=len(levels) - len(differing),
                )
            run.plan(
                PlanLine(
                    kind=HELD if level.offer in held else "level",
                    subject=f"offer:{level.offer}",
                    label=f"{names[level.variant]} · {level.listing}",
                    field="level",
                    old=None if level.told is None else shown(level.told),
                    new=shown(level.level),
                    facts={"listing": level.listing, "point": level.point, "ref": level.ref, "variant": level.variant},
                )
                for level in differing
            )


def shown(quantity: Decimal) -> str:
    """A quantity without the zeros that its three places add."""
    return format(quantity.normalize() + 0, "f")


# -- a zero is suspicious when nobody sold it --------------------------------------------------------------------------

_UNEXPLAINED = """
SELECT o.id FROM offers_offer o
JOIN catalog_variant v ON v.id = o.variant_id
JOIN catalog_variant m ON m.id = coalesce(v.alias_of_id, v.id)
JOIN unnest(%(offers)s::bigint[], %(levels)s::numeric[]) AS s (id, level) ON s.id = o.id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(l.on_hand - l.reserved - l.held), 0) AS free FROM inventory_level l
    JOIN offers_pointwarehouse pw ON pw.warehouse_id = l.warehouse_id AND pw.point_id = o.point_id
    WHERE l.variant_id = m.id
) stock
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM inventory_movement mv WHERE mv.variant_id = m.id
        AND (o.told_at IS NULL OR mv.at >= o.told_at - interval '1 minute')) AS lately,
           EXISTS (SELECT FROM inventory_movement mv JOIN offers_pointwarehouse pw ON pw.point_id = o.point_id
               AND pw.warehouse_id IN (mv.from_warehouse_id, mv.to_warehouse_id) WHERE mv.variant_id = m.id) AS ever
) moved
WHERE m.kind <> 'kit' AND CASE
    WHEN s.level = 0 THEN stock.free > 0 OR NOT moved.ever
    ELSE NOT moved.lately AND NOT EXISTS (
        SELECT FROM events_event e WHERE e.name IN ('inventory.stock.released', 'inventory.holds.released', 'inventory.holds.expired')
          AND e.at >= o.told_at AND e.facts->'variants' @> to_jsonb(m.id))
    END
"""


def _suspicious(run: RunContext, channel: int) -> tuple[list[int], int]:
    """The levels that a push would set aside at this moment, and of how many: levels that would go to zero, or rise from
    it, although neither the ledger nor a promise says why, where they are more than a share of the channel."""
    approved = sql.value("SELECT max(approved_share_until) FROM offers_sellingpoint WHERE channel_id = %s", [channel])
    if approved is not None and approved > run.at:
        return [], 0
    suspicious: list[int] = []
    after = 0
    while ids := queries.waiting_ids(channel, after=after, size=PREVIEW, at=run.at):
        if not after and len(ids) < FEWEST_SUSPICIOUS:
            return [], 0
        after = ids[-1]
        turned = [level for level in queries.levels(ids) if (level.level == 0) != (level.told == 0)]
        suspicious += [
            row[0]
            for row in sql.rows(
                _UNEXPLAINED,
                {"offers": [level.offer for level in turned], "levels": [level.level for level in turned]},
            )
        ]
    total = _active(channel) if len(suspicious) >= FEWEST_SUSPICIOUS else 0
    if len(suspicious) < FEWEST_SUSPICIOUS or len(suspicious) <= MOST_SHARE * total:
        return [], total
    return suspicious, total


def _set_suspicious_aside(run: RunContext, channel: int) -> None:
    """What is suspicious waits for a person."""
    subject = f"channel:{channel}"
    suspicious, total = _suspicious(run, channel)
    with run.checkpoint():
        if not suspicious:
            if not _are_aside(channel, run):
                run.resolved([subject], codes=("suspicious_levels",))
            return
        sql.execute("UPDATE offers_offer SET not_before = %s WHERE id = ANY(%s)", [run.at + LOOK_AGAIN, suspicious])
        run.count(seen=len(suspicious), parked=len(suspicious))
        run.found("suspicious_levels", subject, Severity.ERROR, levels=len(suspicious), of=total, share=str(MOST_SHARE))


def _active(channel: int) -> int:
    return int(
        sql.value(
            "SELECT count(*) FROM offers_offer o JOIN offers_sellingpoint p ON p.id = o.point_id"
            " WHERE p.channel_id = %s AND o.is_active",
            [channel],
        )
    )


def _are_aside(channel: int, run: RunContext) -> bool:
    """Whether levels still wait for a person: they are not among those looked at until their hour is over."""
    return bool(
        sql.value(
            "SELECT EXISTS (SELECT FROM offers_offer o JOIN offers_sellingpoint p ON p.id = o.point_id"
            " WHERE p.channel_id = %s AND o.is_waiting AND o.is_active AND o.refusals = 0 AND o.not_before > %s)",
            [channel, run.at],
        )
    )


def approve_suspicious(channel: int, *, until: timedelta = LOOK_AGAIN) -> None:
    """A person has looked: let levels through that nothing explains, for a while."""
    now = clock.now()
    sql.execute(
        "UPDATE offers_sellingpoint SET approved_share_until = %s WHERE channel_id = %s", [now + until, channel]
    )
    sql.execute(
        "UPDATE offers_offer SET not_before = NULL WHERE refusals = 0 AND point_id IN"
        " (SELECT id FROM offers_sellingpoint WHERE channel_id = %s)",
        [channel],
    )


# -- where nothing is in production --------------------------------------------------------------------------------------


def with_marks_nobody_drains(channels: Sequence[int]) -> set[int]:
    """The hub's own channel while marks wait and no channel would drain them: none may be written to, or those that may
    do not let us in or have their push switched off."""
    if queries.has_marks() and not sql.value(
        "SELECT EXISTS (SELECT FROM channels_channel c JOIN engine_flow f ON f.channel_id = c.id AND f.kind = 'push_stock'"
        " WHERE c.mode = 'production' AND NOT c.writes_paused AND c.archived_at IS NULL AND c.health <> 'locked_out'"
        " AND f.enabled)"
    ):
        return set(channels)
    return set()


@flow(
    "spread_changes",
    direction=HERE,
    title=_("Changes of stock to offers"),
    needs=("hub",),
    facts=with_marks_nobody_drains,
)
def spread_changes(run: RunContext, channel: OpenChannel | None) -> None:
    """Turn marks into waiting offers where no push does."""
    spread(run)
