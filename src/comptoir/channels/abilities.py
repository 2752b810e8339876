"""The abilities a connector may have: tiny protocols. What a card leaves out, the channel cannot do.

All calls may raise the fates of `channels.errors`. A generator yields pages; the caller keeps a page before it asks
for the next, and resumes from the cursor of the last page it kept. Cursors are small JSON objects; `{}` is the start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from comptoir.channels.records import (
    Answer,
    LevelToTell,
    Page,
    Parcel,
    PriceFigure,
    PriceToTell,
    Product,
    Sale,
    StockFigure,
    Subscription,
    Supplier,
    SupplierListing,
    Surroundings,
)


class Probe(Protocol):
    """Every connector can be asked who and what is at the other end."""

    def look_around(self) -> Surroundings:
        """A connection test; raises NotLetIn or TryLater with the plain reason."""


class ProductSource(Protocol):
    """Products and their listings."""

    def changed_since(self, cursor: Mapping[str, object]) -> Iterator[Page[Product]]:
        """New and changed products, oldest id first. A repeat of a page is harmless."""

    def everything(self, cursor: Mapping[str, object]) -> Iterator[Page[Product]]:
        """Every product; the ids of all pages together are the complete listing."""

    def fetch(self, external_ids: Sequence[str]) -> Page[Product]:
        """These products; one that is gone is simply not among the items."""

    def image(self, ref: str) -> tuple[bytes, str]:
        """The bytes of a picture and its content type; raises Missing where the file is gone."""


class SalesSource(Protocol):
    """Sales and their changes."""

    def changed_since(self, cursor: Mapping[str, object], *, start: datetime | None) -> Iterator[Page[Sale]]:
        """New and changed sales with an overlap; `start` bounds the first reading."""

    def fetch(self, external_ids: Sequence[str]) -> Page[Sale]:
        """These sales, in as few calls as the channel allows."""

    def placed_between(self, since: datetime, until: datetime) -> Iterator[Sequence[str]]:
        """The external id of every sale placed from `since` on and before `until`, whatever became of it, in pages of any
        length and order: what the channel holds is compared with what is here by ids. Not by `changed_since`, or both
        would pass over the same one."""


class StockSource(Protocol):
    """Stock figures as the channel has them."""

    def figures(self, cursor: Mapping[str, object]) -> Iterator[Page[StockFigure]]:
        """Every figure of every selling point."""

    def fetch(self, refs: Sequence[str]) -> Page[StockFigure]:
        """These figures."""


class StockTarget(Protocol):
    """Where levels are told. A level with `expected` is written only where that is what stands there, if the channel can
    compare; else its answer is CONFLICT. Without, such a channel's figure is read just before and compared with."""

    batch_size: int  # levels per `set_levels`

    def set_levels(self, levels: Sequence[LevelToTell]) -> list[Answer]:
        """Write absolute levels: one answer per level, same order of items. Lost answers are UNKNOWN, not an exception."""


class PriceTarget(Protocol):
    """Where base prices are told."""

    batch_size: int  # listings per call of either

    def figures(self, wanted: Sequence[tuple[str, str]]) -> list[PriceFigure]:
        """The prices of these (listing, selling point), as they stand; one that is gone is simply not among them."""

    def set_prices(self, prices: Sequence[PriceToTell]) -> list[Answer]:
        """Write base prices that differ from what stands there: one answer per price, same order of items. Lost answers
        are UNKNOWN, not an exception."""


class SupplierSource(Protocol):
    """Who the channel buys from."""

    def everything(self, cursor: Mapping[str, object]) -> Iterator[Page[Supplier]]:
        """Every supplier; the ids of all pages together are the complete list."""


class SupplierListingSource(Protocol):
    """What the channel's suppliers sell."""

    def everything(self, cursor: Mapping[str, object]) -> Iterator[Page[SupplierListing]]:
        """Every row; the ids of all pages together are the complete list."""


class TrackingTarget(Protocol):
    """Where parcels are told. Not idempotent: the engine journals each call."""

    def confirm(self, parcel: Parcel) -> Answer:
        """Tell one parcel; with the last one the sale becomes shipped there."""

    def is_confirmed(self, parcel: Parcel) -> bool:
        """Ask the channel whether `confirm` has already had its whole effect."""


class CancelTarget(Protocol):
    """Where a cancellation of ours is told."""

    def cancel(self, sale: str) -> Answer:
        """Set the sale to cancelled there."""

    def is_cancelled(self, sale: str) -> bool:
        """Ask whether it is already so."""


class Hint(Protocol):
    """What a webhook says: something changed; never what it changed to."""

    event_id: str  # the same when it is delivered again
    topic: str  # "sale", "product" or "stock"
    external_id: str  # of the sale or product; of the listing, its product or the figure's `ref` where it is stock


class WebhookSource(Protocol):
    """Verifies a raw delivery in constant time and names what it is about."""

    def hint(self, headers: Mapping[str, str], body: bytes, secret: str, *, at: datetime) -> Hint | None:
        """None: well signed, and about nothing to fetch (a ping). Raises Refused when signature, age or shape is wrong."""


class SubscriptionTarget(Protocol):
    """Where the channel is asked to deliver webhooks, for channels that take such orders through their API."""

    topics: tuple[str, ...]  # in the channel's words: what the hub wants to hear of

    def listed(self, address: str) -> list[Subscription]:
        """What the channel would deliver to this address now, switched off or not."""

    def subscribe(self, topic: str, address: str, secret: str) -> None:
        """Ask for deliveries of a topic. May have had its effect though it raises Unknown: ask `listed` before again."""

    def unsubscribe(self, external_id: str) -> None:
        """End one; one that is not there is ended."""
