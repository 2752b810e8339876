"""Everything that changes orders. Each action locks its order first, then stock; the edge opens the transaction.

Only people, picking and `take_theirs` change lines and addresses; the channel's status counts by `external`'s table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory import ledger
from comptoir.commerce.inventory import queries as stock
from comptoir.commerce.inventory.records import Demand
from comptoir.commerce.orders import differences, events, external, placing, sold, status
from comptoir.commerce.orders.errors import AlreadyLeft, MoveNotAllowed, TooMuch
from comptoir.commerce.orders.external import Deed, Effect, Meaning, Movement, Reaction, Standing
from comptoir.commerce.orders.models import LineKind, Preparation, Status
from comptoir.commerce.orders.placing import place
from comptoir.commerce.orders.records import ZERO, Finding, NewOrder, Severity
from comptoir.commerce.orders.sold import DraftLine
from comptoir.commerce.orders.status import Locked, lock, note, set_preparation
from comptoir.events.record import record
from comptoir.kit import money, sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput, ComptoirError

__all__ = [
    "Followed",
    "agree",
    "block",
    "cancel",
    "cancel_line",
    "cancel_rest",
    "change_address",
    "change_carrier",
    "compare",
    "follow",
    "hold",
    "keep_ours",
    "move_line_to_warehouse",
    "note_external_status",
    "pack",
    "pick",
    "place",
    "put_back",
    "served",
    "set_preparation",
    "take_theirs",
    "unblock",
    "unhold",
]

SERVED = (LineKind.GOODS, LineKind.PART)  # what leaves a shelf


@dataclass(frozen=True, slots=True)
class LineNow:
    """A line of a locked order."""

    id: int
    position: int
    kind: LineKind
    parent: int | None
    variant: int | None
    external_id: str
    sku: str
    quantity: Decimal
    cancelled: Decimal
    shipped: Decimal

    @property
    def open(self) -> Decimal:
        return self.quantity - self.cancelled - self.shipped

    @property
    def leaves_a_shelf(self) -> bool:
        return self.kind in SERVED


def lines_of(order: int) -> dict[int, LineNow]:
    """The lines of an order by id, in their order."""
    rows = sql.rows(
        "SELECT id, position, kind, parent_id, variant_id, external_id, sku, quantity, cancelled, shipped"
        " FROM orders_line WHERE order_id = %s ORDER BY position",
        [order],
    )
    return {row[0]: LineNow(row[0], row[1], LineKind(row[2]), *row[3:]) for row in rows}


# Hold, unhold, cancel


def hold(order: int, *, reason: str, at: datetime, actor: Actor) -> None:
    """Let it wait for a person; it keeps its reservation."""
    status.move(order, Status.ON_HOLD, reason=reason, actor=actor, at=at)
    sql.execute("UPDATE orders_order SET hold_reason = %s WHERE id = %s", [reason[:255], order])


def unhold(order: int, *, at: datetime, actor: Actor, reason: str = "") -> Status:
    """Let it go on where it was; the status it has now (an order whose rest was cancelled meanwhile completes)."""
    locked = lock(order)
    if locked.status != Status.ON_HOLD:
        raise MoveNotAllowed(locked.number, locked.status, Status.PROCESSING)
    before = sql.value(
        "SELECT before FROM orders_history WHERE order_id = %s AND what = 'moved' AND after = 'on_hold'"
        " ORDER BY id DESC LIMIT 1",
        [order],
    )
    back_to = Status.PENDING if before == Status.PENDING else Status.PROCESSING
    status.move(order, back_to, reason=reason, actor=actor, at=at)
    sql.execute("UPDATE orders_order SET hold_reason = '' WHERE id = %s", [order])
    return _settle(order, actor=actor, at=at)


def cancel(order: int, *, reason: str, at: datetime, actor: Actor, is_ours: bool = True) -> None:
    """Cancel a whole order of which nothing has left: units are free again. `is_ours` False: the channel did it first."""
    locked = lock(order)
    if Status.CANCELLED not in status.MOVES[locked.status]:
        raise MoveNotAllowed(locked.number, locked.status, Status.CANCELLED)
    lines = lines_of(order)
    left = [line for line in lines.values() if line.shipped]
    if left:
        raise AlreadyLeft(locked.number, [line.sku or str(line.position) for line in left])
    _cancel_lines({line.id: line.open for line in lines.values() if line.open}, lines, at=at, actor=actor)
    _cancelled(locked, reason, is_ours=is_ours, at=at, actor=actor)


def _cancelled(order: Locked, reason: str, *, is_ours: bool, at: datetime, actor: Actor) -> None:
    status.move(order.id, Status.CANCELLED, reason=reason, actor=actor, at=at)
    sql.execute(
        "UPDATE orders_order SET is_cancelled_there = %s, is_blocked = false WHERE id = %s", [not is_ours, order.id]
    )
    facts = {**order.facts, "is_ours": is_ours, "reason": reason}
    record(events.CANCELLED, facts, actor=actor, at=at, subject=f"order:{order.id}")


def cancel_rest(order: int, *, reason: str, at: datetime, actor: Actor) -> Status:
    """Nothing more of it will leave: cancel what is open. Complete if something has left, else cancelled."""
    locked = _must_be_open(order)
    lines = lines_of(order)
    rest = {line.id: line.open for line in lines.values() if line.open > 0 and line.leaves_a_shelf}
    headings = {line.id: line.open for line in lines.values() if line.kind == LineKind.KIT and line.open > 0}
    _cancel_lines(rest | headings, lines, at=at, actor=actor)
    _tell_cancelled_lines(locked, lines, rest | headings, reason, at=at, actor=actor)
    return _settle(order, actor=actor, at=at, reason=reason)


def cancel_line(
    line: int, quantity: Decimal | None = None, *, reason: str, at: datetime, actor: Actor, is_ours: bool = True
) -> Status:
    """Cancel so much of a line (None: all that is open), of a kit with its parts; the order's status afterwards.

    `is_ours` False: the channel gave the units back first.
    """
    order = sql.value("SELECT order_id FROM orders_line WHERE id = %s", [line])
    if order is None:
        raise BadInput("there is no such line", place="line", value=line, cure="look at the order's lines")
    locked = _must_be_open(order)
    lines = lines_of(order)
    asked = lines[line]
    if asked.parent is not None:
        raise BadInput(
            f"{asked.sku} is a part of a kit", place="line", value=line, cure="cancel the kit above it", sku=asked.sku
        )
    number = asked.open if quantity is None else _quantity(quantity)
    if number > asked.open or number <= 0:
        raise TooMuch(locked.number, asked.sku or asked.external_id or str(asked.position), number, asked.open)
    less = {line: number}
    for part in lines.values():
        if part.parent == line:
            of_part = number * part.quantity / asked.quantity
            if of_part > part.open:  # parts of it have left
                raise TooMuch(locked.number, part.sku, of_part, part.open)
            less[part.id] = of_part
    _cancel_lines(less, lines, at=at, actor=actor)
    _tell_cancelled_lines(locked, lines, {line: number}, reason, is_ours=is_ours, at=at, actor=actor)
    return _settle(order, actor=actor, at=at, reason=reason)


def _cancel_lines(less: Mapping[int, Decimal], lines: Mapping[int, LineNow], *, at: datetime, actor: Actor) -> None:
    if not less:
        return
    sql.execute(
        "UPDATE orders_line SET cancelled = cancelled + change.quantity"
        " FROM unnest(%s::bigint[], %s::numeric[]) AS change (line, quantity) WHERE orders_line.id = change.line",
        [list(less), list(less.values())],
    )
    promised = {line: quantity for line, quantity in less.items() if lines[line].leaves_a_shelf}
    if promised:
        inventory.release(promised, at=at, actor=actor)


def _tell_cancelled_lines(
    order: Locked,
    lines: Mapping[int, LineNow],
    less: Mapping[int, Decimal],
    reason: str,
    *,
    is_ours: bool = True,
    at: datetime,
    actor: Actor,
) -> None:
    for line, quantity in less.items():
        about = {"line": line, "sku": lines[line].sku, "quantity": str(quantity)}
        note(order.id, "line_cancelled", reason=reason, facts=about, actor=actor, at=at)
        record(
            events.LINE_CANCELLED,
            {**order.facts, **about, "external_line": lines[line].external_id, "is_ours": is_ours, "reason": reason},
            actor=actor,
            at=at,
            subject=f"order:{order.id}",
        )


def _settle(order: int, *, at: datetime, actor: Actor, reason: str = "") -> Status:
    """Complete or cancel an order of which nothing is open any more; the status it has now."""
    locked = lock(order)
    lines = lines_of(order)
    if locked.status not in status.OPEN or any(line.open > 0 for line in lines.values() if line.leaves_a_shelf):
        return locked.status
    has_left = any(line.shipped > 0 for line in lines.values() if line.leaves_a_shelf)
    is_left_to_serve = any(
        line.open > 0 for line in lines.values() if line.kind != LineKind.KIT and line.parent is None
    )
    if has_left or is_left_to_serve:
        if locked.status != Status.PROCESSING:
            return locked.status  # completes when it is let go
        _complete(order, reason, at=at, actor=actor)
        return Status.COMPLETE
    _cancelled(locked, reason, is_ours=True, at=at, actor=actor)
    return Status.CANCELLED


def _complete(order: int, reason: str, *, at: datetime, actor: Actor) -> None:
    status.move(order, Status.COMPLETE, reason=reason, actor=actor, at=at)
    sql.execute(
        "UPDATE orders_order SET preparation = 'shipped', is_blocked = false WHERE id = %s",
        [order],
    )
    sql.execute(  # what leaves no shelf is served with the last parcel
        "UPDATE orders_line SET shipped = quantity - cancelled WHERE order_id = %s AND NOT kind = ANY (%s)",
        [order, [kind.value for kind in SERVED]],
    )


def _must_be_open(order: int) -> Locked:
    locked = lock(order)
    if locked.status not in status.OPEN:
        raise MoveNotAllowed(locked.number, locked.status, Status.CANCELLED)
    return locked


def _quantity(number: Decimal) -> Decimal:
    try:
        return money.quantity(number)
    except (ValueError, ArithmeticError) as error:
        raise BadInput(
            f"{number} is not a quantity", place="quantity", value=str(number), cure="give at most three decimals"
        ) from error


# Preparation


def block(order: int, *, reason: str, at: datetime, actor: Actor, facts: Mapping[str, Any] | None = None) -> bool:
    """Let preparation wait for a person; False where it waits already."""
    if lock(order).is_blocked:
        return False
    sql.execute("UPDATE orders_order SET is_blocked = true, changed_at = %s WHERE id = %s", [at, order])
    note(order, "blocked", reason=reason, facts=facts, actor=actor, at=at)
    return True


def unblock(order: int, *, at: datetime, actor: Actor, reason: str = "", is_decided: bool = True) -> bool:
    """A person has decided: preparation may go on, whatever the status there. False where nothing blocked it.

    `is_decided` False: nobody has; what it waited for is over.
    """
    locked = lock(order)
    if not locked.is_blocked:
        return False
    sql.execute(
        "UPDATE orders_order SET is_blocked = false, changed_at = %s,"
        " accepted_as = CASE WHEN %s THEN meaning_there ELSE accepted_as END WHERE id = %s",
        [at, is_decided, order],
    )
    note(order, "unblocked", reason=reason, actor=actor, at=at)
    if is_decided:
        _decided(locked, Deed.UNBLOCK, at=at, actor=actor)
    return True


def _decided(order: Locked, deed: Deed, *, at: datetime, actor: Actor) -> None:
    facts = {**order.facts, "deed": deed.value}
    record(events.DECIDED, facts, actor=actor, at=at, subject=f"order:{order.id}")


def pick(order: int, *, at: datetime, actor: Actor) -> None:
    """What is reserved lies in somebody's basket: it is the last to be taken back."""
    set_preparation(order, Preparation.PICKED, at=at, actor=actor)
    _mark_picked(order, True, at=at, actor=actor)


def pack(order: int, *, at: datetime, actor: Actor) -> None:
    """It is in its box."""
    set_preparation(order, Preparation.PACKED, at=at, actor=actor)
    _mark_picked(order, True, at=at, actor=actor)


def put_back(order: int, *, at: datetime, actor: Actor, reason: str = "") -> None:
    """Out of the basket, back on the shelf: preparation starts anew, unless the order was cancelled meanwhile."""
    locked = set_preparation(order, Preparation.NEW, at=at, actor=actor, reason=reason)
    _mark_picked(order, False, at=at, actor=actor)
    _decided(locked, Deed.PUT_BACK, at=at, actor=actor)


def _mark_picked(order: int, is_picked: bool, *, at: datetime, actor: Actor) -> None:
    lines = [line.id for line in lines_of(order).values() if line.leaves_a_shelf]
    inventory.mark_picked(lines, is_picked=is_picked, at=at, actor=actor)


def served(
    order: int,
    left: Mapping[int, Decimal],
    *,
    at: datetime,
    actor: Actor,
    reason: str = "",
    facts: Mapping[str, Any] | None = None,
) -> bool:
    """Shipments tell what has left, after its movements were booked; whether nothing more will leave.

    The order stays processing until its last line has left; the rest of a partial shipment begins its preparation anew.
    """
    locked = lock(order)
    lines = lines_of(order)
    for line, quantity in left.items():
        if quantity > lines[line].open:
            raise TooMuch(locked.number, lines[line].sku, quantity, lines[line].open)
    sql.execute(
        "UPDATE orders_line SET shipped = shipped + change.quantity"
        " FROM unnest(%s::bigint[], %s::numeric[]) AS change (line, quantity) WHERE orders_line.id = change.line",
        [list(left), list(left.values())],
    )
    sql.execute(  # as many kits have left as the rarest of their parts allows
        """
        UPDATE orders_line AS heading
        SET shipped = least(heading.quantity - heading.cancelled, floor(part.kits))
        FROM (SELECT part.parent_id, min(part.shipped * heading.quantity / part.quantity) AS kits
              FROM orders_line AS part JOIN orders_line AS heading ON heading.id = part.parent_id
              WHERE part.order_id = %s AND part.kind = 'part' GROUP BY part.parent_id) AS part
        WHERE heading.id = part.parent_id
        """,
        [order],
    )
    if locked.status != Status.PROCESSING:  # it has left all the same
        status.move(order, Status.PROCESSING, reason=reason, actor=actor, at=at)
    note(
        order,
        "shipped",
        facts={**(facts or {}), "lines": {str(line): str(quantity) for line, quantity in left.items()}},
        reason=reason,
        actor=actor,
        at=at,
    )
    completes = _settle(order, actor=actor, at=at, reason=reason) == Status.COMPLETE
    if not completes:
        waits = any(standing.reserved for standing in stock.reserved_by_line([order]).values())
        sql.execute(
            "UPDATE orders_order SET preparation = %s, changed_at = %s WHERE id = %s",
            [(Preparation.NEW if waits else Preparation.SHIPPED).value, at, order],
        )
    record(
        events.SERVED,
        {**locked.facts, "lines": {str(line): str(q) for line, q in left.items()}, "completes": completes},
        actor=actor,
        at=at,
        subject=f"order:{order}",
    )
    return completes


def change_carrier(order: int, carrier: str, carrier_name: str = "", *, at: datetime, actor: Actor) -> None:
    """Send it with another carrier."""
    locked = _must_be_open(order)
    if len(carrier) > 80:
        raise BadInput("the carrier's key is too long", place="carrier", value=carrier, cure="at most 80 characters")
    sql.execute(
        "UPDATE orders_order SET carrier = %s, carrier_name = %s, changed_at = %s WHERE id = %s",
        [carrier, carrier_name[:120], at, order],
    )
    facts = {"before": locked.carrier, "after": carrier}
    note(order, "carrier_changed", facts=facts, actor=actor, at=at)


def change_address(order: int, shipping: Mapping[str, Any], *, at: datetime, actor: Actor) -> None:
    """A person corrects where it goes; the version before stays in the history."""
    _must_be_open(order)
    before = sql.value("SELECT shipping::text FROM orders_order WHERE id = %s", [order])
    sql.execute(
        "UPDATE orders_order SET shipping = %s, changed_at = %s WHERE id = %s", [sql.Jsonb(dict(shipping)), at, order]
    )
    note(
        order,
        "address_changed",
        facts={"before": before and json.loads(before), "after": dict(shipping)},
        actor=actor,
        at=at,
    )


def move_line_to_warehouse(line: int, warehouse: int, *, at: datetime, actor: Actor) -> Decimal:
    """Serve what is open of a line from that warehouse; how much is reserved there, the rest waits for goods there."""
    order = sql.value("SELECT order_id FROM orders_line WHERE id = %s", [line])
    if order is None:
        raise BadInput("there is no such line", place="line", value=line, cure="look at the order's lines")
    locked = _must_be_open(order)
    moved = lines_of(order)[line]
    if not moved.leaves_a_shelf or moved.variant is None:
        raise BadInput("nothing of it leaves a shelf", place="line", value=line, cure="move a line of goods or a part")
    if moved.open <= 0:
        raise TooMuch(locked.number, moved.sku, ZERO, moved.open)
    inventory.release({line: None}, at=at, actor=actor)
    demand = Demand(line, order, moved.variant, moved.open, (warehouse,), locked.placed_at)
    reserved = inventory.reserve([demand], at=at, actor=actor)[line]
    facts = {"line": line, "sku": moved.sku, "warehouse": warehouse, "reserved": str(reserved)}
    note(order, "line_moved", facts=facts, actor=actor, at=at)
    return reserved


# What is seen at the channel


@dataclass(frozen=True, slots=True)
class Followed:
    """What a status seen at the channel came to. `books` asks for `shipments.actions.book_shipped_there`, which stands
    above orders; `tells` asks for the effect that tells the channel of our cancellation."""

    reaction: Reaction
    standing: Standing
    findings: tuple[Finding, ...] = ()
    books: bool = False
    tells: bool = False


def agree(order: int, *, reason: str, at: datetime, actor: Actor) -> None:
    """A person has seen the status there and leaves our order as it is: it is asked about again only if it changes."""
    locked = lock(order)
    sql.execute(
        "UPDATE orders_order SET accepted_as = meaning_there, is_blocked = false, changed_at = %s WHERE id = %s",
        [at, order],
    )
    note(order, "agreed", reason=reason, facts={"meaning": locked.meaning_there}, actor=actor, at=at)
    _decided(locked, Deed.AGREE, at=at, actor=actor)


def note_external_status(
    statuses: Mapping[int, str], *, meanings: Mapping[int, str] | None = None, at: datetime
) -> int:
    """Remember the statuses last seen there, order -> status, and what they mean; how many orders had another.

    What a rule or a person let pass was let pass as long as it stays so; a status that says nothing takes nothing back.
    """
    meanings = meanings or {}
    return sql.execute(
        """
        UPDATE orders_order AS kept
        SET external_status = seen.status, meaning_there = coalesce(seen.meaning, kept.meaning_there), changed_at = %s,
            accepted_as = CASE WHEN seen.meaning IS NULL OR seen.meaning IN (kept.accepted_as, 'unknown')
                               THEN kept.accepted_as ELSE '' END
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS seen (id, status, meaning)
        WHERE kept.id = seen.id
          AND (kept.external_status <> seen.status OR kept.meaning_there <> seen.meaning)
        """,
        [at, list(statuses), [text[:80] for text in statuses.values()], [meanings.get(order) for order in statuses]],
    )


def follow(
    order: int,
    meaning: Meaning | str,
    *,
    at: datetime,
    actor: Actor,
    external_status: str | None = None,
    books_shipments: bool = True,
    can_tell: bool = True,
) -> Followed:
    """Let a status seen at the channel count, by `external.TABLE`. Seen again, it changes nothing more.

    `books_shipments` False: the channel is set to ask before something that left there is booked. `can_tell`: whether
    the channel can be told that we cancelled.
    """
    locked = lock(order)
    seen, standing = Meaning(meaning), _standing(locked)
    reaction = external.reaction(seen, standing)
    if seen == locked.accepted_as:  # a rule or a person has let it pass: it says nothing new
        if locked.status in status.OPEN:
            reaction = external.reaction(Meaning.PAID, standing)
        elif standing != Standing.CANCELLED:
            reaction = external.NOTHING
    status_there = locked.external_status if external_status is None else external_status
    note_external_status({order: status_there}, meanings={order: seen.value}, at=at)
    code, severity = reaction.finding, reaction.severity
    reason = f"{seen.value} there"
    match reaction.movement:
        case Movement.RELEASE:
            if locked.preparation in {Preparation.PICKED, Preparation.PACKED}:
                code, severity = "cancelled_there_while_prepared", Severity.ERROR
            cancel(order, reason=reason, is_ours=False, at=at, actor=actor)
        case Movement.SHIP if not books_shipments:
            code, severity = "shipped_there_unbooked", Severity.ERROR
            block(order, reason=reason, at=at, actor=actor)  # else it would leave here a second time
        case Movement.NONE if reaction.move:
            status.move(order, Status(reaction.move), reason=reason, actor=actor, at=at)
    if reaction.effect == Effect.BLOCK:
        block(order, reason=reason, at=at, actor=actor)
    if reaction.effect == Effect.TELL_CANCELLED and can_tell:
        severity = Severity.RETRY  # the hub acts, by itself, until the shop agrees
    facts = {
        **locked.facts,
        "external_number": _external_number(order),
        "meaning": seen.value,
        "standing": standing.value,
    }
    return Followed(
        reaction,
        standing,
        (Finding(code, severity, f"order:{order}", facts),) if code and severity else (),
        books=reaction.movement == Movement.SHIP and books_shipments,
        tells=reaction.effect == Effect.TELL_CANCELLED and can_tell,
    )


def _external_number(order: int) -> str:
    return str(sql.value("SELECT external_number FROM orders_order WHERE id = %s", [order]))


def _standing(order: Locked) -> Standing:
    has_left = sql.value("SELECT EXISTS (SELECT FROM orders_line WHERE order_id = %s AND shipped > 0)", [order.id])
    return external.standing(order.status, has_left=has_left, is_cancelled_there=order.is_cancelled_there)


def compare(order: int, sale: Mapping[str, Any], *, at: datetime, actor: Actor) -> list[Finding]:
    """Look for what the channel changed in a sale (a neutral sale's JSON) since we agreed on it.

    On an order that is open: one Error with both versions, and preparation waits. On one that is not: Info.
    """
    locked = lock(order)
    theirs = differences.snapshot_of_sale(sale)
    changed = differences.compare(locked.theirs, theirs)
    if not changed or locked.status == Status.CANCELLED:
        return []
    if not changed.fields and _is_as_cancelled_here(order, changed, theirs):
        sql.execute(
            "UPDATE orders_order SET theirs = %s, changed_at = %s WHERE id = %s", [sql.Jsonb(theirs), at, order]
        )
        note(order, "followed_there", facts=changed.facts, actor=actor, at=at)
        return []
    facts = {**locked.facts, **changed.facts}
    if locked.status not in status.OPEN:
        return [Finding("changed_there_after_leaving", Severity.INFO, f"order:{order}", facts)]
    block(order, reason="changed there", facts=changed.facts, at=at, actor=actor)
    return [Finding("changed_there", Severity.ERROR, f"order:{order}", facts)]


def _is_as_cancelled_here(order: int, changed: differences.Differences, theirs: Mapping[str, Any]) -> bool:
    """Whether all that differs there is that units cancelled here are not sold there any more either."""
    there = differences.units(theirs)
    ours = {line.external_id: line.quantity - line.cancelled for line in lines_of(order).values() if not line.parent}
    cancelled = {line.external_id for line in lines_of(order).values() if line.cancelled}
    return all(one["line"] in cancelled and there.get(one["line"], ZERO) == ours[one["line"]] for one in changed.lines)


def keep_ours(order: int, sale: Mapping[str, Any], *, at: datetime, actor: Actor, reason: str = "") -> None:
    """A person has seen the channel's version and keeps ours: it is asked about again only if it changes again."""
    locked = lock(order)
    theirs = differences.snapshot_of_sale(sale)
    changed = differences.compare(locked.theirs, theirs)
    sql.execute(
        "UPDATE orders_order SET theirs = %s, accepted_as = meaning_there, changed_at = %s WHERE id = %s",
        [sql.Jsonb(theirs), at, order],
    )
    note(order, "kept_ours", reason=reason, facts=changed.facts, actor=actor, at=at)
    unblock(order, reason=reason, at=at, actor=actor)
    _decided(locked, Deed.KEEP_OURS, at=at, actor=actor)


def take_theirs(order: int, theirs: NewOrder, *, at: datetime, actor: Actor, reason: str = "") -> Status:
    """The channel's version replaces what has not left: quantities, lines, charges, addresses, total; one history entry.

    An order cancelled there and reopened there is reopened. What has left cannot be taken out: `AlreadyLeft`.
    """
    locked = lock(order)
    reopens = locked.status == Status.CANCELLED and locked.is_cancelled_there
    if locked.status not in status.OPEN and not reopens:
        raise MoveNotAllowed(locked.number, locked.status, Status.PROCESSING)
    refusal = placing.refuse(theirs, locked.number)
    if refusal is not None:
        raise refusal
    ours = lines_of(order)
    if reopens:
        status.move(order, Status.PROCESSING, reason=reason, actor=actor, at=at, reopen=True)
        sql.execute("UPDATE orders_order SET is_cancelled_there = false WHERE id = %s", [order])
    drawn = sold.draft(
        [theirs.lines], [locked.number], first_position=max((o.position for o in ours.values()), default=0) + 1
    )[0]
    if isinstance(drawn, ComptoirError):
        raise drawn
    change = _Change.between(ours, drawn)
    if change.left:
        raise AlreadyLeft(locked.number, change.left)
    warehouses = theirs.warehouses or locked.warehouses
    _apply(locked, change, warehouses, at=at, actor=actor)
    _replace_what_is_not_lines(locked, theirs, warehouses, at=at)
    before = locked.theirs
    after = differences.snapshot(theirs.lines, theirs.shipping, theirs.total)
    note(order, "took_theirs", reason=reason, facts={"before": before, "after": after}, actor=actor, at=at)
    record(events.TOOK_THEIRS, locked.facts, actor=actor, at=at, subject=f"order:{order}")
    return _settle(order, at=at, actor=actor, reason=reason)


@dataclass(frozen=True, slots=True)
class _Change:
    """From our lines to theirs."""

    kept: list[tuple[LineNow, DraftLine]]
    gone: list[LineNow]
    added: list[DraftLine]
    left: list[str]  # what has left and is not in their version any more

    @staticmethod
    def between(ours: Mapping[int, LineNow], theirs: Sequence[DraftLine]) -> _Change:
        """Lines match by what the channel calls them and by what serves them; parts match with their headings."""
        free: dict[tuple[Any, ...], list[LineNow]] = {}
        for line in ours.values():
            free.setdefault(_identity(line, ours.get(line.parent) if line.parent else None), []).append(line)
        kept, added = [], []
        for draft in theirs:
            matching = free.get(_identity(draft, draft.parent))
            if matching:
                kept.append((matching.pop(0), draft))
            else:
                added.append(draft)
        gone = [line for lines in free.values() for line in lines]
        left = [line.sku for line in gone if line.shipped and line.kind != LineKind.KIT]
        left += [line.sku for line, draft in kept if draft.quantity < line.shipped]
        return _Change(kept, gone, added, left)


def _identity(line: LineNow | DraftLine, heading: LineNow | DraftLine | None) -> tuple[Any, ...]:
    return (
        line.kind,
        line.variant,
        line.external_id or line.sku,
        (heading.variant, heading.external_id or heading.sku) if heading else None,
    )


def _apply(order: Locked, change: _Change, warehouses: tuple[int, ...], *, at: datetime, actor: Actor) -> None:
    less: dict[int, Decimal | None] = {line.id: None for line in change.gone if line.leaves_a_shelf}
    demands = []
    for line, draft in change.kept:
        if not line.leaves_a_shelf or line.variant is None:
            continue
        wanted = draft.quantity - line.shipped
        if wanted < line.open:
            less[line.id] = line.open - wanted
        elif wanted > line.open:
            more = wanted - line.open
            demands.append(Demand(line.id, order.id, line.variant, more, warehouses, order.placed_at))
    placing.give_ids(change.added, placing.draw_line_ids(len(change.added)))
    ids = {id(draft): line.id for line, draft in change.kept}
    for draft in change.added:
        if draft.parent is not None and id(draft.parent) in ids:
            draft.parent.id = ids[id(draft.parent)]
    placing.insert_lines((order.id, False, draft) for draft in change.added)
    demands += placing.demands(order.id, change.added, warehouses, order.placed_at)
    sql.execute(  # gone there: cancelled, and it costs nothing any more
        "UPDATE orders_line SET cancelled = quantity - shipped, total = 0, tax = NULL, discount = 0 WHERE id = ANY (%s)",
        [[line.id for line in change.gone]],
    )
    for line, draft in change.kept:
        sql.execute(
            "UPDATE orders_line SET quantity = %s, cancelled = 0, name = %s, unit_price = %s, total = %s, tax_rate = %s,"
            " tax = %s, discount = %s WHERE id = %s",
            [
                draft.quantity,
                draft.name,
                draft.unit_price,
                draft.total,
                draft.tax_rate,
                draft.tax,
                draft.discount,
                line.id,
            ],
        )
    # Two calls of inventory: lock once what both need. A variant's levels are locked together, whichever is named.
    variants = {line.variant for line in (*change.gone, *(line for line, _ in change.kept)) if line.id in less}
    pairs = {(demand.variant, warehouse) for demand in demands for warehouse in demand.warehouses}
    ledger.lock_levels(pairs | {(v, w) for v in variants if v is not None for w in warehouses})
    if less:
        inventory.release(less, at=at, actor=actor)
    if demands:
        inventory.reserve(demands, more=True, at=at, actor=actor)


def _replace_what_is_not_lines(order: Locked, theirs: NewOrder, warehouses: tuple[int, ...], *, at: datetime) -> None:
    sql.execute("DELETE FROM orders_charge WHERE order_id = %s", [order.id])
    sql.execute("DELETE FROM orders_payment WHERE order_id = %s", [order.id])
    placing.insert_money([(order.id, theirs)])
    sql.execute(
        "UPDATE orders_order SET total = %s, total_tax = %s, billing = %s, shipping = %s, buyer = %s, pickup_point = %s,"
        " note = %s, theirs = %s, accepted_as = %s, meaning_there = %s, search = %s, warehouses = %s, is_blocked = false,"
        " changed_at = %s WHERE id = %s",
        [
            theirs.total,
            theirs.total_tax,
            None if theirs.billing is None else sql.Jsonb(dict(theirs.billing)),
            None if theirs.shipping is None else sql.Jsonb(dict(theirs.shipping)),
            sql.Jsonb(dict(theirs.buyer)),
            placing.clean(theirs.pickup_point, 160),
            placing.clean(theirs.note),
            sql.Jsonb(differences.snapshot(theirs.lines, theirs.shipping, theirs.total)),
            theirs.meaning,
            theirs.meaning,
            placing.search_text(order.number, theirs),
            list(warehouses),
            at,
            order.id,
        ],
    )
