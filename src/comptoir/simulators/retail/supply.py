"""Which pages the simulated shop makes and which goods arrive when, from one reading of the whole story."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from comptoir.simulators.retail import story
from comptoir.simulators.retail.file import Document, Kind
from comptoir.simulators.retail.records import ProductPage, Receipt

SHOP_ZONE = ZoneInfo("Europe/London")

# Before the first invoice of any day (the file's earliest is at 06:10).
PAGES_AT = time(5, 0)
OPENING_AT = time(5, 30)
WEEKLY_AT = time(6, 0)

_SIX_PLACES = Decimal("0.000001")


def utc(local: datetime) -> datetime:
    return local.replace(tzinfo=SHOP_ZONE).astimezone(UTC)


@dataclass(slots=True)
class _Code:
    """What the file shows of one stock code."""

    spelling: str
    kind: Kind
    first_seen: int  # number of the trading day
    is_untidy: bool
    first_sold: int | None = None
    sold_in_week: Counter[tuple[int, int]] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)
    sold_names: Counter[str] = field(default_factory=Counter)
    prices: Counter[Decimal] = field(default_factory=Counter)

    @property
    def page_day(self) -> int | None:
        if not self.is_untidy:
            return self.first_seen
        return None if self.first_sold is None else self.first_sold + 1

    @property
    def opening(self) -> int:
        """What it sold in its second busiest week: the busiest one surprises the house. With sales in one or two
        weeks only, the busiest."""
        busiest = [units for _, units in self.sold_in_week.most_common(2)]
        return min(busiest) if len(self.sold_in_week) > 2 else max(busiest, default=0)

    @property
    def name(self) -> str:
        names = self.sold_names or self.names
        return max(names, key=lambda name: names[name], default=self.spelling)

    @property
    def price(self) -> Decimal:
        usual = max(self.prices, key=lambda price: (self.prices[price], -price), default=Decimal(0))
        return usual.quantize(_SIX_PLACES)


@dataclass(slots=True)
class _Outflow:
    """What left the shelves on one day, as far as it is ordered again."""

    sold: Counter[str] = field(default_factory=Counter)
    written_off: list[tuple[str, int]] = field(default_factory=list)


class Survey:
    """The pages, and the deliveries, of a whole story."""

    def __init__(self, days: Iterable[story.Told]) -> None:
        self._codes: dict[str, _Code] = {}
        self._days: list[date] = []
        self._outflows: list[_Outflow] = []
        for told in days:
            self._read(told)
        self.pages = self._make_pages()
        self.page_of = {page.reference.upper(): page for page in self.pages}
        self.receipts = self._plan_receipts()

    def _read(self, told: story.Told) -> None:
        number, outflow = len(self._days), _Outflow()
        self._days.append(told.date)
        self._outflows.append(outflow)
        for document in told.documents:
            self._see(number, document)
        for _, happening in told.happenings:
            if isinstance(happening, story.Order) and happening.is_sound:
                self._sell(number, happening, outflow)
            elif isinstance(happening, story.Correction):
                rows = happening.document.rows
                outflow.written_off += [(row.key, -row.quantity) for row in rows if row.quantity < 0]

    def _see(self, number: int, document: Document) -> None:
        for row in document.rows:
            code = self._codes.get(row.key)
            if code is None:
                is_untidy = row.kind is Kind.GOODS and row.description in ("", "?")
                code = self._codes[row.key] = _Code(row.code, row.kind, number, is_untidy)
            if row.description not in ("", "?"):
                code.names[row.description] += 1

    def _sell(self, number: int, order: story.Order, outflow: _Outflow) -> None:
        # Judged when the day is over: an order withdrawn on its day, or one that is never paid, moves no goods.
        moves_goods = order.pays is not None and not order.document.is_withdrawn
        for row in order.document.rows:
            code = self._codes[row.key]
            if code.first_sold is None:
                code.first_sold = number
            if row.price > 0:
                code.prices[row.price] += 1
                if row.description:
                    code.sold_names[row.description] += 1
            if moves_goods and row.kind is Kind.GOODS:
                outflow.sold[row.key] += row.quantity
                code.sold_in_week[_week(self._days[number])] += row.quantity

    def _make_pages(self) -> list[ProductPage]:
        pages = []
        for code in self._codes.values():
            if code.kind is Kind.GOODS:
                day = code.page_day
            elif code.kind not in (Kind.DISCOUNT, Kind.UNKNOWN) and code.first_sold is not None:
                day = 0  # the shop opens with its services
            else:
                continue
            if day is not None and day < len(self._days):
                at = utc(datetime.combine(self._days[day], PAGES_AT))
                pages.append(ProductPage(code.spelling, code.name, code.price, code.kind, at, code.opening))
        return sorted(pages, key=lambda page: page.created_at)

    def _plan_receipts(self) -> list[Receipt]:
        by_day: dict[date, list[ProductPage]] = {}
        for page in self.pages:
            by_day.setdefault(page.created_at.astimezone(SHOP_ZONE).date(), []).append(page)
        receipts: list[Receipt] = []
        has_page: set[str] = set()
        owed: Counter[str] = Counter()
        for number, day in enumerate(self._days):
            new = by_day.get(day, [])
            has_page.update(page.reference.upper() for page in new)
            opening = {page.reference: page.opening for page in new if page.opening}
            if opening:
                receipts.append(Receipt(utc(datetime.combine(day, OPENING_AT)), f"opening-{day}", True, opening))
            if number and _week(day) != _week(self._days[number - 1]):
                arriving = [key for key, units in owed.items() if units and key in has_page]
                units = {self._codes[key].spelling: owed.pop(key) for key in arriving}
                if units:
                    receipts.append(Receipt(utc(datetime.combine(day, WEEKLY_AT)), f"weekly-{day}", False, units))
            owed.update(self._outflows[number].sold)
            for key, written_off in self._outflows[number].written_off:
                owed[key] += min(written_off, self._codes[key].opening)
        return receipts


def _week(day: date) -> tuple[int, int]:
    year, week, _ = day.isocalendar()
    return year, week
