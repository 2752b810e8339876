"""What telling a batch of levels and a batch of prices have in common: one answer for each, in place; each shop in its own
context; an id once in a call; and a lost answer is read back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from comptoir.channels.errors import ChannelError, Refused, TryLater, Unknown
from comptoir.channels.records import Answer, Fate, LevelToTell, PriceToTell
from comptoir.connectors.prestashop.client import PrestaShopClient
from comptoir.connectors.prestashop.lookups import Context, Lookups

T = TypeVar("T", bound=LevelToTell | PriceToTell)


class Batch(ABC, Generic[T]):
    """One batch on its way; its items are known by their places."""

    TWICE: str  # why the earlier of two for one id is not written

    def __init__(self, client: PrestaShopClient, lookups: Lookups, items: Sequence[T]) -> None:
        self._client = client
        self._lookups = lookups
        self._items = items
        self._answers: dict[int, Answer] = {}

    @abstractmethod
    def _tell(self) -> None:
        """Write, and answer every place."""

    @abstractmethod
    def _id(self, place: int) -> str:
        """The id that this one is written to."""

    @abstractmethod
    def _unlike(self, places: Sequence[int], context: Context) -> list[int]:
        """Read these; what holds what we want is done, the others come back in order."""

    def tell(self) -> list[Answer]:
        """The fate of each, in the order of the items."""
        try:
            self._tell()
        except TryLater as error:
            if not self._answers:
                raise
            # Some are written: their answers are worth more than the wait, which the door has told to the pace.
            for place in self._open(range(len(self._items))):
                self._answer(place, Fate.UNKNOWN, str(error))
        return [self._answers[place] for place in range(len(self._items))]

    def _open(self, places: Sequence[int]) -> list[int]:
        return [place for place in places if place not in self._answers]

    def _answer(self, place: int, fate: Fate, reason: str = "") -> None:
        self._answers[place] = Answer(item=self._items[place].offer, fate=fate, reason=reason)

    def _by_context(self) -> dict[Context, list[int]]:
        """What is found in one shop's context goes together."""
        groups: dict[Context, list[int]] = defaultdict(list)
        for place in self._open(range(len(self._items))):
            groups[self._lookups.context_of(self._items[place].selling_point)].append(place)
        return groups

    def _one_each(self, places: Sequence[int]) -> list[int]:
        """An id may stand only once in a call: of two for one thing the last counts."""
        last: dict[str, int] = {}
        for place in places:
            if (earlier := last.get(self._id(place))) is not None:
                self._answer(earlier, Fate.CONFLICT, self.TWICE)
            last[self._id(place)] = place
        return list(last.values())

    def _put_each(self, name: str, bodies: Mapping[int, tuple[str, Mapping[str, object]]], context: Context) -> None:
        """One full object per call, by place: its path and its fields."""
        outcomes = self._client.write_each("PUT", name, list(bodies.values()), dict(context))
        lost: list[int] = []
        stopped: ChannelError | None = None
        for place, outcome in zip(bodies, outcomes, strict=True):
            match outcome:
                case None:
                    self._answer(place, Fate.DONE)
                case Unknown():
                    lost.append(place)
                case Refused():
                    self._refused(place, outcome)
                case _:
                    stopped = stopped or outcome
        if lost:
            self._read_back(lost, context, "the answer was lost")
        if stopped is not None:
            raise stopped

    def _refused(self, place: int, error: Refused) -> None:
        self._answer(place, Fate.REFUSED, str(error))

    def _read_back(self, places: Sequence[int], context: Context, reason: str) -> None:
        """The answer was lost: ask. What cannot be shown to be written stays unknown."""
        try:
            left = self._unlike(places, context)
        except ChannelError as error:
            left, reason = self._open(places), f"{reason}; {error}"
        for place in left:
            self._answer(place, Fate.UNKNOWN, reason)
