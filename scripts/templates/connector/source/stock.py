"""StockSource and StockTarget: figures read, levels told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from comptoir.connectors.acme import mapping, wire
from comptoir.connectors.acme.client import AcmeClient, Batch

from comptoir.channels.errors import Unknown
from comptoir.channels.records import Answer, Fate, LevelToTell, Odd, Page, StockFigure

PAGE = 250


class AcmeStock:
    """StockSource."""

    def __init__(self, client: AcmeClient) -> None:
        self._client = client

    def figures(self, cursor: Mapping[str, object]) -> Iterator[Page[StockFigure]]:
        for batch in self._client.by_id("goods", cursor, PAGE, {}):
            yield _page(batch)

    def fetch(self, refs: Sequence[str]) -> Page[StockFigure]:
        return _page(self._client.these("goods", refs))


class AcmeLevels:
    """StockTarget. A call takes many levels and says of each what became of it."""

    batch_size = 100

    def __init__(self, client: AcmeClient) -> None:
        self._client = client

    def set_levels(self, levels: Sequence[LevelToTell]) -> list[Answer]:
        rows = [{"good": int(one.listing), "units": int(one.level)} for one in levels]
        try:
            results = self._client.send("PUT", "levels", {"levels": rows}, wire.Results).results
        except Unknown as error:
            return [Answer(item=one.offer, fate=Fate.UNKNOWN, reason=str(error)) for one in levels]
        heard = {one.good: one for one in results}
        return [_answer(one.offer, heard.get(int(one.listing))) for one in levels]


def _answer(offer: int, result: wire.Result | None) -> Answer:
    if result is None:  # they answered, and said nothing of this one
        return Answer(item=offer, fate=Fate.UNKNOWN, reason="not among the results")
    return Answer(item=offer, fate=Fate.DONE if result.saved else Fate.REFUSED, reason=result.why)


def _page(batch: Batch) -> Page[StockFigure]:
    items: list[StockFigure] = []
    odd: list[Odd] = []
    for row, raw in batch.rows:
        try:
            items.append(mapping.figure(msgspec.json.decode(raw, type=wire.Good)))
        except msgspec.DecodeError as error:
            facts = {"problem": str(error), "answer": bytes(raw).decode()}
            odd.append(Odd(code="malformed_row", subject=f"listing:{row.id}", facts=facts))
    return Page(items=items, cursor=batch.cursor, seen=batch.seen, odd=tuple(odd))
