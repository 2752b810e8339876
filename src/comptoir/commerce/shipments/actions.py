"""Goods leave for an order. Movements are booked once per shipment line; orders are told what left.

The order is locked first, then stock. The caller's key makes repeating harmless: the same key is the same shipment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlsplit

from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory import queries as stock
from comptoir.commerce.inventory.records import Booked, Pick
from comptoir.commerce.orders import actions as orders
from comptoir.commerce.orders import status
from comptoir.commerce.orders.actions import Followed, LineNow
from comptoir.commerce.orders.errors import NotToPrepare, TooMuch
from comptoir.commerce.orders.external import Meaning
from comptoir.commerce.orders.status import Locked
from comptoir.commerce.shipments import events
from comptoir.commerce.shipments.errors import KeyTaken, NothingToShip, NotReserved
from comptoir.commerce.shipments.models import Shipment, ShipmentLine
from comptoir.events.record import record
from comptoir.kit import money, sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput

Leaving = tuple[int, int, Decimal]  # line, warehouse, quantity

LONGEST_TRACKING = 64
LONGEST_URL = 500
LONGEST_KEY = 120
# Letters, digits and what carriers put between them; anything else is a slip of a scanner or a pasted page.
_TRACKING = re.compile(r"[0-9A-Za-z][0-9A-Za-z ./_#:+-]*")


def ship(
    order: int,
    lines: Sequence[Leaving] | None = None,
    *,
    key: str,
    carrier: str = "",
    carrier_name: str = "",
    tracking: str = "",
    tracking_url: str = "",
    at: datetime,
    actor: Actor,
) -> Shipment:
    """One parcel of ours: these (line, warehouse, quantity), or (None) everything that is reserved.

    Only a processing order that nobody blocks, and only what is reserved in that warehouse. Without a carrier it is the
    order's.
    """
    tracking, tracking_url = checked_tracking(tracking, tracking_url)
    locked, known = _open(order, key)
    if known is not None:
        return known
    status.must_be_preparable(locked)
    now = orders.lines_of(order)
    standings = stock.reserved_by_line([order])
    reserved = {
        (line, warehouse): quantity
        for line, standing in standings.items()
        for warehouse, quantity in standing.reserved.items()
    }
    leaving = _merged(lines, now) if lines is not None else dict(sorted(reserved.items()))
    if not leaving:
        raise NothingToShip(locked.number)
    for (line, warehouse), quantity in leaving.items():
        there = reserved.get((line, warehouse), Decimal(0))
        if quantity > there:
            raise NotReserved(locked.number, now[line].sku, warehouse, quantity, there)
    return _write(
        locked,
        now,
        leaving,
        key=key,
        carrier=(carrier, carrier_name) if carrier or carrier_name else (locked.carrier, locked.carrier_name),
        tracking=(tracking, tracking_url),
        is_ours=True,
        at=at,
        actor=actor,
    )


def book_shipped_there(
    order: int,
    lines: Mapping[int, Decimal] | None = None,
    *,
    key: str = "",
    carrier: str = "",
    carrier_name: str = "",
    tracking: str = "",
    tracking_url: str = "",
    at: datetime,
    actor: Actor,
) -> Shipment | None:
    """Somebody shipped with the shop's own screen: these units (None: all that is open) are gone, whatever we thought.

    Booked once: `key` (by default one per order) is remembered, and nothing open means nothing to book (None). Units
    leave where they are reserved, the rest where the order is served from first; stock that is short is booked as a
    difference. Tracking numbers are theirs and are kept as far as they fit.
    """
    locked, known = _open(order, key or f"there:{order}")
    if known is not None and (lines is not None or locked.status not in status.OPEN):
        return known
    if locked.status not in status.OPEN:
        return None
    now = orders.lines_of(order)
    wanted = {line.id: line.open for line in now.values() if line.leaves_a_shelf and line.open > 0}
    if lines is not None:
        wanted = _of_shelves(lines, now, locked)
    if not wanted:
        return known
    if known is not None:  # it was shipped there in part, then as a whole: the rest is another parcel
        key = f"{key or f'there:{order}'}:{_count(order)}"
    standings = stock.reserved_by_line([order])
    leaving: dict[tuple[int, int], Decimal] = {}
    for line, quantity in wanted.items():
        left = quantity
        shares = standings[line].reserved if line in standings else {}
        for warehouse, share in shares.items():
            taken = min(left, share)
            if taken:
                leaving[line, warehouse] = taken
                left -= taken
        if left:
            warehouse = next(iter(locked.warehouses), None) or inventory.default_warehouse().pk
            leaving[line, warehouse] = leaving.get((line, warehouse), Decimal(0)) + left
    return _write(
        locked,
        now,
        leaving,
        key=key or f"there:{order}",
        carrier=(carrier[:80], carrier_name[:120]),
        tracking=(tracking.replace("\0", "")[:LONGEST_TRACKING], tracking_url[:LONGEST_URL]),
        is_ours=False,
        at=at,
        actor=actor,
    )


def book_left_before(order: int, *, at: datetime, actor: Actor) -> Shipment | None:
    """What is open of it left before the hub shipped for its channel: a parcel without movements closes it, and the channel
    is told nothing. Its promises must have ended, see `inventory.actions.re_base`. None where nothing is open."""
    key = f"left:{order}"
    locked, known = _open(order, key)
    if known is not None or locked.status not in status.OPEN:
        return known
    now = orders.lines_of(order)
    left = {line.id: line.open for line in now.values() if line.leaves_a_shelf and line.open > 0}
    if not left:
        return None
    shipment = _parcel(
        locked, key=key, carrier=("", ""), tracking=("", ""), is_ours=False, completes=True, at=at, actor=actor
    )
    ShipmentLine.objects.bulk_create(
        ShipmentLine(shipment=shipment, line_id=line, warehouse_id=None, quantity=quantity)
        for line, quantity in left.items()
    )
    orders.served(
        order, left, reason="left before", facts={"shipment": shipment.number, "is_ours": False}, at=at, actor=actor
    )
    _tell(locked, shipment, Booked(), at=at, actor=actor)
    return shipment


def follow(
    order: int,
    meaning: Meaning | str,
    *,
    at: datetime,
    actor: Actor,
    external_status: str | None = None,
    tracking: Sequence[str] = (),
    books_shipments: bool = True,
    can_tell: bool = True,
) -> Followed:
    """`orders.actions.follow`, with the shipment that it may ask for."""
    followed = orders.follow(
        order,
        meaning,
        at=at,
        actor=actor,
        external_status=external_status,
        books_shipments=books_shipments,
        can_tell=can_tell,
    )
    if followed.books:
        book_shipped_there(order, tracking=next(iter(tracking), ""), at=at, actor=actor)
    return followed


def change_tracking(shipment: int, tracking: str, tracking_url: str = "", *, at: datetime, actor: Actor) -> None:
    """A tracking number typed late or wrong; the channel is told the new one."""
    tracking, tracking_url = checked_tracking(tracking, tracking_url)
    row = Shipment.objects.select_for_update().get(pk=shipment)
    if (row.tracking, row.tracking_url) == (tracking, tracking_url):
        return
    locked = status.lock(row.order_id)
    before, row.tracking, row.tracking_url = row.tracking, tracking, tracking_url
    row.save(update_fields=["tracking", "tracking_url"])
    about = {"shipment": shipment, "before": before, "after": tracking}
    status.note(row.order_id, "tracking_changed", facts=about, actor=actor, at=at)
    record(
        events.TRACKING_CHANGED,
        {
            **locked.facts,
            "shipment": shipment,
            "tracking": tracking,
            "change": _changes_of_tracking(row),
            "is_ours": row.is_ours,
        },
        actor=actor,
        at=at,
        subject=f"order:{row.order_id}",
    )


def _changes_of_tracking(shipment: Shipment) -> int:
    """How often the number of a locked shipment has changed by now."""
    return int(
        sql.value(
            "SELECT count(*) FROM orders_history WHERE order_id = %s AND what = 'tracking_changed'"
            " AND facts ->> 'shipment' = %s",
            [shipment.order_id, str(shipment.pk)],
        )
    )


def checked_tracking(tracking: str, tracking_url: str = "") -> tuple[str, str]:
    """What a person or a scanner typed, without spaces around it; BadInput says what is wrong with it."""
    tracking, tracking_url = tracking.strip(), tracking_url.strip()
    if len(tracking) > LONGEST_TRACKING:
        raise BadInput(
            "the tracking number is too long",
            place="tracking",
            value=tracking[:100],
            cure=f"at most {LONGEST_TRACKING} characters",
        )
    if tracking and not _TRACKING.fullmatch(tracking):
        raise BadInput(
            "the tracking number holds a character that none has",
            place="tracking",
            value=tracking,
            cure="letters, digits, spaces and . / _ # : + - between them",
        )
    if tracking_url and (
        len(tracking_url) > LONGEST_URL
        or not tracking_url.isprintable()
        or " " in tracking_url
        or urlsplit(tracking_url).scheme not in {"http", "https"}
        or not urlsplit(tracking_url).hostname
    ):
        raise BadInput(
            "the tracking address is not a web address",
            place="tracking_url",
            value=tracking_url[:100],
            cure=f"https://… with at most {LONGEST_URL} characters",
        )
    return tracking, tracking_url


def _open(order: int, key: str) -> tuple[Locked, Shipment | None]:
    """Lock the order; the shipment that has this key already, if any."""
    if not key or len(key) > LONGEST_KEY:
        raise BadInput("a shipment needs a key", place="key", value=key[:100], cure=f"1 to {LONGEST_KEY} characters")
    locked = status.lock(order)
    known = Shipment.objects.filter(key=key).first()
    if known is not None and known.order_id != order:
        raise KeyTaken(key, known.number)
    return locked, known


def _count(order: int) -> int:
    """How many parcels of an order there are."""
    return int(sql.value("SELECT count(*) FROM shipments_shipment WHERE order_id = %s", [order]))


def _merged(lines: Sequence[Leaving], now: Mapping[int, LineNow]) -> dict[tuple[int, int], Decimal]:
    """Lines as given, added up by line and warehouse; BadInput names what is no line of the order."""
    leaving: dict[tuple[int, int], Decimal] = {}
    for place, (line, warehouse, quantity) in enumerate(lines, 1):
        if line not in now or not now[line].leaves_a_shelf:
            raise BadInput(
                "no line of the order that leaves a shelf",
                place=f"line {place}",
                value=line,
                cure="goods or a kit's part",
            )
        number = _quantity(quantity, f"line {place}")
        leaving[line, warehouse] = leaving.get((line, warehouse), Decimal(0)) + number
    return leaving


def _of_shelves(lines: Mapping[int, Decimal], now: Mapping[int, LineNow], order: Locked) -> dict[int, Decimal]:
    """What left by line, a kit by its parts, never more than is open."""
    wanted: dict[int, Decimal] = {}
    for line, quantity in lines.items():
        if line not in now:
            raise BadInput("no line of the order", place="line", value=line, cure="look at the order's lines")
        number = _quantity(quantity, f"line {line}")
        parts = [part for part in now.values() if part.parent == line and part.leaves_a_shelf]
        for part in parts or [now[line]]:
            of_part = number * part.quantity / now[line].quantity
            if not part.leaves_a_shelf:
                continue
            if of_part > part.open:
                raise TooMuch(order.number, part.sku, of_part, part.open)
            wanted[part.id] = of_part
    return wanted


def _quantity(number: Decimal, place: str) -> Decimal:
    try:
        exact = money.quantity(number)
    except (ValueError, ArithmeticError) as error:
        raise BadInput("not a quantity", place=place, value=str(number), cure="at most three decimals") from error
    if exact <= 0:
        raise BadInput("nothing would leave", place=place, value=str(number), cure="a quantity above zero")
    return exact


def _write(
    order: Locked,
    now: Mapping[int, LineNow],
    leaving: Mapping[tuple[int, int], Decimal],
    *,
    key: str,
    carrier: tuple[str, str],
    tracking: tuple[str, str],
    is_ours: bool,
    at: datetime,
    actor: Actor,
) -> Shipment:
    if order.status not in status.OPEN:
        raise NotToPrepare(order.number, order.status)
    left: dict[int, Decimal] = {}
    for (line, _warehouse), quantity in leaving.items():
        left[line] = left.get(line, Decimal(0)) + quantity
    rest = sum((line.open for line in now.values() if line.leaves_a_shelf), Decimal(0)) - sum(left.values())
    shipment = _parcel(
        order, key=key, carrier=carrier, tracking=tracking, is_ours=is_ours, completes=rest == 0, at=at, actor=actor
    )
    rows = ShipmentLine.objects.bulk_create(
        ShipmentLine(shipment=shipment, line_id=line, warehouse_id=warehouse, quantity=quantity)
        for (line, warehouse), quantity in leaving.items()
    )
    booked = inventory.ship([_pick(shipment, row, now) for row in rows], at=at, actor=actor)
    orders.served(
        order.id,
        left,
        facts={"shipment": shipment.number, "tracking": tracking[0], "is_ours": is_ours},
        at=at,
        actor=actor,
    )
    _tell(order, shipment, booked, at=at, actor=actor)
    return shipment


def _parcel(
    order: Locked,
    *,
    key: str,
    carrier: tuple[str, str],
    tracking: tuple[str, str],
    is_ours: bool,
    completes: bool,
    at: datetime,
    actor: Actor,
) -> Shipment:
    return Shipment.objects.create(
        order_id=order.id,
        number=f"{order.number}-{_count(order.id) + 1}",
        key=key,
        carrier=carrier[0],
        carrier_name=carrier[1],
        tracking=tracking[0],
        tracking_url=tracking[1],
        is_ours=is_ours,
        completes=completes,
        shipped_at=at,
        actor_kind=actor.kind.value,
        actor_id=actor.id,
        actor_label=actor.label,
    )


def _pick(shipment: Shipment, row: ShipmentLine, now: Mapping[int, LineNow]) -> Pick:
    variant = now[row.line_id].variant
    assert variant is not None and row.warehouse_id is not None  # noqa: S101, PT018 -- a constraint says so
    return Pick(row.line_id, variant, row.warehouse_id, row.quantity, f"shipment:{shipment.pk}:{row.pk}")


def _tell(order: Locked, shipment: Shipment, booked: Booked, *, at: datetime, actor: Actor) -> None:
    record(
        events.SHIPPED,
        {
            **order.facts,
            "shipment": shipment.pk,
            "tracking": shipment.tracking,
            "completes": shipment.completes,
            "is_ours": shipment.is_ours,
            "gaps": [[gap.variant, gap.warehouse, str(gap.quantity)] for gap in booked.gaps],
            "taken_back": [[taken.order, taken.line, str(taken.quantity)] for taken in booked.taken_back],
        },
        actor=actor,
        at=at,
        subject=f"order:{order.id}",
    )
