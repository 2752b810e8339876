"""What a run went by: every answer that it heard and what the connector made of it, packed beside the run.

Pieces are put aside as they come, packed as soon as there is enough of them, and written with the step that they belong
to. So a replay can hold today's code against yesterday's answers, and an incident bundle can show them. What is over the
limit of a run is left out, and what reads it later is told so.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import Struct

from comptoir.channels.channel import OpenChannel
from comptoir.channels.errors import ChannelError
from comptoir.channels.exchanges import Exchange
from comptoir.channels.records import Page
from comptoir.engine.models import InputKind
from comptoir.kit import sql
from comptoir.kit.settings import settings

#: Bytes that are gathered before they are packed.
PIECE = 1024 * 1024
#: Calls of one run that are listed at most, whatever is left out of their answers.
MOST_CALLS = 20_000
#: A flow keeps so many times what one run may keep.
OF_A_FLOW = 25

_pack = msgspec.msgpack.Encoder()
_heard = msgspec.msgpack.Decoder(list[Exchange])


class Made(Struct, frozen=True, kw_only=True):
    """What was asked of an ability, and what came of it, in plain values."""

    ability: str  # "sales"
    method: str  # "changed_since"
    call: int  # pages of one reading share it
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    result: Any = None
    is_page: bool = False  # one of the pages that a reading gave
    is_end: bool = False  # the reading had no more
    problem: str = ""  # code of the fate that it ended with


_made = msgspec.msgpack.Decoder(list[Made])


class Keeper:
    """The inputs of one attempt of a run on their way to the database."""

    def __init__(self, *, kept: int = 0) -> None:
        """`kept`: bytes that earlier attempts have kept."""
        self._room = settings().keep_inputs_mb * 1024 * 1024 - kept
        self._lock = threading.Lock()  # a client may call from several threads
        self._gathered: dict[InputKind, list[bytes]] = {InputKind.HEARD: [], InputKind.MADE: []}
        self._bytes = 0
        self._packed: list[tuple[InputKind, bytes]] = []
        self._calls = 0
        self._asked = 0

    def heard(self, exchange: Exchange) -> None:
        """A call and its answer."""
        with self._lock:
            self._calls += 1
            if self._calls > MOST_CALLS:
                return
            if self._room <= 0:
                exchange = msgspec.structs.replace(exchange, body=None, answer=None, is_cut=True)
            self._add(InputKind.HEARD, _pack.encode(exchange))

    def asked(self) -> int:
        """A number for a question to an ability; its answers carry it."""
        with self._lock:
            self._asked += 1
            return self._asked

    def made(self, made: Made) -> None:
        """What an ability answered."""
        with self._lock:
            if self._room > 0:
                self._add(InputKind.MADE, _pack.encode(made))

    def _add(self, kind: InputKind, content: bytes) -> None:
        self._gathered[kind].append(content)
        self._bytes += len(content)
        if self._bytes >= PIECE:
            self._pack()

    def _pack(self) -> None:
        for kind, pieces in self._gathered.items():
            if pieces:
                packed = zlib.compress(_list(pieces), 1)
                self._room -= len(packed)
                self._packed.append((kind, packed))
                pieces.clear()
        self._bytes = 0

    def write(self, run: int) -> int:
        """Write what has come, in the surrounding transaction; how many pieces. `written` forgets them once it is kept."""
        with self._lock:
            self._pack()
            if self._packed:
                sql.execute(
                    "INSERT INTO engine_input (run_id, kind, content, size)"
                    " SELECT %s, kind, content, length(content) FROM unnest(%s::text[], %s::bytea[]) AS given (kind, content)",
                    [run, [str(kind) for kind, _ in self._packed], [content for _, content in self._packed]],
                )
            return len(self._packed)

    def written(self, pieces: int) -> None:
        """So many pieces are committed."""
        with self._lock:
            del self._packed[:pieces]


def keeper(run: int) -> Keeper:
    """For an attempt of this run, which may have kept something before it was interrupted."""
    return Keeper(kept=int(sql.value("SELECT coalesce(sum(size), 0) FROM engine_input WHERE run_id = %s", [run])))


def _list(pieces: Sequence[bytes]) -> bytes:
    """Values that are encoded already, as one array of MessagePack."""
    return b"\xdd" + len(pieces).to_bytes(4, "big") + b"".join(pieces)


def read(run: int) -> tuple[list[Exchange], list[Made]]:
    """What a run heard and made of it, in order; empty lists where nothing is kept (any more)."""
    heard: list[Exchange] = []
    made: list[Made] = []
    for kind, content in sql.rows("SELECT kind, content FROM engine_input WHERE run_id = %s ORDER BY id", [run]):
        unpacked = zlib.decompress(bytes(content))
        if kind == InputKind.HEARD:
            heard += _heard.decode(unpacked)
        else:
            made += _made.decode(unpacked)
    return heard, made


def plain(record: Any) -> Any:
    """A record as it is kept and compared: plain values, decimals as text."""
    return msgspec.msgpack.decode(_pack.encode(record))


# -- the abilities of a channel, kept as they answer -------------------------------------------------------------------

#: Answers that no replay compares.
NOT_KEPT = frozenset({"image", "look_around"})
ABILITIES = (
    "products", "sales", "stock", "levels", "prices", "suppliers", "supplier_links", "tracking", "cancelling", "subscriptions",
)  # fmt: skip


class _Kept:
    """An ability that answers as ever, and whose answers are kept."""

    def __init__(self, name: str, ability: Any, into: Keeper) -> None:
        self._name, self._ability, self._into = name, ability, into

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._ability, method)
        if not callable(found) or method in NOT_KEPT:
            return found
        return _keeping(self._name, method, found, self._into)


def _keeping(ability: str, method: str, call: Callable[..., Any], into: Keeper) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        asked = Made(ability=ability, method=method, call=into.asked(), args=list(args), kwargs=kwargs)
        try:
            result = call(*args, **kwargs)
        except ChannelError as error:
            into.made(msgspec.structs.replace(asked, problem=error.code))
            raise
        if isinstance(result, Iterator):
            return _pages(result, asked, into)
        into.made(msgspec.structs.replace(asked, result=essence(result)))
        return result

    return called


def _pages(coming: Iterator[Any], asked: Made, into: Keeper) -> Iterator[Any]:
    while True:
        try:
            page = next(coming)
        except StopIteration:
            into.made(msgspec.structs.replace(asked, is_page=True, is_end=True))
            return
        except ChannelError as error:
            into.made(msgspec.structs.replace(asked, is_page=True, problem=error.code))
            raise
        into.made(msgspec.structs.replace(asked, is_page=True, result=essence(page)))
        yield page


def essence(result: Any) -> Any:
    """What is compared of an answer; a page's raw answers are what was heard."""
    return {"items": result.items, "seen": result.seen, "odd": result.odd} if isinstance(result, Page) else result


def keeping(channel: OpenChannel, into: Keeper) -> OpenChannel:
    """The same channel, what its abilities answer being kept."""
    wrapped = {
        name: _Kept(name, ability, into)
        for name in ABILITIES
        if (ability := getattr(channel.client, name, None)) is not None
    }
    return replace(channel, client=replace(channel.client, **wrapped))
