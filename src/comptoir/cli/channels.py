"""Commands about channels and their flows."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comptoir.cli import starting
from comptoir.cli.screen import out
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput

if TYPE_CHECKING:
    from comptoir.channels.models import Channel


def _channel(code: str) -> Channel:
    from comptoir.channels.models import Channel

    row = Channel.objects.filter(code=code).first()
    if row is None:
        known = ", ".join(Channel.objects.order_by("code").values_list("code", flat=True))
        raise BadInput(f"no channel is called {code!r}", place="channel", value=code, cure=known)
    return row


def show(given: argparse.Namespace) -> int:
    """`comptoir channels list`."""
    with starting.ready():
        from comptoir.channels.models import Channel

        rows = [
            {"code": row.code, "name": row.name, "kind": row.kind, "mode": row.mode, "health": row.health}
            for row in Channel.objects.order_by("id")
        ]
    if given.json:
        out(json.dumps(rows))
    else:
        for row in rows:
            out("\t".join(row.values()))
    return 0


def connect(given: argparse.Namespace) -> int:
    """`comptoir channels connect`."""
    config: dict[str, Any] = dict(pair(text) for text in given.set)
    for field, path in (pair(text, "--secret-file") for text in given.secret_file):
        config[field] = _secret(path)
    with starting.ready():
        from django.db import transaction

        from comptoir.channels import channel as channels
        from comptoir.channels.models import Channel
        from comptoir.flows import connecting

        at = clock.now()
        with transaction.atomic():
            # One that was never reached was mistyped: the same command again corrects it.
            row = Channel.objects.filter(code=given.code, kind=given.kind, external_identity="").first()
            if row is not None:
                channels.correct(row, config, actor=SYSTEM, at=at)
            else:
                row = connecting.connect(
                    kind=given.kind, name=given.name or given.code, code=given.code, config=config, actor=SYSTEM, at=at
                )
        _look(row)
    return 0


def _secret(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            "the file cannot be read", place="--secret-file", value=path, cure="name a text file that holds the secret"
        ) from error


def look(given: argparse.Namespace) -> int:
    """`comptoir channels look`."""
    with starting.ready():
        _look(_channel(given.code))
    return 0


def _look(row: Channel) -> None:
    from django.db import transaction

    from comptoir.channels.channel import note_health
    from comptoir.channels.errors import ChannelError
    from comptoir.flows import connecting

    try:
        seen = connecting.ask_around(row)
    except ChannelError as error:
        note_health(row.pk, error, at=clock.now())
        raise
    with transaction.atomic():
        connecting.keep_surroundings(row, seen, actor=SYSTEM, at=clock.now())
        note_health(row.pk, None, at=clock.now())
    out(f"{seen.name}: version {seen.version}, {seen.timezone}, {seen.currency}")
    for right in seen.missing_rights:
        out(f"missing right: {right}")


def live(given: argparse.Namespace) -> int:
    """`comptoir channels live`."""
    with starting.ready():
        from django.db import transaction

        from comptoir.flows import connecting

        with transaction.atomic():
            connecting.go_live(
                _channel(given.code),
                actor=SYSTEM,
                at=clock.now(),
                accept_open_errors=given.despite_errors,
                undecided="here" if given.ship_here else "",
            )
    out(f"{given.code} is in production.")
    return 0


def back_to_test(given: argparse.Namespace) -> int:
    """`comptoir channels test`."""
    with starting.ready():
        from django.db import transaction

        from comptoir.flows import connecting

        with transaction.atomic():
            connecting.back_to_test(_channel(given.code), actor=SYSTEM, at=clock.now())
    out(f"{given.code} is in test mode.")
    return 0


def pause(given: argparse.Namespace) -> int:
    """`comptoir channels pause`."""
    return _pause(given.code, True)


def resume(given: argparse.Namespace) -> int:
    """`comptoir channels resume`."""
    return _pause(given.code, False)


def _pause(code: str, paused: bool) -> int:
    with starting.ready():
        from django.db import transaction

        from comptoir.channels import channel as channels

        with transaction.atomic():
            channels.pause_writes(_channel(code), paused, actor=SYSTEM, at=clock.now())
    out(f"{code}: writes are {'paused' if paused else 'no longer paused'}.")
    return 0


def sales(given: argparse.Namespace) -> int:
    """`comptoir channels sales`: what the channel holds between two instants against what is here; nothing is fetched."""
    since, until = _instant("--since", given.since), _instant("--until", given.until) if given.until else clock.now()
    if since >= until:
        raise BadInput("it ends before it begins", place="--until", value=str(until), cure="a time after --since")
    with starting.ready():
        from comptoir.channels.channel import opened
        from comptoir.flows import completeness

        with opened(_channel(given.code), writes=False) as channel:
            if channel.client.sales is None:
                raise BadInput("this channel tells no sales", place="channel", value=given.code, cure="name another")
            found = completeness.compare(channel, since, until)
    if given.json:
        out(json.dumps(asdict(found), default=str))
    else:
        out(
            f"between {since.isoformat()} and {until.isoformat()} the channel holds {found.there}; missing here: {len(found.missing)}"
        )
        for one in found.missing:
            out(f"missing\t{one}")
        for one in found.only_here:
            out(f"only here\t{one}")
    return 1 if found.missing else 0


def _instant(place: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput("not a time", place=place, value=text, cure="2026-03-01 or 2026-03-01T09:30") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def show_flows(given: argparse.Namespace) -> int:
    """`comptoir flows list`."""
    with starting.ready():
        from comptoir.engine.models import Flow

        rows = [
            {
                "channel": row.channel.code,
                "kind": row.kind,
                "enabled": row.enabled,
                "every": row.every,
                "cron": row.cron,
                "next": row.next_at.isoformat() if row.next_at else None,
                "failures": row.failures,
            }
            for row in Flow.objects.select_related("channel").order_by("channel_id", "id")
        ]
    if given.json:
        out(json.dumps(rows))
    else:
        for row in rows:
            when = f"every {row['every']} s" if row["every"] else row["cron"] or "when needed"
            out(f"{row['channel']}\t{row['kind']}\t{'on' if row['enabled'] else 'off'}\t{when}")
    return 0


def run_flow(given: argparse.Namespace) -> int:
    """`comptoir flows run`: in this process, as a worker would."""
    return _carry_out(given, preview=False)


def preview_flow(given: argparse.Namespace) -> int:
    """`comptoir flows preview`."""
    return _carry_out(given, preview=True)


def _carry_out(given: argparse.Namespace, *, preview: bool) -> int:
    with starting.ready():
        from comptoir.engine import runs
        from comptoir.engine.models import Flow, PlanRow, Run, RunStatus, Trigger

        flow = Flow.objects.filter(channel=_channel(given.channel), kind=given.kind).first()
        if flow is None:
            raise BadInput("this channel has no such flow", place="kind", value=given.kind, cure="comptoir flows list")
        run_id = runs.request(flow.pk, Trigger.PERSON, SYSTEM, preview=preview, at=clock.now())
        status = runs.execute(run_id, "command line")
        run = Run.objects.get(pk=run_id)
        report: dict[str, Any] = {
            "run": run_id, "status": run.status, "outcome": run.outcome, "seen": run.seen, "created": run.created,
            "changed": run.changed, "unchanged": run.unchanged, "skipped": run.skipped, "parked": run.parked,
            "failed": run.failed, "error": run.error,
        }  # fmt: skip
        if run.is_preview:
            report["plan"] = list(PlanRow.objects.filter(run=run).order_by("id").values("label", "field", "old", "new"))
    if given.json:
        out(json.dumps(report, default=str))
    else:
        for name, content in report.items():
            if name == "plan":
                for row in content:
                    out(f"  {row['label']}: {row['field']} {row['old'] or '?'} → {row['new']}")
            elif content not in (None, 0, ""):
                out(f"{name}: {content}")
    return 0 if status == RunStatus.DONE else 1


def pair(text: str, place: str = "--set") -> tuple[str, str]:
    """FIELD=VALUE, taken apart."""
    name, sign, content = text.partition("=")
    if not sign:
        raise BadInput(
            "not of the form FIELD=VALUE", place=place, value=text, cure="NAME=VALUE, as in url=https://shop.example"
        )
    return name, content
