"""Calls to Acme: addresses, authorisation, pages. No words of the business."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from comptoir.connectors.acme import wire
from comptoir.connectors.acme.config import AcmeConfig

from comptoir.channels.connector import Door, Reply
from comptoir.channels.errors import NotUnderstood

T = TypeVar("T")

KEPT = 2_000  # characters of an answer that an error carries


@dataclass(frozen=True, slots=True)
class Batch:
    """A page as it came: its rows with what each has for certain, and where to go on after it is kept."""

    rows: list[tuple[wire.Row, msgspec.Raw]]
    cursor: dict[str, Any]

    @property
    def seen(self) -> tuple[str, ...]:
        return tuple(str(row.id) for row, _ in self.rows)


class AcmeClient:
    """One account behind one door."""

    def __init__(self, config: AcmeConfig, door: Door) -> None:
        self.url = config.url
        self._door = door
        self._headers = {"authorization": f"Bearer {config.key}", "content-type": "application/json"}

    def get(self, path: str, shape: type[T], params: Mapping[str, str] | None = None) -> T:
        """One answer."""
        url = f"{self.url}/api/{path}"
        return self._decoded(self._door.read("GET", url, params=params, headers=self._headers), "GET", url, shape)

    def send(self, method: str, path: str, content: object, shape: type[T]) -> T:
        """Something that changes the account."""
        url = f"{self.url}/api/{path}"
        body = msgspec.json.encode(content)
        return self._decoded(self._door.write(method, url, headers=self._headers, body=body), method, url, shape)

    def changed(self, path: str, cursor: Mapping[str, object], size: int, params: Mapping[str, str]) -> Iterator[Batch]:
        """Rows by their number of change: Acme counts its changes, so that none can slip in below a number once read.
        Most services have only a time; then read with an overlap, as connectors/prestashop/reading.py does."""
        after = int(str(cursor.get("change", 0)))
        while True:
            rows = self._rows(path, {**params, "after_change": str(after), "limit": str(size)})
            after = max((row.change for row, _ in rows), default=after)
            yield Batch(rows, {"change": after})
            if len(rows) < size:
                return

    def by_id(self, path: str, cursor: Mapping[str, object], size: int, params: Mapping[str, str]) -> Iterator[Batch]:
        """Every row, oldest first."""
        after = int(str(cursor.get("id", 0)))
        while True:
            rows = self._rows(path, {**params, "after_id": str(after), "limit": str(size)})
            after = max((row.id for row, _ in rows), default=after)
            yield Batch(rows, {"id": after})
            if len(rows) < size:
                return

    def these(self, path: str, ids: Sequence[str]) -> Batch:
        """These rows; one that is gone is not among them."""
        return Batch(self._rows(path, {"ids": ",".join(ids)}) if ids else [], {})

    def _rows(self, path: str, params: Mapping[str, str]) -> list[tuple[wire.Row, msgspec.Raw]]:
        raw = self.get(path, wire.Rows, params).rows
        try:
            return [(msgspec.json.decode(one, type=wire.Row), one) for one in raw]
        except msgspec.DecodeError as error:
            raise NotUnderstood(f"a row of {path} has no number: {error}", answer=str(raw[0])[:KEPT]) from error

    def _decoded(self, reply: Reply, method: str, url: str, shape: type[T]) -> T:
        try:
            return msgspec.json.decode(reply.body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            text = reply.body[:KEPT].decode("utf-8", "replace")
            raise NotUnderstood(
                f"the answer is not what we know: {error}", method=method, url=url, status=reply.status, answer=text
            ) from error
