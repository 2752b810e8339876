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


class Deed(StrEnum):
    """What a person does to an order here, as far as it ends what a finding asks for."""

    UNBLOCK = "unblocked"  #: lets preparation go on
    AGREE = "agreed"  #: has seen the status there and leaves our order as it is
    KEEP_OURS = "kept_ours"  #: has seen the version there and keeps ours
    TAKE_THEIRS = "took_theirs"  #: their version is ours now
    PUT_BACK = "put_back"  #: the goods are on their shelf again
    CANCEL = "cancelled"  #: cancels the order
    COMPLETE = "complete"  #: its last line has left


@dataclass(frozen=True, slots=True)
class Cure:
    """What a person may do about a finding, and what ends it.

    The table raises most findings anew with each version that it sees, but not all: where we followed, the same status
    says nothing any more, though the goods still lie in a box. So a finding stays open while the channel says one of
    `stays_while`, until one of the deeds `ended_by`, or a person's word for it. Where neither is given, a rule applied:
    it is over with the next version that does not say it again.
    """

    ways: tuple[str, ...] = ()  # the web words them
    stays_while: frozenset[Meaning] = frozenset()
    ended_by: frozenset[Deed] = frozenset()


_WHATEVER = frozenset(Meaning)  # only a person ends it
_DECIDED = frozenset({Deed.AGREE, Deed.KEEP_OURS, Deed.TAKE_THEIRS})

#: What a person may do about each finding, and what ends it.
CURES: Mapping[str, Cure] = {
    "cancelled_there": Cure(),
    "cancelled_there_while_prepared": Cure(
        ("put the goods back",), _WHATEVER, frozenset({Deed.PUT_BACK, Deed.TAKE_THEIRS})
    ),
    "cancelled_there_after_leaving": Cure(
        ("return", "refuse"), frozenset({Meaning.CANCELLED, Meaning.REFUNDED}), _DECIDED | {Deed.UNBLOCK}
    ),
    "shipped_there": Cure(),
    "shipped_there_unbooked": Cure(
        ("book what left", "refuse"), frozenset({Meaning.SHIPPED}), _DECIDED | {Deed.UNBLOCK, Deed.COMPLETE}
    ),
    "shipped_there_while_held": Cure(("look at why it was held",), _WHATEVER, frozenset({Deed.AGREE})),
    "shipped_there_cancelled_here": Cure(
        ("book what left as an adjustment", "refuse"), frozenset({Meaning.SHIPPED}), _DECIDED
    ),
    "cancelled_here_only": Cure(("cancel it there",), frozenset({Meaning.UNPAID, Meaning.PAID})),
    "reopened_there": Cure(("take theirs", "keep ours"), frozenset({Meaning.PAID}), _DECIDED),
    "unpaid_there": Cure(("unblock", "cancel"), frozenset({Meaning.UNPAID}), _DECIDED | {Deed.UNBLOCK, Deed.CANCEL}),
    "unpaid_there_after_leaving": Cure(("ask for the money", "return"), frozenset({Meaning.UNPAID}), _DECIDED),
    "refunded_there": Cure(
        ("cancel", "unblock"), frozenset({Meaning.REFUNDED}), _DECIDED | {Deed.UNBLOCK, Deed.CANCEL}
    ),
    "refunded_after_leaving": Cure(),
    "changed_there": Cure(
        ("take theirs", "keep ours"),
        ended_by=frozenset({Deed.KEEP_OURS, Deed.TAKE_THEIRS, Deed.CANCEL, Deed.COMPLETE}),
    ),
    "changed_there_after_leaving": Cure(),
    "order_gone_there": Cure(("look for it there", "cancel"), ended_by=frozenset({Deed.CANCEL, Deed.COMPLETE})),
    "line_cancelled_here_only": Cure(
        ("take it out or refund it there",), ended_by=frozenset({Deed.TAKE_THEIRS, Deed.CANCEL})
    ),
}

#: What the channel's version says, and not its status: raised anew as long as the version differs from what we agreed on.
OF_THE_VERSION = frozenset({"changed_there", "changed_there_after_leaving", "line_cancelled_here_only"})


def over(meaning: Meaning | str, found: Mapping[str, Severity]) -> list[str]:
    """Codes that are not open any more after a version with this meaning came to `found`."""
    meaning = Meaning(meaning)
    if meaning == Meaning.UNKNOWN:  # a status that says nothing ends nothing that a status said
        return sorted(OF_THE_VERSION - set(found))
    # An Error about the status stands for the ones before it, but for what only a person ends.
    is_replaced = any(severity != Severity.INFO for code, severity in found.items() if code not in OF_THE_VERSION)
    return sorted(
        code
        for code, cure in CURES.items()
        if code not in found and (meaning not in cure.stays_while or (is_replaced and cure.stays_while != _WHATEVER))
    )


def ended_by(deed: Deed | str) -> list[str]:
    """Codes whose findings about an order a deed ends."""
    return sorted(code for code, cure in CURES.items() if Deed(deed) in cure.ended_by)


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


def _row_of_cure(code: str, cure: Cure) -> str:
    stays = (
        "whatever" if cure.stays_while == _WHATEVER else ", ".join(m.value for m in Meaning if m in cure.stays_while)
    )
    deeds = ", ".join(deed.value.replace("_", " ") for deed in Deed if deed in cure.ended_by)
    ways = ", ".join(cure.ways) or "nothing: a rule applied"
    return f"| `{code}` | {ways} | {stays or '–'} | {deeds or '–'} |"


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
        "  is set to ask first, preparation waits and `shipped_there_unbooked` (Error) instead.",
        "- *the channel is told*: where it cannot be told, the Error stays until the shop agrees; where it can, it is Retry.",
        "- cancelled there while picked or packed here: as above, with the Error `cancelled_there_while_prepared`.",
        "- lines, quantities, address or refunds that differ there: `changed_there` (Error) with both versions on what has",
        "  not left, and preparation waits; Info `changed_there_after_leaving` on what has.",
        "- an open order that the channel does not have any more when it is asked for: `order_gone_there` (Error), once.",
        "- a line, or units of one, cancelled here: `line_cancelled_here_only` (Error) until the version there sells no more",
        "  of it than we do. A version that differs only by that is agreed on without asking.",
        "",
        "A finding stays open while the channel says what is named here, until a person has done one of these things, or",
        "says that it is dealt with. Another Error about the status takes its place.",
        "",
        "| finding | what a person may do | stays while the channel says | ended by |",
        "| --- | --- | --- | --- |",
    ]
    lines += [_row_of_cure(code, cure) for code, cure in CURES.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
