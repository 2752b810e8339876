"""What every double of a channel is: a WSGI application over a state, with a clock, faults, counters and a control door."""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from comptoir.simulators.clock import Clock
from comptoir.simulators.counters import Counters
from comptoir.simulators.exchange import Answer, ConnectionCut, Environ, NoAnswer, Request, StartResponse
from comptoir.simulators.faults import BEFORE_THE_EFFECT, Faults, instead, spoil

DOOR = "/_simulator"
TRADE = ("buy", "pay", "cancel", "ship", "stock", "shelf", "sold", "parcels")


class Simulator(ABC):
    """A subclass answers requests and offers actions; the harness does the rest."""

    kind: ClassVar[str]

    def __init__(self, *, seed: int = 0) -> None:
        self.clock = Clock()
        self.faults = Faults(seed=seed)
        self.counters = Counters()
        #: one request at a time touches the state, as one database would make it look
        self.lock = threading.RLock()

    @abstractmethod
    def answer(self, request: Request, fault: str) -> Answer:
        """Answer as the service would, effects and counts included; `fault` names what will hide this answer, or ''."""

    @abstractmethod
    def act(self, action: str, arguments: dict[str, Any]) -> Any:
        """Do what a merchant or a buyer does in the shop; the result goes out as JSON."""

    @abstractmethod
    def dump(self) -> dict[str, Any]:
        """The state that tests compare with, as JSON."""

    # What buyers and merchants do in any shop, so that one proof can be led with each of them. Also through `POST trade`.

    @abstractmethod
    def buy(self, lines: Mapping[str, int], *, paid: bool = True) -> str:
        """Somebody buys so many of these SKUs now; the sale's external id, as the connector's sales have it."""

    @abstractmethod
    def pay(self, sale: str) -> None:
        """The money for an unpaid sale arrives."""

    @abstractmethod
    def cancel(self, sale: str) -> None:
        """The shop cancels a sale."""

    @abstractmethod
    def ship(self, sale: str, tracking: str) -> None:
        """The merchant ships a whole sale with the shop's own screen."""

    @abstractmethod
    def stock(self, goods: Mapping[str, int]) -> None:
        """The merchant makes things of these SKUs, or sets how many of them the shop has: its figure, whatever that means
        there, at its first selling point."""

    @abstractmethod
    def shelf(self) -> dict[str, int]:
        """How many of each SKU a buyer could have now, summed over the selling points; things without a SKU or whose
        stock nobody counts are left out."""

    @abstractmethod
    def sold(self) -> dict[str, str]:
        """Every sale by external id, oldest first, with what is right of it there: "unpaid", "paid", "shipped" (all of it),
        "cancelled" or "refunded"."""

    @abstractmethod
    def parcels(self, sale: str) -> list[str]:
        """The tracking numbers that a buyer sees for a sale, oldest first."""

    def deliver(self) -> bool:
        """Send webhooks to whoever has asked for them, from now on; whether this kind announces anything at all."""
        return False

    def describe(self) -> dict[str, Any]:
        """What a client needs to connect, printed when the simulator is started as a process."""
        return {"kind": self.kind}

    @abstractmethod
    def close(self) -> None:
        """Let go of files."""

    def wsgi(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """The WSGI application: faults around the answer, or the control door."""
        request = Request.from_environ(environ)
        if request.path == DOOR or request.path.startswith(DOOR + "/"):
            return self._door(request).start(start_response)
        self.counters.asked()
        fault = self.faults.take(request)
        if fault is None:
            return self._answer(request, "").start(start_response)
        self.counters.spoiled(fault.kind)
        if fault.kind in BEFORE_THE_EFFECT:
            return instead(fault).start(start_response)
        return spoil(fault, self._answer(request, fault.kind)).start(start_response)

    def _answer(self, request: Request, fault: str) -> Answer:
        with self.lock:
            return self.answer(request, fault)

    def _door(self, request: Request) -> Answer:
        """The control door: JSON, outside the imitated API, never counted."""
        try:
            content = self._control(request)
        except (KeyError, ValueError, TypeError, LookupError) as problem:
            return _json(400, {"error": f"{type(problem).__name__}: {problem}"})
        return _json(404, {"error": f"no {request.method} {request.path}"}) if content is None else _json(200, content)

    def _control(self, request: Request) -> Any:
        what = request.path.removeprefix(DOOR).strip("/")
        given = json.loads(request.body) if request.body else {}
        since = int(request.parameter("since") or 0)
        match request.method, what:
            case "GET", "":
                return {**self.describe(), "now": self.clock.now().isoformat()}
            case "GET", "counters":
                return self.counters.as_dict()
            case "GET", "log":
                return [written.as_dict() for written in self.counters.log if written.seq > since]
            case "GET", "served":
                wanted = request.parameter("resource")
                return [
                    asdict(entry)
                    for entry in list(self.counters.served)
                    if entry.seq > since and wanted in (None, entry.resource)
                ]
            case "GET", "faults":
                return [{**asdict(rule), "body": rule.body.decode("latin-1")} for rule in self.faults.rules]
            case "POST", "faults":
                if isinstance(given.get("body"), str):
                    given["body"] = given["body"].encode()
                self.faults.add(given.pop("kind"), **given)
                return {"rules": len(self.faults.rules)}
            case "DELETE", "faults":
                self.faults.clear()
                return {"rules": 0}
            case "POST", "clock":
                if "set" in given:
                    self.clock.set(datetime.fromisoformat(given["set"]))
                if "advance_seconds" in given:
                    self.clock.advance(timedelta(seconds=given["advance_seconds"]))
                if given.get("release"):
                    self.clock.release()
                return {"now": self.clock.now().isoformat()}
            case "POST", "act":
                arguments = dict(given)
                with self.lock:
                    return {"result": self.act(arguments.pop("action"), arguments)}
            case "POST", "trade":
                if given["action"] not in TRADE:
                    raise KeyError(f"no trade {given['action']}; known: {', '.join(TRADE)}")
                arguments = dict(given)
                with self.lock:
                    return {"result": getattr(self, arguments.pop("action"))(**arguments)}
            case "GET", "state":
                with self.lock:
                    return self.dump()
        return None


def query_text(request: Request) -> str:
    """The query of a request, for logs."""
    return urlencode(request.query, safe="[]|,:%")


def _json(status: int, content: Any) -> Answer:
    body = json.dumps(content, default=str).encode()
    return Answer(status, {"Content-Type": "application/json"}, body)


__all__ = ["DOOR", "Answer", "ConnectionCut", "NoAnswer", "Request", "Simulator", "query_text"]
