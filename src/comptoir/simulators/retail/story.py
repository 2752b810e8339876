"""Judges each document of the retail year in the order of time: what is sold, cancelled, paid back, corrected or left
out. It looks only at what came before, as a shop does.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from comptoir.simulators.retail.file import Document, Kind, Row

PAYMENTS_AT = time(9, 0)


@dataclass(slots=True)
class Order:
    document: Document
    is_sound: bool  # False: a line that no shop sells, so nothing is promised for it
    pays: int | None  # trading days until the wire arrives; 0 = paid at once, None = never


@dataclass(slots=True)
class WholeCancellation:
    document: Document
    origin: Document


@dataclass(slots=True)
class Credit:
    document: Document
    refunds: list[tuple[Document, Row, int]]
    orphans: list[Row]
    settles: list[Document]  # orders whose payment this credit proves


@dataclass(slots=True)
class Correction:
    document: Document


@dataclass(slots=True)
class LeftOut:
    document: Document
    reason: str


@dataclass(slots=True)
class WireArrived:
    document: Document


Happening = Order | WholeCancellation | Credit | Correction | LeftOut | WireArrived


@dataclass(slots=True)
class Told:
    """One day of the story; which pages the shop has by then is told elsewhere."""

    date: date
    documents: list[Document]
    happenings: list[tuple[datetime, Happening]]


def tell(days: Iterable[tuple[date, list[Document]]]) -> Iterator[Told]:
    past = _Past()
    for day, documents in days:
        yield past.tell(day, documents)


class _Past:
    """What has happened so far: the orders a cancellation may refer to, and the wires still expected."""

    def __init__(self) -> None:
        self._day_number = -1
        self._wires: dict[int, list[Document]] = defaultdict(list)
        self._orders: dict[str, list[Document]] = defaultdict(list)
        self._sold: dict[tuple[str, str], list[tuple[Document, Row]]] = defaultdict(list)

    def tell(self, day: date, documents: list[Document]) -> Told:
        self._day_number += 1
        arrives = datetime.combine(day, PAYMENTS_AT)
        happenings: list[tuple[datetime, Happening]] = []
        wires_seen = False
        for document in documents:
            if not wires_seen and document.at >= arrives:
                happenings.extend(self._wires_of(arrives))
                wires_seen = True
            happenings.append((document.at, self._judge(document)))
        if not wires_seen:
            happenings.extend(self._wires_of(arrives))
        return Told(day, documents, happenings)

    def _wires_of(self, at: datetime) -> Iterator[tuple[datetime, Happening]]:
        for order in self._wires.pop(self._day_number, ()):
            if order.paid_at is None and not order.is_withdrawn:
                order.paid_at = at
                yield at, WireArrived(order)

    def _judge(self, document: Document) -> Happening:
        rows = document.rows
        if document.number.startswith("A"):
            return LeftOut(document, "bad_debt")
        if document.number.startswith("C"):
            return self._look_back(document)
        kinds = {row.kind for row in rows}
        if not document.customer and not any(row.price for row in rows):
            if kinds == {Kind.GOODS}:
                return Correction(document)
            if Kind.GOODS not in kinds:
                return LeftOut(document, "empty")
        if kinds == {Kind.CHARGE}:
            return LeftOut(document, "charge")
        if not all(map(_is_sellable, rows)):
            return Order(document, is_sound=False, pays=0)
        return self._sell(document)

    def _sell(self, document: Document) -> Order:
        pays = _days_to_pay(document)
        if pays == 0:
            document.paid_at = document.at
        elif pays is not None:
            self._wires[self._day_number + pays].append(document)
        for row in document.rows:
            row.left = row.quantity
            if document.customer:
                self._sold[document.customer, row.key].append((document, row))
        if document.customer:
            self._orders[document.customer].append(document)
        return Order(document, is_sound=True, pays=pays)

    def _look_back(self, document: Document) -> WholeCancellation | Credit:
        if document.customer:
            wanted = Counter((row.key, row.price, -row.quantity) for row in document.rows)
            for order in reversed(self._orders[document.customer]):
                if _is_whole(order, wanted) and _is_still_here(order, document.at):
                    order.is_withdrawn = True
                    for row in order.rows:
                        row.left = 0
                    return WholeCancellation(document, order)
        credit = Credit(document, [], [], [])
        for row in document.rows:
            taken = self._take_back(document.customer, row) if document.customer else []
            if not taken:
                credit.orphans.append(row)
            for order, units in taken:
                credit.refunds.append((order, row, units))
                if order.paid_at is None:
                    order.paid_at = document.at
                    credit.settles.append(order)
        return credit

    def _take_back(self, customer: str, credited: Row) -> list[tuple[Document, int]]:
        """The orders, newest first, whose open units of this code cover the credited ones."""
        wanted = -credited.quantity
        if wanted <= 0 or credited.kind is Kind.DISCOUNT:
            return []
        is_goods = credited.kind is Kind.GOODS
        same, dearer = list[tuple[Document, Row]](), list[tuple[Document, Row]]()
        for order, sold in reversed(self._sold[customer, credited.key]):
            if sold.left and sold.price == credited.price:
                same.append((order, sold))
            elif sold.left and sold.price > credited.price and is_goods:
                dearer.append((order, sold))
        for found in (same, dearer):
            exact = [entry for entry in found if entry[1].left == wanted]
            enough = [entry for entry in found if entry[1].left > wanted]
            if exact or enough:
                order, sold = (exact or enough)[0]
                sold.left -= wanted
                return [(order, wanted)]
            if sum(sold.left for _, sold in found) >= wanted:
                taken = []
                for order, sold in found:
                    units = min(sold.left, wanted)
                    sold.left -= units
                    wanted -= units
                    if units:
                        taken.append((order, units))
                return taken
        return []


def _is_sellable(row: Row) -> bool:
    if row.kind is Kind.DISCOUNT:
        return row.quantity * row.price <= 0
    return row.kind is not Kind.UNKNOWN and row.quantity > 0 and row.price >= 0


def _days_to_pay(document: Document) -> int | None:
    """0 = paid when placed; else after that many trading days; None = a guest who never pays."""
    twenties, rest = divmod(int(document.number), 20)
    if rest != 7 or document.amount <= 0:
        return 0
    if not document.customer and twenties % 2 == 0:
        return None
    return 1 + twenties % 3


def _is_whole(order: Document, wanted: Counter[tuple[str, Decimal, int]]) -> bool:
    if len(order.rows) != wanted.total() or any(row.left != row.quantity for row in order.rows):
        return False
    return Counter((row.key, row.price, row.quantity) for row in order.rows) == wanted


def _is_still_here(order: Document, at: datetime) -> bool:
    """Parcels leave at the end of the day, and none leaves unpaid."""
    return order.at.date() == at.date() or order.paid_at is None
