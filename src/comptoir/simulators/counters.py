"""What a simulated service saw and did: reads, writes, effects, and which ids it served. Tests count effects here."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

KEPT_SERVED = 200_000  #: list answers remembered; older ones are forgotten, the counts stay


@dataclass(frozen=True)
class Written:
    """One write request: what it asked and what it changed. `changes` is empty where it was refused."""

    seq: int
    at: str  #: the service's clock, ISO 8601
    method: str
    path: str
    query: str
    resource: str
    ids: list[Any]
    digest: str  #: sha256 of the body
    status: int
    changes: list[dict[str, Any]] = field(default_factory=list)
    fault: str = ""  #: the fault that hid this effect from its caller

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Served:
    """One list or single answer: which ids went over the wire."""

    seq: int
    resource: str
    ids: list[Any]
    query: str


class Counters:
    """Counts per resource and the append-only logs. `keep` is given every write, so that a durable state can store it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.reads: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        self.effects: Counter[str] = Counter()
        self.requests = 0
        self.faults: Counter[str] = Counter()
        self.log: list[Written] = []
        self.served: deque[Served] = deque(maxlen=KEPT_SERVED)
        self.keep: Callable[[Written], None] | None = None
        self._served_seq = 0

    def asked(self) -> None:
        """A request arrived."""
        with self._lock:
            self.requests += 1

    def read(self, resource: str, ids: Sequence[Any] = (), query: str = "") -> None:
        """A read was answered with these ids."""
        with self._lock:
            self.reads[resource] += 1
            self._served_seq += 1
            self.served.append(Served(self._served_seq, resource, list(ids), query))

    def wrote(self, written: Written) -> None:
        """A write was answered; each change in it is one effect."""
        with self._lock:
            self._count(written)
            if self.keep is not None:
                self.keep(written)

    def spoiled(self, kind: str) -> None:
        """A fault fired."""
        with self._lock:
            self.faults[kind] += 1

    def next_seq(self) -> int:
        """The number of the next write."""
        with self._lock:
            return self.log[-1].seq + 1 if self.log else 1

    def restore(self, log: Iterable[Written]) -> None:
        """Take back the writes that a durable state kept."""
        with self._lock:
            for written in log:
                self._count(written)

    def _count(self, written: Written) -> None:
        self.writes[written.resource] += 1
        for change in written.changes:
            self.effects[str(change.get("resource", written.resource))] += 1
        self.log.append(written)

    def served_ids(self, resource: str, since: int = 0) -> set[Any]:
        """Every id of a resource that went over the wire after a given `served` number."""
        with self._lock:
            return {
                one for entry in self.served if entry.resource == resource and entry.seq > since for one in entry.ids
            }

    def as_dict(self) -> dict[str, Any]:
        """Totals, for the control door and for reports."""
        with self._lock:
            return {
                "requests": self.requests,
                "reads": dict(self.reads),
                "writes": dict(self.writes),
                "effects": dict(self.effects),
                "faults": dict(self.faults),
                "read_total": self.reads.total(),
                "write_total": self.writes.total(),
                "effect_total": self.effects.total(),
                "last_served": self._served_seq,
                "last_write": self.log[-1].seq if self.log else 0,
            }
