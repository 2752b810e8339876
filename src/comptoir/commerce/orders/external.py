"""What a status at the channel does to an order of ours: one table, as data, from which the documentation is generated.

`reaction` reads the table; `actions.follow` applies it. `python -m comptoir.commerce.orders.external` prints the page.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from comptoir.commerce.orders.records import Severity


class Meaning(StrEnum):
    """What the channel's status means, as its connector or a mapping reads it."""

    UNPAID = "unpaid"  #: placed, not paid or not valid
    PAID = "paid"  #: may be prepared
    SHIPPED = "shipped"  #: everything has left, by the channel's account
    CANCELLED = "cancelled"  #: will not be fulfilled
    REFUNDED = "refunded"  #: money given back in full
    UNKNOWN = "unknown"  #: a status of the merchant's own whose flags say nothing


class Standing(StrEnum):
    """Where the order stands with us, as far as the channel's status matters."""

    PENDING = "pending"  #: not yet valid
    PROCESSING = "processing"  #: nothing has left
    PARTLY_SHIPPED = "partly_shipped"  #: processing, and something has left
    ON_HOLD = "on_hold"  #: a person holds it; nothing has left
    HELD_PARTLY_SHIPPED = "held_partly_shipped"  #: a person holds what has not left
    COMPLETE = "complete"  #: everything has left
    CANCELLED = "cancelled"  #: we cancelled it
    CANCELLED_THERE = "cancelled_there"  #: the channel cancelled it, and we followed
    NOT_HERE = "not_here"  #: no order of ours


class Movement(StrEnum):
    """What happens to stock."""

    NONE = "none"  #: nothing
    RELEASE = "release"  #: what was reserved is free again
    SHIP = "ship"  #: what is open is booked as gone, once


class Effect(StrEnum):
    """What else follows."""

    NONE = "none"  #: nothing
    BLOCK = "block"  #: preparation waits for a person
    TELL_CANCELLED = "tell_cancelled"  #: the channel is told that we cancelled
    STAGE = "stage"  #: staging decides, by the import rule of that status


@dataclass(frozen=True, slots=True)
class Reaction:
    """One cell of the table."""

    move: str = ""  # status after; empty: stays
    movement: Movement = Movement.NONE
    finding: str = ""  # code; empty: none
    severity: Severity | None = None
    effect: Effect = Effect.NONE


NOTHING = Reaction()
_STAGE = Reaction(effect=Effect.STAGE)
_CANCEL = Reaction("cancelled", Movement.RELEASE, "cancelled_there", Severity.INFO)
_TOO_LATE = Reaction(finding="cancelled_there_after_leaving", severity=Severity.ERROR, effect=Effect.BLOCK)
_SHIPPED = Reaction("complete", Movement.SHIP, "shipped_there", Severity.INFO)
_SHIPPED_WHILE_HELD = Reaction("complete", Movement.SHIP, "shipped_there_while_held", Severity.ERROR)
_SHIPPED_AFTER_ALL = Reaction(finding="shipped_there_cancelled_here", severity=Severity.ERROR)
_TELL = Reaction(finding="cancelled_here_only", severity=Severity.ERROR, effect=Effect.TELL_CANCELLED)
_REOPENED = Reaction(finding="reopened_there", severity=Severity.ERROR)
_UNPAID = Reaction(finding="unpaid_there", severity=Severity.ERROR, effect=Effect.BLOCK)
_UNPAID_GONE = Reaction(finding="unpaid_there_after_leaving", severity=Severity.ERROR)
_REFUNDED = Reaction(finding="refunded_there", severity=Severity.ERROR, effect=Effect.BLOCK)
_REFUNDED_GONE = Reaction(finding="refunded_after_leaving", severity=Severity.INFO)

#: Every meaning there × every standing here.
TABLE: Mapping[Meaning, Mapping[Standing, Reaction]] = {
    Meaning.UNPAID: {
        Standing.PENDING: NOTHING,
        Standing.PROCESSING: _UNPAID,
        Standing.PARTLY_SHIPPED: _UNPAID,
        Standing.ON_HOLD: NOTHING,
        Standing.HELD_PARTLY_SHIPPED: _UNPAID,
        Standing.COMPLETE: _UNPAID_GONE,
        Standing.CANCELLED: _TELL,
        Standing.CANCELLED_THERE: NOTHING,  # reopened, but there is nothing to serve before it is paid
        Standing.NOT_HERE: _STAGE,
    },
    Meaning.PAID: {
        Standing.PENDING: Reaction("processing"),
        Standing.PROCESSING: NOTHING,
        Standing.PARTLY_SHIPPED: NOTHING,
        Standing.ON_HOLD: NOTHING,  # a person holds it, a person lets it go
        Standing.HELD_PARTLY_SHIPPED: NOTHING,
        Standing.COMPLETE: NOTHING,  # our parcels are told by their own effect
        Standing.CANCELLED: _TELL,
        Standing.CANCELLED_THERE: _REOPENED,
        Standing.NOT_HERE: _STAGE,
    },
    Meaning.SHIPPED: {
        Standing.PENDING: _SHIPPED_WHILE_HELD,
        Standing.PROCESSING: _SHIPPED,
        Standing.PARTLY_SHIPPED: _SHIPPED,
        Standing.ON_HOLD: _SHIPPED_WHILE_HELD,
        Standing.HELD_PARTLY_SHIPPED: _SHIPPED_WHILE_HELD,
        Standing.COMPLETE: NOTHING,
        Standing.CANCELLED: _SHIPPED_AFTER_ALL,
        Standing.CANCELLED_THERE: _SHIPPED_AFTER_ALL,
        Standing.NOT_HERE: _STAGE,
    },
    Meaning.CANCELLED: {
        Standing.PENDING: _CANCEL,
        Standing.PROCESSING: _CANCEL,
        Standing.PARTLY_SHIPPED: _TOO_LATE,
        Standing.ON_HOLD: _CANCEL,
        Standing.HELD_PARTLY_SHIPPED: _TOO_LATE,
        Standing.COMPLETE: Reaction(finding="cancelled_there_after_leaving", severity=Severity.ERROR),
        Standing.CANCELLED: NOTHING,
        Standing.CANCELLED_THERE: NOTHING,
        Standing.NOT_HERE: _STAGE,
    },
    Meaning.REFUNDED: {
        Standing.PENDING: _REFUNDED,
        Standing.PROCESSING: _REFUNDED,
        Standing.PARTLY_SHIPPED: _REFUNDED,
        Standing.ON_HOLD: _REFUNDED,
        Standing.HELD_PARTLY_SHIPPED: _REFUNDED,
        Standing.COMPLETE: _REFUNDED_GONE,
        Standing.CANCELLED: NOTHING,
        Standing.CANCELLED_THERE: NOTHING,
        Standing.NOT_HERE: _STAGE,
    },
    # Says nothing, so it does nothing; an unmapped status of a sale that is not here is for staging to ask about.
    Meaning.UNKNOWN: {**dict.fromkeys(Standing, NOTHING), Standing.NOT_HERE: _STAGE},
}

#: What a person may do about each finding; the web words it.
CURES: Mapping[str, tuple[str, ...]] = {
    "cancelled_there": (),
    "cancelled_there_while_prepared": ("put the goods back",),
    "cancelled_there_after_leaving": ("return", "refuse"),
    "shipped_there": (),
    "shipped_there_unbooked": ("book what left", "refuse"),
    "shipped_there_while_held": ("look at why it was held",),
    "shipped_there_cancelled_here": ("book what left as an adjustment", "refuse"),
    "cancelled_here_only": ("cancel it there",),
    "reopened_there": ("take theirs", "keep ours"),
    "unpaid_there": ("unblock", "cancel"),
    "unpaid_there_after_leaving": ("ask for the money", "return"),
    "refunded_there": ("cancel", "unblock"),
    "refunded_after_leaving": (),
    "changed_there": ("take theirs", "keep ours"),
    "changed_there_after_leaving": (),
}


def reaction(meaning: Meaning | str, standing: Standing | str) -> Reaction:
    """What a status of that meaning does to an order that stands so."""
    return TABLE[Meaning(meaning)][Standing(standing)]


def standing(status: str, *, has_left: bool, is_cancelled_there: bool) -> Standing:
    """Where an order stands."""
    match status:
        case "processing":
            return Standing.PARTLY_SHIPPED if has_left else Standing.PROCESSING
        case "on_hold":
            return Standing.HELD_PARTLY_SHIPPED if has_left else Standing.ON_HOLD
        case "cancelled":
            return Standing.CANCELLED_THERE if is_cancelled_there else Standing.CANCELLED
    return Standing(status)


_MOVEMENTS = {Movement.RELEASE: "units freed", Movement.SHIP: "what is open is booked as gone"}
_EFFECTS = {
    Effect.BLOCK: "preparation waits",
    Effect.TELL_CANCELLED: "the channel is told",
    Effect.STAGE: "staging decides",
}


def cell(content: Reaction) -> str:
    """One cell in words."""
    words = []
    if content.move:
        words.append(f"→ **{content.move}**")
    if content.movement in _MOVEMENTS:
        words.append(_MOVEMENTS[content.movement])
    if content.effect in _EFFECTS:
        words.append(_EFFECTS[content.effect])
    if content.finding and content.severity:
        words.append(f"{content.severity.value.capitalize()} `{content.finding}`")
    return "; ".join(words) or "–"


def page() -> str:
    """docs/reference/order-status.md, generated."""
    meanings = list(TABLE)
    lines = [
        "# External status × our status",
        "",
        "<!-- generated by: python -m comptoir.commerce.orders.external -->",
        "",
        "What happens when an accepted order is seen at its channel with a status of that meaning. A dash means: the",
        "status is noted and nothing else. A meaning that was let pass, by the import rule with which the order came in or",
        "by a person who saw it and left the order as it is, says nothing new until it changes.",
        "",
        "| here \\ there | " + " | ".join(meaning.value for meaning in meanings) + " |",
        "| --- " * (len(meanings) + 1) + "|",
    ]
    for standing in Standing:
        cells = [cell(TABLE[meaning][standing]) for meaning in meanings]
        lines.append(f"| {standing.value.replace('_', ' ')} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "- *what is open is booked as gone*: a shipment that is not ours, one movement per line, once; where the channel",
        "  is set to ask first, `shipped_there_unbooked` (Error) instead.",
        "- *the channel is told*: where it cannot be told, the Error stays until the shop agrees; where it can, it is Retry.",
        "- cancelled there while picked or packed here: as above, with the Error `cancelled_there_while_prepared`.",
        "- lines, quantities, address or refunds that differ there: `changed_there` (Error) with both versions on what has",
        "  not left, and preparation waits; Info `changed_there_after_leaving` on what has.",
        "",
        "| finding | what a person may do |",
        "| --- | --- |",
    ]
    lines += [f"| `{code}` | {', '.join(cures) or 'nothing: a rule applied'} |" for code, cures in CURES.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
