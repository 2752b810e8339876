"""Stock figures by source, and levels told to sources. A figure is what lies there: open orders are not taken off it.

Without sources (MSI taken out) each product has one figure, from which the shop takes units when an order is placed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from comptoir.channels.errors import ChannelError, Missing, NotUnderstood, Refused, TryLater, Unknown
from comptoir.channels.records import Answer, Fate, LevelToTell, Odd, Page, StockFigure
from comptoir.connectors.magento import reading, wire
from comptoir.connectors.magento.client import MagentoClient, any_of, chunks, coded
from comptoir.connectors.magento.lookups import LEGACY, Lookups
from comptoir.connectors.magento.reading import PRODUCTS

ROWS = 100  # of one call: shops were seen to take a second for ten to a hundred of them
QUEUED = 1_000  # of one asynchronous call
WAITS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds between looks at an asynchronous call
COUNTED = "simple"  # virtual and downloadable products may have source items too; nothing of them lies anywhere
ITEMS = "inventory/source-items"


def ref_of(source: str, sku: str) -> str:
    """What a figure is written by."""
    return f"{source}/{sku}"


class MagentoStock:
    """StockSource."""

    def __init__(self, client: MagentoClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups

    def figures(self, cursor: Mapping[str, object]) -> Iterator[Page[StockFigure]]:
        """By products, since source items know SKUs alone."""
        after = int(str(cursor.get("after", 0)))
        while True:
            batch = reading.page(
                self._client, PRODUCTS, after=after, filters=[("type_id", "eq", COUNTED)], fields="id,sku,type_id"
            )
            after = reading.last(batch, after) if batch.ids else after
            yield self._page(batch.rows, {"after": after}, batch.odd)
            if batch.is_last:
                return

    def fetch(self, refs: Sequence[str]) -> Page[StockFigure]:
        wanted = {sku.lower() for _, _, sku in (ref.partition("/") for ref in refs) if sku}
        known = self._lookups.ids(wanted)
        rows = [{"id": one.id, "sku": one.sku, "type_id": one.type_id} for one in known.values()]
        return self._page(rows, {}, [], only=set(refs))

    def _page(
        self, rows: Sequence[wire.Row], cursor: dict[str, Any], odd: Sequence[Odd], only: set[str] | None = None
    ) -> Page[StockFigure]:
        untidy = list(odd)
        by_sku: dict[str, wire.Listed] = {}
        for row in rows:
            try:
                one = wire.typed(wire.Listed, row)
            except NotUnderstood as error:
                untidy.append(reading.malformed(PRODUCTS, row, error))
                continue
            if one.type_id == COUNTED:
                by_sku[one.sku.lower()] = one
        items: list[StockFigure] = []
        seen: list[str] = []
        for row in self._figures([one.sku for one in by_sku.values()], untidy):
            ref = ref_of(str(row.get("source_code", "")), str(row.get("sku", "")))
            if only is not None and ref not in only:
                continue
            seen.append(ref)
            try:
                item = wire.typed(wire.SourceItem, row)
            except NotUnderstood as error:
                facts = {"problem": str(error), "answer": str(error.facts.get("answer", ""))}
                untidy.append(Odd(code="malformed_row", subject=f"figure:{ref}", facts=facts))
                continue
            if item.sku.lower() in by_sku:
                listing = str(by_sku[item.sku.lower()].id)
                items.append(
                    StockFigure(listing=listing, selling_point=item.source_code, quantity=item.quantity, ref=ref)
                )
        untidy.extend(self._client.take_odd())
        return Page(items=items, cursor=cursor, seen=tuple(seen), odd=tuple(untidy))

    def _figures(self, skus: Sequence[str], odd: list[Odd]) -> Iterator[wire.Row]:
        if self._lookups.sources is not None:
            for chunk in chunks(skus):
                yield from self._client.all_of(ITEMS, [any_of("sku", chunk)], sort=["sku", "source_code"])
            return
        for sku in skus:
            if reason := not_signable(self._client, sku):
                odd.append(
                    Odd(
                        code="malformed_row",
                        subject=f"figure:{ref_of(LEGACY, sku)}",
                        facts={"problem": reason, "answer": sku},
                    )
                )
                continue
            row = self._client.get(f"stockItems/{coded(sku)}")
            yield {"sku": sku, "source_code": LEGACY, "quantity": row.get("qty", Decimal(0))}


def not_signable(client: MagentoClient, sku: str) -> str:
    """Why a SKU cannot stand in a path: the shop decodes a slash before it checks the signature (issues 37830, 37913)."""
    if "/" in sku and client.config.signs:
        return "a SKU with a slash cannot be asked for by signed calls: connect with the access token alone"
    return ""


class MagentoLevels:
    """StockTarget. Levels are absolute and a source's figure cannot be compared before it is set; a lost answer is read back."""

    def __init__(self, client: MagentoClient, lookups: Lookups, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._lookups = lookups
        self._queue = Queue(client, pause) if client.config.bulk else None
        self._most = ROWS  # of one call; less once the shop has shown that it takes fewer

    @property
    def batch_size(self) -> int:
        return ROWS if self._queue is None else QUEUED

    def set_levels(self, levels: Sequence[LevelToTell]) -> list[Answer]:
        batch = _Levels(self._client, self._lookups, levels, self._most, self._queue)
        answers = batch.tell()
        self._most = batch.most
        return answers


class Queue:
    """The shop's asynchronous calls, for as long as somebody there works them off. Where nobody does, what was sent lies
    there and would be written whenever somebody begins: over whatever has been told since. So one that can have no effect
    is sent first."""

    def __init__(self, client: MagentoClient, pause: Callable[[float], None]) -> None:
        self._client = client
        self._pause = pause
        self._is_trusted: bool | None = None  # None: not tried yet

    def is_trusted(self) -> bool:
        """Whether calls are worked off. The trial names a source that cannot be: it fails, and thereby shows that somebody
        looked at it."""
        if self._is_trusted is None:
            row = {"sku": "comptoir-trial", "source_code": "comptoir-trial", "quantity": 0, "status": 0}
            self._is_trusted = self.send([row]) in (wire.DONE, wire.FAILED, wire.RETRIABLE)
        return self._is_trusted

    def send(self, rows: Sequence[Mapping[str, object]]) -> int:
        """The status of the call in the end; OPEN where it still waits."""
        content = self._client.write("POST", f"async/{ITEMS}", {"sourceItems": list(rows)}, ok=(200, 201, 202))
        bulk = wire.typed(wire.Accepted, content).bulk_uuid
        for wait in WAITS:
            self._pause(wait)
            found = wire.typed(wire.BulkStatus, self._client.get(f"bulk/{bulk}/status")).operations_list
            if found and all(one.status != wire.OPEN for one in found):
                return max(one.status for one in found)
        self._is_trusted = False
        return wire.OPEN


class _Levels:
    """One batch on its way; its levels are known by their places."""

    def __init__(
        self, client: MagentoClient, lookups: Lookups, levels: Sequence[LevelToTell], most: int, queue: Queue | None
    ) -> None:
        self._client = client
        self._lookups = lookups
        self._levels = levels
        self._skus: dict[int, str] = {}
        self._answers: dict[int, Answer] = {}
        self._queue = queue
        self.most = most

    def tell(self) -> list[Answer]:
        try:
            places = self._known()
            if self._lookups.sources is None:
                self._legacy(places)
            else:
                if len(places) > ROWS and self._queue is not None and self._queue.is_trusted():
                    places = self._queued(places, self._queue)
                while places:
                    self._write(places[: self.most])
                    places = self._open(places)
        except TryLater as error:
            if not self._answers:
                raise
            # Some are written: their answers are worth more than the wait, which the door has told to the pace.
            for place in self._open(range(len(self._levels))):
                self._answer(place, Fate.UNKNOWN, str(error))
        return [self._answers[place] for place in range(len(self._levels))]

    def _known(self) -> list[int]:
        """Those that the shop knows. It does not look whether a SKU exists and would keep rows of nothing: we look."""
        last: dict[tuple[str, str], int] = {}
        for place, level in enumerate(self._levels):
            key = (level.listing, level.selling_point)
            if (earlier := last.get(key)) is not None:
                self._answer(earlier, Fate.CONFLICT, "two levels for one figure")
            last[key] = place
        sources = self._lookups.sources
        listed = self._lookups.listed(level.listing for level in self._levels)
        for place in self._open(list(last.values())):
            level = self._levels[place]
            one = listed.get(level.listing)
            if one is None:
                self._answer(place, Fate.REFUSED, "the shop has no such product")
            elif one.type_id not in (COUNTED, "virtual", "downloadable", "giftcard"):
                self._answer(place, Fate.REFUSED, f"a {one.type_id} product has no stock of its own")
            elif level.selling_point not in (sources if sources is not None else {LEGACY: None}):
                self._answer(place, Fate.REFUSED, f"the shop has no source {level.selling_point!r}")
            else:
                self._skus[place] = one.sku
        return self._open(sorted(last.values()))

    # -- by sources --------------------------------------------------------------------------------------------------

    def _write(self, places: list[int]) -> None:
        """One call. One bad row rejects them all, and so does one row too many: halves show which it is."""
        body = {"sourceItems": [self._row(place) for place in places]}
        try:
            self._client.write("POST", ITEMS, body)
        except Unknown as error:
            self._read_back(places, str(error))
        except Refused as error:
            if len(places) == 1:
                self._answer(places[0], Fate.REFUSED, str(error))
                return
            middle = len(places) // 2
            for half in (places[:middle], places[middle:]):
                self._write(half)
            if all(self._answers[place].fate is Fate.DONE for place in places):
                self.most = min(
                    self.most, len(places) - middle
                )  # nothing was wrong with any of them: they were too many
        else:
            for place in places:
                self._answer(place, Fate.DONE)

    def _queued(self, places: list[int], queue: Queue) -> list[int]:
        """All of them in one asynchronous call; those that are to be written one way or another come back."""
        try:
            status = queue.send([self._row(place) for place in places])
        except Unknown as error:
            self._read_back(places, str(error))
            return []
        except Refused:
            return places
        if status == wire.DONE:
            for place in places:
                self._answer(place, Fate.DONE)
        elif status == wire.OPEN:
            self._read_back(places, "the call still waits in the shop's queue")
        return self._open(places)

    def _row(self, place: int) -> dict[str, object]:
        level = self._levels[place]
        # Without `status` the call fails, or the source is out of stock from then on.
        return {
            "sku": self._skus[place], "source_code": level.selling_point, "quantity": level.level,
            "status": int(level.level > 0),
        }  # fmt: skip

    def _read_back(self, places: Sequence[int], reason: str) -> None:
        """The answer was lost, or a deadlock undid it: ask. What cannot be shown to be written stays unknown."""
        try:
            there = self._there(places)
        except ChannelError as error:
            there, reason = {}, f"{reason}; {error}"
        for place in places:
            level = self._levels[place]
            if there.get((level.selling_point, self._skus[place].lower())) == level.level:
                self._answer(place, Fate.DONE)
            else:
                self._answer(place, Fate.UNKNOWN, reason)

    def _there(self, places: Sequence[int]) -> dict[tuple[str, str], Decimal]:
        found: dict[tuple[str, str], Decimal] = {}
        for chunk in chunks(sorted({self._skus[place] for place in places})):
            for row in self._client.all_of(ITEMS, [any_of("sku", chunk)], sort=["sku", "source_code"]):
                item = wire.typed(wire.SourceItem, row)
                found[item.source_code, item.sku.lower()] = item.quantity
        return found

    # -- one figure for each product ---------------------------------------------------------------------------------

    def _legacy(self, places: Sequence[int]) -> None:
        for place in places:
            sku, level = self._skus[place], self._levels[place].level
            if reason := not_signable(self._client, sku):
                self._answer(place, Fate.REFUSED, reason)
                continue
            try:
                item = wire.typed(wire.StockItem, self._client.get(f"stockItems/{coded(sku)}"))
                body = {"stockItem": {"qty": level, "is_in_stock": level > 0}}
                self._client.write("PUT", f"products/{coded(sku)}/stockItems/{item.item_id}", body)
            except Unknown as error:
                self._answer(place, Fate.UNKNOWN, str(error))
            except Missing:
                self._answer(place, Fate.REFUSED, "the shop has no such product")
            except Refused as error:
                self._answer(place, Fate.REFUSED, str(error))
            else:
                self._answer(place, Fate.DONE)

    # -- both --------------------------------------------------------------------------------------------------------

    def _open(self, places: Sequence[int]) -> list[int]:
        return [place for place in places if place not in self._answers]

    def _answer(self, place: int, fate: Fate, reason: str = "") -> None:
        level = self._levels[place]
        ref = ref_of(level.selling_point, self._skus[place]) if place in self._skus else ""
        self._answers[place] = Answer(item=level.offer, fate=fate, reason=reason, ref=ref if ref != level.ref else "")
