"""Two model shops in plain Python, connected to the real flows, and a count of what each shop's figure did not know.

A *sellable* shop takes units off when a sale is placed and gives them back when it is cancelled. A *physical* one takes
them off when they ship, and shows its customers its figure less its own open sales. Neither knows anything of the hub.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from comptoir import connectors
from comptoir.channels import channel as channels
from comptoir.channels import registry
from comptoir.channels.connector import Connector, OpenedClient
from comptoir.channels.http import HttpDoor
from comptoir.channels.records import (
    Answer,
    Fate,
    LevelToTell,
    Page,
    Parcel,
    Sale,
    SaleLine,
    SaleState,
)

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

#: What is sold: a thing under two names, and a box of two of it.
CUPS = {"CUP": 1, "MUG": 1, "BOX": 2}


@dataclass
class ShopSale:
    """A sale as its shop knows it, and what really became of its units."""

    id: str
    listing: str
    quantity: int
    state: SaleState
    number: int
    confirmed: int = 0  # units of the listing that the shop knows to have left
    keys: set[str] = field(default_factory=set)  # parcels it was told of
    left: int = 0  # cups that have really left
    is_cancelled_here: bool = False
    is_adjusted: bool = False  # a person has booked what left although we had cancelled it

    @property
    def is_open_there(self) -> bool:
        return self.state in (SaleState.UNPAID, SaleState.PAID)

    @property
    def is_not_booked(self) -> bool:
        return self.is_cancelled_here and self.left > 0 and not self.is_adjusted

    @property
    def cups_owed(self) -> int:
        """What the customer is still to get."""
        if self.is_cancelled_here or self.state is SaleState.CANCELLED:
            return 0
        return max(0, self.quantity * CUPS[self.listing] - self.left)


@dataclass
class Fault:
    """What goes wrong with the next write to a shop, and what happens between its computing and its arrival."""

    fate: Fate = Fate.DONE
    has_effect: bool = True
    meanwhile: Callable[[], None] | None = None


class ModelShop:
    """One shop: its figures, its sales, and the abilities by which the hub sees it."""

    batch_size = 10

    def __init__(self, name: str, figure: str, world: World) -> None:
        self.name, self.figure, self.world = name, figure, world
        self.figures = dict.fromkeys(CUPS, 0)
        self.sales: dict[str, ShopSale] = {}
        self.fault = Fault()
        self.shown: list[str] = []  # the sales that the next reading finds, in that order
        self.knows: dict[str, set[int]] = {listing: set() for listing in CUPS}  # changes that the figure counts in
        self.written: set[str] = set()

    # What customers and the shopkeeper see and do

    def salable(self, listing: str) -> int:
        if self.figure == "sellable":
            return self.figures[listing]
        return self.figures[listing] - sum(
            self._subtracts(sale) for sale in self.sales.values() if sale.listing == listing
        )

    def _subtracts(self, sale: ShopSale) -> int:
        return max(0, sale.quantity - sale.confirmed) if sale.is_open_there else 0

    def buy(self, listing: str, quantity: int, *, is_paid: bool) -> None:
        world = self.world
        cups = quantity * CUPS[listing]
        too_many = min(cups, max(0, cups - max(0, world.free)))
        window = world.window(self, listing)
        assert too_many <= window, (
            f"{self.name} sold {too_many} that nobody has, and its figure lacked only {window}: {world.tale}"
        )
        world.oversold += too_many
        number = len(self.sales) + 1
        state = SaleState.PAID if is_paid else SaleState.UNPAID
        sale = ShopSale(f"{number}", listing, quantity, state, number)
        self.sales[sale.id] = sale
        if self.figure == "sellable":
            self.figures[listing] -= quantity
        # What it has just taken off itself, its own figure counts in.
        self.knows[listing].add(world.happened(cups, self, sale.id))

    def cancel_there(self, sale: ShopSale) -> None:
        sale.state = SaleState.CANCELLED
        if self.figure == "sellable":
            self.figures[sale.listing] += sale.quantity
        self.world.happened(sale.quantity * CUPS[sale.listing], self, sale.id)

    def ship_there(self, sale: ShopSale) -> None:
        """Somebody packs it with the shop's own screen."""
        cups = sale.quantity * CUPS[sale.listing] - sale.left
        sale.left += cups
        self.world.on_hand -= cups
        self._take_off(sale, sale.quantity - sale.confirmed)
        sale.state = SaleState.SHIPPED

    def _take_off(self, sale: ShopSale, quantity: int, parcel: str = "") -> None:
        sale.confirmed += quantity
        if self.figure == "physical":
            self.figures[sale.listing] -= quantity
        self.world.happened(sale.quantity * CUPS[sale.listing], self, sale.id, parcel)

    # What the hub sees: SalesSource, StockTarget, TrackingTarget, CancelTarget

    def changed_since(self, cursor: Mapping[str, object], *, start: datetime | None) -> Iterator[Page[Sale]]:
        shown, self.shown = self.shown, []
        if shown:
            yield Page(items=[self._sale(key) for key in shown], cursor={}, seen=tuple(shown))
            self.world.learned(self, set(shown))

    def _sale(self, key: str) -> Sale:
        sale = self.sales[key]
        total = Decimal(sale.quantity)
        return Sale(
            external_id=key,
            number=f"{self.name}-{key}",
            status=sale.state.value,
            state=sale.state,
            placed_at=AT + timedelta(seconds=sale.number),
            changed_at=AT,
            currency="EUR",
            total=total,
            lines=(
                SaleLine(
                    external_id="1", name=sale.listing, quantity=total, unit_price=Decimal(1), total=total,
                    listing=sale.listing, sku=sale.listing,
                ),
            ),
            selling_point="1",
            takes_stock=sale.state is not SaleState.CANCELLED,
        )  # fmt: skip

    def set_levels(self, levels: Sequence[LevelToTell]) -> list[Answer]:
        fault, self.fault = self.fault, Fault()
        known = set(self.world.known)
        if fault.meanwhile is not None:
            fault.meanwhile()
        for level in levels:
            if fault.has_effect:
                self.figures[level.listing] = int(level.level)
                self.knows[level.listing] = known | self._subtracted_itself(level.listing)
                self.written.add(level.listing)
        return [Answer(item=level.offer, fate=fault.fate) for level in levels]

    def _subtracted_itself(self, listing: str) -> set[int]:
        """A physical shop's own open sales stay counted in, whatever is written."""
        if self.figure == "sellable":
            return set()
        own = {key for key, sale in self.sales.items() if sale.listing == listing and self._subtracts(sale)}
        return {change.id for change in self.world.changes if change.shop is self and change.sale in own}

    def confirm(self, parcel: Parcel) -> Answer:
        fault, self.fault = self.fault, Fault()
        sale = self.sales[parcel.sale]
        if sale.state is SaleState.CANCELLED:
            return Answer(item=0, fate=Fate.REFUSED, reason="it is cancelled there")
        if fault.has_effect and parcel.key not in sale.keys:
            sale.keys.add(parcel.key)
            if sale.is_open_there:
                told = int(sum(line.quantity for line in parcel.lines))
                self._take_off(sale, min(told, sale.quantity - sale.confirmed), parcel.key)
                if parcel.completes:
                    sale.state = SaleState.SHIPPED
        return Answer(item=0, fate=fault.fate)

    def is_confirmed(self, parcel: Parcel) -> bool:
        return parcel.key in self.sales[parcel.sale].keys

    def cancel(self, key: str) -> Answer:
        fault, self.fault = self.fault, Fault()
        sale = self.sales[key]
        if sale.state is SaleState.SHIPPED:
            return Answer(item=0, fate=Fate.REFUSED, reason="it has left")
        if fault.has_effect and sale.state is not SaleState.CANCELLED:
            self.cancel_there(sale)
        return Answer(item=0, fate=fault.fate)

    def is_cancelled(self, key: str) -> bool:
        return self.sales[key].state is SaleState.CANCELLED


@dataclass(frozen=True)
class Change:
    """Something that happened to units, and where: at a shop, or (None) with us."""

    id: int
    cups: int
    shop: ModelShop | None
    sale: str
    parcel: str  # by which the shop took it off; empty: seen in the sale itself


class World:
    """What is really true: units on the shelf, what customers are owed, and which changes the hub knows of."""

    def __init__(self) -> None:
        self.on_hand = 0
        self.shops: list[ModelShop] = []
        self.changes: list[Change] = []
        self.known: set[int] = set()
        self.oversold = 0
        self.tale: list[str] = []

    @property
    def free(self) -> int:
        """Units that nobody is owed; below zero where too many were sold."""
        return self.on_hand - sum(sale.cups_owed for shop in self.shops for sale in shop.sales.values())

    def happened(self, cups: int, shop: ModelShop | None = None, sale: str = "", parcel: str = "") -> int:
        change = Change(len(self.changes), cups, shop, sale, parcel)
        self.changes.append(change)
        if shop is None:
            self.known.add(change.id)
        return change.id

    def learned(self, shop: ModelShop, sales: set[str]) -> None:
        """The hub has read these sales as they are now. What left of a sale that we cancelled waits for a person."""
        self.known |= {
            change.id
            for change in self.changes
            if change.shop is shop
            and change.sale in sales
            and not shop.sales[change.sale].is_not_booked
            and (not change.parcel or shop.sales[change.sale].state is SaleState.SHIPPED)
        }

    def confirmed(self, shop: ModelShop, parcel: str) -> None:
        """The hub knows that the shop knows of this parcel."""
        self.known |= {change.id for change in self.changes if change.shop is shop and change.parcel == parcel}

    def window(self, shop: ModelShop, listing: str) -> int:
        """The measured window: units that moved without the figure of this listing knowing it."""
        return sum(change.cups for change in self.changes if change.id not in shop.knows[listing])

    def is_learned(self) -> bool:
        return len(self.known) == len(self.changes)


class Nothing(Struct):
    """These shops are connected without a word."""


class NoDoor:
    """Nobody goes out here."""

    def __init__(self, **options: object) -> None:
        """Whatever a door is made with."""

    def close(self) -> None:
        """Nothing was opened."""


@contextmanager
def connectable(shops: Mapping[str, ModelShop]) -> Iterator[None]:
    """Model shops can be connected by their name, and no other shop; no door leads anywhere."""

    def card(kind: str) -> Connector | None:
        shop = shops.get(kind)
        if shop is None:
            return None
        return Connector(
            kind=kind, title=kind, fields=(), config=Nothing,
            connect=lambda _config, _door: OpenedClient(
                probe=shop, sales=shop, levels=shop, tracking=shop, cancelling=shop,  # type: ignore[arg-type]
            ),
            abilities=frozenset({"sales", "levels", "tracking", "cancelling"}),
        )  # fmt: skip

    registry.set_up(card, lambda: tuple(shops))
    channels.set_up_doors(NoDoor)  # type: ignore[arg-type]
    try:
        yield
    finally:
        registry.set_up(connectors.find, connectors.kinds)
        channels.set_up_doors(HttpDoor)
