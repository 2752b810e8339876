"""A page of levels, locked: actions change it in memory and write it down with one statement per table.

`lock_levels` is the only way to lock stock. It takes the pairs it is asked for and every other level of their variants,
since a line may be served from any of them; so whoever holds a variant's levels is alone with its promises too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from comptoir.commerce.inventory.errors import NotCounted
from comptoir.commerce.inventory.records import Filled, Gap, LevelFigures, TakenBack
from comptoir.kit import money, sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput

ZERO = Decimal(0)
LARGEST = Decimal(10) ** 10  # numeric(14, 3) holds eleven digits before the point; sums need room
LONGEST_REFERENCE = 140  # leaves room for ":difference"

Pair = tuple[int, int]  # variant, warehouse

ADD_MISSING_LEVELS = """
    INSERT INTO inventory_level (variant_id, warehouse_id, on_hand, reserved, held)
    SELECT wanted.variant, wanted.warehouse, 0, 0, 0
    FROM unnest(%s::bigint[], %s::bigint[]) AS wanted (variant, warehouse)
    WHERE NOT EXISTS (SELECT FROM inventory_level AS level
                      WHERE level.variant_id = wanted.variant AND level.warehouse_id = wanted.warehouse)
    ORDER BY 1, 2
    ON CONFLICT (variant_id, warehouse_id) DO NOTHING
"""
LOCK_LEVELS = """
    SELECT variant_id, warehouse_id, on_hand, reserved, held
    FROM inventory_level
    WHERE variant_id = ANY (%s)
    ORDER BY variant_id, warehouse_id
    FOR UPDATE
"""


def lock_levels(pairs: Iterable[Pair]) -> list[LevelFigures]:
    """Lock these levels, making those that are missing, and all other levels of their variants; what they hold now."""
    wanted = sorted(set(pairs))
    if not wanted:
        return []
    sql.execute(ADD_MISSING_LEVELS, [[v for v, _ in wanted], [w for _, w in wanted]])
    return [LevelFigures(*row) for row in sql.rows(LOCK_LEVELS, [sorted({v for v, _ in wanted})])]


@dataclass(frozen=True, slots=True)
class Line:
    """What promises need to know of an order line."""

    line: int
    order: int
    variant: int
    placed_at: datetime
    warehouses: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """A movement to book."""

    variant: int
    from_warehouse: int | None
    to_warehouse: int | None
    quantity: Decimal
    reason: str
    reference: str
    comment: str = ""
    supplier: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    move: Move
    from_balance: Decimal | None
    to_balance: Decimal | None


@dataclass(slots=True)
class Figures:
    """A level while an action works on it."""

    on_hand: Decimal
    reserved: Decimal
    held: Decimal

    @property
    def available(self) -> Decimal:
        """What may be promised; below zero where more is held than there is."""
        return self.on_hand - self.reserved - self.held


@dataclass(frozen=True, slots=True)
class HeldShare:
    """Units of one warehouse held for one sale."""

    quantity: Decimal
    scope: int | None
    until: datetime


@dataclass(slots=True)
class Page:
    """Locked levels of some variants, and what an action changes of them and of the promises on them."""

    before: dict[Pair, LevelFigures]
    levels: dict[Pair, Figures] = field(init=False)
    lines: dict[int, Line] = field(default_factory=dict)
    taken_back: dict[tuple[int, bool], Decimal] = field(default_factory=dict)
    filled: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    gaps: list[Gap] = field(default_factory=list)
    tallies: list[tuple[str, int, int, Decimal, Decimal]] = field(default_factory=list)
    marked: set[int] = field(default_factory=set)
    # As the database has them: line -> warehouse -> (quantity, is picked); line -> quantity; source -> pair -> share.
    _reserved: dict[int, dict[int, tuple[Decimal, bool]]] = field(default_factory=lambda: defaultdict(dict))
    _waiting: dict[int, Decimal] = field(default_factory=dict)
    _held: dict[str, dict[Pair, HeldShare]] = field(default_factory=lambda: defaultdict(dict))
    # What this page makes of them: more (or less), more (or less), instead.
    _reserved_more: dict[int, dict[int, Decimal]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Decimal))
    )
    _waiting_more: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    _held_now: dict[str, dict[Pair, HeldShare | None]] = field(default_factory=lambda: defaultdict(dict))
    _entries: list[_Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.levels = {pair: Figures(f.on_hand, f.reserved, f.held) for pair, f in self.before.items()}

    # What is there

    @property
    def variants(self) -> list[int]:
        """The locked variants."""
        return sorted({variant for variant, _ in self.levels})

    def reserved_for(self, line: int) -> dict[int, tuple[Decimal, bool]]:
        """Warehouse -> (quantity, is it picked) of a loaded line, with what this page has changed."""
        kept, more = self._reserved.get(line, {}), self._reserved_more.get(line, {})
        return {
            warehouse: (quantity, kept.get(warehouse, (ZERO, False))[1])
            for warehouse in kept.keys() | more.keys()
            if (quantity := kept.get(warehouse, (ZERO, False))[0] + more.get(warehouse, ZERO))
        }

    def waiting_for(self, line: int) -> Decimal:
        """What a loaded line waits for, with what this page has changed."""
        return self._waiting.get(line, ZERO) + self._waiting_more.get(line, ZERO)

    def held_for(self, source: str) -> dict[Pair, HeldShare]:
        """The loaded holds of a source, with what this page has changed."""
        both = {**self._held.get(source, {}), **self._held_now.get(source, {})}
        return {pair: share for pair, share in both.items() if share}

    def load_lines(self, lines: Collection[int]) -> None:
        """Read the promises of these lines."""
        if lines:
            self._load_reservations("line = ANY (%s)", [list(lines)])
            self._load_backorders("line = ANY (%s)", [list(lines)])

    def load_holds(self, sources: Collection[str]) -> None:
        """Read the holds of these sources on locked variants."""
        for source, variant, warehouse, *share in sql.rows(
            "SELECT source, variant_id, warehouse_id, quantity, scope, until FROM inventory_hold"
            " WHERE source = ANY (%s) AND variant_id = ANY (%s)",
            [list(sources), self.variants],
        ):
            self._held[source][variant, warehouse] = HeldShare(*share)

    def _load_reservations(self, where: str, params: list[object]) -> None:
        for line, order, variant, warehouse, quantity, placed_at, warehouses, is_picked in sql.rows(
            'SELECT line, "order", variant_id, warehouse_id, quantity, placed_at, warehouses, is_picked'
            f" FROM inventory_reservation WHERE {where}",
            params,
        ):
            self.lines.setdefault(line, Line(line, order, variant, placed_at, tuple(warehouses)))
            self._reserved[line][warehouse] = (quantity, is_picked)

    def _load_backorders(self, where: str, params: list[object]) -> None:
        for line, order, variant, quantity, placed_at, warehouses in sql.rows(
            f'SELECT line, "order", variant_id, quantity, placed_at, warehouses FROM inventory_backorder WHERE {where}',
            params,
        ):
            self.lines.setdefault(line, Line(line, order, variant, placed_at, tuple(warehouses)))
            self._waiting[line] = quantity

    # Promises

    def promise(self, line: int, warehouse: int, quantity: Decimal) -> None:
        """Reserve units of a warehouse for a known line."""
        self.levels[self.lines[line].variant, warehouse].reserved += quantity
        self._reserved_more[line][warehouse] += quantity

    def let_go(self, line: int, warehouse: int, quantity: Decimal) -> None:
        """Take a promise back, in part or whole."""
        self.promise(line, warehouse, -quantity)

    def wait(self, line: int, quantity: Decimal) -> None:
        """Let a known line wait for more units, or for less."""
        self._waiting_more[line] += quantity

    def hold(self, source: str, pair: Pair, share: HeldShare | None) -> None:
        """Hold this much from now on, or (None) nothing."""
        before = self._held_now.get(source, {}).get(pair, self._held.get(source, {}).get(pair))
        if before == share:
            return
        if before:
            self._count_held(pair, before.scope, -before.quantity)
        if share:
            self._count_held(pair, share.scope, share.quantity)
        self._held_now[source][pair] = share

    def _count_held(self, pair: Pair, scope: int | None, quantity: Decimal) -> None:
        if scope is None:
            self.levels[pair].held += quantity
        else:
            self.marked.add(pair[0])  # it changes what one selling point is told, and no figure here

    def fill(self) -> None:
        """Give what is available to those who wait for it, oldest first."""
        free: dict[int, list[int]] = defaultdict(list)
        for (variant, warehouse), level in self.levels.items():
            if level.available > 0:
                free[variant].append(warehouse)
        if not free:
            return
        self._load_backorders(
            "variant_id = ANY (%s) AND warehouses && %s::bigint[]",
            [list(free), sorted({warehouse for warehouses in free.values() for warehouse in warehouses})],
        )
        waiting = [self.lines[line] for line in self._waiting.keys() | self._waiting_more.keys()]
        for line in sorted(waiting, key=lambda w: (w.placed_at, w.line)):
            if line.variant not in free:
                continue
            for warehouse in line.warehouses:
                wanted = self.waiting_for(line.line)
                here = self.levels.get((line.variant, warehouse))
                if not wanted or here is None or here.available <= 0:
                    continue
                given = min(wanted, here.available)
                self.promise(line.line, warehouse, given)
                self.wait(line.line, -given)
                self.filled[line.line] += given

    # Facts

    def book(self, moves: Iterable[Move], *, difference: str) -> None:
        """Book what has happened. Units that nobody knew of are first booked in, with `difference` as the reason."""
        for move in moves:
            from_balance = to_balance = None
            if move.from_warehouse is not None:
                source = self.levels[move.variant, move.from_warehouse]
                if (missing := move.quantity - source.on_hand) > 0:
                    self._book_in_missing(move, move.from_warehouse, missing, difference)
                from_balance = source.on_hand = source.on_hand - move.quantity
            if move.to_warehouse is not None:
                target = self.levels[move.variant, move.to_warehouse]
                to_balance = target.on_hand = target.on_hand + move.quantity
            self._entries.append(_Entry(move, from_balance, to_balance))
        self._take_back()

    def _book_in_missing(self, move: Move, warehouse: int, missing: Decimal, difference: str) -> None:
        level = self.levels[move.variant, warehouse]
        level.on_hand += missing
        named = f"{move.reference}:difference"
        entry = Move(move.variant, None, warehouse, missing, difference, named, move.comment)
        self._entries.append(_Entry(entry, None, level.on_hand))
        self.gaps.append(Gap(move.variant, warehouse, missing, move.reference))

    def _take_back(self) -> None:
        """Where less is left than is promised, promises give way: the newest not yet picked first, picked ones last."""
        short = {pair: level for pair, level in self.levels.items() if level.reserved > level.on_hand}
        if not short:
            return
        self._load_reservations(
            "(variant_id, warehouse_id) IN (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))",
            [[variant for variant, _ in short], [warehouse for _, warehouse in short]],
        )
        promises: dict[Pair, list[tuple[bool, Line]]] = defaultdict(list)
        for number, shares in self._reserved.items():
            for warehouse, (_, is_picked) in shares.items():
                promises[self.lines[number].variant, warehouse].append((is_picked, self.lines[number]))
        for pair, level in short.items():
            promises[pair].sort(key=lambda p: (not p[0], p[1].placed_at, p[1].line), reverse=True)
            for is_picked, line in promises[pair]:
                lacking = level.reserved - level.on_hand
                if lacking <= 0:
                    break
                taken = min(lacking, self.reserved_for(line.line).get(pair[1], (ZERO, False))[0])
                if taken:
                    self.let_go(line.line, pair[1], taken)
                    self.wait(line.line, taken)
                    key = (line.line, is_picked)
                    self.taken_back[key] = self.taken_back.get(key, ZERO) + taken

    # The outcome

    def outcome_filled(self) -> tuple[Filled, ...]:
        """What lines that waited were given, without what was only taken back and given again."""
        lost: dict[int, Decimal] = defaultdict(Decimal)
        for (line, _), quantity in self.taken_back.items():
            lost[line] += quantity
        return tuple(
            Filled(line, self.lines[line].order, self.lines[line].variant, quantity - lost[line])
            for line, quantity in self.filled.items()
            if quantity > lost[line]
        )

    def outcome_taken_back(self) -> tuple[TakenBack, ...]:
        """What lines have lost, without what they were given again from another warehouse."""
        outcome = []
        refilled = dict(self.filled)
        for (line, was_picked), quantity in self.taken_back.items():
            again = min(quantity, refilled.get(line, ZERO))
            if again:
                refilled[line] -= again
            if quantity > again:
                known = self.lines[line]
                outcome.append(TakenBack(line, known.order, known.variant, quantity - again, was_picked))
        return tuple(outcome)

    # Writing down

    def write(self, *, at: datetime, actor: Actor) -> list[int]:
        """Put everything down, a statement per table; the variants whose figures changed, each of which leaves a mark."""
        self._write_movements(at, actor)
        self._write_tallies(at)
        changed = self._write_levels()
        self._write_reservations()
        self._write_backorders()
        self._write_holds()
        marked = sorted(changed | self.marked)
        if marked:
            sql.execute("INSERT INTO inventory_mark (variant) SELECT unnest(%s::bigint[])", [marked])
        return marked

    def _write_movements(self, at: datetime, actor: Actor) -> None:
        if not self._entries:
            return
        moves = [entry.move for entry in self._entries]
        sql.execute(
            """
            INSERT INTO inventory_movement (variant_id, from_warehouse_id, to_warehouse_id, quantity, reason, reference,
                                            comment, supplier, from_balance, to_balance,
                                            actor_kind, actor_id, actor_label, at)
            SELECT variant, from_warehouse, to_warehouse, quantity, reason, reference, comment, supplier,
                   from_balance, to_balance, %s, %s, %s, %s
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::numeric[], %s::text[], %s::text[], %s::text[],
                        %s::text[], %s::numeric[], %s::numeric[])
                 WITH ORDINALITY AS entry (variant, from_warehouse, to_warehouse, quantity, reason, reference, comment,
                                           supplier, from_balance, to_balance, place)
            ORDER BY place
            """,
            [
                actor.kind.value,
                actor.id,
                actor.label,
                at,
                [m.variant for m in moves],
                [m.from_warehouse for m in moves],
                [m.to_warehouse for m in moves],
                [m.quantity for m in moves],
                [str(m.reason) for m in moves],
                [m.reference for m in moves],
                [m.comment for m in moves],
                [m.supplier for m in moves],
                [entry.from_balance for entry in self._entries],
                [entry.to_balance for entry in self._entries],
            ],
        )

    def _write_tallies(self, at: datetime) -> None:
        if self.tallies:
            sql.execute(
                "INSERT INTO inventory_tally (reference, variant_id, warehouse_id, expected, found, at)"
                " SELECT *, %s FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::numeric[], %s::numeric[])",
                [at, *(list(column) for column in zip(*self.tallies, strict=True))],
            )

    def _write_levels(self) -> set[int]:
        changes = [
            (*pair, now.on_hand - before.on_hand, now.reserved - before.reserved, now.held - before.held)
            for pair, now in self.levels.items()
            if (before := self.before[pair])
            and (now.on_hand, now.reserved, now.held) != (before.on_hand, before.reserved, before.held)
        ]
        if not changes:
            return set()
        # Differences, not results: were the lock ever missing, the check constraint would say no.
        sql.execute(
            """
            UPDATE inventory_level AS level
            SET on_hand = level.on_hand + change.on_hand,
                reserved = level.reserved + change.reserved,
                held = level.held + change.held
            FROM unnest(%s::bigint[], %s::bigint[], %s::numeric[], %s::numeric[], %s::numeric[])
                 AS change (variant, warehouse, on_hand, reserved, held)
            WHERE level.variant_id = change.variant AND level.warehouse_id = change.warehouse
            """,
            [list(column) for column in zip(*changes, strict=True)],
        )
        return {change[0] for change in changes}

    def _write_reservations(self) -> None:
        gone, less, more = [], [], []
        for number, changes in self._reserved_more.items():
            line = self.lines[number]
            for warehouse, change in changes.items():
                kept = self._reserved.get(number, {}).get(warehouse, (ZERO, False))[0]
                if not change:
                    continue
                if kept + change == 0:
                    gone.append((number, warehouse))
                elif change < 0:
                    less.append((number, warehouse, change))
                else:
                    where = _array(line.warehouses)
                    more.append((number, line.order, line.variant, warehouse, change, line.placed_at, where))
        if gone:
            sql.execute(
                "DELETE FROM inventory_reservation"
                " WHERE (line, warehouse_id) IN (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))",
                [list(column) for column in zip(*gone, strict=True)],
            )
        if less:
            sql.execute(
                "UPDATE inventory_reservation AS kept SET quantity = kept.quantity + change.quantity"
                " FROM unnest(%s::bigint[], %s::bigint[], %s::numeric[]) AS change (line, warehouse, quantity)"
                " WHERE kept.line = change.line AND kept.warehouse_id = change.warehouse",
                [list(column) for column in zip(*less, strict=True)],
            )
        if more:
            # What is added to a picked share is not in the basket yet: the share goes back to be picked.
            sql.execute(
                """
                INSERT INTO inventory_reservation AS kept
                    (line, "order", variant_id, warehouse_id, quantity, placed_at, warehouses, is_picked)
                SELECT line, ordered, variant, warehouse, quantity, placed_at, warehouses::bigint[], false
                FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::numeric[], %s::timestamptz[],
                            %s::text[]) AS given (line, ordered, variant, warehouse, quantity, placed_at, warehouses)
                ON CONFLICT (line, warehouse_id) DO UPDATE
                SET quantity = kept.quantity + EXCLUDED.quantity, is_picked = false
                """,
                [list(column) for column in zip(*more, strict=True)],
            )

    def _write_backorders(self) -> None:
        gone, less, more = [], [], []
        for number, change in self._waiting_more.items():
            if not change:
                continue
            if self._waiting.get(number, ZERO) + change == 0:
                gone.append(number)
            elif change < 0:
                less.append((number, change))
            else:
                line = self.lines[number]
                more.append((line.line, line.order, line.variant, change, line.placed_at, _array(line.warehouses)))
        if gone:
            sql.execute("DELETE FROM inventory_backorder WHERE line = ANY (%s)", [gone])
        if less:
            sql.execute(
                "UPDATE inventory_backorder AS kept SET quantity = kept.quantity + change.quantity"
                " FROM unnest(%s::bigint[], %s::numeric[]) AS change (line, quantity) WHERE kept.line = change.line",
                [list(column) for column in zip(*less, strict=True)],
            )
        if more:
            sql.execute(
                """
                INSERT INTO inventory_backorder AS kept
                    (line, "order", variant_id, quantity, placed_at, warehouses)
                SELECT line, ordered, variant, quantity, placed_at, warehouses::bigint[]
                FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::numeric[], %s::timestamptz[], %s::text[])
                     AS given (line, ordered, variant, quantity, placed_at, warehouses)
                ON CONFLICT (line) DO UPDATE SET quantity = kept.quantity + EXCLUDED.quantity
                """,
                [list(column) for column in zip(*more, strict=True)],
            )

    def _write_holds(self) -> None:
        gone, now = [], []
        for source, shares in self._held_now.items():
            for pair, share in shares.items():
                before = self._held.get(source, {}).get(pair)
                if share is None and before is not None:
                    gone.append((source, *pair))
                elif share is not None and share != before:
                    now.append((source, *pair, share.quantity, share.scope, share.until))
        if gone:
            sql.execute(
                "DELETE FROM inventory_hold WHERE (source, variant_id, warehouse_id)"
                " IN (SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[]))",
                [list(column) for column in zip(*gone, strict=True)],
            )
        if now:
            sql.execute(
                """
                INSERT INTO inventory_hold (source, variant_id, warehouse_id, quantity, scope, until)
                SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::numeric[], %s::bigint[],
                                     %s::timestamptz[])
                ON CONFLICT (source, variant_id, warehouse_id) DO UPDATE
                SET quantity = EXCLUDED.quantity, scope = EXCLUDED.scope, until = EXCLUDED.until
                """,
                [list(column) for column in zip(*now, strict=True)],
            )


def open_page(pairs: Iterable[Pair], quantities: Sequence[tuple[int, Decimal]] = ()) -> Page:
    """Lock the levels of `pairs`, and see that the variants of `quantities` are counted, whole where they are pieces."""
    page = Page({(f.variant, f.warehouse): f for f in lock_levels(pairs)})
    if quantities:
        _refuse_what_is_not_counted(quantities)
    return page


def _refuse_what_is_not_counted(quantities: Sequence[tuple[int, Decimal]]) -> None:
    # Read after the lock: who turns a variant into an alias or a kit holds it first.
    known = {
        variant: row
        for variant, *row in sql.rows(
            "SELECT id, sku, unit, kind FROM catalog_variant WHERE id = ANY (%s)", [[v for v, _ in quantities]]
        )
    }
    for variant, amount in quantities:
        sku, unit, kind = known[variant]
        if kind != "simple":
            raise NotCounted(
                f"{sku} has no stock of its own: it is of kind {kind}", variant=variant, sku=sku, kind=kind
            )
        if not money.fits_unit(amount, unit):
            raise BadInput(
                f"{sku} is counted in whole pieces, not {amount}",
                place="quantity",
                value=str(amount),
                cure="give a whole number",
                sku=sku,
                variant=variant,
            )


def exact(amount: Decimal, place: str = "quantity", *, least: Decimal | None = None) -> Decimal:
    """`amount` with three places; BadInput where it has more, is too large, or is not above `least` (which is allowed
    itself where it is given)."""
    try:
        rounded = money.quantity(amount)
    except (ValueError, ArithmeticError) as error:
        raise BadInput(
            f"{amount} is not a quantity", place=place, value=str(amount), cure="give at most three decimals"
        ) from error
    if abs(rounded) >= LARGEST or (rounded < least if least is not None else rounded <= 0):
        raise BadInput(
            f"{amount} is not a possible quantity",
            place=place,
            value=str(amount),
            cure="give a quantity above zero" if least is None else "give a quantity that is not negative",
        )
    return rounded


def _array(numbers: Iterable[int]) -> str:
    # unnest() flattens an array of arrays, so lists travel as PostgreSQL's text form of them.
    return "{" + ",".join(map(str, numbers)) + "}"
