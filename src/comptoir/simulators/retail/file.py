"""Reads the published invoice lines, one trading day at a time, and says what each stock code stands for."""

import csv
import gzip
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from pathlib import Path
from typing import TextIO

_HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
_PENNY = Decimal("0.01")


class UnreadableHistory(Exception):
    """The file is not the published one; the message names file, line and what was expected."""


class Kind(StrEnum):
    """What a stock code stands for."""

    GOODS = "goods"  #: is counted and sent
    POSTAGE = "postage"  #: carriage billed to the customer
    SERVICE = "service"  #: manual amounts and samples: a row without stock
    VOUCHER = "voucher"  #: a gift card sold
    CHARGE = "charge"  #: what banks and marketplaces take
    DISCOUNT = "discount"  #: money off, never goods
    UNKNOWN = "unknown"  #: no rule fits; a person must look


_NAMED_KINDS = {
    "POST": Kind.POSTAGE, "DOT": Kind.POSTAGE, "C2": Kind.POSTAGE,
    "M": Kind.SERVICE, "S": Kind.SERVICE,
    "BANK CHARGES": Kind.CHARGE, "AMAZONFEE": Kind.CHARGE, "CRUK": Kind.CHARGE,
    "D": Kind.DISCOUNT,
    "PADS": Kind.GOODS,
}  # fmt: skip
_GOODS_CODE = re.compile(r"[0-9]{5}[A-Z]{0,3}|DCGS[A-Z0-9]*")


def kind_of(code: str) -> Kind:
    key = code.upper()
    if key in _NAMED_KINDS:
        return _NAMED_KINDS[key]
    if key.startswith("GIFT_0001_"):
        return Kind.VOUCHER
    return Kind.GOODS if _GOODS_CODE.fullmatch(key) else Kind.UNKNOWN


@dataclass(slots=True)
class Row:
    """One line of the file."""

    code: str
    key: str  # the code in upper case: the shop's collation does not tell cases apart
    description: str
    quantity: int
    price: Decimal
    kind: Kind
    left: int = 0  # units sold and not taken back by a later cancellation


@dataclass(slots=True)
class Document:
    """One invoice number with its rows."""

    number: str
    at: datetime  # shop-local, the earliest row's
    customer: str
    country: str
    rows: list[Row] = field(default_factory=list)
    paid_at: datetime | None = None
    is_withdrawn: bool = False

    @property
    def amount(self) -> Decimal:
        return to_the_penny(sum((row.quantity * row.price for row in self.rows), Decimal(0)))


def to_the_penny(amount: Decimal) -> Decimal:
    return amount.quantize(_PENNY, ROUND_HALF_UP)


def read_days(files: Iterable[Path], until: date | None = None) -> Iterator[tuple[date, list[Document]]]:
    """The trading days with their documents, by the time of the earliest row; never more than one day in memory."""
    for day, documents in _by_day(_rows(files, until)):
        yield day, sorted(documents, key=lambda document: document.at)


def _open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _rows(files: Iterable[Path], until: date | None) -> Iterator[tuple[str, list[str]]]:
    """Each row with the place it stands at."""
    last_day = until.isoformat() if until else "9999"
    for path in files:
        with _open_text(path) as text:
            reader = csv.reader(text)
            if tuple(next(reader, ())) != _HEADER:
                raise UnreadableHistory(f"{path.name}, line 1: expected the columns {', '.join(_HEADER)}")
            for row in reader:
                if len(row) != len(_HEADER):
                    place = f"{path.name}, line {reader.line_num}"
                    raise UnreadableHistory(f"{place}: {len(row)} columns, expected {len(_HEADER)}")
                if row[4][:10] > last_day:
                    return
                yield path.name, row


def _by_day(rows: Iterable[tuple[str, list[str]]]) -> Iterator[tuple[date, list[Document]]]:
    today, documents = "", dict[str, Document]()
    moments: dict[str, datetime] = {}
    kinds: dict[str, tuple[str, Kind]] = {}
    for place, (number, code, description, quantity, moment, price, customer, country) in rows:
        if moment[:10] != today:
            if moment[:10] < today:
                raise UnreadableHistory(f"{place}: {moment} after {today}; the days must follow one another")
            if documents:
                yield date.fromisoformat(today), list(documents.values())
            today, documents, moments = moment[:10], {}, {}
        at = moments.get(moment) or moments.setdefault(moment, datetime.fromisoformat(moment))
        key, kind = kinds.get(code) or kinds.setdefault(code, (code.upper(), kind_of(code)))
        document = documents.get(number)
        if document is None:
            document = documents[number] = Document(number, at, customer, country)
        document.at = min(document.at, at)
        document.rows.append(Row(code, key, description.strip(), int(quantity), Decimal(price), kind))
    if documents:
        yield date.fromisoformat(today), list(documents.values())
