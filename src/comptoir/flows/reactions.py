"""Which event starts what. Handlers run in the event's transaction: they leave facts and ask for a start after commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comptoir.channels import registry
from comptoir.channels.models import HUB, Channel
from comptoir.commerce.catalog import events as catalog
from comptoir.commerce.inventory import events as inventory
from comptoir.commerce.orders import events as orders
from comptoir.commerce.orders import external
from comptoir.commerce.orders import queries as order_queries
from comptoir.commerce.orders.external import Deed
from comptoir.commerce.shipments import events as shipments
from comptoir.engine import effects, findings
from comptoir.engine.models import Severity
from comptoir.engine.runs import start_after_commit
from comptoir.events.record import Happened, on
from comptoir.flows import restoring
from comptoir.kit import sql
from comptoir.offers import actions as offers

STOCK_EVENTS = (
    inventory.RECEIVED, inventory.BOOKED, inventory.COUNTED, inventory.TRANSFERRED, inventory.REBASED, inventory.SHIPPED,
    inventory.RESERVED, inventory.RELEASED, inventory.HELD, inventory.HOLDS_RELEASED, inventory.HOLDS_EXPIRED,
)  # fmt: skip


def set_up() -> None:
    """Register every handler; called once per process by `config/bootstrap.py`."""
    for name in STOCK_EVENTS:
        on(name, tell_levels)
        on(name, report_shortages)
        on(name, end_shortages)
    on(orders.MOVED, end_promises)
    for name in (orders.MOVED, orders.CANCELLED, orders.DECIDED, orders.TOOK_THEIRS):
        on(name, end_asked)
    on(catalog.COMPOSED, tell_composed)
    on(shipments.SHIPPED, want_tracking)
    on(shipments.TRACKING_CHANGED, want_new_tracking)
    on(orders.CANCELLED, want_cancellation)
    on("channels.channel.resumed", restoring.resumed)
    on("channels.channel.corrected", restoring.corrected)
    on(orders.LINE_CANCELLED, ask_for_line)


def tell_levels(happened: Happened) -> None:
    """What is available changed: channels in production are told."""
    start_after_commit(
        "push_stock",
        [
            row[0]
            for row in sql.rows(
                "SELECT id FROM channels_channel WHERE mode = 'production' AND NOT writes_paused AND archived_at IS NULL"
            )
        ],
    )


def tell_composed(happened: Happened) -> None:
    """A variant became a kit, an alias, or simple again: its level is another."""
    offers.composed(happened.facts["variants"], at=happened.at)
    tell_levels(happened)


def report_shortages(happened: Happened) -> None:
    """A fact took back what was promised, or showed units that nobody knew of: a person should know."""
    reports = [
        findings.Report(
            None, "promise_taken_back", f"order:{order}", Severity.ERROR,
            {"line": line, "variant": variant, "quantity": str(quantity)},
        )
        for line, order, variant, quantity in happened.facts.get("taken_back", ())
    ] + [
        findings.Report(
            None, "units_out_of_nowhere", f"variant:{variant}", Severity.ERROR,
            {"warehouse": warehouse, "quantity": str(quantity), "reference": reference},
        )
        for variant, warehouse, quantity, reference in happened.facts.get("gaps", ())
    ]  # fmt: skip
    findings.report(reports, at=happened.at)


def end_shortages(happened: Happened) -> None:
    """Whoever had lost what was promised has it again; what was counted is known."""
    facts = happened.facts
    if served := {row[1] for row in facts.get("filled", ())}:
        waiting = sql.rows('SELECT DISTINCT "order" FROM inventory_backorder WHERE "order" = ANY(%s)', [sorted(served)])
        served -= {row[0] for row in waiting}
        findings.close(None, [f"order:{order}" for order in sorted(served)], ["promise_taken_back"], at=happened.at)
    if happened.name == inventory.COUNTED and not facts.get("gaps"):
        counted = sql.rows(
            "SELECT DISTINCT variant_id FROM inventory_tally WHERE reference = ANY(%s) ORDER BY 1",
            [facts["references"]],
        )
        findings.close(None, [f"variant:{row[0]}" for row in counted], ["units_out_of_nowhere"], at=happened.at)


def end_promises(happened: Happened) -> None:
    """An order that is over was promised nothing."""
    if happened.facts["after"] in ("complete", "cancelled"):
        findings.close(None, [f"order:{happened.facts['order']}"], ["promise_taken_back"], at=happened.at)


def end_asked(happened: Happened) -> None:
    """A person did what a finding about an order asked for, or something that makes it pointless."""
    facts = happened.facts
    deed: Deed | None = None
    match happened.name:
        case orders.DECIDED:
            deed = Deed(facts["deed"])
        case orders.TOOK_THEIRS:
            deed = Deed.TAKE_THEIRS
        case orders.CANCELLED if facts["is_ours"]:
            deed = Deed.CANCEL
        case orders.MOVED if facts["after"] == Deed.COMPLETE:
            deed = Deed.COMPLETE
    if deed is not None:
        codes = external.ended_by(deed)
        findings.close(facts["channel"], [f"order:{facts['order']}"], codes, at=happened.at)


def want_tracking(happened: Happened) -> None:
    """A parcel of ours left for a sale of a channel: the channel is told, once."""
    facts = happened.facts
    channel = facts.get("channel")
    if channel is None or not facts["is_ours"] or not _can(channel, "tracking"):
        return
    about = {"shipment": facts["shipment"], "number": facts["number"]}
    _promise(channel, "tracking", f"shipment:{facts['shipment']}", about, happened)


def want_new_tracking(happened: Happened) -> None:
    """A tracking number was corrected: the channel is told the new one, each change once, also back to what it was."""
    facts = happened.facts
    channel = facts.get("channel")
    if channel is None or not facts["is_ours"] or not _can(channel, "tracking"):
        return
    about = {"shipment": facts["shipment"], "number": facts["number"]}
    _promise(channel, "tracking", f"shipment:{facts['shipment']}:{facts['change']}", about, happened)


def want_cancellation(happened: Happened) -> None:
    """We cancelled what a channel sold: the channel is told where it can be; else a person must."""
    facts = happened.facts
    channel = facts.get("channel")
    if channel is None or not facts["is_ours"]:
        return
    about = {"order": facts["order"], "number": facts["number"], "sale": facts["external_id"]}
    if not _can(channel, "cancelling"):
        findings.report(
            [findings.Report(channel, "cancelled_here_only", f"order:{facts['order']}", Severity.ERROR, about)],
            at=happened.at,
        )
        return
    _promise(channel, "cancel", f"order:{facts['order']}", about, happened)


TELLS = {"tracking": "push_tracking", "cancel": "push_cancellations"}


def _promise(channel: int, kind: str, key: str, about: Mapping[str, Any], happened: Happened) -> None:
    """A channel is to be told of something about an order; an archived one is not, and the journal says so."""
    effects.want(channel, kind, key, f"order:{happened.facts['order']}", about, at=happened.at)
    if Channel.objects.filter(pk=channel, archived_at__isnull=False).exists():
        effects.drop_all(channel, at=happened.at)
    else:
        start_after_commit(TELLS[kind], [channel])


def ask_for_line(happened: Happened) -> None:
    """We cancelled a line of what a channel sold, or units of one. No channel can be told that: a person must."""
    facts = happened.facts
    if facts.get("channel") is None or not facts["is_ours"]:
        return
    units = order_queries.cancelled_here_only(facts["order"])
    if units:
        about = {"number": facts["number"], "sku": facts["sku"], "quantity": facts["quantity"]}
        about["units"] = ", ".join(f"{quantity.normalize():f} × {sku}" for sku, quantity in units)
        findings.report(
            [
                findings.Report(
                    facts["channel"], "line_cancelled_here_only", f"order:{facts['order']}", Severity.ERROR, about
                )
            ],
            at=happened.at,
        )


def _can(channel: int, ability: str) -> bool:
    kind = Channel.objects.filter(pk=channel).values_list("kind", flat=True).first()
    return kind not in (None, HUB) and ability in registry.find(kind).abilities
