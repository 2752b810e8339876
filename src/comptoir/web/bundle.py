"""The incident bundle: all that is known of one run in one file to send to whoever helps, with nothing in it that is
personal or secret. Names are masked by the hub's own key, so that equal values stay equal and nobody else can undo it."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC
from typing import Any

import msgspec
from django.utils.text import slugify

import comptoir
from comptoir.accounts.models import User
from comptoir.channels import channel as channels
from comptoir.channels import registry
from comptoir.channels.exchanges import Exchange
from comptoir.channels.models import Channel
from comptoir.engine import flow as flows
from comptoir.engine import inputs, runs
from comptoir.engine.inputs import Made
from comptoir.engine.models import Effect, Finding, PlanRow, Run
from comptoir.kit import spreadsheets, sql
from comptoir.kit.errors import BadInput, ConfigError
from comptoir.kit.masking import HIDDEN, Masker
from comptoir.kit.secrets import Secret
from comptoir.kit.settings import secret_keys, settings
from comptoir.offers.models import Mapping as Mapped
from comptoir.offers.models import SellingPoint
from comptoir.staging.models import StagedSale

#: Bytes of answers, as received, that a bundle holds; what comes after them is listed only.
MOST_BYTES = 6 * 1024 * 1024
MOST_ROWS = 5_000  # of findings, of the plan, of staged sales
BEGINNING = (1980, 1, 1, 0, 0, 0)  # of every file: the same run gives the same bundle

README = """\
Comptoir: what is known of run {run}
====================================

Made for whoever looks into what happened. Nothing in here is personal or secret: whatever could be about a person, or
let somebody in, stands as masked-<token> or {hidden}. Equal values have equal tokens within this hub, and only this
hub could make them again.

run.json            the run: what started it, what it counted, how long it took, how it ended
findings.json       what it reported: code, subject, facts
plan.csv            what a preview would write, or what a replay found different; empty for other runs
cursors.json        the place where it began and the place where it ended
calls.csv           every call, in order: when, where to, status, seconds, bytes, what became of it
answers/NNNN.*      the answers of those calls, in the same order (NNNN is the number in calls.csv), masked value by
                    value; asked/NNNN.* is what was sent with them. A body that is neither XML nor JSON is not in here:
                    calls.csv has its size and its SHA-256
made.json           what the connector made of the answers, in the hub's own words
effects.json        promises to the channel that this run kept or tried to keep
channel.json        the channel: mode, choices, selling points, mappings, schedule of this flow; no credentials
versions.json       versions of Comptoir, Python, PostgreSQL, the connector and the shop
settings.json       the settings of this hub; addresses and secrets are hidden

{notes}
"""


def name_of(run: Run) -> str:
    """The name of the file: the same for the same run."""
    return f"incident-{slugify(run.flow.channel.code)}-{slugify(run.flow.kind)}-{run.pk}.zip"


def make(run: Run) -> bytes:
    """The bundle of a run, as a zip file."""
    channel = run.flow.channel
    heard, made = inputs.read(run.pk)
    masker = Masker(secret_keys(settings())[0], secrets=_secrets(channel))
    findings = list(Finding.objects.filter(run=run).order_by("id")[:MOST_ROWS])
    effects = list(Effect.objects.filter(run=run).order_by("id")[:MOST_ROWS])
    shown = _that_fit(heard)
    _learn(masker, run, [heard[number - 1] for number in shown], made, findings, effects)

    files: dict[str, bytes] = {
        "run.json": _json(_run(run, masker)),
        "findings.json": _json([_finding(one, masker) for one in findings]),
        "plan.csv": _plan(run, masker),
        "cursors.json": _json(
            masker.tree({"before": run.cursor_before, "after": run.cursor_after, "state": run.state})
        ),
        "calls.csv": _calls(heard, masker),
        "made.json": _json(masker.tree([msgspec.to_builtins(one) for one in made])),
        "effects.json": _json([_effect(one, masker) for one in effects]),
        "channel.json": _json(_channel(run, channel, masker)),
        "versions.json": _json(_versions(channel)),
        "settings.json": _json(_settings()),
    }
    for number, one in enumerate(heard, start=1):
        if number in shown:
            for folder, content in (("answers", one.answer), ("asked", one.body)):
                if content and (masked := masker.body(content)) is not None:
                    files[f"{folder}/{number:04}.{'xml' if masked[:1] == b'<' else 'json'}"] = masked
    notes = "\n".join(_notes(heard, shown, made))
    files["README.txt"] = README.format(run=run.pk, hidden=HIDDEN, notes=notes).encode()
    return _zipped(files)


def _zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ["README.txt", *sorted(name for name in files if name != "README.txt")]:
            entry = zipfile.ZipInfo(name, BEGINNING)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return packed.getvalue()


def _that_fit(heard: list[Exchange]) -> set[int]:
    """Numbers of the calls whose bodies are shown: the first ones, and the last, which is where it broke."""
    chosen: set[int] = set()
    room = MOST_BYTES
    numbers = list(range(1, len(heard) + 1))
    for number in [*numbers[-1:], *numbers[:-1]]:
        one = heard[number - 1]
        room -= len(one.answer or b"") + len(one.body or b"")
        if room < 0:
            break
        chosen.add(number)
    return chosen


def _notes(heard: list[Exchange], shown: set[int], made: list[Made]) -> list[str]:
    notes = []
    if not heard and not made:
        notes.append(
            "What this run heard is not kept (any more): there are no calls, no answers and nothing made of them."
        )
    if len(shown) < len(heard):
        notes.append(f"{len(heard) - len(shown)} answers are left out for their size; calls.csv lists them all.")
    if any(one.is_cut for one in heard):
        notes.append("The hub itself did not keep every answer of this run: it heard more than is kept of one run.")
    return notes


def _secrets(channel: Channel) -> list[str]:
    """Whatever lets somebody in: of this channel, and of this hub."""
    try:
        found = [str(value) for value in channels.box().open(channel.sealed).values()] if channel.sealed else []
    except ConfigError:  # their key is lost: nobody can read them, and what was heard was kept without them
        found = []
    ours = settings()
    found += [str(value) for field in fields(ours) if isinstance(value := getattr(ours, field.name), Secret)]
    return [one for one in (*found, *secret_keys(ours), channel.webhook_token) if one]


def _learn(
    masker: Masker,
    run: Run,
    heard: list[Exchange],
    made: list[Made],
    findings: list[Finding],
    effects: list[Effect],
) -> None:
    """Everything is looked at before anything is written: what is a name in one place is one in all."""
    for one in heard:
        for content in (one.answer, one.body):
            if content:
                masker.learn(content)
    masker.learn([msgspec.to_builtins(one) for one in made])
    staged = StagedSale.objects.filter(seen_run=run.pk).values_list("sale", "buyer")[:MOST_ROWS]
    for sale, buyer in staged:
        masker.learn({"sale": sale, "buyer": buyer})
    numbers = [one.subject.partition(":")[2] for one in findings if one.subject.startswith("sale:")]
    for sale in StagedSale.objects.filter(channel=run.flow.channel_id, external_id__in=numbers):
        masker.learn({"sale": sale.sale, "buyer": sale.buyer})
    masker.learn([one.facts for one in findings])
    masker.learn([one.facts for one in effects])
    masker.learn([run.cursor_before, run.cursor_after, run.state])
    masker.learn({"user": [value for row in User.objects.values_list("name", "email") for value in row]})


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True, default=str).encode()


def _run(run: Run, masker: Masker) -> dict[str, Any]:
    error = run.error or None
    return {
        "id": run.pk,
        "flow": run.flow.kind,
        "channel": masker.text(run.flow.channel.code),
        "trigger": run.trigger,
        "by": run.actor.get("kind", ""),  # who it was is nobody's business here
        "is_preview": run.is_preview,
        "replays": run.replays_id,
        "status": run.status,
        "outcome": run.outcome,
        "attempt": run.attempt,
        "stalls": run.stalls,
        "counts": {name: getattr(run, name) for name in runs.COUNTS},
        "expected": run.expected,
        "queued_at": run.queued_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "phases": run.phases,
        "calls": {name: value for name, value in run.calls.items() if name != "places"},
        "places": {masker.text(place): value for place, value in run.calls.get("places", {}).items()},
        "planned": run.planned,
        "error": error
        and {
            "code": error.get("code"),
            "text": masker.text(str(error.get("text", ""))),
            "where": error.get("where"),
            "facts": masker.tree(error.get("facts") or {}),
        },
    }


def _finding(one: Finding, masker: Masker) -> dict[str, Any]:
    return {
        "code": one.code,
        "subject": masker.text(one.subject),
        "severity": one.severity,
        "count": one.count,
        "first_at": one.first_at,
        "last_at": one.last_at,
        "closed_at": one.closed_at,
        "facts": masker.tree(one.facts),
    }


def _effect(one: Effect, masker: Masker) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "key": masker.text(one.key),
        "subject": masker.text(one.subject),
        "state": one.state,
        "calls": one.calls,
        "reason": masker.text(one.reason),
        "facts": masker.tree(one.facts),
        "wanted_at": one.wanted_at,
        "called_at": one.called_at,
        "finished_at": one.finished_at,
    }


def _plan(run: Run, masker: Masker) -> bytes:
    rows = PlanRow.objects.filter(run=run).order_by("id").values_list("kind", "subject", "field", "old", "new", "label")
    lines: list[tuple[Any, ...]] = [("kind", "subject", "field", "old", "new", "label")]
    for kind, subject, field, old, new, label in rows[:MOST_ROWS]:
        values = [masker.text(value) if value is not None else "" for value in (old, new, label)]
        lines.append((kind, masker.text(subject), field, *values))
    return spreadsheets.lines(lines).encode()


def _calls(heard: list[Exchange], masker: Masker) -> bytes:
    lines: list[tuple[Any, ...]] = [
        ("number", "at", "method", "url", "writes", "status", "seconds", "sent", "received", "problem", "sha256")
    ]
    for number, one in enumerate(heard, start=1):
        digest = hashlib.sha256(one.answer).hexdigest()[:16] if one.answer else ""
        lines.append(
            (
                number, one.at.astimezone(UTC).isoformat(), one.method, masker.url(one.url), one.writes, one.status,
                one.seconds, one.sent, one.received, one.problem, digest,
            )
        )  # fmt: skip
    return spreadsheets.lines(lines).encode()


def _channel(run: Run, channel: Channel, masker: Masker) -> dict[str, Any]:
    flow = run.flow
    points = SellingPoint.objects.filter(channel=channel).order_by("id")
    names = ("external_id", "figure", "owns_stock", "buffer", "minimum", "maximum")
    return {
        "id": channel.pk,
        "kind": channel.kind,
        "mode": channel.mode,
        "writes_paused": channel.writes_paused,
        "archived_at": channel.archived_at,
        "health": channel.health,
        "timezone": channel.timezone,
        "accepts_by_itself": channel.accepts_by_itself,
        "books_shipments": channel.books_shipments,
        "sales_from": channel.sales_from,
        "calls_per_minute": channel.calls_per_minute,
        "config": {
            name: masker.token(str(value)) if value else value for name, value in sorted(channel.config.items())
        },
        "points": [
            masker.tree({name: getattr(point, name) for name in names} | {"warehouses": _warehouses(point)})
            for point in points
        ],
        "mappings": [
            {"kind": kind, "external_id": masker.text(external_id), "ours": masker.text(ours)}
            for kind, external_id, ours in Mapped.objects.filter(channel=channel)
            .order_by("kind", "external_id")
            .values_list("kind", "external_id", "ours")[:MOST_ROWS]
        ],
        "flow": {
            "kind": flow.kind,
            "enabled": flow.enabled,
            "every": flow.every,
            "cron": flow.cron,
            "timezone": flow.timezone,
            "next_at": flow.next_at,
            "waits_until": flow.waits_until,
            "failures": flow.failures,
            "empty_runs": flow.empty_runs,
            "cursor": masker.tree(flow.cursor),
            "is_known": flow.kind in flows.declared(),
        },
    }


def _warehouses(point: SellingPoint) -> list[int]:
    return list(point.sources.order_by("position", "warehouse_id").values_list("warehouse_id", flat=True))


def _versions(channel: Channel) -> dict[str, Any]:
    try:
        abilities = sorted(registry.find(channel.kind).abilities)
    except BadInput:
        abilities = []
    return {
        "comptoir": comptoir.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "postgresql": sql.value("SHOW server_version"),
        "connector": {"kind": channel.kind, "abilities": abilities},
        "shop": channel.version,
    }


def _settings() -> dict[str, Any]:
    """Numbers, switches and choices as they are; what is typed freely may say where this hub is, and stays here."""
    ours = settings()
    shown: dict[str, Any] = {}
    for field in fields(ours):
        value = getattr(ours, field.name)
        plain = isinstance(value, int | bool) or bool(field.metadata.get("among"))
        shown[field.name] = value if plain else (HIDDEN if value else "")
    return shown
