"""What telling a batch of levels and a batch of prices have in common: one batch call for simple products and one for each
variable product, an answer for each item whatever became of the call, and a lost answer read back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from msgspec import Raw

from comptoir.channels.errors import ChannelError, NotUnderstood, Refused, TryLater, Unknown
from comptoir.channels.records import Answer, Fate, LevelToTell, PriceToTell
from comptoir.connectors.woocommerce import mapping, reading, wire
from comptoir.connectors.woocommerce.client import V3, WooCommerceClient

T = TypeVar("T", bound=LevelToTell | PriceToTell)

PRODUCTS = f"{V3}/products"
TRIES = 4  # of one object in ever smaller batches, before it is left unknown


@dataclass(slots=True)
class Size:
    """Objects in one call: halved where a call of so many takes the shop too long, and kept so."""

    most: int = 50


@dataclass(frozen=True, slots=True)
class BatchCall:
    """One batch: where to, which places, and for the how manieth time."""

    parent: int  # 0: simple products
    places: list[int]
    tries: int = 1


class Batch(ABC, Generic[T]):
    """One batch on its way; its items are known by their places."""

    TWICE: str  # why the earlier of two for one thing is not written
    FIELDS: str  # what is read back

    def __init__(self, client: WooCommerceClient, size: Size, items: Sequence[T]) -> None:
        self._client = client
        self._size = size
        self._items = items
        self._answers: dict[int, Answer] = {}
        self._pairs: dict[int, tuple[int, int]] = {}
        for place, item in enumerate(items):
            try:
                self._pairs[place] = mapping.listing_pair(item.listing)
            except ValueError as error:
                self._answer(place, Fate.REFUSED, str(error))

    @abstractmethod
    def _body(self, place: int) -> Mapping[str, Any]:
        """What is sent of one."""

    @abstractmethod
    def _stands(self, place: int, row: Raw) -> bool:
        """Whether what the shop has is what we want."""

    @abstractmethod
    def _differs(self, place: int, row: Raw) -> BatchCall | None:
        """The shop saved it and has something else all the same: answer, or say how it is sent again."""

    def tell(self) -> list[Answer]:
        """The fate of each, in the order of the items."""
        try:
            self._tell(self._one_each())
        except TryLater as error:
            if not self._answers:
                raise
            # Some are written: their answers are worth more than the wait, which the door has told to the pace.
            for place in self._open(range(len(self._items))):
                self._answer(place, Fate.UNKNOWN, str(error))
        return [self._answers[place] for place in range(len(self._items))]

    # -- calls -------------------------------------------------------------------------------------------------------

    def _tell(self, places: Iterable[int]) -> None:
        waiting = [BatchCall(parent, group) for parent, group in self._by_parent(places).items()]
        while waiting:
            calls = [part for call in waiting for part in self._parts(call)]
            outcomes = self._client.write_each([(_path(call.parent), self._bodies(call)) for call in calls])
            waiting = []
            stopped: ChannelError | None = None
            for call, outcome in zip(calls, outcomes, strict=True):
                match outcome:
                    case Unknown() | NotUnderstood():
                        waiting += self._lost(call, outcome)
                    case Refused():
                        waiting += self._refused(call, outcome)
                    case ChannelError():
                        stopped = stopped or outcome
                    case _:
                        waiting += self._answered(call, outcome)
            if stopped is not None:
                raise stopped

    def _parts(self, call: BatchCall) -> list[BatchCall]:
        size = self._size.most
        return [
            BatchCall(call.parent, call.places[start : start + size], call.tries)
            for start in range(0, len(call.places), size)
        ]

    def _bodies(self, call: BatchCall) -> dict[str, Any]:
        return {"update": [{"id": self._id(place), **self._body(place)} for place in call.places]}

    def _answered(self, call: BatchCall, answer: Raw) -> list[BatchCall]:
        """200 says nothing of the single ones: each is looked at."""
        again: list[BatchCall] = []
        try:
            rows = _rows_of(answer)
        except NotUnderstood as error:
            return self._lost(call, error)
        for place in call.places:
            if (row := rows.get(self._id(place))) is None:
                continue
            try:
                more = self._saved(place, row)
            except NotUnderstood as error:
                self._answer(place, Fate.UNKNOWN, str(error))
                continue
            if more is not None:
                again.append(more)
        if left := self._open([place for place in call.places if self._id(place) not in rows]):
            again += self._lost(BatchCall(call.parent, left, TRIES), NotUnderstood("the answer does not speak of it"))
        return _joined(again)

    def _saved(self, place: int, row: Raw) -> BatchCall | None:
        """One object of an answer: refused by itself, as we want it, or otherwise."""
        item = wire.typed(wire.BatchItem, row)
        if item.error is not None:
            self._answer(place, Fate.REFUSED, str(item.error.get("message") or item.error.get("code") or "refused"))
        elif self._stands(place, row):
            self._answer(place, Fate.DONE)
        else:
            return self._differs(place, row)
        return None

    def _lost(self, call: BatchCall, error: ChannelError) -> list[BatchCall]:
        """The answer was lost: part of the batch may be done. Read what stands there; the rest goes in smaller batches, since
        too many at once is what shops choke on."""
        reason = str(error)
        try:
            there = self._read(call.places)
        except ChannelError as problem:
            there, reason = {}, f"{reason}; {problem}"
            call = BatchCall(call.parent, call.places, TRIES)
        left: list[int] = []
        for place in call.places:
            row = there.get(self._pairs[place])
            try:
                is_done = row is not None and self._stands(place, row)
            except NotUnderstood:
                is_done = False
            if is_done:
                self._answer(place, Fate.DONE)
            else:
                left.append(place)
        is_stuck = len(left) == len(call.places) and call.tries > 1  # in a smaller batch, and not one of them saved
        if not left or len(call.places) == 1 or is_stuck or call.tries >= TRIES:
            for place in left:
                self._answer(place, Fate.UNKNOWN, reason)
            return []
        self._size.most = min(self._size.most, max(1, len(call.places) // 2))
        return [BatchCall(call.parent, left, call.tries + 1)]

    def _refused(self, call: BatchCall, error: Refused) -> list[BatchCall]:
        """A whole batch was refused: where it goes to is gone, or one of them spoils it."""
        if len(call.places) == 1 or error.facts.get("status") == 404:
            for place in call.places:
                self._answer(place, Fate.REFUSED, str(error))
            return []
        middle = len(call.places) // 2
        return [BatchCall(call.parent, half, call.tries) for half in (call.places[:middle], call.places[middle:])]

    # -- what stands there -------------------------------------------------------------------------------------------

    def _read(self, places: Iterable[int]) -> dict[tuple[int, int], Raw]:
        return rows_of(self._client, [self._pairs[place] for place in places], self.FIELDS)

    # -- places ------------------------------------------------------------------------------------------------------

    def _id(self, place: int) -> int:
        product, variation = self._pairs[place]
        return variation or product

    def _open(self, places: Iterable[int]) -> list[int]:
        return [place for place in places if place not in self._answers]

    def _answer(self, place: int, fate: Fate, reason: str = "") -> None:
        self._answers[place] = Answer(item=self._items[place].offer, fate=fate, reason=reason)

    def _by_parent(self, places: Iterable[int]) -> dict[int, list[int]]:
        groups: dict[int, list[int]] = defaultdict(list)
        for place in places:
            product, variation = self._pairs[place]
            groups[product if variation else 0].append(place)
        return groups

    def _one_each(self) -> list[int]:
        """A thing may stand only once in a call: of two for one the last counts."""
        last: dict[tuple[int, int], int] = {}
        for place in self._open(range(len(self._items))):
            if (earlier := last.get(self._pairs[place])) is not None:
                self._answer(earlier, Fate.CONFLICT, self.TWICE)
            last[self._pairs[place]] = place
        return list(last.values())


def rows_of(client: WooCommerceClient, pairs: Iterable[tuple[int, int]], fields: str) -> dict[tuple[int, int], Raw]:
    """Products and variations as they stand, by (product, variation); what is gone is not among them."""
    simple: list[int] = []
    variations: dict[int, list[int]] = defaultdict(list)
    for product, variation in dict.fromkeys(pairs):
        if variation:
            variations[product].append(variation)
        else:
            simple.append(product)
    params = {"_fields": fields}
    found = {(one, 0): row for one, row in reading.some(client, PRODUCTS, simple, params).rows.items()}
    for product, ids in variations.items():
        try:
            batch = reading.some(client, f"{PRODUCTS}/{product}/variations", ids, params)
        except Refused:
            continue  # the product is gone, and its variations with it
        found |= {(product, one): row for one, row in batch.rows.items()}
    return found


def _path(parent: int) -> str:
    return f"{PRODUCTS}/{parent}/variations/batch" if parent else f"{PRODUCTS}/batch"


def _rows_of(answer: Raw) -> dict[int, Raw]:
    rows = wire.typed(wire.BatchAnswer, answer).update or []
    return dict(zip(wire.identities(rows), rows, strict=True))


def _joined(calls: Sequence[BatchCall]) -> list[BatchCall]:
    """Those that go to one place again, in one call."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for call in calls:
        groups[call.parent, call.tries] += call.places
    return [BatchCall(parent, places, tries) for (parent, tries), places in groups.items()]
