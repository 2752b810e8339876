"""Shops of any kind and the channels that they are here, for proofs that must hold for every kind.

Nothing here knows a kind: a shop is what its bench makes, things are said in SKUs, and what arrived is asked of the
simulator. Shops stand in one street: a door of this process, or of another, leads to each by its host name.
"""

from __future__ import annotations

import http.client
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlsplit

import connector_bench
import quick_doors
from django.db import transaction

from comptoir.channels import channel as channels
from comptoir.channels import pace
from comptoir.channels.http import HttpDoor
from comptoir.channels.models import Channel
from comptoir.channels.records import Named
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.records import Fact
from comptoir.commerce.orders import actions as orders
from comptoir.commerce.orders.models import Order
from comptoir.commerce.shipments import actions as shipments
from comptoir.config import bootstrap
from comptoir.engine import inline, queue, runs
from comptoir.engine.models import Finding, Flow, Run, Trigger
from comptoir.flows import connecting, house
from comptoir.kit import clock, ids, sql
from comptoir.kit.actor import SYSTEM
from comptoir.offers import actions as offers
from comptoir.offers.models import Mapping as OfferMapping
from comptoir.offers.models import Offer
from comptoir.simulators import server
from comptoir.simulators.exchange import Environ, NoAnswer, StartResponse
from comptoir.simulators.simulator import Simulator
from comptoir.staging import actions as staging

NOW = datetime.now(UTC).replace(microsecond=0)  # the demo shops' orders are of the last two weeks
CALLS_PER_MINUTE = 60_000  # a simulator bears it
SKUS = ("CUP-0", "CUP-1", "CUP-2")
STOCK = 500  # of each, where it is not said

Shop = TypeVar("Shop", bound=Simulator)


@dataclass
class World(Generic[Shop]):
    """A shop, the channel that it is here, and a clock that both tell time by."""

    shop: Shop
    channel: Channel
    clock: clock.ManualClock

    @property
    def at(self) -> datetime:
        return self.clock.now()

    def pass_time(self, **span: float) -> None:
        self.clock.advance(timedelta(**span))
        self.shop.clock.set(self.clock.now())

    def drain(self, *kinds: str) -> list[inline.Drained]:
        """Carry out all that is due or has facts, as a worker would."""
        return inline.drain(self.at, kinds=kinds or None)

    def ask(self, kind: str, *, preview: bool = False) -> int:
        """Ask for a run of this flow, as a person would; its id."""
        flow = Flow.objects.get(channel=self.channel, kind=kind)
        with queue.without_wakeups():
            return runs.request(flow.pk, Trigger.PERSON, SYSTEM, preview=preview, at=self.at)

    def run(self, kind: str) -> int:
        """Run one flow now; the run's id."""
        run = self.ask(kind)
        runs.execute(run, "test")
        return run

    def preview(self, kind: str) -> int:
        """Ask a flow what it would do; the run's id."""
        run = self.ask(kind, preview=True)
        runs.execute(run, "test")
        return run

    def go_live(self) -> None:
        self.channel.refresh_from_db()
        connecting.go_live(self.channel, actor=SYSTEM, at=self.at, accept_open_errors=True, undecided="here")


@dataclass
class KindWorld(World[Simulator]):
    """A shop of any kind, and what proofs do with it in SKUs."""

    bench: connector_bench.Bench

    def has(self, *flows: str) -> bool:
        """Whether its connector's abilities allow these flows."""
        return set(flows) <= self.flows()

    def flows(self) -> set[str]:
        return set(Flow.objects.filter(channel=self.channel).values_list("kind", flat=True))

    def learn(self, **span: float) -> Run:
        """Some time passes, and the sales that came or changed meanwhile are read and accepted."""
        self.pass_time(**(span or {"minutes": 10}))
        run = self.run("pull_sales")
        self.drain("accept_sales")
        return Run.objects.get(pk=run)

    def order(self, sale: str) -> Order:
        """The order that a sale is here; there is one."""
        return Order.objects.get(channel=self.channel.pk, external_id=sale)

    def free(self) -> dict[str, int]:
        """What nobody is promised of each SKU here."""
        rows = sql.rows(
            "SELECT v.sku, sum(l.on_hand - l.reserved - l.held)::int FROM inventory_level l"
            " JOIN catalog_variant v ON v.id = l.variant_id GROUP BY 1"
        )
        return {sku: max(0, units) for sku, units in rows}

    def book(self, delta: int, skus: Iterable[str] = SKUS) -> None:
        """So many more, or fewer, of each."""
        variants = Offer.objects.filter(
            point__channel=self.channel, is_active=True, variant__sku__in=list(skus)
        ).values_list("variant", flat=True)
        warehouse = inventory.default_warehouse().pk
        facts = [
            Fact(one, warehouse, Decimal(delta), "adjustment", f"proof:{ids.token()}") for one in variants.distinct()
        ]
        assert facts
        with transaction.atomic(), queue.without_wakeups():
            inventory.book(facts, at=self.at, actor=SYSTEM)

    def send(self, sale: str, tracking: str) -> None:
        """All of an order leaves here, in one parcel that the shop is to be told of."""
        order = self.order(sale)
        with transaction.atomic(), queue.without_wakeups():
            shipments.ship(
                order.pk, key=f"proof:{sale}", carrier=order.carrier, tracking=tracking, at=self.at, actor=SYSTEM
            )

    def refused(self, sale: str) -> bool:
        """Whether somebody is to settle by hand what the shop says, or does not let us say, of a sale."""
        order = self.order(sale)
        subjects = [f"sale:{sale}", f"order:{order.pk}"]
        return Finding.objects.filter(severity="error", subject__in=subjects, closed_at__isnull=True).exists()

    def call_off(self, *sales: str) -> None:
        """The shop takes sales back, and we learn it. One that only refunds what is paid leaves the order to a person."""
        for sale in sales:
            self.shop.cancel(sale)
        for _ in range(2):
            self.learn()
            self.run("update_orders")
        for sale in sales:
            if self.shop.sold()[sale] == "refunded":
                assert self.refused(sale), f"nobody is told that {sale} was refunded"
                self.cancel(sale)

    def cancel(self, sale: str) -> None:
        """A person cancels the order of a sale here."""
        with transaction.atomic(), queue.without_wakeups():
            orders.cancel(self.order(sale).pk, reason="proof", at=self.at, actor=SYSTEM)

    def writes(self) -> int:
        """Writes that have reached the shop so far."""
        return self.shop.counters.writes.total()

    @contextmanager
    def answer_hidden(self, number: int) -> Iterator[list[str]]:
        """The shop does the `number`-th write of what comes and says nothing; whether it came to that is in the list."""
        inner, hidden = self.shop.answer, list[str]()
        seen = itertools.count(1)

        def answer(request: Any, fault: str) -> Any:
            before = self.writes()
            given = inner(request, fault)
            if self.writes() > before and next(seen) == number:
                hidden.append(request.path)
                raise NoAnswer("silent after the effect")
            return given

        self.shop.answer = answer  # type: ignore[method-assign]
        try:
            yield hidden
        finally:
            self.shop.answer = inner  # type: ignore[method-assign]


class Street:
    """Shops of any kinds, each at its host."""

    def __init__(self) -> None:
        self._shops: dict[str, Simulator] = {}

    def open(self, kind: str, name: str = "", **options: Any) -> tuple[connector_bench.Bench, dict[str, Any]]:
        """A shop of this kind, empty unless its options say more: its bench, and what is typed in to connect to it."""
        bench = connector_bench.find(kind)(**{"world": "empty", **options})
        hosts = {host: f"{name or kind}.test" if host.endswith(".test") else host for host in _hosts(bench.config)}
        assert hosts, f"nothing that is typed in for {kind} names a host"
        for host in hosts.values():
            assert host not in self._shops, f"two shops at {host}"
            self._shops[host] = bench.simulator
        return bench, {key: _renamed(value, hosts) for key, value in bench.config.items()}

    def wsgi(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """All of them, by host."""
        host = str(environ.get("HTTP_HOST") or environ["SERVER_NAME"]).partition(":")[0]
        if scheme := environ.get("HTTP_X_FORWARDED_PROTO"):
            environ["wsgi.url_scheme"] = scheme
        return self._shops[host].wsgi(environ, start_response)


def _hosts(config: Mapping[str, Any]) -> set[str]:
    texts = [str(value) for value in config.values()]
    found = {urlsplit(text).hostname or "" for text in texts if "://" in text}
    return (found - {""}) or {text for text in texts if text.endswith((".test", ".myshopify.com"))}


def _renamed(value: Any, hosts: Mapping[str, str]) -> Any:
    for before, after in hosts.items():
        value = value.replace(before, after) if isinstance(value, str) else value
    return value


class Forward:
    """A WSGI application that asks a street in another process: doors of killed children lead through it."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        headers = {
            name[5:].replace("_", "-").title(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_") and name not in ("HTTP_HOST", "HTTP_ACCEPT_ENCODING")
        }
        if environ.get("CONTENT_TYPE"):
            headers["Content-Type"] = environ["CONTENT_TYPE"]
        headers |= {"Host": environ["SERVER_NAME"], "X-Forwarded-Proto": environ["wsgi.url_scheme"]}
        path = quote(environ["PATH_INFO"]) + (f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else "")
        connection = http.client.HTTPConnection(self._address, timeout=30)
        try:
            connection.request(environ["REQUEST_METHOD"], path, environ["wsgi.input"].read(), headers)
            heard = connection.getresponse()
            body = heard.read()
        finally:
            connection.close()
        kept = [(name, text) for name, text in heard.getheaders() if name.lower() not in ("connection", "keep-alive")]
        start_response(f"{heard.status} {heard.reason}", kept)
        return [body]


@contextmanager
def doors_to(application: Callable[..., Any]) -> Iterator[None]:
    """Every door leads there for as long as the block lasts."""
    channels.set_up_doors(quick_doors.to(application))
    try:
        yield
    finally:
        channels.set_up_doors(HttpDoor)
        pace.close()


@contextmanager
def street(*, on_a_port: bool = False) -> Iterator[tuple[Street, str]]:
    """An empty street that doors of this process lead to, and its address where other processes reach it."""
    opened = Street()
    with doors_to(opened.wsgi):
        if not on_a_port:
            yield opened, ""
            return
        with server.serve(opened) as url:
            yield opened, url


def connect(
    kind: str, shop: Shop, time: clock.ManualClock, config: Mapping[str, Any], *, code: str = "shop", name: str = ""
) -> Channel:
    """Connect a shop as the wizard does; in test mode, nothing read yet."""
    shop.clock.set(time.now())
    bootstrap.set_up()
    house.ensure_hub(at=time.now())
    row = connecting.connect(kind=kind, name=name or f"A {kind}", code=code, config=config, actor=SYSTEM, at=time.now())
    Channel.objects.filter(pk=row.pk).update(calls_per_minute=CALLS_PER_MINUTE)
    row.refresh_from_db()
    connecting.keep_surroundings(row, connecting.ask_around(row), actor=SYSTEM, at=time.now())
    return row


def open_kind(
    place: Street, kind: str, time: clock.ManualClock, goods: Mapping[str, int] | None = None, *, code: str = ""
) -> KindWorld:
    """A small shop of this kind, connected, with its products read; in test mode. Its stock is not counted yet."""
    bench, config = place.open(kind, code)
    bench.let_price()
    shop = bench.simulator
    shop.clock.set(time.now())
    shop.stock(goods if goods is not None else dict.fromkeys(SKUS, STOCK))
    world = KindWorld(shop, connect(kind, shop, time, config, code=code or kind), time, bench)
    world.run("pull_products")
    _map_carriers(world)
    return world


def _map_carriers(world: KindWorld) -> None:
    """Where the shop has no list of its carriers, a person maps the first that a sale names. That sale comes to nothing."""
    if OfferMapping.objects.filter(channel=world.channel, kind="carrier").exists():
        return
    first = world.shop.buy({next(iter(world.shop.shelf())): 1})
    with channels.opened(world.channel) as opened:
        [sale] = opened.client.sales.fetch([first]).items
    world.shop.cancel(first)
    offers.see(world.channel.pk, "carrier", [Named(external_id=sale.carrier, name=sale.carrier_name)], at=world.at)
    staging.map_carrier(world.channel, sale.carrier, sale.carrier_name, actor=SYSTEM, at=world.at)


def take_live(world: KindWorld) -> KindWorld:
    """Stock is counted from the shop, sales are read, and it goes live."""
    world.run("pull_stock_once")
    world.learn()
    world.go_live()
    world.drain()
    return world
