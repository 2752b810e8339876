"""One configured account, opened for a run: its client behind a door that knows its pace and its mode."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from comptoir.channels import registry
from comptoir.channels.connector import WEBHOOK_SECRET, Connector, OpenedClient
from comptoir.channels.errors import NotLetIn
from comptoir.channels.exchanges import Exchange, Playback
from comptoir.channels.http import CallMade, HttpDoor, Limits
from comptoir.channels.models import Channel, Health, Mode
from comptoir.channels.pace import SharedPace
from comptoir.events import record
from comptoir.kit import ids, sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput, ConfigError, Conflict
from comptoir.kit.secrets import Box
from comptoir.kit.settings import secret_keys, settings

DoorMaker = Callable[..., HttpDoor]
_door: DoorMaker = HttpDoor


def set_up_doors(maker: DoorMaker) -> None:
    """Let `maker` build every door from now on: the played year puts one in place that leads to its own simulator."""
    global _door
    _door = maker


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """A channel ready to be talked to. `ref` is its id; abilities that the connector lacks are None."""

    ref: int
    row: Channel
    connector: Connector
    client: OpenedClient
    door: HttpDoor


def box() -> Box:
    """What credentials are encrypted with."""
    return Box(secret_keys(settings()))


def config_of(row: Channel) -> dict[str, Any]:
    """What was typed in to connect, secrets included: for a client only, never for a page or a log."""
    return {**row.config, **(box().open(row.sealed) if row.sealed else {})}


def secrets_of(connector: Connector, config: Mapping[str, Any]) -> list[str]:
    """What must not be seen of what was typed in."""
    return [str(config[field.name]) for field in connector.fields if field.secret and config.get(field.name)]


@contextmanager
def played_back(
    row: Channel, exchanges: Iterable[Exchange], recorder: Callable[[Exchange], None]
) -> Iterator[tuple[OpenChannel, Playback]]:
    """Today's client of a channel before the shop as it answered once: nothing leaves this process. `recorder`
    gets every call. A channel without credentials has placeholders: no answer depends on them."""
    connector = registry.find(row.kind)
    config = config_of(row)
    config |= {field.name: "-" for field in connector.fields if field.required and not config.get(field.name)}
    playback = Playback(exchanges, lambda text: door.hide(text))
    door = HttpDoor(
        may_write=lambda: True,
        fates=connector.fates,
        secrets=secrets_of(connector, config),
        limits=Limits(concurrency=1),
        allow_private=True,
        recorder=recorder,
        simulator=playback,
    )
    try:
        yield OpenChannel(row.pk, row, connector, connector.connect(config, door), door), playback
    finally:
        door.close()


@contextmanager
def opened(
    row: Channel,
    *,
    live: bool = False,
    writes: bool = True,
    observer: Callable[[CallMade], None] | None = None,
    before_write: Callable[[], None] | None = None,
    recorder: Callable[[Exchange], None] | None = None,
) -> Iterator[OpenChannel]:
    """Open a channel while the block runs. `writes` False (a preview) shuts the door for writes whatever the mode;
    `before_write` is called before each and may raise: a run looks whether it is still its own. `recorder` gets every call
    word for word."""

    def permission() -> bool:
        if before_write is not None:
            before_write()
        return writes and may_write(row.pk)

    connector = registry.find(row.kind)
    config = config_of(row)
    hidden = secrets_of(connector, config)
    pace = connector.pace
    if row.calls_per_minute:
        pace = replace(pace, per_minute=row.calls_per_minute, burst=max(pace.burst, row.calls_per_minute // 60))
    door = _door(
        may_write=permission,
        # One that is only tried, before it is kept, shares a pace with the others of its kind that are.
        pace=SharedPace(connector.pace.key or (f"channel:{row.pk}" if row.pk else f"tried:{row.kind}"), pace),
        live=live,
        fates=connector.fates,
        secrets=hidden,
        limits=Limits(concurrency=connector.pace.concurrency),
        observer=observer,
        recorder=recorder,
    )
    try:
        yield OpenChannel(row.pk, row, connector, connector.connect(config, door), door)
    finally:
        door.close()


def may_write(channel: int) -> bool:
    """Whether anything may be written there at this moment: asked at every call, so that a pause holds at once."""
    return bool(
        sql.value(
            "SELECT mode = 'production' AND NOT writes_paused AND archived_at IS NULL FROM channels_channel WHERE id = %s",
            [channel],
        )
    )


RESERVED = frozenset({"connect"})  # what the addresses of pages need


def draft(
    *, kind: str, name: str, code: str, config: Mapping[str, Any], at: datetime, accepts_by_itself: bool = True
) -> Channel:
    """A channel in test mode from what a merchant typed in, to be tried and kept, or forgotten: nothing is stored.
    Raises BadInput naming the field."""
    connector = registry.find(kind)
    for field in connector.fields:
        if field.required and not str(config.get(field.name, "")).strip():
            raise BadInput(f"{field.name} is missing", place=field.name, value="", cure=field.help)
    known = {field.name: field for field in connector.fields}
    if unknown := set(config) - set(known):
        raise BadInput("unknown field", place=min(unknown), value=config[min(unknown)], cure=", ".join(known))
    if code in RESERVED:
        raise BadInput("this code is taken by a page", place="code", value=code, cure=f"{code}-1")
    if Channel.objects.filter(code=code).exists():
        raise Conflict(f"a channel is already called {code}", channel=code)
    sealed = {key: item for key, item in config.items() if known[key].secret}
    if makes_secret(connector) and not sealed.get(WEBHOOK_SECRET):
        sealed[WEBHOOK_SECRET] = _webhook_secret()
    return Channel(
        name=name,
        code=code,
        kind=kind,
        config={key: item for key, item in config.items() if not known[key].secret},
        sealed=box().close(sealed),
        accepts_by_itself=accepts_by_itself,
        webhook_token=ids.token(),
        created_at=at,
    )


def keep(row: Channel, *, actor: Actor, at: datetime) -> None:
    """Store a draft."""
    row.save(force_insert=True)
    record.record(
        "channels.channel.connected",
        {"channel": row.pk, "kind": row.kind},
        actor=actor,
        at=at,
        subject=f"channel:{row.pk}",
    )


def connect(
    *,
    kind: str,
    name: str,
    code: str,
    config: Mapping[str, Any],
    actor: Actor,
    at: datetime,
    accepts_by_itself: bool = True,
) -> Channel:
    """Make a channel in test mode from what a merchant typed in; raises BadInput naming the field."""
    row = draft(kind=kind, name=name, code=code, config=config, at=at, accepts_by_itself=accepts_by_itself)
    keep(row, actor=actor, at=at)
    return row


def corrected(row: Channel, config: Mapping[str, Any]) -> Channel:
    """A channel as it would be with other values, to be tried before they are kept: nothing is stored."""
    tried = Channel(kind=row.kind, config=dict(row.config), sealed=row.sealed)
    _take(tried, config)
    return tried


def _take(row: Channel, config: Mapping[str, Any]) -> None:
    """Put other values in place; what is left out stays as it is."""
    fields = {field.name: field for field in registry.find(row.kind).fields}
    if unknown := set(config) - set(fields):
        raise BadInput("unknown field", place=min(unknown), value=config[min(unknown)], cure=", ".join(fields))
    secret = {key: item for key, item in config.items() if fields[key].secret}
    row.config = {**row.config, **{key: item for key, item in config.items() if key not in secret}}
    row.sealed = box().close({**_kept(row, secret), **secret})


def _kept(row: Channel, typed: Mapping[str, Any]) -> dict[str, Any]:
    """The secrets that a channel has. Where no key here opens them, as after a restore without the key, they are lost: then
    all that its connector needs must be typed again, and deliveries are signed with a new secret."""
    try:
        return box().open(row.sealed) if row.sealed else {}
    except ConfigError:
        connector = registry.find(row.kind)
        if not all(typed.get(field.name) for field in connector.fields if field.secret and field.required):
            raise
        return {WEBHOOK_SECRET: _webhook_secret()} if makes_secret(connector) else {}


def signing_secret(row: Channel) -> str:
    """What a channel's deliveries are signed with; empty where it was not typed in: they cannot be verified then."""
    return str(config_of(row).get(registry.find(row.kind).signed_with) or "")


def makes_secret(connector: Connector) -> bool:
    """Whether deliveries are signed with a secret of ours, made for each channel, and not with a credential of theirs."""
    return connector.webhooks is not None and connector.signed_with == WEBHOOK_SECRET


def _webhook_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()  # as Standard Webhooks has them


def correct(row: Channel, config: Mapping[str, Any], *, actor: Actor, at: datetime) -> None:
    """Connect with other values from now on; what is left out stays as it is. Its health is unknown until it was tried."""
    _take(row, config)
    row.health, row.health_text = Health.UNKNOWN, ""
    row.save(update_fields=["config", "sealed", "health", "health_text"])
    record.record(
        "channels.channel.corrected",
        {"channel": row.pk, "fields": sorted(config)},
        actor=actor,
        at=at,
        subject=f"channel:{row.pk}",
    )


def at_step(row: Channel, step: str) -> None:
    """Remember where the wizard goes on; empty: it is done with."""
    Channel.objects.filter(pk=row.pk).update(connecting=step)
    row.connecting = step


def start_from(row: Channel, start: datetime | None, *, actor: Actor, at: datetime) -> None:
    """Say from when on sales come in; None: all of them."""
    if row.sales_from == start:
        return
    before, row.sales_from = row.sales_from, start
    Channel.objects.filter(pk=row.pk).update(sales_from=start)
    record.record(
        "channels.channel.start_chosen",
        {"channel": row.pk, "before": str(before or ""), "after": str(start or "")},
        actor=actor,
        at=at,
        subject=f"channel:{row.pk}",
    )


def set_mode(row: Channel, mode: Mode, *, actor: Actor, at: datetime) -> None:
    """Move between test and production. What must be true before going live is the caller's to check."""
    Channel.objects.filter(pk=row.pk).update(mode=mode)
    row.mode = mode
    record.record(
        "channels.channel.mode_changed",
        {"channel": row.pk, "mode": mode.value},
        actor=actor,
        at=at,
        subject=f"channel:{row.pk}",
    )


def pause_writes(row: Channel, paused: bool, *, actor: Actor, at: datetime) -> None:
    """Stop or resume every write to a channel, at once."""
    Channel.objects.filter(pk=row.pk).update(writes_paused=paused)
    row.writes_paused = paused
    name = "channels.channel.paused" if paused else "channels.channel.resumed"
    record.record(name, {"channel": row.pk}, actor=actor, at=at, subject=f"channel:{row.pk}")


def choose(row: Channel, *, accepts_by_itself: bool, books_shipments: bool, actor: Actor, at: datetime) -> None:
    """What happens by itself, and what a person is asked about, from now on."""
    chosen = {"accepts_by_itself": accepts_by_itself, "books_shipments": books_shipments}
    before = {name: getattr(row, name) for name in chosen}
    if before == chosen:
        return
    Channel.objects.filter(pk=row.pk).update(**chosen)
    row.accepts_by_itself, row.books_shipments = accepts_by_itself, books_shipments
    facts = {"channel": row.pk, "before": before, "after": chosen}
    record.record("channels.channel.chosen", facts, actor=actor, at=at, subject=f"channel:{row.pk}")


def note_health(channel: int, error: Exception | None, *, at: datetime) -> None:
    """Keep how the last conversation went; writes only when it changed or is a minute old."""
    if error is None:
        health, text = Health.GOOD, ""
    else:
        health, text = (Health.LOCKED_OUT if isinstance(error, NotLetIn) else Health.TROUBLED), str(error)[:255]
    sql.execute(
        "UPDATE channels_channel SET health = %(health)s, health_text = %(text)s, health_at = %(at)s WHERE id = %(id)s"
        " AND (health <> %(health)s OR health_text <> %(text)s OR health_at IS NULL"
        " OR health_at < %(at)s::timestamptz - interval '1 minute')",
        {"health": health.value, "text": text, "at": at, "id": channel},
    )


def archive(row: Channel, *, actor: Actor, at: datetime) -> None:
    """End the conversation with a shop: credentials are erased, and its address at the door is no longer known."""
    row.mode, row.archived_at, row.sealed, row.webhook_token = Mode.TEST, at, b"", ids.token()
    row.connecting, row.writes_paused = "", False
    row.save(update_fields=["mode", "archived_at", "sealed", "webhook_token", "connecting", "writes_paused"])
    record.record("channels.channel.archived", {"channel": row.pk}, actor=actor, at=at, subject=f"channel:{row.pk}")


def take_up(row: Channel, tried: Channel, *, step: str, actor: Actor, at: datetime) -> None:
    """Go on with an archived channel, in test mode, with what was typed in and tried."""
    row.archived_at, row.config, row.sealed, row.connecting = None, tried.config, tried.sealed, step
    row.health, row.health_text = Health.UNKNOWN, ""
    row.save(update_fields=["archived_at", "config", "sealed", "connecting", "health", "health_text"])
    record.record("channels.channel.taken_up", {"channel": row.pk}, actor=actor, at=at, subject=f"channel:{row.pk}")
