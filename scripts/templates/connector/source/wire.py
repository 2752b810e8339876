"""Acme's shapes under Acme's names. Unknown fields are ignored; a missing one that we need is an error."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec import Struct


class Account(Struct, frozen=True):
    name: str
    currency: str
    timezone: str
    clock: datetime


class Good(Struct, frozen=True):
    id: int
    name: str
    price: Decimal  # with tax
    units: int  # goes down when a sale is placed
    changed_at: datetime
    sku: str = ""


class Line(Struct, frozen=True):
    id: int
    good: int
    name: str
    units: int
    price: Decimal  # of one, with tax
    sku: str = ""


class SentParcel(Struct, frozen=True):
    key: str
    tracking: str


class Sale(Struct, frozen=True):
    id: int
    state: str  # "unpaid", "paid", "sent", "cancelled"
    placed_at: datetime
    changed_at: datetime
    currency: str
    total: Decimal
    lines: tuple[Line, ...]
    carrier: str = ""
    buyer: str = ""
    email: str = ""
    parcels: tuple[SentParcel, ...] = ()


class Row(Struct, frozen=True):
    """What every row has, however odd the rest of it is."""

    id: int
    change: int


class Rows(Struct, frozen=True):
    """A page. Each row is decoded by itself, so that one that is odd does not spoil the others."""

    rows: tuple[msgspec.Raw, ...]


class Result(Struct, frozen=True):
    """What became of one level."""

    good: int
    saved: bool
    why: str = ""


class Results(Struct, frozen=True):
    results: tuple[Result, ...]
