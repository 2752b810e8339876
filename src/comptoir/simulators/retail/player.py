"""Plays a year of a real web shop: turns its published invoice lines into the shop's events in the order of time.
Whoever plays it applies the events to a simulated shop and the deliveries to the hub.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from comptoir.simulators.retail import records, story
from comptoir.simulators.retail.file import Document, Kind, Row, read_days, to_the_penny
from comptoir.simulators.retail.supply import SHOP_ZONE, Survey, utc

_SIX_PLACES = Decimal("0.000001")
_NOTHING = Decimal(0)

_COUNTRY_CODES = {
    "Australia": "AU", "Austria": "AT", "Bahrain": "BH", "Belgium": "BE", "Brazil": "BR", "Canada": "CA",
    "Channel Islands": "JE", "Cyprus": "CY", "Czech Republic": "CZ", "Denmark": "DK", "EIRE": "IE", "Finland": "FI",
    "France": "FR", "Germany": "DE", "Greece": "GR", "Hong Kong": "HK", "Iceland": "IS", "Israel": "IL", "Italy": "IT",
    "Japan": "JP", "Lebanon": "LB", "Lithuania": "LT", "Malta": "MT", "Netherlands": "NL", "Norway": "NO",
    "Poland": "PL", "Portugal": "PT", "RSA": "ZA", "Saudi Arabia": "SA", "Singapore": "SG", "Spain": "ES",
    "Sweden": "SE", "Switzerland": "CH", "USA": "US", "United Arab Emirates": "AE", "United Kingdom": "GB",
}  # fmt: skip
#: Where the file names no country ("Unspecified", "European Community") the address is in the shop's own.
_HOME = "GB"

_Pages = Mapping[str, records.ProductPage]


class RetailYear:
    """The files as one story. `until` reads them as if they ended with that day."""

    def __init__(self, files: Sequence[Path], until: date | None = None) -> None:
        self._files = sorted(files, key=lambda path: path.name)
        self._until = until

    def catalogue(self) -> list[records.ProductPage]:
        """Every product the shop will have, by the moment its page is made."""
        return self._survey.pages

    def receipts(self) -> list[records.Receipt]:
        """Every delivery, by time: openings with their page, then weekly what left since the last one."""
        return self._survey.receipts

    def days(self) -> Iterator[records.Day]:
        """The trading days one after another; the file is read again, never held whole."""
        made: dict[date, list[records.ProductPage]] = defaultdict(list)
        for page in self._survey.pages:
            made[page.created_at.astimezone(SHOP_ZONE).date()].append(page)
        stage = _Stage(self._survey.page_of)
        for told in self._story():
            events: list[records.Event] = []
            for page in made[told.date]:
                events.extend(stage.make_page(page))
            for at, happening in told.happenings:
                events.extend(stage.show(utc(at), happening))
            yield records.Day(
                date=told.date,
                lines=sum(len(document.rows) for document in told.documents),
                invoices=len(told.documents),
                amount=sum((document.amount for document in told.documents), _NOTHING),
                events=tuple(events),
            )

    @cached_property
    def _survey(self) -> Survey:
        return Survey(self._story())

    def _story(self) -> Iterator[story.Told]:
        return story.tell(read_days(self._files, self._until))


class _Stage:
    """Shows the story as the shop would: knows which pages exist by now and which corrections wait for one."""

    def __init__(self, ever: _Pages) -> None:
        self._ever = ever
        self._now: dict[str, records.ProductPage] = {}
        self._waiting: dict[str, list[tuple[datetime, Document, int, Row]]] = defaultdict(list)

    def make_page(self, page: records.ProductPage) -> Iterator[records.Event]:
        key = page.reference.upper()
        self._now[key] = page
        yield records.ProductCreated(page.created_at, page)
        for happened_at, document, place, row in self._waiting.pop(key, ()):
            yield _corrected(page.created_at, happened_at, document, place, row, page)

    def show(self, at: datetime, happening: story.Happening) -> Iterator[records.Event]:
        match happening:
            case story.Order():
                yield self._placed(at, happening)
            case story.WireArrived(document):
                yield records.Paid(at, document.number)
            case story.WholeCancellation(document, origin):
                yield records.OrderCancelled(at, document.number, origin.number, document.amount)
            case story.Credit():
                yield from self._credited(at, happening)
            case story.Correction(document):
                yield from self._corrections(at, document)
            case story.LeftOut(document, reason):
                yield records.Skipped(at, document.number, reason, len(document.rows), document.amount)

    def _placed(self, at: datetime, order: story.Order) -> records.OrderPlaced:
        document = order.document
        discounts = [row for row in document.rows if row.kind is Kind.DISCOUNT]
        postage = [row for row in document.rows if row.kind is Kind.POSTAGE]
        rows = [row for row in document.rows if row.kind not in (Kind.DISCOUNT, Kind.POSTAGE)]
        if not rows:  # carriage billed by itself: a shop sells it as a product, since an order needs a row
            rows, postage = postage, []
        return records.OrderPlaced(
            at=at,
            invoice=document.number,
            customer=document.customer or None,
            country=document.country,
            country_code=_COUNTRY_CODES.get(document.country, _HOME),
            lines=tuple(self._line(row, row.quantity) for row in rows),
            shipping=_sum(postage),
            discounts=-_sum(discounts),
            total=document.amount,
            is_paid=order.pays == 0,
        )

    def _credited(self, at: datetime, credit: story.Credit) -> Iterator[records.Event]:
        document = credit.document
        for order in credit.settles:
            yield records.Paid(at, order.number)
        by_origin: dict[str, list[records.Line]] = {}
        for origin, row, units in credit.refunds:
            by_origin.setdefault(origin.number, []).append(self._line(row, units))
        for number, lines in by_origin.items():
            amount = to_the_penny(sum((line.quantity * line.unit_price for line in lines), _NOTHING))
            reference = f"{document.number}-{number}"
            yield records.Refund(at, reference, document.number, number, tuple(lines), amount)
        if credit.orphans:
            yield records.CancellationWithoutOrigin(
                at=at,
                document=document.number,
                customer=document.customer or None,
                country=document.country,
                country_code=_COUNTRY_CODES.get(document.country, _HOME),
                lines=tuple(self._line(row, row.quantity) for row in credit.orphans),
                amount=to_the_penny(_sum(credit.orphans)),
            )

    def _corrections(self, at: datetime, document: Document) -> Iterator[records.Event]:
        if any(row.key not in self._ever for row in document.rows):
            yield records.Skipped(at, document.number, "no_page", len(document.rows), document.amount)
            return
        for place, row in enumerate(document.rows, 1):
            if row.key in self._now:
                yield _corrected(at, at, document, place, row, self._now[row.key])
            else:
                self._waiting[row.key].append((at, document, place, row))

    def _line(self, row: Row, quantity: int) -> records.Line:
        page = self._now.get(row.key)
        price = row.price.quantize(_SIX_PLACES)
        return records.Line(row.code, row.description, quantity, price, row.kind, page.reference if page else None)


def _corrected(
    at: datetime, happened_at: datetime, document: Document, place: int, row: Row, page: records.ProductPage
) -> records.StockCorrected:
    reference = f"{document.number}-{place}"
    return records.StockCorrected(at, reference, row.code, page.reference, row.quantity, row.description, happened_at)


def _sum(rows: Iterable[Row]) -> Decimal:
    return sum((row.quantity * row.price for row in rows), _NOTHING)
