"""A channel's life: connected in test mode, looked around, taken live when nothing stands against it, and back."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.utils.text import slugify

from comptoir.channels import channel as channels
from comptoir.channels import registry
from comptoir.channels.models import Channel, Mode, Seen
from comptoir.channels.records import Named, Surroundings, to_json
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.orders import takeover
from comptoir.engine import effects, findings, flow, runs
from comptoir.engine.models import Run, RunStatus, Severity
from comptoir.flows import prices, taxes
from comptoir.kit import sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput, Conflict
from comptoir.offers import actions as offers
from comptoir.staging import actions as staging


def kinds_for(row: Channel) -> list[str]:
    """The flows that a channel can carry: those whose abilities its connector has."""
    card = registry.find(row.kind)
    abilities = set(card.abilities) | ({"webhooks"} if card.webhooks is not None else set())
    return [
        declaration.kind
        for declaration in flow.declared().values()
        if declaration.needs and set(declaration.needs) <= abilities and declaration.kind not in card.feeds
    ]


def connect(
    *,
    kind: str,
    name: str,
    code: str,
    config: Mapping[str, Any],
    actor: Actor,
    at: datetime,
    sales_from: datetime | None = None,
    accepts_by_itself: bool = True,
) -> Channel:
    """Make a channel in test mode with its flows. Call `look_around` next: it tests the connection."""
    row = channels.connect(
        kind=kind, name=name, code=code, config=config, actor=actor, at=at, accepts_by_itself=accepts_by_itself
    )
    if sales_from is not None:
        Channel.objects.filter(pk=row.pk).update(sales_from=sales_from)
        row.sales_from = sales_from
    begin(row)
    return row


def begin(row: Channel) -> None:
    """Give a channel its flows: from here on they run by their schedules. Those it has stay as they are."""
    flow.ensure_flows(row.pk, kinds_for(row))


def known(row: Channel, seen: Surroundings) -> Channel | None:
    """The channel that this shop is already, if it is one."""
    rows = Channel.objects.filter(kind=row.kind, external_identity=_identity(row, seen), archived_at__isnull=True)
    return rows.first()


def _archived(row: Channel, seen: Surroundings) -> Channel | None:
    """The archived channel that this shop was, the latest if there are several."""
    rows = Channel.objects.filter(kind=row.kind, external_identity=_identity(row, seen), archived_at__isnull=False)
    return rows.order_by("-archived_at").first()


def _set_aside_again(row: Channel, *, actor: Actor, at: datetime) -> None:
    """Sales that waited when the channel came to rest are examined again: their units count from now on."""
    waiting = sql.rows(
        "SELECT id FROM staging_stagedsale WHERE channel_id = %s AND \"order\" IS NULL AND state IN ('ready', 'retry',"
        " 'repair') ORDER BY id",
        [row.pk],
    )
    examined = staging.recheck(row, staged=[one[0] for one in waiting], actor=actor, at=at)
    findings.report(
        [
            findings.Report(row.pk, one.code, one.subject, Severity(one.severity), one.facts)
            for one in examined.findings
        ],
        at=at,
    )


_CONNECTING = 7_240_011  # one at a time: two tabs that connect the same shop make one channel


def keep(tried: Channel, seen: Surroundings, *, step: str, actor: Actor, at: datetime) -> Channel:
    """Store a channel that was tried and answered, with what was found there, at `step` of the wizard. It has no flows
    until `begin`. A shop that is a channel already is given back as it is; one that was archived is taken up again."""
    sql.value("SELECT pg_advisory_xact_lock(%s)::text", [_CONNECTING])
    if (there := known(tried, seen)) is not None:
        return there
    if (rests := _archived(tried, seen)) is not None:
        channels.take_up(rests, tried, step=step, actor=actor, at=at)
        note_seen(rests, seen, actor=actor, at=at)
        _set_aside_again(rests, actor=actor, at=at)
        return rests
    tried.name = tried.name or seen.name[:80] or registry.find(tried.kind).title
    tried.code, tried.connecting = _free_code(tried.name, tried.kind), step
    channels.keep(tried, actor=actor, at=at)
    note_seen(tried, seen, actor=actor, at=at)
    return tried


def note_seen(row: Channel, seen: Surroundings, *, actor: Actor, at: datetime) -> None:
    """A channel answered: keep what it told, and that it is well."""
    keep_surroundings(row, seen, actor=actor, at=at)
    channels.note_health(row.pk, None, at=at)
    row.refresh_from_db()


def _free_code(name: str, kind: str) -> str:
    """A short name for addresses that no channel has."""
    base = slugify(name)[:36].strip("-") or kind
    taken = set(Channel.objects.filter(code__startswith=base).values_list("code", flat=True)) | channels.RESERVED
    return next(code for n in itertools.count(1) if (code := base if n == 1 else f"{base}-{n}") not in taken)


def correct(row: Channel, config: Mapping[str, Any], seen: Surroundings, *, actor: Actor, at: datetime) -> None:
    """Keep other credentials, which were tried; refused where they lead to another shop."""
    tried = channels.corrected(row, config)
    if row.external_identity and _identity(tried, seen) != row.external_identity:
        raise BadInput("this is another shop", place="url", value=_identity(tried, seen), cure=row.external_identity)
    channels.correct(row, config, actor=actor, at=at)
    note_seen(row, seen, actor=actor, at=at)


def ask_around(row: Channel) -> Surroundings:
    """Test the connection and see what there is. Calls out; no transaction may be open."""
    with channels.opened(row, live=True, writes=False) as opened:
        return opened.client.probe.look_around()


def keep_surroundings(row: Channel, seen: Surroundings, *, actor: Actor, at: datetime) -> None:
    """Keep what a connection test found: clock, currency, selling points, and what there is to map, with proposals for
    carriers that nobody has mapped."""
    card = registry.find(row.kind)
    Channel.objects.filter(pk=row.pk).update(
        timezone=seen.timezone, currency=seen.currency, version=seen.version, external_identity=_identity(row, seen)
    )
    row.refresh_from_db()
    charged = taxes.told(row.pk)
    before = dict(Seen.objects.filter(channel=row).values_list("content", flat=True).first() or {})
    Seen.objects.update_or_create(channel=row, defaults={"content": to_json(seen), "seen_at": at})
    sql.execute(
        "UPDATE engine_flow SET timezone = %s WHERE channel_id = %s AND timezone = 'UTC'", [seen.timezone, row.pk]
    )
    offers.ensure_points(
        row.pk, seen.points, figure=card.figure.value, warehouses=[inventory.default_warehouse().pk], at=at
    )
    offers.see(row.pk, "carrier", seen.carriers, proposals=_carriers(seen.carriers), at=at)
    offers.see(row.pk, "payment", seen.payment_methods, at=at)
    _keep_taxes(row, seen, charged, at=at)
    offers.see(row.pk, "status", [Named(external_id=one.external_id, name=one.name) for one in seen.statuses], at=at)
    subject = f"channel:{row.pk}"
    findings.close(
        row.pk,
        [subject, *(f"{subject}:{right}" for right in before.get("missing_rights", ()))],
        ["right_missing", *before.get("warnings", ())],
        at=at,
    )
    findings.report(
        [
            *(
                findings.Report(row.pk, "right_missing", f"{subject}:{right}"[:160], Severity.ERROR, {"right": right})
                for right in seen.missing_rights
            ),
            *(findings.Report(row.pk, code, subject, Severity.ERROR, {}) for code in seen.warnings),
        ],
        at=at,
    )


def _keep_taxes(row: Channel, seen: Surroundings, before: dict[str, Decimal], *, at: datetime) -> None:
    """Classes may be given a rate by a person; where the channel charges another rate than before, prices are compared."""
    classes = [Named(external_id=one.external_id, name=one.name) for one in seen.tax_classes]
    offers.see(row.pk, "tax", classes, at=at)
    if taxes.told(row.pk) != before:
        prices.compare_again(row.pk, at=at)


def _carriers(there: Sequence[Named]) -> dict[str, str]:
    """A carrier of ours for each of theirs: the one that another shop calls the same but for case and signs, else a new
    one of that name."""
    rows = sql.rows("SELECT DISTINCT ours FROM offers_mapping WHERE kind = 'carrier' AND ours <> '' ORDER BY ours DESC")
    ours = {_bare(row[0]): row[0] for row in rows}
    return {one.external_id: ours.get(_bare(one.name)) or one.name for one in there}


def _bare(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum()) or name


def _identity(row: Channel, seen: Surroundings) -> str:
    """What tells one shop from another, so that the same one is not connected twice."""
    address = urlsplit(seen.identity or str(row.config.get("url", "")))
    return f"{address.netloc}{address.path.rstrip('/')}".lower()[:255] or seen.name[:255]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that stands against going live."""

    code: str
    facts: dict[str, Any]


def obstacles(row: Channel) -> list[Obstacle]:
    """What a person must settle before anything is written to a channel."""
    found: list[Obstacle] = []
    if row.health != "good":
        found.append(Obstacle("not_healthy", {"health": row.health, "text": row.health_text}))
    for name, count in sql.rows(
        "SELECT p.name, count(pw.id) FROM offers_sellingpoint p LEFT JOIN offers_pointwarehouse pw ON pw.point_id = p.id"
        " WHERE p.channel_id = %s GROUP BY p.id",
        [row.pk],
    ):
        if not count:
            found.append(Obstacle("no_warehouse", {"point": name}))
    for (name,) in sql.rows(
        "SELECT name FROM offers_sellingpoint WHERE channel_id = %s AND stock_initialised_at IS NULL AND NOT owns_stock",
        [row.pk],
    ):
        found.append(Obstacle("stock_not_initialised", {"point": name}))
    orders = takeover.counted(row.pk)
    if orders.undecided:
        found.append(Obstacle("orders_undecided", {"orders": orders.undecided}))
    if orders.left:
        found.append(Obstacle("orders_not_closed", {"orders": orders.left}))
    errors = sql.value(
        "SELECT count(*) FROM engine_finding WHERE channel_id = %s AND severity = 'error' AND closed_at IS NULL"
        " AND (starts_with(subject, 'channel:') OR starts_with(subject, 'flow:') OR starts_with(subject, 'sale:'))",
        [row.pk],
    )
    if errors:
        found.append(Obstacle("open_errors", {"errors": errors}))
    return found


SHOWN_FOR = timedelta(hours=1)  # how long a person may think about the first push


def shown(row: Channel, *, at: datetime) -> Run | None:
    """The run that took over last, as long as what it showed may be agreed to."""
    found = runs.latest(row.pk, "take_over").filter(status=RunStatus.DONE).first()
    if found is None or found.finished_at is None or found.finished_at < at - SHOWN_FOR:
        return None
    return found


def go_live(
    row: Channel,
    *,
    actor: Actor,
    at: datetime,
    accept_open_errors: bool = False,
    undecided: str = "",
) -> None:
    """Let writes through. Raises Conflict naming what stands against it. A person may accept open Errors, and say of all
    open orders that are `undecided` whether they are shipped "here" or have "left"."""
    row.refresh_from_db()
    if undecided:
        takeover.choose(row.pk, takeover.Choice(undecided), at=at, actor=actor)
    against = [one for one in obstacles(row) if not (accept_open_errors and one.code == "open_errors")]
    if against:
        raise Conflict(
            "not yet: " + ", ".join(one.code for one in against), obstacles=[[one.code, one.facts] for one in against]
        )
    channels.set_mode(row, Mode.PRODUCTION, actor=actor, at=at)


def back_to_test(row: Channel, *, actor: Actor, at: datetime) -> None:
    """Stop writing. Sales go on coming in; what was told is no longer believed, since others write there from now on."""
    channels.set_mode(row, Mode.TEST, actor=actor, at=at)
    takeover.forget(row.pk)
    offers.tell_again(row.pk, at=at, actor=actor)


def archive(row: Channel, *, actor: Actor, at: datetime) -> None:
    """Let a channel rest: nothing is read or written there any more, its credentials are gone, and what it brought (orders,
    links, movements) stays. Orders that are open stay open; the shop hears no more of them."""
    if row.archived_at is not None:
        return
    channels.archive(row, actor=actor, at=at)
    takeover.forget(row.pk)
    for run in Run.objects.filter(flow__channel=row, status__in=[RunStatus.QUEUED, RunStatus.RUNNING]):
        runs.cancel(run.pk, at=at)
    staging.let_go(row, actor=actor, at=at)
    effects.drop_all(row.pk, at=at)
    offers.tell_again(row.pk, at=at, actor=actor)
    findings.close_all(row.pk, at=at)
