"""The journal of effects that are not idempotent: intention, call, outcome.

The intention is written in the business transaction; that a call begins is committed before it begins; the outcome is
part of a checkpoint. An effect found as *called* may have had its effect: the channel is asked before it is repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import InterfaceError, OperationalError, transaction

from comptoir.channels.errors import ChannelError, NotUnderstood, Refused, TryLater, Unknown
from comptoir.channels.records import Answer, Fate
from comptoir.engine import ending, retry
from comptoir.engine.errors import Fenced, Stopped
from comptoir.engine.models import EffectState, Severity
from comptoir.kit import clock, sql

if TYPE_CHECKING:
    from comptoir.engine.runs import RunContext

logger = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 5.0, 3600.0


@dataclass(frozen=True, slots=True)
class Taken:
    """An effect to bring about now. `must_ask`: it was called before and its answer is not known."""

    id: int
    kind: str
    key: str
    subject: str
    facts: Mapping[str, Any]
    calls: int
    must_ask: bool


def want(channel: int, kind: str, key: str, subject: str, facts: Mapping[str, Any], *, at: datetime) -> bool:
    """Write the intention, in the business transaction; False where it is already there."""
    return bool(
        sql.execute(
            "INSERT INTO engine_effect (channel_id, kind, key, subject, facts, state, attempt, reason, calls, wanted_at)"
            " VALUES (%s, %s, %s, %s, %s, 'wanted', 0, '', 0, %s) ON CONFLICT (channel_id, kind, key) DO NOTHING",
            [channel, kind, key, subject, ending.json(facts), at],
        )
    )


def waiting(kind: str, channels: list[int], *, at: datetime) -> set[int]:
    """Which of these channels have effects to bring about now: the facts of a flow that tells them."""
    return {
        row[0]
        for row in sql.rows(
            "SELECT c FROM unnest(%s::bigint[]) AS c WHERE EXISTS (SELECT FROM engine_effect"
            " WHERE channel_id = c AND kind = %s AND state IN ('wanted', 'called') AND (next_at IS NULL OR next_at <= %s))",
            [channels, kind, at],
        )
    }


def drop_all(channel: int, *, at: datetime) -> None:
    """A channel is archived: what it was to be told is not told."""
    sql.execute(
        "UPDATE engine_effect SET state = 'dropped', reason = 'archived', next_at = NULL, finished_at = %s"
        " WHERE channel_id = %s AND state IN ('wanted', 'called')",
        [at, channel],
    )


def changed_since(channel: int, kind: str, at: datetime) -> bool:
    """Whether effects that are open were wanted or called after then: a preview of that moment does not know of them."""
    return bool(
        sql.value(
            "SELECT EXISTS (SELECT FROM engine_effect WHERE channel_id = %s AND kind = %s"
            " AND state IN ('wanted', 'called') AND greatest(wanted_at, called_at) > %s)",
            [channel, kind, at],
        )
    )


def take(run: RunContext, channel: int, kind: str, limit: int) -> list[Taken]:
    """What is to be told now, oldest first."""
    return [
        Taken(row[0], row[1], row[2], row[3], ending.parsed(row[4]), row[5], row[6] == EffectState.CALLED)
        for row in sql.rows(
            "SELECT id, kind, key, subject, facts, calls, state FROM engine_effect WHERE channel_id = %s AND kind = %s"
            " AND state IN ('wanted', 'called') AND (next_at IS NULL OR next_at <= %s) ORDER BY id LIMIT %s",
            [channel, kind, clock.now(), limit],
        )
    ]


def calling(run: RunContext, effect: Taken) -> None:
    """Commit that a call begins. Raises Fenced where this attempt no longer counts, or somebody else finished it."""
    if run.is_in_checkpoint:
        raise RuntimeError("that a call begins is committed by itself, not within a checkpoint")
    with transaction.atomic():
        if not sql.execute(
            "WITH mine AS (SELECT id, attempt FROM engine_run WHERE id = %s AND attempt = %s AND status = 'running' FOR UPDATE)"
            " UPDATE engine_effect e SET state = 'called', run_id = mine.id, attempt = mine.attempt, calls = e.calls + 1,"
            " called_at = %s FROM mine WHERE e.id = %s AND e.state IN ('wanted', 'called')",
            [run.id, run.attempt, clock.now(), effect.id],
        ):
            raise Fenced(run=run.id, attempt=run.attempt, effect=effect.id)


def finish(run: RunContext, effect: Taken, state: EffectState, reason: str = "") -> None:
    """What became of it, inside a checkpoint."""
    _inside(run)
    sql.execute(
        "UPDATE engine_effect SET state = %s, reason = %s, finished_at = %s, next_at = NULL, run_id = %s WHERE id = %s"
        " AND state IN ('wanted', 'called')",
        [str(state), reason[:500], run.at, run.id, effect.id],
    )


def put_off(run: RunContext, effect: Taken, state: EffectState, reason: str, *, wait: float | None = None) -> None:
    """It is still to be told, later each time: as WANTED where nothing was done, as CALLED where that is not known."""
    _inside(run)
    seconds = max(retry.wait(effect.calls + 1, first=FIRST_WAIT, longest=LONGEST_WAIT), wait or 0.0)
    sql.execute(
        "UPDATE engine_effect SET state = %s, reason = %s, next_at = %s WHERE id = %s AND state IN ('wanted', 'called')",
        [str(state), reason[:500], run.at + timedelta(seconds=seconds), effect.id],
    )


def tell(
    run: RunContext,
    effect: Taken,
    call: Callable[[], Answer],
    ask: Callable[[], bool],
    *,
    then: Callable[[Fate, str], None] | None = None,
) -> Fate:
    """Bring one effect about: intention, call, outcome. `then` books what follows, in the outcome's checkpoint.

    Counts it (changed, unchanged where the channel already had it, failed, parked) and keeps a finding on its subject.
    Fates that concern the whole channel are raised on, after the journal is put right.
    """
    run.stop_if_asked()
    try:
        has_it = effect.must_ask and ask()
    except Refused as error:  # they do not have what it speaks of any more: asking again would keep the others waiting
        _refused(run, effect, str(error), then)
        return Fate.REFUSED
    except NotUnderstood as error:
        with run.checkpoint():
            put_off(run, effect, EffectState.CALLED, str(error))
        raise
    if has_it:
        _done(run, effect, then, changed=0, unchanged=1)
        return Fate.DONE
    calling(run, effect)
    # This process may have been stopped since that commit, and the effect be somebody else's by now. What remains is the
    # instant between this look and the first byte sent, which only an idempotency key of the channel can close.
    run.check_fence()
    try:
        answer = call()
    except Unknown as error:
        _unknown(run, effect, str(error), error.wait, then)
        return Fate.UNKNOWN
    except Refused as error:
        _refused(run, effect, str(error), then)
        return Fate.REFUSED
    except NotUnderstood as error:
        with run.checkpoint():  # they answered, and we cannot say what: they are asked next time, after the others
            put_off(run, effect, EffectState.CALLED, str(error))
        raise
    except ChannelError as error:
        with run.checkpoint():  # it did not get there
            wait = error.wait if isinstance(error, TryLater) else None
            put_off(run, effect, EffectState.WANTED, str(error), wait=wait)
        raise
    match answer.fate:
        case Fate.DONE:
            _done(run, effect, then, changed=1, unchanged=0)
        case Fate.REFUSED:
            _refused(run, effect, answer.reason, then)
        case _:
            _unknown(run, effect, answer.reason, None, then)
    return answer.fate


@contextmanager
def apart(run: RunContext, effect: Taken) -> Iterator[None]:
    """Keep what is wrong with one effect to itself, around all that is done about it: it is put off, as called where the
    call may have begun, and named by a finding; the others go on.

    Not what is wrong with more than it: a fate of the channel, a run that no longer counts, a database that went away.
    """
    try:
        yield
    except (ChannelError, Fenced, Stopped, OperationalError, InterfaceError):
        raise
    except Exception as error:  # logged in full, and a finding says where it broke
        if run.is_in_checkpoint:
            raise
        logger.exception("run %s of %s: effect %s failed", run.id, run.kind, effect.key)
        what = retry.words(error)
        with run.checkpoint():
            [(state, wanted_at)] = sql.rows("SELECT state, wanted_at FROM engine_effect WHERE id = %s", [effect.id])
            if not run.is_preview:
                # One that breaks before its call has no calls to count: it waits as long again as it has waited so far.
                age = min((run.at - wanted_at).total_seconds(), LONGEST_WAIT)
                put_off(run, effect, EffectState(state), what["text"], wait=age)
            run.count(seen=1, failed=1)
            facts = {**what["facts"], "error": what["code"], "reason": what["text"], "where": what["where"]}
            run.found(f"{effect.kind}_broken", effect.subject, Severity.ERROR, **{**facts, "key": effect.key})


def _done(
    run: RunContext, effect: Taken, then: Callable[[Fate, str], None] | None, *, changed: int, unchanged: int
) -> None:
    with run.checkpoint():
        finish(run, effect, EffectState.DONE)
        run.count(seen=1, changed=changed, unchanged=unchanged)
        run.resolved([effect.subject], [f"{effect.kind}_{word}" for word in ("refused", "unknown", "broken")])
        if then is not None:
            then(Fate.DONE, "")


def _refused(run: RunContext, effect: Taken, reason: str, then: Callable[[Fate, str], None] | None) -> None:
    with run.checkpoint():
        finish(run, effect, EffectState.REFUSED, reason)
        run.count(seen=1, failed=1)
        run.resolved([effect.subject], [f"{effect.kind}_broken"])
        run.found(f"{effect.kind}_refused", effect.subject, Severity.ERROR, reason=reason, key=effect.key)
        if then is not None:
            then(Fate.REFUSED, reason)


def _unknown(
    run: RunContext, effect: Taken, reason: str, wait: float | None, then: Callable[[Fate, str], None] | None
) -> None:
    with run.checkpoint():
        put_off(run, effect, EffectState.CALLED, reason, wait=wait)
        run.count(seen=1, parked=1)
        run.resolved([effect.subject], [f"{effect.kind}_broken"])
        run.found(f"{effect.kind}_unknown", effect.subject, Severity.RETRY, reason=reason, key=effect.key)
        if then is not None:
            then(Fate.UNKNOWN, reason)


def _inside(run: RunContext) -> None:
    if not run.is_in_checkpoint:
        raise RuntimeError("what became of an effect is written inside a checkpoint")
