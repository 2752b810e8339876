"""The card that a connector fills in, and how its abilities are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct

from comptoir.channels.abilities import Probe
from comptoir.channels.errors import ChannelError


class Figure(StrEnum):
    """What a stock figure at the channel means (see docs/explanation/stock.md)."""

    SELLABLE = "sellable"  #: the shop takes a unit off when the sale is placed
    PHYSICAL = "physical"  #: the shop takes a unit off when it ships, and subtracts its open orders itself


@dataclass(frozen=True, slots=True)
class Pace:
    """What the other end can bear. `key` groups channels that share one limit; {} fields come from the channel's config."""

    per_minute: float = 240
    burst: int = 8
    concurrency: int = 4
    key: str = ""  # empty: each channel has its own


def mark(text: str) -> str:
    """Mark a text of a card for translation (imported as `_`, so that makemessages finds it). Django's own marker needs
    configured settings, and a connector is to be used and tested without any."""
    return text


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a merchant types in to connect."""

    name: str
    label: str  # a gettext message id
    secret: bool = False
    required: bool = True
    help: str = ""
    kind: str = "text"  # text, url, number, choice, switch
    choices: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A finding that only this kind of channel knows, in words: gettext message ids, with facts as %(fact)s. `name` stands
    where there are no facts; `page` is where it is cured, as `web/findings_words.py` has them."""

    what: str
    cure: str = ""
    page: str = "channel"
    name: str = ""


class Door(Protocol):
    """The only way out, handed to a client: see `channels/http.py`, which fills this in."""

    def read(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        ok: tuple[int, ...] = (200,),
    ) -> Reply:
        """A call that changes nothing there."""

    def write(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        ok: tuple[int, ...] = (200, 201),
    ) -> Reply:
        """A call that changes something there: refused with WritesRefused unless the channel is in production and not paused."""

    def write_each(self, calls: Sequence[Call], *, ok: tuple[int, ...] = (200, 201)) -> list[Reply | ChannelError]:
        """Several writes at the same time: an answer or a fate for each, in order. Raises what stops the first of them."""

    def points(self, left: float, most: float, per_second: float, *, wanted: float = 0) -> None:
        """Tell what an answer said of a budget in cost points: it is shown, and everyone on this pace waits until `wanted`
        points (those of a usual call) are there again."""

    def wait(self, seconds: float) -> None:
        """Tell that everyone on this pace is to wait, where the channel says so otherwise than by 429 and `Retry-After`."""


@dataclass(frozen=True, slots=True)
class Call:
    """One of several writes that do not depend on each other."""

    method: str
    url: str
    params: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status the caller expects; other statuses are raised as fates."""

    status: int
    headers: Mapping[str, str]  # lower-case names
    body: bytes


@dataclass(frozen=True, slots=True)
class OpenedClient:
    """What `Connector.connect` gives back: the abilities of one channel, ready to use."""

    probe: Probe
    products: Any = None
    sales: Any = None
    stock: Any = None  # StockSource
    levels: Any = None  # StockTarget
    tracking: Any = None
    cancelling: Any = None
    prices: Any = None  # PriceTarget
    suppliers: Any = None  # SupplierSource
    supplier_links: Any = None  # SupplierListingSource
    subscriptions: Any = None  # SubscriptionTarget


WEBHOOK_SECRET = "webhook_secret"  # noqa: S105  # among a channel's sealed values: what its deliveries are signed with


@dataclass(frozen=True, slots=True)
class Connector:
    """The card: everything the hub needs to know about one kind of channel."""

    kind: str
    title: str
    fields: tuple[Field, ...]
    connect: Callable[[Mapping[str, Any], Door], OpenedClient]  # config with secrets, the door -> abilities
    config: type[Struct]  # the typed shape of what was typed in
    abilities: frozenset[str]  # names of OpenedClient's fields that it fills
    figure: Figure = Figure.SELLABLE
    pace: Pace = field(default_factory=Pace)
    webhooks: Any = None  # WebhookSource
    #: the secret that deliveries are signed with, of those typed in; by default one that is made for each channel
    signed_with: str = WEBHOOK_SECRET
    feeds: tuple[str, ...] = ()  # kinds of flow left out although the abilities would allow them: never offered
    carries: Mapping[str, int] = field(default_factory=dict)  # kind of flow -> listings a call deals with, about
    #: codes of an Odd of its own, in words. About a thing that is read without that complaint, it is over
    says: Mapping[str, Said] = field(default_factory=dict)
    notes: str = ""  # where its README is
    fates: Mapping[int, type[ChannelError]] = field(default_factory=dict)  # rows of http.FATES that differ here
