"""Every night the hub forgets what nobody needs any more, in small steps: runs and what they heard,
previews, closed findings, raw answers.

Never what the books read: orders, movements, events, promises, and of each flow the runs that say where it stands.
"""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from comptoir.channels.channel import OpenChannel
from comptoir.engine import forgetting, inputs
from comptoir.engine.flow import HERE, flow
from comptoir.engine.runs import RunContext
from comptoir.kit import sql
from comptoir.kit.settings import settings
from comptoir.staging import forgetting as staged

KIND = "forget_old"


@flow(KIND, direction=HERE, title=_("Old runs, findings and answers"), needs=("hub",), cron="45 4 * * *")
def forget_old(run: RunContext, channel: OpenChannel | None) -> None:
    """Delete runs, their inputs, previews and closed findings older than their settings, and the raw answers of settled
    sales."""
    _runs(run)
    _inputs(run)
    _findings(run)
    _raw_answers(run)
    with run.checkpoint():
        gone = sql.execute("DELETE FROM django_session WHERE expire_date < %s", [run.at])
        gone += sql.execute(
            "DELETE FROM usersessions_usersession u WHERE NOT EXISTS"
            " (SELECT FROM django_session s WHERE s.session_key = u.session_key)"
        )
        run.count(seen=gone, changed=gone)


def _runs(run: RunContext) -> None:
    ours = settings()
    after, is_first = 0, True
    while after or is_first:
        is_first = False
        with run.checkpoint():
            after, gone = forgetting.old_runs(
                after,
                runs_before=run.at - timedelta(days=ours.keep_runs_days),
                previews_before=run.at - timedelta(days=ours.keep_previews_days),
            )
            run.count(seen=gone, changed=gone)


def _inputs(run: RunContext) -> None:
    ours = settings()
    gone = forgetting.PAGE
    while gone == forgetting.PAGE:
        with run.checkpoint():
            gone = forgetting.inputs(
                before=run.at - timedelta(days=ours.keep_inputs_days),
                most_runs=ours.keep_inputs_runs,
                most_bytes=ours.keep_inputs_mb * inputs.OF_A_FLOW * 1024 * 1024,
            )
            run.count(seen=gone, changed=gone)


def _findings(run: RunContext) -> None:
    gone = forgetting.PAGE
    while gone == forgetting.PAGE:
        with run.checkpoint():
            gone = forgetting.closed_findings(before=run.at - timedelta(days=settings().keep_findings_days))
            run.count(seen=gone, changed=gone)


def _raw_answers(run: RunContext) -> None:
    after, is_first = 0, True
    while after or is_first:
        is_first = False
        with run.checkpoint():
            after, gone = staged.raw_answers(after, before=run.at - timedelta(days=settings().keep_raw_days))
            run.count(seen=gone, changed=gone)
