"""What a hub must forget and ask again after it came back from a backup: the world has gone on since.

Nothing is written to any channel until a person resumes it; sales and parcels since then are read again meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from comptoir.channels import channel as channels
from comptoir.channels.models import HUB, Channel
from comptoir.engine import ending, findings, flow
from comptoir.engine.models import Severity
from comptoir.events import record
from comptoir.events.record import Happened
from comptoir.kit import sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import ConfigError
from comptoir.offers import actions as offers

#: Ids that the lost days may have used; none of them is ever given to something else.
IDS_LEFT_OUT = 1_000_000
#: Order numbers left out at least, and times the usual number of orders in the days since the backup.
NUMBERS_LEFT_OUT, TIMES_USUAL = 1_000, 3
USUAL_DAYS = 30


def after_restore(*, taken_at: datetime, facts: Mapping[str, Any], actor: Actor, at: datetime) -> list[str]:
    """Pause every channel and doubt all that was told; in the transaction of the caller, before anything else can use the
    database. The codes of the channels whose credentials no key here can read."""
    _end_runs(at)
    _ask_before_repeating(at)
    _leave_numbers_out(taken_at, at)
    unreadable = []
    reports = []
    for row in Channel.objects.filter(archived_at=None).exclude(kind=HUB).order_by("id"):
        channels.pause_writes(row, True, actor=actor, at=at)
        offers.tell_again(row.pk, at=at, actor=actor)
        subject = f"channel:{row.pk}"
        reports.append(
            findings.Report(
                row.pk, "restored", subject, Severity.ERROR, {"taken_at": taken_at.isoformat(timespec="minutes")}
            )
        )
        if not is_readable(row):
            unreadable.append(row.code)
            reports.append(findings.Report(row.pk, "credentials_unreadable", subject, Severity.ERROR, {}))
    findings.report(reports, at=at)
    _read_again(at)
    record.record("engine.hub.restored", {"taken_at": taken_at.isoformat(), **facts}, actor=actor, at=at, subject="hub")
    return unreadable


def is_readable(row: Channel) -> bool:
    """Whether a key of this hub opens the channel's credentials."""
    try:
        channels.config_of(row)
    except ConfigError:
        return False
    return True


def resumed(happened: Happened) -> None:
    """A person looked and let writes go on: the restore is over for this channel."""
    channel = int(happened.facts["channel"])
    findings.close(channel, [f"channel:{channel}"], ["restored"], at=happened.at)


def corrected(happened: Happened) -> None:
    """A channel's credentials were typed again."""
    channel = int(happened.facts["channel"])
    findings.close(channel, [f"channel:{channel}"], ["credentials_unreadable"], at=happened.at)


def _end_runs(at: datetime) -> None:
    """Runs that were under way belong to workers that know nothing of this database."""
    error = ending.json({"code": "restored", "text": "the hub was restored from a backup", "facts": {}})
    sql.execute(
        "UPDATE engine_run SET status = 'cancelled', finished_at = %s, attempt = attempt + 1, error = %s"
        " WHERE status IN ('queued', 'running')",
        [at, error],
    )


def _ask_before_repeating(at: datetime) -> None:
    """What was promised may have been told since the backup: it counts as called, so that the channel is asked first."""
    sql.execute(
        "UPDATE engine_effect SET state = 'called', called_at = %(at)s, next_at = %(at)s WHERE state IN ('wanted', 'called')",
        {"at": at},
    )


def _leave_numbers_out(taken_at: datetime, at: datetime) -> None:
    """Ids and order numbers given since the backup stand on papers and in mails: they are not given again."""
    usual = sql.value(
        "SELECT count(*) FROM orders_order WHERE placed_at > %s::timestamptz - make_interval(days => %s)",
        [taken_at, USUAL_DAYS],
    )
    days = max((at - taken_at).total_seconds() / 86_400, 0)
    numbers = NUMBERS_LEFT_OUT + round(TIMES_USUAL * usual / USUAL_DAYS * days)
    for name, last in sql.rows(
        "SELECT sequencename, last_value FROM pg_sequences"
        " WHERE schemaname = 'public' AND data_type = 'bigint'::regtype AND last_value IS NOT NULL"
    ):
        left_out = numbers if name == "orders_number" else IDS_LEFT_OUT
        sql.execute("SELECT setval(format('public.%%I', %s::text)::regclass, %s)", [name, last + left_out])


def _read_again(at: datetime) -> None:
    """Everything that reads a channel on a schedule is due at once. Cursors are those of the backup, so what came since
    comes again."""
    reading = [one.kind for one in flow.declared().values() if one.direction is flow.IN]
    sql.execute(
        "UPDATE engine_flow SET next_at = %s, waits_until = NULL, failures = 0, wanted_at = NULL, wanted_by = ''"
        " WHERE kind = ANY(%s) AND (every IS NOT NULL OR cron <> '')",
        [at, reading],
    )
    sql.execute(
        "UPDATE engine_flow SET waits_until = NULL, wanted_at = NULL, wanted_by = '' WHERE kind <> ALL(%s)", [reading]
    )
