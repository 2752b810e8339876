"""Everything that changes stock: what came in, went out, was found, is promised or set aside.

Each action takes a page of rows, locks their levels once, uses the surrounding transaction and writes one event. Call
one of them per transaction: two would lock levels in two orders. Movements are known by their reference, so that
repeating any action changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from comptoir.commerce.catalog import actions as catalog
from comptoir.commerce.inventory import events, ledger
from comptoir.commerce.inventory.errors import HasStock
from comptoir.commerce.inventory.ledger import ZERO, HeldShare, Line, Move, Page, Pair, exact
from comptoir.commerce.inventory.models import Reason, Warehouse
from comptoir.commerce.inventory.records import (
    Booked,
    Count,
    Demand,
    Fact,
    HoldWanted,
    Pick,
    Receipt,
    Transfer,
)
from comptoir.events import record
from comptoir.kit import sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput

# Warehouses


def default_warehouse() -> Warehouse:
    """The warehouse that every hub has; made at the first call. It can be renamed and is never deleted."""
    return Warehouse.objects.get_or_create(code="main", defaults={"name": _("Main warehouse")})[0]


def create_warehouse(code: str, name: str, *, at: datetime, actor: Actor) -> Warehouse:
    """A new place whose stock is counted apart. A code that exists already gives the warehouse that has it."""
    if not code or not name.strip():
        raise BadInput("a warehouse needs a code and a name", place="name", value=name, cure="give both")
    position = (sql.value("SELECT max(position) FROM inventory_warehouse") or 0) + 1
    warehouse, is_new = Warehouse.objects.get_or_create(
        code=code, defaults={"name": name.strip(), "position": position}
    )
    if is_new:
        facts = {"code": code, "name": warehouse.name}
        record.record(events.WAREHOUSE_CREATED, facts, actor=actor, at=at, subject=f"warehouse:{warehouse.pk}")
    return warehouse


def rename_warehouse(warehouse: int, name: str, *, at: datetime, actor: Actor) -> None:
    """Call it something else; its code stays."""
    if not name.strip():
        raise BadInput("a warehouse needs a name", place="name", value=name, cure="give one")
    row = Warehouse.objects.select_for_update().get(pk=warehouse)
    before, row.name = row.name, name.strip()
    if before != row.name:
        row.save(update_fields=["name"])
        facts = {"before": before, "after": row.name}
        record.record(events.WAREHOUSE_RENAMED, facts, actor=actor, at=at, subject=f"warehouse:{warehouse}")


# Facts: what has happened to goods


def receive(receipts: Sequence[Receipt], *, reason: str = Reason.RECEPTION, at: datetime, actor: Actor) -> Booked:
    """Goods came in. Whoever waits for them is served in the same breath, oldest first."""
    facts = [
        (Move(r.variant, None, r.warehouse, exact(r.quantity), reason, r.reference, r.comment, r.supplier))
        for r in receipts
    ]
    return _book(facts, events.RECEIVED, at=at, actor=actor)


def opening(receipts: Sequence[Receipt], *, at: datetime, actor: Actor) -> Booked:
    """What was there when the hub began to count. Whether it may be done (again) is the caller's to know."""
    return receive(receipts, reason=Reason.OPENING, at=at, actor=actor)


def book(facts: Sequence[Fact], *, at: datetime, actor: Actor) -> Booked:
    """Something has happened to goods. A physical fact is always booked: if less is left than is reserved, promises are
    taken back from the newest orders not yet picked; if it would go below zero, the gap is booked in first."""
    return _book([_move_of(fact) for fact in facts], events.BOOKED, at=at, actor=actor)


def adjust(facts: Sequence[Fact], *, at: datetime, actor: Actor) -> Booked:
    """A person corrects figures; whatever reason the facts name, it is an adjustment."""
    return book([replace(fact, reason=Reason.ADJUSTMENT) for fact in facts], at=at, actor=actor)


def transfer(transfers: Sequence[Transfer], *, at: datetime, actor: Actor) -> Booked:
    """Units went from one warehouse to another; promises that they leave behind move with them where the line allows it."""
    moves = []
    for t in transfers:
        if t.from_warehouse == t.to_warehouse:
            raise BadInput(
                "a transfer goes to another warehouse",
                place="warehouse",
                value=str(t.to_warehouse),
                cure="choose another",
            )
        quantity = exact(t.quantity)
        moves.append(
            Move(t.variant, t.from_warehouse, t.to_warehouse, quantity, Reason.TRANSFER, t.reference, t.comment)
        )
    return _book(moves, events.TRANSFERRED, at=at, actor=actor)


def count(counts: Sequence[Count], *, at: datetime, actor: Actor) -> Booked:
    """Somebody counted: on hand becomes what was found, by a movement of the difference. A count that agrees is kept too."""
    return _set(counts, Reason.COUNT, events.COUNTED, at=at, actor=actor)


def re_base(counts: Sequence[Count], *, leaving: Collection[int] = (), at: datetime, actor: Actor) -> Booked:
    """Initialise again from a channel: on hand becomes these figures, by movements of the differences.

    The promises of the lines `leaving` end under the same lock: they have left without the hub, so that these figures lack
    their units, and nobody else is promised those in between.
    """
    return _set(counts, Reason.REBASE, events.REBASED, leaving=leaving, at=at, actor=actor)


def ship(picks: Sequence[Pick], *, at: datetime, actor: Actor) -> Booked:
    """Units left for order lines. Each line's promise shrinks: in that warehouse first, then what it waits for, then
    elsewhere; what leaves without a promise is a physical fact like any other."""
    moves = [Move(p.variant, p.warehouse, None, exact(p.quantity), Reason.SHIPMENT, p.reference) for p in picks]
    page = _open_for(moves)
    new, repeated = _new_and_repeated(moves)
    page.load_lines({pick.line for pick in picks})
    known = {move.reference for move in new}
    for pick in picks:
        if pick.reference in known:
            known.discard(pick.reference)  # the same reference further down this page is a repeat
            _serve(page, pick)
    return _finish(page, new, repeated, events.SHIPPED, at=at, actor=actor)


def _serve(page: Page, pick: Pick) -> None:
    line = page.lines.get(pick.line)
    if line is None or line.variant != pick.variant:
        return
    left = pick.quantity
    reserved = page.reserved_for(pick.line)
    here = min(left, reserved.pop(pick.warehouse, (ZERO, False))[0])
    page.let_go(pick.line, pick.warehouse, here)
    left -= here
    waiting = min(left, page.waiting_for(pick.line))
    page.wait(pick.line, -waiting)
    left -= waiting
    for warehouse, (quantity, _is_picked) in sorted(reserved.items()):
        elsewhere = min(left, quantity)
        page.let_go(pick.line, warehouse, elsewhere)
        left -= elsewhere


def _move_of(fact: Fact) -> Move:
    quantity = exact(abs(fact.delta), "delta")
    source, target = (fact.warehouse, None) if fact.delta < 0 else (None, fact.warehouse)
    return Move(fact.variant, source, target, quantity, fact.reason, fact.reference, fact.comment)


def _book(moves: Sequence[Move], event: str, *, at: datetime, actor: Actor) -> Booked:
    page = _open_for(moves)
    new, repeated = _new_and_repeated(moves)
    return _finish(page, new, repeated, event, at=at, actor=actor)


def _set(
    counts: Sequence[Count], reason: str, event: str, *, leaving: Collection[int] = (), at: datetime, actor: Actor
) -> Booked:
    for c in counts:
        _check_reference(c.reference)
    page = ledger.open_page(
        {(c.variant, c.warehouse) for c in counts} | _pairs_of_lines(leaving),
        [(c.variant, exact(c.counted, "counted", least=ZERO)) for c in counts],
    )
    page.load_lines(leaving)
    for line in leaving:
        page.wait(line, -page.waiting_for(line))
        for warehouse, (quantity, _is_picked) in page.reserved_for(line).items():
            page.let_go(line, warehouse, quantity)
    known = {
        reference
        for (reference,) in sql.rows(
            "SELECT reference FROM inventory_tally WHERE reference = ANY (%s)", [[c.reference for c in counts]]
        )
    }
    booked, repeated, moves = [], [], []
    found: dict[Pair, Decimal] = {}
    for c in counts:
        if c.reference in known:
            repeated.append(c.reference)
            continue
        known.add(c.reference)
        booked.append(c.reference)
        pair = (c.variant, c.warehouse)
        expected = found.get(pair, page.levels[pair].on_hand)
        found[pair] = exact(c.counted, "counted", least=ZERO)
        page.tallies.append((c.reference, *pair, expected, found[pair]))
        if difference := found[pair] - expected:
            source, target = (c.warehouse, None) if difference < 0 else (None, c.warehouse)
            moves.append(Move(c.variant, source, target, abs(difference), reason, c.reference, c.comment))
    outcome = _finish(page, moves, repeated, event, at=at, actor=actor)
    return replace(outcome, booked=tuple(booked))


def _open_for(moves: Sequence[Move]) -> Page:
    for move in moves:
        _check_reference(move.reference)
    pairs = {(m.variant, w) for m in moves for w in (m.from_warehouse, m.to_warehouse) if w is not None}
    return ledger.open_page(pairs, [(m.variant, m.quantity) for m in moves])


def _check_reference(reference: str) -> None:
    if not 0 < len(reference) <= ledger.LONGEST_REFERENCE:
        raise BadInput(
            "a movement needs a reference",
            place="reference",
            value=reference,
            cure=f"give 1 to {ledger.LONGEST_REFERENCE} characters",
        )


def _new_and_repeated(moves: Sequence[Move]) -> tuple[list[Move], list[str]]:
    """After the lock: which of these have not been booked yet."""
    known = {
        reference
        for (reference,) in sql.rows(
            "SELECT reference FROM inventory_movement WHERE reference = ANY (%s)", [[m.reference for m in moves]]
        )
    }
    new, repeated = [], []
    for move in moves:
        if move.reference in known:
            repeated.append(move.reference)
        else:
            known.add(move.reference)
            new.append(move)
    return new, repeated


def _finish(
    page: Page, moves: Sequence[Move], repeated: Sequence[str], event: str, *, at: datetime, actor: Actor
) -> Booked:
    page.book(moves, difference=Reason.DIFFERENCE)
    page.fill()
    outcome = Booked(
        booked=tuple(move.reference for move in moves),
        repeated=tuple(repeated),
        filled=page.outcome_filled(),
        taken_back=page.outcome_taken_back(),
        gaps=tuple(page.gaps),
    )
    counted = [reference for reference, *_ in page.tallies]  # a count that agrees books nothing, and has happened
    _conclude(page, event, {"references": counted or list(outcome.booked)}, at=at, actor=actor)
    return outcome


def _conclude(page: Page, event: str, facts: dict[str, Any], *, at: datetime, actor: Actor) -> None:
    """Write the page down and, where it changed something, say so once."""
    variants = page.write(at=at, actor=actor)
    if not variants and not page.tallies:
        return
    facts["variants"] = variants
    if filled := page.outcome_filled():
        facts["filled"] = [[f.line, f.order, f.variant, str(f.quantity)] for f in filled]
    if taken_back := page.outcome_taken_back():
        facts["taken_back"] = [[t.line, t.order, t.variant, str(t.quantity)] for t in taken_back]
    if page.gaps:
        facts["gaps"] = [[g.variant, g.warehouse, str(g.quantity), g.reference] for g in page.gaps]
    record.record(event, facts, actor=actor, at=at)


# Promises


def reserve(
    demands: Sequence[Demand], *, releasing: Collection[str] = (), more: bool = False, at: datetime, actor: Actor
) -> dict[int, Decimal]:
    """Promise units to order lines, oldest order first, and let the rest wait; how much each line has reserved now.

    The holds of the `releasing` sources are freed under the same lock, and their units go to these lines before anybody
    else. A line that has promises already, or waits, is left as it is, unless it is `more` that it wants: on top of those.
    """
    for d in demands:
        if not d.warehouses:
            raise BadInput(
                f"line {d.line} may be served from no warehouse",
                place="warehouses",
                value="",
                cure="name one",
                line=d.line,
            )
    demands = [replace(d, quantity=exact(d.quantity), warehouses=tuple(dict.fromkeys(d.warehouses))) for d in demands]
    page = _open_with_holds(
        {(d.variant, w) for d in demands for w in d.warehouses}, releasing, [(d.variant, d.quantity) for d in demands]
    )
    return allot(page, demands, releasing, more=more, at=at, actor=actor)


def allot(
    page: Page,
    demands: Sequence[Demand],
    releasing: Collection[str],
    *,
    more: bool = False,
    at: datetime,
    actor: Actor,
) -> dict[int, Decimal]:
    """The second half of `reserve`, on a page of locked levels."""
    freed: dict[Pair, Decimal] = defaultdict(Decimal)
    for source in releasing:
        for pair, share in page.held_for(source).items():
            page.hold(source, pair, None)
            if share.scope is None:
                freed[pair] += share.quantity
    page.load_lines([d.line for d in demands])
    promised: dict[int, Decimal] = {}
    for d in sorted(demands, key=lambda d: (d.placed_at, d.line)):
        if more or d.line not in page.lines:
            page.lines.setdefault(d.line, Line(d.line, d.order, d.variant, d.placed_at, d.warehouses))
            left = d.quantity
            for warehouse in d.warehouses:
                pair = (d.variant, warehouse)
                level = page.levels[pair]
                # Where more is held than there is, a paid sale takes what it held itself before those that only hold.
                own = min(freed[pair], level.on_hand - level.reserved)
                taken = min(left, max(level.available, own, ZERO))
                if taken:
                    page.promise(d.line, warehouse, taken)
                    freed[pair] = max(ZERO, freed[pair] - taken)
                    left -= taken
            if left:
                page.wait(d.line, left)
        promised[d.line] = sum((quantity for quantity, _is_picked in page.reserved_for(d.line).values()), ZERO)
    page.fill()
    facts: dict[str, Any] = {
        "lines": {str(line): str(quantity) for line, quantity in promised.items()},
        "sources": sorted(releasing),
    }
    _conclude(page, events.RESERVED, facts, at=at, actor=actor)
    return promised


def release(lines: Mapping[int, Decimal | None], *, at: datetime, actor: Actor) -> dict[int, Decimal]:
    """Lines want less (None: nothing any more): first of what they wait for, then of what is not picked, then of the rest.
    What comes free goes to others who wait. How much each line gave up."""
    page = _open_for_lines(lines)
    given_up: dict[int, Decimal] = {}
    for line, wanted in lines.items():
        waiting = page.waiting_for(line)
        shares = page.reserved_for(line)
        everything = waiting + sum((quantity for quantity, _is_picked in shares.values()), ZERO)
        left = everything if wanted is None else min(exact(wanted, least=ZERO), everything)
        given_up[line] = left
        if left:
            page.wait(line, -min(left, waiting))
            left -= min(left, waiting)
        # The warehouse that is asked last gives first.
        order = {warehouse: place for place, warehouse in enumerate(page.lines[line].warehouses)} if shares else {}
        for warehouse, (quantity, _is_picked) in sorted(
            shares.items(), key=lambda share: (share[1][1], -order.get(share[0], len(order)))
        ):
            less = min(left, quantity)
            page.let_go(line, warehouse, less)
            left -= less
    page.fill()
    facts: dict[str, Any] = {"lines": {str(line): str(q) for line, q in given_up.items() if q}}
    _conclude(page, events.RELEASED, facts, at=at, actor=actor)
    return given_up


def mark_picked(lines: Collection[int], *, is_picked: bool = True, at: datetime, actor: Actor) -> int:
    """The reserved units of these lines are in a basket (or back on the shelf): they are the last to be taken back."""
    _open_for_lines(dict.fromkeys(lines))
    changed = sql.execute(
        "UPDATE inventory_reservation SET is_picked = %s WHERE line = ANY (%s) AND is_picked <> %s",
        [is_picked, list(lines), is_picked],
    )
    if changed:
        facts = {"lines": sorted(lines), "is_picked": is_picked}
        record.record(events.PICKED, facts, actor=actor, at=at)
    return changed


def _open_for_lines(lines: Mapping[int, object]) -> Page:
    page = ledger.open_page(_pairs_of_lines(lines))
    page.load_lines(list(lines))
    return page


def _pairs_of_lines(lines: Collection[int]) -> set[Pair]:
    """Where these lines have promises. A line's variant never changes, so it may be read before the lock; its promises are
    read after it."""
    return set(
        sql.rows(
            "SELECT variant_id, warehouse_id FROM inventory_reservation WHERE line = ANY (%(lines)s)"
            " UNION SELECT variant_id, warehouses[1] FROM inventory_backorder WHERE line = ANY (%(lines)s)",
            {"lines": list(lines)},
        )
    )


# Holds: units of sales that are not accepted yet


def hold(wanted: Sequence[HoldWanted], *, at: datetime, actor: Actor) -> None:
    """Set aside what these sales need: all that is given for a source is the whole of its holds from now on.

    Where less is available than wanted, the rest is held in the first warehouse all the same: the shop has sold it.
    """
    whole: dict[str, dict[int, HoldWanted]] = defaultdict(dict)
    for w in wanted:
        if not w.warehouses:
            raise BadInput(
                f"{w.source} may be served from no warehouse",
                place="warehouses",
                value="",
                cure="name one",
                source=w.source,
            )
        before = whole[w.source].get(w.variant)
        quantity = exact(w.quantity) + (before.quantity if before else ZERO)
        whole[w.source][w.variant] = replace(w, quantity=quantity, warehouses=tuple(dict.fromkeys(w.warehouses)))
    page = _open_with_holds(
        {(w.variant, warehouse) for w in wanted for warehouse in w.warehouses},
        whole.keys(),
        [(w.variant, w.quantity) for w in wanted],
    )
    for source, by_variant in whole.items():
        held = page.held_for(source)
        target: dict[Pair, Decimal] = defaultdict(Decimal)
        left = {variant: w.quantity for variant, w in by_variant.items()}
        for pair, share in held.items():  # what is held stays where it is, as far as it is still wanted there
            w_ = by_variant.get(pair[0])
            keeps = min(share.quantity, left[pair[0]]) if w_ and pair[1] in w_.warehouses else ZERO
            if keeps:
                target[pair] = keeps
                left[pair[0]] -= keeps
        for pair in held:
            if not target.get(pair):
                page.hold(source, pair, None)
        for variant, w in by_variant.items():
            for warehouse in w.warehouses:
                pair = (variant, warehouse)
                already = (
                    held[pair].quantity if pair in held and held[pair].scope is None and target.get(pair) else ZERO
                )
                room = max(ZERO, page.levels[pair].available + already - target.get(pair, ZERO))
                more = min(left[variant], room)
                if more:
                    target[pair] += more
                    left[variant] -= more
            if left[variant]:
                target[variant, w.warehouses[0]] += left[variant]
            for warehouse in w.warehouses:
                pair = (variant, warehouse)
                if target.get(pair):
                    page.hold(source, pair, HeldShare(target[pair], w.scope, w.until))
    page.fill()
    _conclude(page, events.HELD, {"sources": sorted(whole)}, at=at, actor=actor)


def release_holds(sources: Collection[str], *, at: datetime, actor: Actor) -> None:
    """These sales need nothing any more; what comes free goes to those who wait."""
    _release_holds(sources, None, events.HOLDS_RELEASED, at=at, actor=actor)


def expire_holds(*, at: datetime, actor: Actor, most: int = 1000) -> tuple[str, ...]:
    """Free the holds whose time is over, at most those of `most` sales; which sales."""
    sources = [
        source
        for (source,) in sql.rows(
            "SELECT source FROM inventory_hold WHERE until <= %s GROUP BY source ORDER BY min(until), source LIMIT %s",
            [at, most],
        )
    ]
    return _release_holds(sources, at, events.HOLDS_EXPIRED, at=at, actor=actor)


def _release_holds(
    sources: Collection[str], until: datetime | None, event: str, *, at: datetime, actor: Actor
) -> tuple[str, ...]:
    page = _open_with_holds((), sources, ())
    released = set()
    for source in sources:
        for pair, share in page.held_for(source).items():
            if until is None or share.until <= until:  # it may have been prolonged before we had the lock
                page.hold(source, pair, None)
                released.add(source)
    page.fill()
    _conclude(page, event, {"sources": sorted(released)}, at=at, actor=actor)
    return tuple(sorted(released))


def _open_with_holds(
    pairs: Iterable[Pair], sources: Collection[str], quantities: Sequence[tuple[int, Decimal]]
) -> Page:
    """Lock `pairs` and the levels that these sources hold, in one statement. Sales hold and let go under the lock of their
    staged row, so what a source holds does not change between the look and the lock."""
    held: list[Pair] = []
    if sources:
        held = [
            (variant, warehouse)
            for variant, warehouse in sql.rows(
                "SELECT variant_id, warehouse_id FROM inventory_hold WHERE source = ANY (%s)", [list(sources)]
            )
        ]
    page = ledger.open_page([*pairs, *held], quantities)
    if sources:
        page.load_holds(sources)
    return page


# Variants that stop being counted themselves


def make_alias(variant: int, master: int, *, at: datetime, actor: Actor) -> None:
    """Let a variant share its master's stock; refused where it has a history of its own."""
    _refuse_with_stock(variant)
    catalog.make_alias(variant, master, at=at, actor=actor)


def make_kit(kit: int, parts: Mapping[int, Decimal], *, at: datetime, actor: Actor) -> None:
    """Let a variant consist of parts; refused where it has stock of its own."""
    _refuse_with_stock(kit)
    catalog.make_kit(kit, parts, at=at, actor=actor)


def _refuse_with_stock(variant: int) -> None:
    ledger.lock_levels([(variant, default_warehouse().pk)])  # nobody books or promises meanwhile
    sku = sql.value(
        """
        SELECT sku FROM catalog_variant WHERE id = %(variant)s AND (
            EXISTS (SELECT FROM inventory_movement WHERE variant_id = %(variant)s)
            OR EXISTS (SELECT FROM inventory_reservation WHERE variant_id = %(variant)s)
            OR EXISTS (SELECT FROM inventory_backorder WHERE variant_id = %(variant)s)
            OR EXISTS (SELECT FROM inventory_hold WHERE variant_id = %(variant)s))
        """,
        {"variant": variant},
    )
    if sku is not None:
        raise HasStock(f"{sku} has stock, movements or promises of its own", variant=variant, sku=sku)
