"""What follows from the way a run was stopped: again soon, again later, a person, or nobody.

The fates of a call decide, sorted by what to do next. An exception that is nobody's fate is written down with its last
frame and logged in full; nothing is swallowed.
"""

from __future__ import annotations

import logging
import traceback
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from comptoir.channels.errors import NotLetIn, NotUnderstood, TryLater, WritesRefused
from comptoir.engine import ending, findings
from comptoir.engine.errors import Stopped
from comptoir.engine.models import RunStatus, Severity
from comptoir.kit import clock, sql
from comptoir.kit.errors import ComptoirError

if TYPE_CHECKING:
    from comptoir.engine.runs import RunContext

logger = logging.getLogger(__name__)

#: Starts without progress after which "try later" becomes a failure.
PATIENCE = 6
#: Failures in a row after which a shop that does not answer is a person's business.
WORRY = 3
#: Waits within a run and between runs, in seconds: doubled each time up to the limit.
FIRST_WAIT, LONGEST_WAIT = 2.0, 120.0
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
#: What the end of a run may report about its flow; closed by the next good end.
RUN_CODES = ("run_failed", "run_gave_up", "channel_unreachable", "not_understood", "writes_refused")


def wait(times: int, *, first: float = FIRST_WAIT, longest: float = LONGEST_WAIT) -> float:
    """Seconds to wait after the `times`-th failure in a row."""
    return min(longest, first * 2.0 ** max(0, min(times, 30) - 1))


def settle(run: RunContext, error: Exception) -> RunStatus:
    """Write down what `error` means for the run, its flow and its channel. Raises it again where the database is gone:
    then nothing can be written, and whoever rescues the run finds it as it was."""
    if isinstance(error, (DatabaseError, InterfaceError)) and not _database_answers():
        raise error
    run.at = clock.now()
    with transaction.atomic():
        run.keep_inputs()  # the answer that broke it above all
        match error:
            case Stopped():
                return _stopped(run, error)
            case TryLater():
                return _later(run, error, error.wait)
            case NotLetIn():
                return _locked_out(run, error)
            case NotUnderstood():
                return _failed(run, "not_understood", Severity.ERROR, error)
            case WritesRefused():
                return _failed(run, "writes_refused", Severity.INFO, error)
            case DatabaseError() if sql.is_passing(error):
                return _later(run, error, None)
            case OperationalError() | InterfaceError() | psycopg.OperationalError():
                return _later(run, error, None)  # the database went away, and is back by now
            case _:
                logger.exception("run %s of %s failed", run.id, run.kind, exc_info=error)
                return _failed(run, "run_failed", Severity.ERROR, error)


def channel_answered(run: RunContext) -> None:
    """The channel let us in and answered: whatever was said of it is over."""
    from comptoir.channels import channel

    channel.note_health(run.channel_id, None, at=run.at)
    findings.close(run.channel_id, [f"channel:{run.channel_id}"], ["not_let_in"], at=run.at)


def gave_up(run_id: int, *, at: datetime) -> None:
    """A run that only kills its workers ends here, with an Error. For the rescue, in its transaction."""
    row = sql.one(
        "UPDATE engine_run r SET status = 'failed', finished_at = %s, error = %s FROM engine_flow f"
        " WHERE f.id = r.flow_id AND r.id = %s AND r.status = 'running' RETURNING f.id, f.channel_id, f.kind, r.stalls, r.worker",
        [at, ending.json({"code": "run_gave_up", "text": "", "facts": {}}), run_id],
    )
    if row is None:
        return
    flow, channel, kind, stalls, worker = row
    facts = {"starts": stalls, "worker": worker, "run": run_id}
    findings.report([findings.Report(channel, "run_gave_up", f"flow:{kind}", Severity.ERROR, facts)], at=at, run=run_id)
    _pause(flow, at)


def _stopped(run: RunContext, error: Stopped) -> RunStatus:
    if error.facts.get("cancelled"):
        ending.end(run, RunStatus.CANCELLED)
        return RunStatus.CANCELLED
    ending.requeue(run, not_before=None, stalls=0)
    return RunStatus.QUEUED


def _later(run: RunContext, error: Exception, asked: float | None) -> RunStatus:
    if run.stalls < PATIENCE:
        seconds = max(wait(run.stalls), asked or 0.0)
        ending.requeue(run, not_before=run.at + timedelta(seconds=seconds), stalls=run.stalls)
        return RunStatus.QUEUED
    failures = sql.value("SELECT failures FROM engine_flow WHERE id = %s", [run.flow_id])
    severity = Severity.ERROR if failures + 1 >= WORRY else Severity.RETRY
    status = _failed(run, "channel_unreachable", severity, error, asked=asked)
    if isinstance(error, TryLater):
        _note_health(run, error)
    return status


def _locked_out(run: RunContext, error: NotLetIn) -> RunStatus:
    what = words(error)
    ending.end(run, RunStatus.FAILED, error=what)
    _note_health(run, error)
    subject = f"channel:{run.channel_id}"
    findings.report(
        [findings.Report(run.channel_id, "not_let_in", subject, Severity.ERROR, what["facts"])], at=run.at, run=run.id
    )
    return RunStatus.FAILED


def _failed(
    run: RunContext, code: str, severity: Severity, error: Exception, *, asked: float | None = None
) -> RunStatus:
    what = words(error)
    ending.end(run, RunStatus.FAILED, error=what)
    if run.replays is not None:
        return RunStatus.FAILED
    facts = {**what["facts"], "error": what["code"], "text": what["text"], "where": what["where"], "run": run.id}
    findings.report([findings.Report(run.channel_id, code, f"flow:{run.kind}", severity, facts)], at=run.at, run=run.id)
    if not run.is_preview:
        _pause(run.flow_id, run.at, at_least=asked or 0.0)
    return RunStatus.FAILED


def _pause(flow: int, at: datetime, *, at_least: float = 0.0) -> None:
    failures = sql.value("UPDATE engine_flow SET failures = failures + 1 WHERE id = %s RETURNING failures", [flow])
    seconds = max(wait(failures, first=FIRST_PAUSE, longest=LONGEST_PAUSE), at_least)
    sql.execute("UPDATE engine_flow SET waits_until = %s WHERE id = %s", [at + timedelta(seconds=seconds), flow])


def _note_health(run: RunContext, error: Exception) -> None:
    from comptoir.channels import channel

    channel.note_health(run.channel_id, error, at=run.at)


def words(error: Exception) -> dict[str, Any]:
    """What a finding or a run keeps of an exception: code, text, facts, and the last place of ours that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "comptoir" in frame.filename] or frames
    return {
        "code": error.code if isinstance(error, ComptoirError) else type(error).__name__,
        "text": str(error)[:2000],
        "facts": dict(error.facts) if isinstance(error, ComptoirError) else {},
        "where": f"{ours[-1].name} ({ours[-1].filename.rpartition('/')[2]}:{ours[-1].lineno})" if ours else "",
    }


def _database_answers() -> bool:
    """Whether this thread's connection still works; a broken one is let go of."""
    if connection.in_atomic_block and not connection.needs_rollback:
        return True
    try:
        if connection.connection is not None and not connection.is_usable():
            connection.close()
            return False
    except InterfaceError:
        return False
    return connection.connection is not None
