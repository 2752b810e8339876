"""One execution of a flow: asked for, claimed, carried out step by step, and ended.

Whatever a run writes says "where id and attempt are mine and the status is running". A worker that was only paused
finds no such row and stops: `Fenced`. A job, a lease or a clock is never taken as proof of anything.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as having
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection, transaction
from django.db.models import QuerySet

from comptoir.channels.models import Channel, Mode
from comptoir.engine import ending, findings, flow, heart, inputs, queue, retry
from comptoir.engine.errors import Fenced, Stopped
from comptoir.engine.models import Flow, Lane, Outcome, Run, RunStatus, Severity, Trigger
from comptoir.events.record import record
from comptoir.kit import clock, sql
from comptoir.kit.actor import SYSTEM, Actor, ActorKind
from comptoir.kit.errors import Conflict

if TYPE_CHECKING:
    from comptoir.channels.http import CallMade

logger = logging.getLogger(__name__)

#: Seconds between two looks for more facts while a run lingers.
LINGER_LOOK = 0.03

#: Kinds of calls that a run tells apart; the others are added up.
PLACES = 40
ELSEWHERE = "other calls"

COUNTS = ("seen", "created", "changed", "unchanged", "skipped", "parked", "failed")


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One thing that a preview would write."""

    kind: str
    subject: str
    label: str
    field: str
    old: str | None
    new: str | None
    facts: Mapping[str, Any] = having(default_factory=dict)


@dataclass
class _Pending:
    """What was said since the last checkpoint."""

    counts: dict[str, int] = having(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    findings: dict[tuple[str, str], findings.Report] = having(default_factory=dict)
    closing: list[tuple[tuple[str, ...], tuple[str, ...] | None]] = having(default_factory=list)
    plan: list[PlanLine] = having(default_factory=list)

    def copy(self) -> _Pending:
        return _Pending(dict(self.counts), dict(self.findings), list(self.closing), list(self.plan))


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a worker learns when a run becomes its own."""

    run: int
    attempt: int
    flow: int
    kind: str
    channel: int
    trigger: str
    is_preview: bool
    stalls: int
    cursor: dict[str, Any]
    state: dict[str, Any]
    calls: dict[str, Any]
    phases: dict[str, Any]
    actor: dict[str, Any]
    wanted: bool
    replays: int | None


class RunContext:
    """What a recipe holds in its hand: where it stands, what it says, and the step that commits."""

    def __init__(self, claim: _Claim, *, asked_to_stop: Callable[[], bool]) -> None:
        self.id = claim.run
        self.attempt = claim.attempt
        self.flow_id = claim.flow
        self.kind = claim.kind
        self.channel_id = claim.channel
        self.trigger = Trigger(claim.trigger)
        self.is_preview = claim.is_preview
        self.cursor: dict[str, Any] = dict(claim.cursor)
        self.state: dict[str, Any] = dict(claim.state)
        self.at = clock.now()  # business time of this step
        self.actor = _actor(claim)
        self.stalls = claim.stalls
        self.told_to_cancel = False  # set by the heart, read between steps
        self._asked_to_stop = asked_to_stop
        self._pending = _Pending()
        self._expected: int | None = None
        self.calls: dict[str, Any] = dict(claim.calls)
        self.phases: dict[str, float] = dict(claim.phases)
        self.replays = claim.replays
        self.keeper: inputs.Keeper | None = None
        self._lock = threading.Lock()  # a client may call from several threads
        self._in_checkpoint = False

    # What the recipe says

    def count(
        self,
        *,
        seen: int = 0,
        created: int = 0,
        changed: int = 0,
        unchanged: int = 0,
        skipped: int = 0,
        parked: int = 0,
        failed: int = 0,
    ) -> None:
        """Add to the run's counts; in the end `seen` must be the sum of the others."""
        counts = self._pending.counts
        for name, number in zip(COUNTS, (seen, created, changed, unchanged, skipped, parked, failed), strict=True):
            counts[name] += number

    def found(self, code: str, subject: str, severity: Severity, **facts: Any) -> None:
        """Report something that someone should read; written with the checkpoint."""
        self._pending.findings[code, subject] = findings.Report(self.channel_id, code, subject, severity, facts)

    def resolved(self, subjects: Iterable[str], codes: Iterable[str] | None = None) -> None:
        """These subjects went well: their open findings close with the checkpoint, all or those of `codes`."""
        names = tuple(subjects)
        kept = tuple(codes) if codes is not None else None
        if not names:
            return
        self._pending.closing.append((names, kept))
        gone = set(names)
        for key in [k for k in self._pending.findings if k[1] in gone and (kept is None or k[0] in kept)]:
            del self._pending.findings[key]

    def expect(self, total: int) -> None:
        """How many there are in all, for the progress bar."""
        self._expected = total

    def plan(self, lines: Iterable[PlanLine]) -> None:
        """What would be written, in a preview."""
        self._pending.plan.extend(lines)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time of the block to the run's phases."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] = round(self.phases.get(name, 0.0) + time.monotonic() - begun, 4)

    def observe_call(self, call: CallMade) -> None:
        """Count a call out; given to the channel's door."""
        with self._lock:
            calls = self.calls
            name = "write" if call.writes else "read"
            calls[name] = calls.get(name, 0) + 1
            calls["bytes"] = calls.get("bytes", 0) + call.sent + call.received
            calls["seconds"] = round(calls.get("seconds", 0.0) + call.seconds, 4)
            if call.problem:
                calls["problems"] = calls.get("problems", 0) + 1
            places = calls.setdefault("places", {})
            place = f"{call.method} {_place(call.url)}"
            if place not in places and len(places) >= PLACES:
                place = ELSEWHERE
            number, seconds, size, problems = places.get(place, (0, 0.0, 0, 0))
            places[place] = [
                number + 1, round(seconds + call.seconds, 4), size + call.sent + call.received, problems + bool(call.problem),
            ]  # fmt: skip

    @property
    def got_answers(self) -> bool:
        """Whether a call of this run went well."""
        calls = self.calls
        return bool(calls.get("read", 0) + calls.get("write", 0) > calls.get("problems", 0))

    # Steps

    @contextmanager
    def checkpoint(
        self, cursor: Mapping[str, Any] | None = None, state: Mapping[str, Any] | None = None
    ) -> Iterator[None]:
        """One step: what is written inside, counts, findings and cursor commit together or not at all.

        Raises Fenced where this attempt is no longer the one that counts, and, after the commit, Stopped where the run
        was asked to stop.
        """
        if self._in_checkpoint:
            raise RuntimeError("a checkpoint within a checkpoint")
        before = self._pending.copy()
        self.at = clock.now()
        self._in_checkpoint = True
        try:
            with transaction.atomic():
                yield
                self.save(cursor, state)
                kept = self.keep_inputs()
        except BaseException:
            self._pending = before  # a step that rolled back has said nothing
            raise
        finally:
            self._in_checkpoint = False
        self._pending = _Pending()
        if self.keeper is not None:
            self.keeper.written(kept)
        self.stalls = 0
        if cursor is not None:
            self.cursor = dict(cursor)
        if state is not None:
            self.state = dict(state)
        self.stop_if_asked()

    def keep_inputs(self) -> int:
        """Write what was heard since the last step, in the surrounding transaction; how many pieces."""
        return 0 if self.keeper is None else self.keeper.write(self.id)

    @property
    def is_in_checkpoint(self) -> bool:
        """Whether a step is open: what belongs to it may be written now."""
        return self._in_checkpoint

    def stop_if_asked(self) -> None:
        """Raises Stopped where a person cancelled the run or this process ends."""
        if self.told_to_cancel:
            raise Stopped("cancelled", cancelled=True)
        if self._asked_to_stop():
            raise Stopped("this worker ends", cancelled=False)

    def save(self, cursor: Mapping[str, Any] | None, state: Mapping[str, Any] | None) -> None:
        """Write what was said in the surrounding transaction; for checkpoints and the end of a run."""
        pending = self._pending
        for subjects, codes in pending.closing:
            findings.close(self.channel_id, subjects, codes, at=self.at)
        findings.report(pending.findings.values(), at=self.at, run=self.id)
        if pending.plan:
            _keep_plan(self.id, pending.plan)
        planned = Counter(f"{line.kind}/{line.field}" for line in pending.plan)
        if cursor is not None and not self.is_preview:
            sql.execute("UPDATE engine_flow SET cursor = %s WHERE id = %s", [ending.json(cursor), self.flow_id])
        # Last, so that the row is locked only while this commits, and the heart is not kept waiting.
        saved = sql.one(
            "UPDATE engine_run SET heartbeat_at = clock_timestamp(), stalls = 0, seen = seen + %(seen)s,"
            " created = created + %(created)s, changed = changed + %(changed)s, unchanged = unchanged + %(unchanged)s,"
            " skipped = skipped + %(skipped)s, parked = parked + %(parked)s, failed = failed + %(failed)s,"
            " expected = coalesce(%(expected)s, expected), cursor_after = coalesce(%(cursor)s, cursor_after),"
            " state = coalesce(%(state)s, state), calls = %(calls)s, phases = %(phases)s, planned = CASE WHEN"
            " %(planned)s::jsonb = '{}' THEN planned ELSE planned || (SELECT jsonb_object_agg(key, value::int"
            " + coalesce((planned->>key)::int, 0)) FROM jsonb_each_text(%(planned)s::jsonb)) END"
            " WHERE id = %(id)s AND attempt = %(attempt)s AND status = 'running' RETURNING cancel_asked",
            {
                **pending.counts,
                "expected": self._expected,
                "cursor": ending.json(cursor) if cursor is not None else None,
                "state": ending.json(state) if state is not None else None,
                "calls": ending.json(self.calls),
                "phases": ending.json(self.phases),
                "planned": ending.json(planned),
                "id": self.id,
                "attempt": self.attempt,
            },
        )
        if saved is None:
            raise Fenced(run=self.id, attempt=self.attempt)
        self.told_to_cancel = self.told_to_cancel or bool(saved[0])

    def check_fence(self) -> None:
        """Raises Fenced where this attempt is no longer the one that counts."""
        if not sql.value(
            "SELECT true FROM engine_run WHERE id = %s AND attempt = %s AND status = 'running'", [self.id, self.attempt]
        ):
            raise Fenced(run=self.id, attempt=self.attempt)


# Asking


def request(flow_id: int, trigger: Trigger, actor: Actor, *, preview: bool = False, at: datetime) -> int:
    """Ask for a run, in the caller's transaction: a person, a command, a hint. The id of the run that will serve it.

    A run that waits already serves this too; while one is under way, another follows it. A flow that writes can only be
    previewed where its channel may not be written to. Not for business transactions, which leave a fact and call
    `start_after_commit`: here rows are locked.
    """
    row = Flow.objects.select_related("channel").get(pk=flow_id)
    declaration = flow.find(row.kind)
    if row.channel.archived_at is not None:
        raise Conflict("this channel is archived", channel=row.channel_id)
    if declaration.writes and not preview and not _may_write(row.channel):
        if not declaration.previews:
            raise Conflict("nothing is written to this channel: it is in test mode or paused", channel=row.channel_id)
        preview = True
    if preview and not declaration.previews:
        raise Conflict("this flow cannot say what it would do", flow=flow_id)
    if not preview:
        opened = sql.one(
            "SELECT id, status FROM engine_run WHERE flow_id = %s AND status IN ('queued', 'running') AND NOT is_preview"
            " FOR UPDATE",
            [flow_id],
        )
        if opened is not None and opened[1] == RunStatus.RUNNING:
            Flow.objects.filter(pk=flow_id).update(wanted_at=at, wanted_by=trigger)
            return int(opened[0])
        if opened is not None:
            sql.execute(
                "UPDATE engine_run SET not_before = NULL, heartbeat_at = clock_timestamp(),"
                " trigger = CASE WHEN %(trigger)s = 'person' THEN 'person' ELSE trigger END,"
                " actor = CASE WHEN %(trigger)s = 'person' THEN %(actor)s ELSE actor END WHERE id = %(id)s",
                {"trigger": str(trigger), "actor": ending.json(_plain(actor)), "id": opened[0]},
            )
            queue.wake([(int(opened[0]), row.lane)])
            return int(opened[0])
    made = sql.value(
        "INSERT INTO engine_run (flow_id, trigger, is_preview, status, outcome, attempt, worker, heartbeat_at, stalls,"
        " seen, created, changed, unchanged, skipped, parked, failed, cursor_before, cursor_after, state, calls, phases,"
        " actor, queued_at, cancel_asked)"
        " VALUES (%s, %s, %s, 'queued', '', 0, '', clock_timestamp(), 0, 0, 0, 0, 0, 0, 0, 0,"
        " '{}', '{}', '{}', '{}', '{}', %s, %s, false) ON CONFLICT DO NOTHING RETURNING id",
        [flow_id, str(trigger), preview, ending.json(_plain(actor)), at],
    )
    if made is None:  # somebody else asked in the same instant
        return request(flow_id, trigger, actor, preview=preview, at=at)
    queue.wake([(int(made), row.lane)])
    return int(made)


def request_replay(run_id: int, actor: Actor, *, at: datetime) -> int:
    """Ask that an old run's inputs be gone through with today's code; the id of the run whose plan is the difference."""
    row = sql.one(
        "SELECT r.flow_id, f.kind, f.lane, r.status IN ('queued', 'running') OR r.is_preview,"
        " EXISTS (SELECT FROM engine_input i WHERE i.run_id = r.id)"
        " FROM engine_run r JOIN engine_flow f ON f.id = r.flow_id WHERE r.id = %s",
        [run_id],
    )
    if row is None:
        raise Conflict("this run is not there any more", run=run_id)
    flow_id, kind, lane, is_none_to_replay, is_kept = row
    if is_none_to_replay or not flow.find(kind).replays:
        raise Conflict("this run cannot be replayed", run=run_id)
    if not is_kept:
        raise Conflict("nothing is kept of what this run heard", run=run_id)
    made = sql.value(
        "INSERT INTO engine_run (flow_id, trigger, is_preview, status, outcome, attempt, worker, heartbeat_at, stalls,"
        " seen, created, changed, unchanged, skipped, parked, failed, cursor_before, cursor_after, state, calls, phases,"
        " actor, queued_at, cancel_asked, replays_id)"
        " VALUES (%s, 'person', true, 'queued', '', 0, '', clock_timestamp(), 0, 0, 0, 0, 0, 0, 0, 0,"
        " '{}', '{}', '{}', '{}', '{}', %s, %s, false, %s) RETURNING id",
        [flow_id, ending.json(_plain(actor)), at, run_id],
    )
    queue.wake([(int(made), lane)])
    return int(made)


_START = """
WITH made AS (INSERT INTO engine_run (flow_id, trigger, is_preview, status, outcome, attempt, worker, heartbeat_at, stalls,
    seen, created, changed, unchanged, skipped, parked, failed, cursor_before, cursor_after, state, calls, phases,
    actor, queued_at, cancel_asked)
SELECT f.id, given.trigger, false, 'queued', '', 0, '', clock_timestamp(), 0, 0, 0, 0, 0, 0, 0, 0,
    '{}', '{}', '{}', '{}', '{}', '{}', %(at)s, false
FROM unnest(%(flows)s::bigint[], %(triggers)s::text[]) AS given (flow, trigger)
JOIN engine_flow f ON f.id = given.flow
WHERE NOT EXISTS (SELECT FROM engine_run r
    WHERE r.flow_id = f.id AND r.status IN ('queued', 'running') AND NOT r.is_preview)
ORDER BY f.id
ON CONFLICT DO NOTHING
RETURNING id, flow_id)
SELECT made.id, f.lane FROM made JOIN engine_flow f ON f.id = made.flow_id
"""


def start(flows: Mapping[int, Trigger], *, at: datetime) -> list[int]:
    """Queue a run for each of these flows that has none open; the runs made. Whether they may start is the caller's care.

    For transactions of the engine's own, which hold nothing else.
    """
    if not flows:
        return []
    made = sql.rows(_START, {"flows": list(flows), "triggers": [str(trigger) for trigger in flows.values()], "at": at})
    queue.wake_within([(row[0], row[1]) for row in made])
    return [row[0] for row in made]


@dataclass(frozen=True)
class _StartAfterCommit:
    kind: str
    channels: frozenset[int]

    def __call__(self) -> None:
        at = clock.now()
        with transaction.atomic():
            start(dict.fromkeys(startable([self.kind], at=at, channels=self.channels), Trigger.FACT), at=at)


def start_after_commit(kind: str, channels: Iterable[int]) -> None:
    """The surrounding transaction leaves facts for this flow of these channels: start it there once they are committed.

    Writes and locks nothing now, so that orders never wait for one another here. What gets lost costs a tick.
    """
    wish = _StartAfterCommit(kind, frozenset(channels))
    alive = set(connection.savepoint_ids)
    if wish.channels and not any(hook[1] == wish and hook[0] <= alive for hook in connection.run_on_commit):
        transaction.on_commit(wish, robust=True)


def start_params(kinds: Iterable[str]) -> dict[str, list[str]]:
    """What MAY_START wants to know of these kinds."""
    known = [flow.find(kind) for kind in kinds]
    return {
        "writing": [one.kind for one in known if one.writes],
        "calling": [one.kind for one in known if one.direction is not flow.HERE],
    }


def startable(kinds: Sequence[str], *, at: datetime, channels: Iterable[int] | None = None) -> list[int]:
    """Flows of these kinds that a fact may start now: on, nothing open, not waiting, channel neither archived nor locked
    out, and written to only where writing is allowed."""
    return [
        row[0]
        for row in sql.rows(
            f"SELECT f.id FROM engine_flow f JOIN channels_channel c ON c.id = f.channel_id WHERE {MAY_START}"
            " AND f.kind = ANY(%(kinds)s::text[]) AND (%(channels)s::bigint[] IS NULL OR f.channel_id = ANY(%(channels)s::bigint[]))",
            {
                "kinds": list(kinds),
                "channels": None if channels is None else list(channels),
                "at": at,
                **start_params(kinds),
            },
        )
    ]


#: Whether the hub may start flow `f` of channel `c` by itself at %(at)s; %(writing)s are the kinds that write there,
#: %(calling)s those that call at all: work within the hub goes on while a shop refuses our key.
MAY_START = """
    f.enabled AND c.archived_at IS NULL AND (c.health <> 'locked_out' OR f.kind <> ALL(%(calling)s::text[]))
    AND (f.waits_until IS NULL OR f.waits_until <= %(at)s)
    AND (f.kind <> ALL(%(writing)s::text[]) OR (c.mode = 'production' AND NOT c.writes_paused))
    AND NOT EXISTS (SELECT FROM engine_run r
        WHERE r.flow_id = f.id AND r.status IN ('queued', 'running') AND NOT r.is_preview)
"""


def cancel(run_id: int, *, at: datetime | None = None, actor: Actor = SYSTEM) -> None:
    """Stop a run: at once where it waits, at its next step where it is under way. What it did stays."""
    moment = at or clock.now()
    asked = sql.execute(
        "UPDATE engine_run SET cancel_asked = true,"
        " status = CASE WHEN status = 'queued' THEN 'cancelled' ELSE status END,"
        " finished_at = CASE WHEN status = 'queued' THEN %s ELSE finished_at END"
        " WHERE id = %s AND status IN ('queued', 'running') AND NOT cancel_asked",
        [moment, run_id],
    )
    if asked:
        record("engine.run.cancelled", {"run": run_id}, actor=actor, at=moment, subject=f"run:{run_id}")


# Carrying out


def never() -> bool:
    """Nobody asks to stop."""
    return False


def execute(
    run_id: int, worker: str, *, asked_to_stop: Callable[[], bool] = never, lingers: bool = False
) -> RunStatus | None:
    """Carry out one attempt of a run in this thread: by a worker's job, or directly. What became of it.

    None: it was not there to be claimed, or another worker holds it now.
    """
    claim = _claim(run_id, worker)
    if claim is None:
        return None
    run = RunContext(claim, asked_to_stop=asked_to_stop)
    try:
        declaration = flow.find(claim.kind)
        with heart.beating(run), _opened(run, declaration) as channel:
            run.stop_if_asked()
            if run.replays is not None:
                flow.replayer()(run)
            else:
                declaration.recipe(run, channel)
            while lingers and declaration.linger and not run.is_preview and _more_came(run, declaration):
                declaration.recipe(run, channel)
        status = _finish(run)
    except Fenced:
        logger.info("run %s: attempt %s no longer counts", run.id, run.attempt)
        return None
    except Exception as error:  # noqa: BLE001 - sorted, written down and, where it is nobody's fate, logged in full
        try:
            status = retry.settle(run, error)
        except Fenced:
            logger.info("run %s: attempt %s no longer counts", run.id, run.attempt)
            return None
    _follow_up(run, status)
    return status


def _claim(run_id: int, worker: str) -> _Claim | None:
    with transaction.atomic():
        row = sql.one(
            "UPDATE engine_run r SET status = 'running', attempt = r.attempt + 1, worker = %(worker)s,"
            " heartbeat_at = clock_timestamp(), started_at = coalesce(r.started_at, %(at)s), stalls = r.stalls + 1,"
            " not_before = NULL, cursor_before = CASE WHEN r.attempt = 0 THEN f.cursor ELSE r.cursor_before END"
            " FROM engine_flow f WHERE f.id = r.flow_id AND r.id = %(id)s"
            " AND ((r.status = 'queued' AND (r.not_before IS NULL OR r.not_before <= %(at)s)) OR (r.status = 'running'"
            f" AND r.heartbeat_at < clock_timestamp() - interval '{heart.STALE} seconds'))"
            " RETURNING r.id, r.attempt, f.id, f.kind, f.channel_id, r.trigger, r.is_preview, r.stalls,"
            " CASE WHEN r.is_preview AND r.attempt > 1 AND r.cursor_after <> '{}' THEN r.cursor_after ELSE f.cursor END,"
            " r.state, r.calls, r.phases, r.actor, f.wanted_at IS NOT NULL, r.replays_id",
            {"worker": worker[:80], "at": clock.now(), "id": run_id},
        )
        if row is None:
            return None
        claim = _Claim(*(*row[:8], *map(ending.parsed, row[8:13]), *row[13:]))
        if claim.wanted and not claim.is_preview:
            sql.execute("UPDATE engine_flow SET wanted_at = NULL, wanted_by = '' WHERE id = %s", [claim.flow])
        if claim.is_preview and claim.attempt > 1:
            _begin_again(claim.run)
    return claim


def _begin_again(run: int) -> None:
    """A preview without a place to go on from computes everything once more: what its first attempt planned would be
    there twice."""
    if sql.execute(
        "UPDATE engine_run SET planned = '{}', seen = 0, created = 0, changed = 0, unchanged = 0, skipped = 0, parked = 0,"
        " failed = 0 WHERE id = %s AND cursor_after = '{}' AND state - 'as_of' = '{}'",
        [run],
    ):
        sql.execute("DELETE FROM engine_planrow WHERE run_id = %s", [run])


def is_stale(run: Run) -> bool:
    """Whether what a preview said may be another by now: facts changed since, or its flow has run and written."""
    since = datetime.fromisoformat(run.state["as_of"]) if "as_of" in run.state else run.started_at
    if since is None:
        return False
    changed = flow.find(run.flow.kind).changed_since
    if changed is not None and changed(run.flow.channel_id, since):
        return True
    later = Run.objects.filter(flow=run.flow_id, is_preview=False, pk__gt=run.pk, changed__gt=0)
    return bool(later.exists())


@contextmanager
def _opened(run: RunContext, declaration: flow.Declaration) -> Iterator[Any]:
    if declaration.direction is flow.HERE or run.replays is not None:
        yield None
        return
    from comptoir.channels import channel  # the HTTP client is only needed by those that call out

    if declaration.replays and not run.is_preview:
        run.keeper = inputs.keeper(run.id)
    row = Channel.objects.get(pk=run.channel_id)
    with channel.opened(
        row,
        live=declaration.lane == Lane.LIVE,
        writes=not run.is_preview,
        observer=run.observe_call,
        before_write=run.check_fence,
        recorder=run.keeper.heard if run.keeper is not None else None,
    ) as opened:
        yield opened if run.keeper is None else inputs.keeping(opened, run.keeper)


def _more_came(run: RunContext, declaration: flow.Declaration) -> bool:
    """Wait a moment for more facts, unless somebody else waits for this worker's attention."""
    if declaration.facts is None:
        return False
    until = time.monotonic() + declaration.linger
    while time.monotonic() < until:
        run.stop_if_asked()
        if declaration.facts([run.channel_id]):
            return True
        if sql.value(
            "SELECT true FROM engine_run r JOIN engine_flow f ON f.id = r.flow_id WHERE r.status = 'queued'"
            " AND r.not_before IS NULL AND f.lane = %s LIMIT 1",
            [str(declaration.lane)],
        ):
            return False
        time.sleep(LINGER_LOOK)
    return False


def _finish(run: RunContext) -> RunStatus:
    """The end that everyone hopes for: balance the counts, collapse a run that saw nothing."""
    run.at = clock.now()
    subject = f"flow:{run.kind}"
    with transaction.atomic():
        run.save(None, None)
        run.keep_inputs()
        [(seen, dealt_with, waiting)] = sql.rows(
            "SELECT seen, created + changed + unchanged + skipped + parked + failed, parked + failed"
            " FROM engine_run WHERE id = %s",
            [run.id],
        )
        if run.replays is not None:  # it speaks of the run that it replays, not of its flow
            outcome = Outcome.GOOD if seen == dealt_with else Outcome.UNBALANCED
        elif seen != dealt_with:
            outcome = Outcome.UNBALANCED
            facts = {"seen": seen, "dealt_with": dealt_with, "run": run.id}
            findings.report(
                [findings.Report(run.channel_id, "run_unbalanced", subject, Severity.ERROR, facts)],
                at=run.at,
                run=run.id,
            )
            findings.close(run.channel_id, [subject], retry.RUN_CODES, at=run.at)
        else:
            outcome = Outcome.PARTIAL if waiting else Outcome.GOOD
            findings.close(run.channel_id, [subject], (*retry.RUN_CODES, "run_unbalanced"), at=run.at)
        ending.end(run, RunStatus.DONE, outcome=outcome)
        if not run.is_preview:
            sql.execute(
                "UPDATE engine_flow SET failures = 0, waits_until = NULL WHERE id = %s"
                " AND (failures > 0 OR waits_until IS NOT NULL)",
                [run.flow_id],
            )
        if run.got_answers:
            retry.channel_answered(run)
        if seen == 0 and run.trigger != Trigger.PERSON and not run.is_preview:
            _collapse(run)
    return RunStatus.DONE


def _collapse(run: RunContext) -> None:
    """A run that saw nothing and left nothing becomes a number on its flow."""
    sql.execute("DELETE FROM engine_input WHERE run_id = %s", [run.id])
    gone = sql.execute(
        "DELETE FROM engine_run r WHERE r.id = %s"
        " AND r.seen + r.created + r.changed + r.unchanged + r.skipped + r.parked + r.failed = 0"
        " AND NOT EXISTS (SELECT FROM engine_finding WHERE run_id = r.id)"
        " AND NOT EXISTS (SELECT FROM engine_effect WHERE run_id = r.id)"
        " AND NOT EXISTS (SELECT FROM engine_planrow WHERE run_id = r.id)",
        [run.id],
    )
    if gone:
        sql.execute(
            "UPDATE engine_flow SET empty_runs = empty_runs + 1, empty_at = %s WHERE id = %s", [run.at, run.flow_id]
        )


def _follow_up(run: RunContext, status: RunStatus) -> None:
    """Start the next run at once where one was asked for, or where facts came while this one ended.

    A fact that commits after this look finds no open run and starts one itself, so that none falls between the two.
    """
    if run.is_preview or status not in (RunStatus.DONE, RunStatus.FAILED):
        return
    at = clock.now()
    wanted = sql.one("SELECT wanted_by FROM engine_flow WHERE id = %s AND wanted_at IS NOT NULL", [run.flow_id])
    trigger = Trigger(wanted[0]) if wanted else None
    if trigger is None and status is RunStatus.DONE:
        facts = flow.find(run.kind).facts
        if facts is not None and _saw_something(run) and facts([run.channel_id]):
            trigger = Trigger.FACT
    if trigger is None:
        return
    with transaction.atomic():
        if trigger is Trigger.PERSON or run.flow_id in startable([run.kind], at=at, channels=[run.channel_id]):
            start({run.flow_id: trigger}, at=at)


def _saw_something(run: RunContext) -> bool:
    # Facts that a run does not take away would otherwise make it spin; with the tick it looks once a second.
    return bool(sql.value("SELECT seen > 0 FROM engine_run WHERE id = %s", [run.id]))


def _keep_plan(run_id: int, lines: Sequence[PlanLine]) -> None:
    sql.execute(
        "INSERT INTO engine_planrow (run_id, kind, subject, label, field, old, new, facts)"
        " SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::jsonb[])",
        [
            run_id,
            [line.kind for line in lines],
            [line.subject[:120] for line in lines],
            [line.label[:160] for line in lines],
            [line.field for line in lines],
            [line.old for line in lines],
            [line.new for line in lines],
            [ending.json(line.facts) for line in lines],
        ],
    )


# A step of the index from each kind to the next, then a bounded count: a plan may be as long as the catalogue.
_PLAN_COUNTS = """
WITH RECURSIVE kinds AS (
    (SELECT kind, field FROM engine_planrow WHERE run_id = %(run)s ORDER BY kind, field LIMIT 1)
    UNION ALL
    SELECT next.* FROM kinds, LATERAL (
        SELECT kind, field FROM engine_planrow
        WHERE run_id = %(run)s AND (kind, field) > (kinds.kind, kinds.field) ORDER BY kind, field LIMIT 1
    ) next
)
SELECT kinds.kind, kinds.field, counted.number FROM kinds CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM (
        SELECT FROM engine_planrow r WHERE r.run_id = %(run)s AND r.kind = kinds.kind AND r.field = kinds.field
        LIMIT %(most)s
    ) met
) counted
ORDER BY kinds.kind, kinds.field
"""


def latest(channel: int, kind: str) -> QuerySet[Run]:
    """Runs of one flow, newest first. The flow is looked up first: joined, the runs of all flows are walked until one is its,
    or none."""
    flow = Flow.objects.filter(channel=channel, kind=kind).values_list("pk", flat=True).first()
    return Run.objects.none() if flow is None else Run.objects.filter(flow=flow).order_by("-id")


_LATEST_OF_CHANNEL = """
SELECT latest.id FROM engine_flow flow CROSS JOIN LATERAL (
    SELECT id FROM engine_run WHERE flow_id = flow.id ORDER BY id DESC LIMIT %(most)s
) latest WHERE flow.channel_id = %(channel)s ORDER BY latest.id DESC LIMIT %(most)s
"""


def latest_of_channel(channel: int, *, most: int) -> list[Run]:
    """Its newest runs, whichever flow they are of."""
    ids = [row[0] for row in sql.rows(_LATEST_OF_CHANNEL, {"channel": channel, "most": most})]
    return list(Run.objects.filter(pk__in=ids).select_related("flow__channel").order_by("-id"))


class Open(NamedTuple):
    """A run that has not ended, as far as every page shows it."""

    id: int
    status: str
    seen: int
    expected: int | None
    kind: str
    channel: str  # its name


# Asked by every page: making models of the rows would cost more than the statement.
_OPEN_OF = """
SELECT r.id, r.status, r.seen, r.expected, f.kind, c.name
FROM engine_run r JOIN engine_flow f ON f.id = r.flow_id JOIN channels_channel c ON c.id = f.channel_id
WHERE r.status IN ('queued', 'running') AND r.actor->>'kind' = 'person' AND r.actor->>'id' = %s
ORDER BY r.id LIMIT %s
"""


def open_of(person: int, *, most: int = 3) -> list[Open]:
    """The first runs that somebody started and that have not ended."""
    return [Open(*row) for row in sql.rows(_OPEN_OF, [str(person), most])]


def plan_counts(run: int, *, most: int) -> list[tuple[str, str, int]]:
    """(kind, field, how many rows) of a run's plan; counting stops at `most`."""
    return [(row[0], row[1], row[2]) for row in sql.rows(_PLAN_COUNTS, {"run": run, "most": most})]


_NUMBERS = re.compile(r"\d+(?:[-,.]\d+)*")


def _place(url: str) -> str:
    """Where a call went, without what tells one thing from another."""
    path = url.partition("://")[2].partition("/")[2].partition("?")[0]
    return _NUMBERS.sub("#", f"/{path}")[:80]


def _may_write(channel: Channel) -> bool:
    return channel.mode == Mode.PRODUCTION and not channel.writes_paused and channel.archived_at is None


def _actor(claim: _Claim) -> Actor:
    given = claim.actor
    if given:
        return Actor(ActorKind(given["kind"]), given["id"], given["label"])
    return Actor(ActorKind.FLOW, str(claim.flow), claim.kind)


def _plain(actor: Actor) -> dict[str, str]:
    return {"kind": actor.kind.value, "id": actor.id, "label": actor.label}
