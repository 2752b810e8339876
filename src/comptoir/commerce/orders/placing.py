"""Sales become orders, a page at a time: a fixed number of statements whatever the number of orders and lines.

Ids and numbers are drawn first, so that orders, lines, payments and history can be written without asking back. The
unique (channel, external id) decides who is first; whoever is second gets the first one's order and writes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from django.db import connection, transaction
from psycopg import sql as composed

from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory import ledger
from comptoir.commerce.inventory import queries as stock
from comptoir.commerce.inventory.records import Demand, Pick
from comptoir.commerce.orders import differences, events, sold
from comptoir.commerce.orders.errors import NotAcceptable, NotEnough, TotalsDiffer
from comptoir.commerce.orders.external import Meaning
from comptoir.commerce.orders.models import ChargeKind, Preparation, Status
from comptoir.commerce.orders.records import ZERO, Intake, NewOrder, Placed
from comptoir.commerce.orders.sold import DraftLine
from comptoir.events.record import record
from comptoir.kit import sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import ComptoirError
from comptoir.kit.money import minor_unit, to_minor

_RESERVING = {Intake.VALID, Intake.INVOICE, Intake.HOLD, Intake.COMPLETE}
_GONE = {Intake.COMPLETE, Intake.HISTORY}
_LARGEST = Decimal(10) ** 13  # numeric(20, 6), with room for a sum
_MOST_LINES = 3_000  # positions are two bytes, and kits bring their parts

# As the columns of orders_order are called -> their types.
_ORDER_COLUMNS = {
    "id": "bigint",
    "number": "text",
    "channel": "bigint",
    "external_id": "text",
    "external_number": "text",
    "external_status": "text",
    "accepted_as": "text",
    "meaning_there": "text",
    "selling_point": "bigint",
    "status": "text",
    "preparation": "text",
    "is_history": "boolean",
    "is_blocked": "boolean",
    "is_cancelled_there": "boolean",
    "hold_reason": "text",
    "invoice_wanted": "boolean",
    "currency": "text",
    "rate": "numeric",
    "total": "numeric",
    "total_tax": "numeric",
    "carrier": "text",
    "carrier_name": "text",
    "payment_name": "text",
    "buyer": "jsonb",
    "billing": "jsonb",
    "shipping": "jsonb",
    "pickup_point": "text",
    "note": "text",
    "warehouses": "bigint[]",
    "theirs": "jsonb",
    "search": "text",
    "placed_at": "timestamptz",
    "accepted_at": "timestamptz",
    "changed_at": "timestamptz",
}
_INSERT_ORDERS = f"""
    INSERT INTO orders_order ({", ".join(_ORDER_COLUMNS)})
    SELECT {", ".join(_ORDER_COLUMNS)}
    FROM jsonb_to_recordset(%s) AS new ({", ".join(f"{name} {kind}" for name, kind in _ORDER_COLUMNS.items())})
    ORDER BY channel, external_id -- two workers with the same sales wait for each other, and never in a circle
    ON CONFLICT (channel, external_id) DO NOTHING
    RETURNING id
"""
_KNOWN = """
    SELECT known.channel, known.external_id, known.id, known.number, known.status
    FROM orders_order AS known
    JOIN unnest(%s::bigint[], %s::text[]) AS sale (channel, external_id) USING (channel, external_id)
"""
LINE_COLUMNS = (
    "id",
    "order_id",
    "position",
    "kind",
    "parent_id",
    "variant_id",
    "external_id",
    "listing",
    "sku",
    "name",
    "quantity",
    "cancelled",
    "shipped",
    "unit_price",
    "total",
    "tax_rate",
    "tax",
    "discount",
)

Sale = tuple[int | None, str | None]


@dataclass(slots=True)
class _Draft:
    """An order on its way in."""

    new: NewOrder
    lines: list[DraftLine]
    id: int = 0
    number: str = ""
    refusal: ComptoirError | None = None

    @property
    def has_goods(self) -> bool:
        return any(line.reserves for line in self.lines)

    @property
    def status(self) -> Status:
        match self.new.intake:
            case Intake.CANCEL:
                return Status.CANCELLED
            case Intake.HOLD:
                return Status.ON_HOLD
            case Intake.COMPLETE | Intake.HISTORY:
                return Status.COMPLETE
        return Status.PROCESSING if self.has_goods else Status.COMPLETE

    def demands(self) -> Iterable[Demand]:
        if self.new.intake in _RESERVING:
            yield from demands(self.id, self.lines, self.new.warehouses, self.new.placed_at)


def demands(
    order: int, lines: Iterable[DraftLine], warehouses: tuple[int, ...], placed_at: datetime
) -> Iterable[Demand]:
    """What the lines of an order ask of inventory."""
    for line in lines:
        if line.reserves and line.variant is not None:
            yield Demand(line.id, order, line.variant, line.quantity, warehouses, placed_at)


@dataclass(slots=True)
class _Outcome:
    """What a page of drafts came to."""

    created: list[_Draft] = field(default_factory=list)
    reserved: dict[int, Decimal] = field(default_factory=dict)  # line -> quantity


class _Lacking(Exception):
    """Orders that should come in complete lack units."""

    def __init__(self, short: dict[int, dict[str, Decimal]]) -> None:
        self.short = short


def place(orders: Sequence[NewOrder], *, at: datetime, actor: Actor) -> list[Placed]:
    """Turn sales into orders, each once for ever; one answer per sale, in their order.

    A refused sale (`Placed.refusal`) leaves no trace and keeps its holds; the others go on.
    """
    known = _known([(new.channel, new.external_id) for new in orders])
    answers: list[Placed | None] = [None] * len(orders)
    drafts: dict[int, _Draft] = {}  # by place in `orders`
    first: dict[Sale, int] = {}
    fresh = []
    for place_, new in enumerate(orders):
        sale = (new.channel, new.external_id)
        if sale in known:
            answers[place_] = _already(sale, known[sale])
        elif sale[0] is None or sale not in first:
            first[sale] = place_
            fresh.append(place_)
    drawn = sold.draft([orders[place_].lines for place_ in fresh], [_name(orders[place_]) for place_ in fresh])
    for place_, lines in zip(fresh, drawn, strict=True):
        draft = _Draft(orders[place_], [] if isinstance(lines, ComptoirError) else lines)
        draft.refusal = lines if isinstance(lines, ComptoirError) else _refuse(draft)
        if draft.new.intake == Intake.CANCEL:
            for line in draft.lines:
                line.cancelled = line.quantity
        drafts[place_] = draft
    outcome = _write_all([draft for draft in drafts.values() if draft.refusal is None], at=at, actor=actor)

    created = {draft.id for draft in outcome.created}
    lost = {(d.new.channel, d.new.external_id) for d in drafts.values() if d.refusal is None and d.id not in created}
    known |= _known(sorted(lost, key=str)) if lost else {}
    for place_, draft in drafts.items():
        sale = (draft.new.channel, draft.new.external_id)
        if draft.refusal is not None:
            answers[place_] = Placed(*sale, None, "", "", False, refusal=draft.refusal)
        elif draft.id not in created:
            answers[place_] = _already(sale, known[sale])
        else:
            wanted = sum((demand.quantity for demand in draft.demands()), ZERO)
            reserved = sum((outcome.reserved.get(line.id, ZERO) for line in draft.lines), ZERO)
            if draft.status == Status.COMPLETE:
                wanted = reserved = ZERO  # it has left
            answers[place_] = Placed(*sale, draft.id, draft.number, draft.status, True, reserved, wanted - reserved)
    for place_, new in enumerate(orders):  # the same sale twice in one page
        if answers[place_] is None:
            twin = answers[first[(new.channel, new.external_id)]]
            assert twin is not None  # noqa: S101 -- the first of its sale was answered above
            answers[place_] = Placed(
                twin.channel, twin.external_id, twin.order, twin.number, twin.status, False, refusal=twin.refusal
            )
    return [answer for answer in answers if answer is not None]


def _name(new: NewOrder) -> str:
    return new.external_number or new.external_id or new.number or "order"


def _already(sale: Sale, row: tuple[int, str, str]) -> Placed:
    channel, external_id = sale
    order, number, status = row
    return Placed(channel, external_id, order, number, status, created=False)


def _known(sales: Sequence[Sale]) -> dict[Sale, tuple[int, str, str]]:
    whole = [(channel, id_) for channel, id_ in sales if channel is not None and id_ is not None]
    if not whole:
        return {}
    rows = sql.rows(_KNOWN, [[channel for channel, _ in whole], [id_ for _, id_ in whole]])
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}


def _refuse(draft: _Draft) -> ComptoirError | None:
    """Why this sale cannot become an order, if so."""
    new = draft.new
    if draft.has_goods and new.intake in _RESERVING and not new.warehouses:
        return NotAcceptable(_name(new), "warehouses", "", "choose the warehouses that its selling point sells from")
    return refuse(new, _name(new))


def refuse(new: NewOrder, name: str) -> ComptoirError | None:
    """What would make the database refuse the whole page, or would leave a total that does not add up."""
    if (new.channel is None) != (new.external_id is None):
        return NotAcceptable(
            name, "external_id", str(new.external_id), "a sale has a channel and an id there, or neither"
        )
    for place_, text, most in (
        ("external_id", new.external_id or "", 80),
        ("external_number", new.external_number, 80),
        ("external_status", new.external_status, 80),
        ("number", new.number, 40),
        ("carrier", new.carrier, 80),
    ):
        if len(text) > most or "\0" in text:
            return NotAcceptable(name, place_, text[:100], f"at most {most} characters")
    if new.meaning not in {"", *Meaning}:
        return NotAcceptable(name, "meaning", new.meaning, f"one of {', '.join(Meaning)}")
    if len(new.currency) != 3:
        return NotAcceptable(name, "currency", new.currency, "three letters, as in ISO 4217")
    if len(new.lines) > _MOST_LINES:
        return NotAcceptable(name, "lines", str(len(new.lines)), f"at most {_MOST_LINES}")
    amounts = [new.total, new.rate, *(charge.amount for charge in new.charges), *(p.amount for p in new.payments)]
    for amount in amounts:
        if not amount.is_finite() or abs(amount) >= _LARGEST:
            return NotAcceptable(name, "amount", str(amount), "an amount below ten billion")
    for charge in new.charges:
        if charge.kind not in ChargeKind.values:
            return NotAcceptable(name, "charges", charge.kind, f"one of {', '.join(ChargeKind.values)}")
    sum_ = sum((line.total for line in new.lines), ZERO) + sum((charge.amount for charge in new.charges), ZERO)
    if to_minor(sum_, new.currency) != to_minor(new.total, new.currency):
        return TotalsDiffer(name, new.total, sum_.quantize(minor_unit(new.currency) / 10_000))
    return None


def _write_all(drafts: list[_Draft], *, at: datetime, actor: Actor) -> _Outcome:
    """Write what may be written; orders that would come in complete and lack units get their refusal."""
    if not drafts:
        return _Outcome()
    _number(drafts)
    leaving = [draft for draft in drafts if draft.new.intake == Intake.COMPLETE]
    if leaving:  # several calls of inventory follow: lock once what they will need, in the one order there is
        ledger.lock_levels((d.variant, w) for draft in drafts for d in draft.demands() for w in d.warehouses)
    outcome = _write([draft for draft in drafts if draft.new.intake != Intake.COMPLETE], at=at, actor=actor)
    # All of them at once, as a page mostly can; where some lack units, one by one, so that each takes only its own.
    for batch in (leaving,) if _try(leaving, outcome, at=at, actor=actor) else ([draft] for draft in leaving):
        if batch is not leaving:
            _try(batch, outcome, at=at, actor=actor)
    if outcome.created:
        _tell(outcome.created, at=at, actor=actor)
    return outcome


def _try(drafts: list[_Draft], outcome: _Outcome, *, at: datetime, actor: Actor) -> bool:
    """Place orders that have left, or nothing of them: a savepoint undoes what lacked units."""
    if not drafts:
        return True
    try:
        with transaction.atomic():
            written = _write(drafts, at=at, actor=actor)
    except _Lacking as lacking:
        if len(drafts) == 1:
            drafts[0].refusal = NotEnough(_name(drafts[0].new), lacking.short[drafts[0].id])
        return False
    outcome.created += written.created
    outcome.reserved |= written.reserved
    return True


def _number(drafts: list[_Draft]) -> None:
    """Draw ids for orders and lines, and numbers for orders that bring none of their own."""
    numbers = _draw("SELECT nextval('orders_number') FROM generate_series(1, %s)", len(drafts))
    ids = _draw_ids("orders_order", len(drafts))
    line_ids = iter(_draw_ids("orders_line", sum(len(draft.lines) for draft in drafts)))
    kept = [draft.new.number for draft in drafts if draft.new.number]
    taken = (
        {row[0] for row in sql.rows("SELECT number FROM orders_order WHERE number = ANY (%s)", [kept])}
        if kept
        else set()
    )
    for draft, id_, number in zip(drafts, ids, numbers, strict=True):
        draft.id = id_
        draft.number = draft.new.number
        if not draft.number or draft.number in taken:
            draft.number = str(number)
        taken.add(draft.number)
        give_ids(draft.lines, line_ids)


def give_ids(lines: Sequence[DraftLine], ids: Iterable[int]) -> None:
    """Name each line by an id; parts follow their heading."""
    for line, id_ in zip(lines, ids, strict=False):
        line.id = id_


def draw_line_ids(count: int) -> list[int]:
    """Fresh ids of lines."""
    return _draw_ids("orders_line", count)


def _draw_ids(table: str, count: int) -> list[int]:
    return _draw(f"SELECT nextval(pg_get_serial_sequence('{table}', 'id')) FROM generate_series(1, %s)", count)


def _draw(query: str, count: int) -> list[int]:
    return [row[0] for row in sql.rows(query, [count])]


def _write(drafts: list[_Draft], *, at: datetime, actor: Actor) -> _Outcome:
    if not drafts:
        return _Outcome()
    written = {row[0] for row in sql.rows(_INSERT_ORDERS, [sql.Jsonb([_order_row(draft, at) for draft in drafts])])}
    created = [draft for draft in drafts if draft.id in written]
    if not created:
        return _Outcome()
    insert_lines((draft.id, _shipped(draft), line) for draft in created for line in draft.lines)
    insert_money([(draft.id, draft.new) for draft in created])
    who = (actor.kind.value, actor.id, actor.label)
    copy(
        "orders_history",
        ("order_id", "what", "before", "after", "reason", "facts", "actor_kind", "actor_id", "actor_label", "at"),
        [
            (d.id, "placed", "", d.status.value, "", sql.Jsonb({"intake": d.new.intake.value}), *who, at)
            for d in created
        ],
    )
    wanted = [demand for draft in created for demand in draft.demands()]
    releases = sorted({source for draft in created for source in draft.new.releases})
    reserved = inventory.reserve(wanted, releasing=releases, at=at, actor=actor) if wanted or releases else {}
    _ship_what_has_left(created, at=at, actor=actor)
    return _Outcome(created, dict(reserved))


def _ship_what_has_left(created: list[_Draft], *, at: datetime, actor: Actor) -> None:
    """Book one movement per line (and warehouse) of orders that come in complete; all of them or `_Lacking`."""
    leaving = [draft for draft in created if draft.new.intake == Intake.COMPLETE]
    if not leaving:
        return
    standings = stock.reserved_by_line([draft.id for draft in leaving])
    short: dict[int, dict[str, Decimal]] = {}
    picks = []
    for draft in leaving:
        for demand in draft.demands():
            standing = standings.get(demand.line)
            shares = standing.reserved if standing else {}
            missing = demand.quantity - sum(shares.values(), ZERO)
            if missing:
                sku = next(line.sku for line in draft.lines if line.id == demand.line)
                lacks = short.setdefault(draft.id, {})
                lacks[sku] = lacks.get(sku, ZERO) + missing
            picks += [
                Pick(demand.line, demand.variant, warehouse, quantity, f"order:{draft.id}:{demand.line}:{warehouse}")
                for warehouse, quantity in shares.items()
            ]
    if short:
        raise _Lacking(short)
    if picks:
        inventory.ship(picks, at=at, actor=actor)


def _shipped(draft: _Draft) -> bool:
    return draft.status == Status.COMPLETE


def _order_row(draft: _Draft, at: datetime) -> dict[str, Any]:
    new = draft.new
    return {
        "id": draft.id,
        "number": draft.number,
        "channel": new.channel,
        "external_id": new.external_id,
        "external_number": new.external_number,
        "external_status": new.external_status,
        "accepted_as": new.meaning,
        "meaning_there": new.meaning,
        "selling_point": new.selling_point,
        "status": draft.status.value,
        "preparation": (Preparation.SHIPPED if draft.status == Status.COMPLETE else Preparation.NEW).value,
        "is_history": new.intake == Intake.HISTORY,
        "is_blocked": False,
        "is_cancelled_there": new.intake == Intake.CANCEL and new.channel is not None,
        "hold_reason": clean(new.hold_reason, 255),
        # The rules that ask for an invoice; documents are made from this.
        "invoice_wanted": new.invoice_wanted or new.intake in {Intake.INVOICE, Intake.COMPLETE, Intake.HISTORY},
        "currency": new.currency,
        "rate": str(new.rate),
        "total": str(new.total),
        "total_tax": None if new.total_tax is None else str(new.total_tax),
        "carrier": new.carrier,
        "carrier_name": clean(new.carrier_name, 120),
        "payment_name": clean(new.payment_name, 120),
        "buyer": dict(new.buyer),
        "billing": None if new.billing is None else dict(new.billing),
        "shipping": None if new.shipping is None else dict(new.shipping),
        "pickup_point": clean(new.pickup_point, 160),
        "note": clean(new.note),
        "warehouses": list(new.warehouses),
        "theirs": None if new.channel is None else differences.snapshot(new.lines, new.shipping, new.total),
        "search": search_text(draft.number, new),
        "placed_at": new.placed_at.isoformat(),
        "accepted_at": at.isoformat(),
        "changed_at": at.isoformat(),
    }


def search_text(number: str, new: NewOrder) -> str:
    """What the search of orders looks in: our number, theirs, who bought, where it goes."""
    names = [new.buyer.get("name"), new.buyer.get("company"), new.buyer.get("email")]
    names += [address.get("name") for address in (new.billing, new.shipping) if address]
    words = dict.fromkeys(clean(str(word)).lower() for word in (number, new.external_number, *names) if word)
    return " | ".join(words)[:500]


def insert_lines(lines: Iterable[tuple[int, bool, DraftLine]]) -> None:
    """Write lines of orders: (order, has it left, line)."""
    copy(
        "orders_line",
        LINE_COLUMNS,
        (
            (
                line.id,
                order,
                line.position,
                line.kind.value,
                line.parent.id if line.parent else None,
                line.variant,
                line.external_id,
                line.listing,
                line.sku,
                line.name,
                line.quantity,
                line.cancelled,
                line.quantity - line.cancelled if has_left else ZERO,
                line.unit_price,
                line.total,
                line.tax_rate,
                line.tax,
                line.discount,
            )
            for order, has_left, line in lines
        ),
    )


def insert_money(orders: Sequence[tuple[int, NewOrder]]) -> None:
    """Write charges and payments."""
    copy(
        "orders_charge",
        ("order_id", "kind", "name", "amount", "tax"),
        [(order, c.kind, clean(c.name, 120), c.amount, c.tax) for order, new in orders for c in new.charges],
    )
    copy(
        "orders_payment",
        ("order_id", "method", "label", "amount", "reference", "paid_at"),
        [
            (order, clean(p.method, 80), clean(p.label, 120), p.amount, clean(p.reference, 120), p.paid_at)
            for order, new in orders
            for p in new.payments
        ],
    )


def clean(text: str, most: int | None = None) -> str:
    """Text for people, as long as its column is; PostgreSQL keeps no NUL."""
    return text.replace("\0", "")[:most]


def copy(table: str, columns: Sequence[str], content: Iterable[Sequence[Any]]) -> None:
    """COPY rows straight into a table whose keys nobody else can have taken."""
    statement = composed.SQL("COPY {} ({}) FROM STDIN").format(
        composed.Identifier(table), composed.SQL(", ").join(map(composed.Identifier, columns))
    )
    rows = list(content)
    if not rows:
        return
    with connection.wrap_database_errors, psycopg.Cursor(sql.raw()) as cursor, cursor.copy(statement) as out:
        sql.write_rows(out, rows)


def _tell(created: list[_Draft], *, at: datetime, actor: Actor) -> None:
    record(
        events.PLACED,
        {
            "orders": [draft.id for draft in created],
            "intakes": dict(Counter(draft.new.intake.value for draft in created)),
            "finished": [draft.id for draft in created if draft.new.intake == Intake.COMPLETE],
            "history": [draft.id for draft in created if draft.new.intake == Intake.HISTORY],
        },
        actor=actor,
        at=at,
    )
