"""What states and kinds are called on pages. Their values live for ever in the database; their words are for readers."""

from __future__ import annotations

from typing import Any

from django.db.models import Choices
from django.utils.translation import gettext_lazy as _

from comptoir.channels.models import Health, Mode
from comptoir.commerce.catalog.models import Kind
from comptoir.commerce.inventory.models import Reason
from comptoir.commerce.orders.models import ChargeKind, Preparation, Status
from comptoir.engine.models import Outcome, RunStatus, Severity, Trigger
from comptoir.kit.money import Unit
from comptoir.staging.models import State

WORDS: dict[type[Choices] | type[Unit], dict[str, Any]] = {
    Mode: {Mode.TEST: _("Test"), Mode.PRODUCTION: _("Production")},
    Health: {
        Health.UNKNOWN: _("Never spoken to"),
        Health.GOOD: _("Answers"),
        Health.TROUBLED: _("Does not answer"),
        Health.LOCKED_OUT: _("Refuses our key"),
    },
    Unit: {Unit.PIECE: _("Piece"), Unit.KILOGRAM: "kg", Unit.METRE: "m", Unit.LITRE: "l"},
    Kind: {Kind.SIMPLE: _("Simple"), Kind.KIT: _("Kit"), Kind.ALIAS: _("Alias")},
    Reason: {
        Reason.OPENING: _("Opening stock"),
        Reason.RECEPTION: _("Reception"),
        Reason.SHIPMENT: _("Shipment"),
        Reason.SALE: _("Sold elsewhere"),
        Reason.RETURN: _("Return"),
        Reason.ADJUSTMENT: _("Adjustment"),
        Reason.COUNT: _("Count"),
        Reason.DAMAGE: _("Damage"),
        Reason.TRANSFER: _("Transfer"),
        Reason.DIFFERENCE: _("Difference"),
        Reason.REBASE: _("Re-initialised"),
    },
    Status: {
        Status.PENDING: _("Pending"),
        Status.PROCESSING: _("Processing"),
        Status.ON_HOLD: _("On hold"),
        Status.COMPLETE: _("Complete"),
        Status.CANCELLED: _("Cancelled"),
    },
    Preparation: {
        Preparation.NEW: _("Not begun"),
        Preparation.PICKED: _("Picked"),
        Preparation.PACKED: _("Packed"),
        Preparation.SHIPPED: _("Shipped"),
    },
    ChargeKind: {
        ChargeKind.SHIPPING: _("Shipping"),
        ChargeKind.FEE: _("Fee"),
        ChargeKind.WRAPPING: _("Wrapping"),
        ChargeKind.TIP: _("Tip"),
        ChargeKind.DISCOUNT: _("Discount"),
        ChargeKind.ROUNDING: _("Rounding"),
    },
    RunStatus: {
        RunStatus.QUEUED: _("Waits for a worker"),
        RunStatus.RUNNING: _("Running"),
        RunStatus.DONE: _("Done"),
        RunStatus.FAILED: _("Failed"),
        RunStatus.CANCELLED: _("Cancelled"),
    },
    Outcome: {
        Outcome.NONE: _("Not known yet"),
        Outcome.GOOD: _("Good"),
        Outcome.PARTIAL: _("Some items wait"),
        Outcome.UNBALANCED: _("Does not balance"),
    },
    Trigger: {
        Trigger.SCHEDULE: _("its schedule"),
        Trigger.PERSON: _("a person"),
        Trigger.FACT: _("an event"),
        Trigger.WEBHOOK: _("the channel"),
        Trigger.RETRY: _("a new try"),
    },
    Severity: {Severity.INFO: _("Info"), Severity.RETRY: _("Retry"), Severity.ERROR: _("Error")},
    State: {
        State.READY: _("Ready"),
        State.RETRY: _("Waits for payment"),
        State.REPAIR: _("Needs you"),
        State.ACCEPTED: _("Accepted"),
        State.INFORMATION: _("Not imported"),
        State.REJECTED: _("Rejected"),
        State.CLOSED: _("Given up"),
    },
}
#: Kinds and fields of what a preview would write.
PLANNED = {
    "level": _("Level"), "tracking": _("Tracking"), "cancel": _("Cancellation"), "status": _("Status"),
    "price": _("Price"), "held": _("Waits for a person"), "count": _("Count"), "on_hand": _("On hand"),
    # what a replay compares
    "sale": _("Sale"), "product": _("Product"), "figure": _("Stock figure"), "supplier": _("Supplier"), "answer": _("Answer"),
    "call": _("Call"), "sent": _("Sent"), "asked": _("Not asked then"), "outcome": _("Outcome"), "there": _("Whether it was made"),
    "finding": _("Finding"), "inputs": _("What was heard"), "left_out": _("Left out for its size"),
}  # fmt: skip
_BY_NAME: dict[str, type[Choices] | type[Unit]] = {
    "mode": Mode, "health": Health, "variant": Kind, "unit": Unit, "movement": Reason, "order": Status, "preparation": Preparation,
    "charge": ChargeKind, "run": RunStatus, "outcome": Outcome, "trigger": Trigger, "severity": Severity, "staging": State,
}  # fmt: skip


def of(kind: type[Choices], value: str) -> Any:
    """The word for a value."""
    return WORDS[kind][value]


def named(kind: str, value: str) -> Any:
    """The same for templates, which name the kind."""
    return WORDS[_BY_NAME[kind]][value]


def choices(kind: type[Choices]) -> list[tuple[str, Any]]:
    """Values with their words, for filters."""
    return [(str(value), word) for value, word in WORDS[kind].items() if value]


def planned(name: str) -> Any:
    """A kind or field of what a preview would write; a connector may have its own, and they show as they are."""
    return PLANNED.get(name, name)
