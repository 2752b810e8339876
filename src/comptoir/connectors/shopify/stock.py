"""Figures of every location, and levels told to them: compared before they are set, each call under a key of its own."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from comptoir.channels.errors import ChannelError, NotUnderstood, Refused, TryLater, Unknown
from comptoir.channels.records import Answer, Fate, LevelToTell, Odd, Page, StockFigure
from comptoir.connectors.shopify import operations, reading, wire
from comptoir.connectors.shopify.client import PageSize, ShopifyClient
from comptoir.connectors.shopify.lookups import Lookups

ITEMS = 50  # asked for by id at once
ROUNDS = 3  # calls that may go by without an answer for any entry
STALE = ("CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE")
NOT_STOCKED = "ITEM_NOT_STOCKED_AT_LOCATION"


def ref_of(item: str, location: str) -> str:
    """What a figure is written by; a webhook of a level names the same two."""
    return f"{item}@{location}"


def pair_of(ref: str) -> tuple[str, str] | None:
    """Item and location of a ref; None for anything else."""
    item, _, location = ref.partition("@")
    return (item, location) if wire.is_number(item) and wire.is_number(location) else None


class ShopifyStock:
    """StockSource. Nothing is said of what the shop does not count."""

    def __init__(self, client: ShopifyClient, lookups: Lookups) -> None:
        self._client = client
        self._lookups = lookups
        self._size = PageSize(100, 250)

    def figures(self, cursor: Mapping[str, object]) -> Iterator[Page[StockFigure]]:
        self._size.go_on(cursor)
        begun = str(cursor.get("location", ""))
        after = str(cursor.get("after") or "") or None
        for place in self._lookups.locations:
            location = place.legacy_resource_id
            if begun and int(location) < int(begun):
                continue
            pages = self._client.pages(
                operations.FIGURES,
                ("location", "inventoryLevels"),
                self._size,
                after if location == begun else None,
                location=wire.gid("Location", location),
            )
            for rows, reached, _ in pages:
                yield self._page(
                    [(row, location) for row in rows], {"location": location, "after": reached, "size": self._size.now}
                )

    def fetch(self, refs: Sequence[str]) -> Page[StockFigure]:
        rows = [
            ({**row["inventoryLevel"], "item": row}, location)
            for location, found in there(self._client, refs).items()
            for row in found
            if row.get("inventoryLevel")
        ]
        return self._page(rows, {})

    def _page(self, rows: Sequence[tuple[dict[str, Any], str]], cursor: dict[str, Any]) -> Page[StockFigure]:
        items: list[StockFigure] = []
        odd: list[Odd] = []
        seen: list[str] = []
        for row, location in rows:
            ref = ref_of(str((row.get("item") or {}).get("legacyResourceId", "?")), location)
            seen.append(ref)
            try:
                level = wire.typed(wire.LevelThere, row)
                variants = level.item.variants.nodes if level.item.variants else ()
                if not level.item.tracked or not variants:
                    continue
                if variants[0].requires_components:
                    subject = f"listing:{variants[0].legacy_resource_id}"
                    odd.append(Odd(code="stock_computed_by_shop", subject=subject, severity="info"))
                    continue
                items.append(
                    StockFigure(
                        listing=variants[0].legacy_resource_id,
                        selling_point=location,
                        quantity=Decimal(level.available),
                        ref=ref,
                    )
                )
            except NotUnderstood as error:
                facts = {"problem": str(error), "answer": str(error.facts.get("answer", ""))}
                odd.append(Odd(code="malformed_row", subject=f"figure:{ref}", facts=facts))
        return Page(items=items, cursor=cursor, seen=tuple(seen), odd=tuple(odd))


def there(client: ShopifyClient, refs: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Items with their level at a location, by location: one call asks for many items at one place."""
    by_location: dict[str, list[str]] = defaultdict(list)
    for ref in dict.fromkeys(refs):
        if pair := pair_of(ref):
            by_location[pair[1]].append(pair[0])
    found: dict[str, list[dict[str, Any]]] = {}
    for location, items in by_location.items():
        rows: list[dict[str, Any]] = []
        for start in range(0, len(items), ITEMS):
            answer = client.ask(
                operations.FIGURES_BY_ITEM,
                ids=wire.gids("InventoryItem", items[start : start + ITEMS]),
                location=wire.gid("Location", location),
            )
            rows += [row for row in answer.get("nodes") or () if row and row.get("legacyResourceId")]
        found[location] = rows
    return found


class ShopifyLevels:
    """StockTarget. The shop compares before it sets, and refuses the whole call where one entry differs."""

    batch_size = 100

    def __init__(self, client: ShopifyClient) -> None:
        self._client = client

    def set_levels(self, levels: Sequence[LevelToTell]) -> list[Answer]:
        return _Levels(self._client, levels).tell()


class _Levels:
    """One batch of levels on its way; they are known by their places."""

    def __init__(self, client: ShopifyClient, levels: Sequence[LevelToTell]) -> None:
        self._client = client
        self._levels = levels
        self._refs = {place: level.ref for place, level in enumerate(levels)}
        self._wanted = {place: int(one.level.to_integral_value(ROUND_FLOOR)) for place, one in enumerate(levels)}
        self._expected: dict[int, int] = {}
        self._activated: set[int] = set()
        self._answers: dict[int, Answer] = {}

    def tell(self) -> list[Answer]:
        """The fate of each, in the order of the items."""
        try:
            self._find_refs()
            waiting = self._one_each()
            waiting = self._compare(waiting)
            if waiting:
                self._send(waiting)
        except TryLater as error:
            if not self._answers:
                raise
            # Some are written: their answers are worth more than the wait, which the door has told to the pace.
            self._doubt(self._open(), str(error))
        return [self._answers[place] for place in range(len(self._levels))]

    # -- before --------------------------------------------------------------------------------------------------------

    def _find_refs(self) -> None:
        """Levels without a ref: the item is looked up by its variant."""
        missing = [place for place, ref in self._refs.items() if pair_of(ref) is None]
        if not missing:
            return
        rows = reading.by_id(
            self._client,
            operations.ITEMS_OF_VARIANTS,
            "ProductVariant",
            [self._levels[place].listing for place in missing],
            PageSize(ITEMS, ITEMS),
        )
        items = {
            one.legacy_resource_id: one.inventory_item.legacy_resource_id
            for one in (wire.typed(wire.VariantItem, row) for row in rows)
        }
        for place in missing:
            level = self._levels[place]
            item = items.get(level.listing)
            if item is None or not wire.is_number(level.selling_point):
                self._answer(place, Fate.REFUSED, "the shop has no such variant or location")
            else:
                self._refs[place] = ref_of(item, level.selling_point)

    def _one_each(self) -> list[int]:
        """A pair of item and location may stand only once in a call: of two for one the last counts."""
        last: dict[str, int] = {}
        for place in self._open():
            if (earlier := last.get(self._refs[place])) is not None:
                self._answer(earlier, Fate.CONFLICT, "two levels for one figure")
            last[self._refs[place]] = place
        return list(last.values())

    def _compare(self, places: Sequence[int]) -> list[int]:
        """What each is to be compared with: what we believe, or what stands there now where we believe nothing."""
        unsure = [place for place in places if self._levels[place].expected is None]
        for place in places:
            if (expected := self._levels[place].expected) is not None:
                self._expected[place] = int(expected)
        present = self._read(unsure)
        for place in unsure:
            found = present.get(self._refs[place])
            if found is None:
                self._activate(place)
            elif found == self._wanted[place]:
                self._answer(place, Fate.DONE)
            else:
                self._expected[place] = found
        return [place for place in places if place not in self._answers]

    def _read(self, places: Sequence[int]) -> dict[str, int]:
        found: dict[str, int] = {}
        for location, rows in there(self._client, [self._refs[place] for place in places]).items():
            for row in rows:
                one = wire.typed(wire.ItemThere, row)
                if one.inventory_level is not None:
                    found[ref_of(one.legacy_resource_id, location)] = one.inventory_level.available
        return found

    # -- the write -----------------------------------------------------------------------------------------------------

    def _send(self, places: list[int]) -> None:
        """Send these. Nothing of a call is done where one entry is refused: that one is answered, the others go again."""
        rounds = ROUNDS
        while places:
            body = {
                "name": "available",
                "reason": "correction",
                "quantities": [self._entry(place) for place in places],
            }
            try:
                errors = self._set(body)
            except Unknown as error:
                self._read_back(places, str(error))
                return
            except Refused as error:
                self._alone(places, str(error))
                return
            if not errors:
                for place in places:
                    self._answer(place, Fate.DONE)
                return
            again = self._sorted(places, errors)
            if again is None:
                return
            rounds = ROUNDS if len(again) < len(places) else rounds - 1
            if not rounds:
                self._doubt(again, errors[0].message)
                return
            places = again

    def _entry(self, place: int) -> dict[str, object]:
        item, location = self._refs[place].split("@")
        return {
            "inventoryItemId": wire.gid("InventoryItem", item),
            "locationId": wire.gid("Location", location),
            "quantity": self._wanted[place],
            # Left out, the shop refuses from 2026-04 on; null would write without looking.
            "changeFromQuantity": self._expected[place],
        }

    def _set(self, body: Mapping[str, object]) -> list[wire.UserError]:
        """One call under its own key. A lost answer is asked for again with the same key, which has the effect at most once."""
        key = str(uuid.uuid4())
        try:
            payload = self._client.change(operations.SET_LEVELS, input=body, key=key)
        except Unknown:
            payload = self._client.change(operations.SET_LEVELS, input=body, key=key)
        return [wire.typed(wire.UserError, error) for error in payload.get("userErrors") or ()]

    def _sorted(self, places: list[int], errors: Sequence[wire.UserError]) -> list[int] | None:
        """Answer what the errors speak of; the others come back, or None where all is answered."""
        named: set[int] = set()
        for error in errors:
            code = error.code or ""
            if code == "IDEMPOTENCY_CONCURRENT_REQUEST":
                self._doubt(places, error.message)
                return None
            at = _index(error.field, len(places))
            if code == "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED":
                continue  # the next call has a new key
            if at is None:
                self._halves(places, error)
                return None
            place = places[at]
            named.add(place)
            self._one(place, code, error.message)
        return [place for place in places if place not in self._answers]

    def _one(self, place: int, code: str, message: str) -> None:
        if code in STALE:
            self._answer(place, Fate.CONFLICT, message)
        elif place not in self._activated and (code == NOT_STOCKED or "not stocked" in message.lower()):
            self._activate(place)
        else:
            self._answer(place, Fate.REFUSED, f"{message} ({code})" if code else message)

    def _halves(self, places: list[int], error: wire.UserError) -> None:
        """An error that does not say of which entry it speaks: found by halves."""
        if len(places) == 1:
            self._one(places[0], error.code or "", error.message)
            if places[0] not in self._answers:
                self._send(places)
            return
        middle = len(places) // 2
        self._send(places[:middle])
        self._send(places[middle:])

    def _alone(self, places: list[int], reason: str) -> None:
        """The call as a whole was refused: a bad one among them must not stop the others."""
        if len(places) == 1:
            self._answer(places[0], Fate.REFUSED, reason)
            return
        for place in places:
            self._send([place])

    def _activate(self, place: int) -> None:
        """Stock an item where it is not yet. What stood there before may stand again (from 2026-04), so the level is set
        afterwards where it differs."""
        self._activated.add(place)
        item, location = self._refs[place].split("@")
        variables: dict[str, object] = {
            "item": wire.gid("InventoryItem", item),
            "location": wire.gid("Location", location),
            "available": self._wanted[place],
            "key": str(uuid.uuid4()),
        }
        try:
            payload = self._client.change(operations.ACTIVATE, **variables)
        except Unknown as error:
            self._answer(place, Fate.UNKNOWN, str(error))
            return
        except Refused as error:
            self._answer(place, Fate.REFUSED, str(error))
            return
        errors = [wire.typed(wire.UserError, error) for error in payload.get("userErrors") or ()]
        if errors or not payload.get("inventoryLevel"):
            self._answer(place, Fate.REFUSED, "; ".join(one.message for one in errors) or "not stocked there")
            return
        stands = wire.typed(wire.Level, payload["inventoryLevel"]).available
        if stands == self._wanted[place]:
            self._answer(place, Fate.DONE)
        self._expected[place] = stands

    # -- after ---------------------------------------------------------------------------------------------------------

    def _read_back(self, places: Sequence[int], reason: str) -> None:
        """The answer was lost twice: ask. What cannot be shown to be written stays unknown."""
        try:
            present = self._read(places)
        except ChannelError as error:
            self._doubt(places, f"{reason}; {error}")
            return
        for place in places:
            if present.get(self._refs[place]) == self._wanted[place]:
                self._answer(place, Fate.DONE)
            else:
                self._answer(place, Fate.UNKNOWN, reason)

    def _open(self) -> list[int]:
        return [place for place in range(len(self._levels)) if place not in self._answers]

    def _doubt(self, places: Sequence[int], reason: str) -> None:
        for place in places:
            if place not in self._answers:
                self._answer(place, Fate.UNKNOWN, reason)

    def _answer(self, place: int, fate: Fate, reason: str = "") -> None:
        ref = self._refs[place]
        told = ref if ref != self._levels[place].ref and pair_of(ref) else ""
        self._answers[place] = Answer(item=self._levels[place].offer, fate=fate, reason=reason, ref=told)


def _index(field: Sequence[str] | None, count: int) -> int | None:
    """Of which entry an error speaks: `input, quantities, 3, …`."""
    for part in field or ():
        if part.isdigit() and int(part) < count:
            return int(part)
    return None
