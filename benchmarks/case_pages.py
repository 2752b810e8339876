"""Every list page with its filters, sorts and searches, the first page, the next and one deep within, and every API list:
server time, in process, on a shop of 1 M variants and 2 M orders with `--large`, a tenth of it without."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg

from benchmarks import large_shop
from benchmarks.harness import Bench, Row, below, say
from benchmarks.large_shop import Shop

LIMIT = 50.0  # milliseconds
TIMES = 20

_CHOICES = re.compile(r'<select[^>]* name="(\w+)"[^>]*>(.*?)</select>', re.DOTALL)
_VALUES = re.compile(r'<option value="([^"]+)"')
_NEXT = re.compile(r'<a[^>]* href="(\?[^"]*\bafter=[^"]*)"')


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of an answer: by the clock, and what it kept a core busy in this process and in PostgreSQL's. Where other
    work shares the cores the two part; reading from the disk is in the first alone."""

    clock: float
    cores: float


def run(bench: Bench) -> list[Row]:
    """Milliseconds of the slowest twentieth, by group of addresses, and of the worst address."""
    from comptoir.config import bootstrap
    from comptoir.kit import clock

    bootstrap.set_up()
    at = clock.now()
    with psycopg.connect(bench.url, autocommit=True) as connection:
        shop = large_shop.make(connection, bench.variants or bench.size(100_000, 2_000), at)
        found = connection.execute("SELECT pg_database_size(current_database()) / 1e9").fetchone()
        say(f"    {shop.variants:,} variants, {shop.orders:,} orders, {found[0] if found else 0:.1f} GB")
        client = large_shop.sign_in()
        every: dict[str, list[Took]] = {}
        worst: tuple[float, float, str] = (0, 0, "")
        for group, address in addresses(client, shop, at):
            took = ask(client, address, 2 if bench.quick else TIMES, connection)
            every.setdefault(group, []).extend(took)
            by_clock, on_cores = p95([one.clock for one in took]), p95([one.cores for one in took])
            worst = max(worst, (on_cores, by_clock, address))
            say(f"    {by_clock:7.1f} {on_cores:7.1f}  {address}{'' if by_clock < LIMIT else '  <-- over'}")
    called = f"at {shop.variants:,} variants, {shop.orders:,} orders, p95"
    rows = []
    for group, of_group in every.items():
        rows.append(below(f"{group} {called}", p95([one.clock for one in of_group]), "ms", LIMIT))
        rows.append(below(f"{group} {called}, cores", p95([one.cores for one in of_group]), "ms", LIMIT))
    rows.append(below(f"worst address {called}", worst[1], "ms", LIMIT))
    rows.append(below(f"worst address {called}, cores", worst[0], "ms", LIMIT))
    say(f"    the worst was {worst[2]}")
    return rows


def ask(client: Any, address: str, times: int, connection: psycopg.Connection[Any]) -> list[Took]:
    """Ask so many times; the first is left out, as it reads what nobody has read for a while."""
    took = []
    for number in range(times + 1):
        busy = _busy(connection)
        own, start = time.process_time(), time.perf_counter()
        answer = client.get(address)
        spent, own = time.perf_counter() - start, time.process_time() - own
        if answer.status_code not in (200, 302):
            raise RuntimeError(f"{address} answered {answer.status_code}")
        if number:
            took.append(Took(spent * 1000, own * 1000 + _busy(connection) - busy))
    return took


def _busy(connection: psycopg.Connection[Any]) -> float:
    """Milliseconds that the servers of our connections have been on a core, by the kernel."""
    found = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'comptoir'").fetchall()
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for (pid,) in found) / 1e6


def p95(took: Sequence[float]) -> float:
    """The slowest but a twentieth."""
    return sorted(took)[min(len(took) - 1, len(took) * 95 // 100)]


def addresses(client: Any, shop: Shop, at: datetime) -> Iterator[tuple[str, str]]:
    """(group, address) of everything that is asked for."""
    for address in _lists(shop):
        yield "lists", address
        page = client.get(address).content.decode()
        for name, choices in _CHOICES.findall(page):
            if name in ("sort", "tab") or f"{name}=" not in address:
                yield from (("filters and sorts", with_(address, {name: v})) for v in _VALUES.findall(choices))
        if found := _NEXT.search(page):
            yield "next and deep pages", with_(address, {}).partition("?")[0] + unescape(found[1])
    yield from (("next and deep pages", address) for address in _deep(shop, at))
    yield from (("searches", address) for address in _searches(shop))
    yield from (("single things", address) for address in _things(client, shop))
    yield from (("API lists", address) for address in _api(shop, at))


def with_(address: str, asked: dict[str, Any]) -> str:
    """The address with more to ask."""
    return address + ("&" if "?" in address else "?") + urlencode(asked) if asked else address


def _lists(shop: Shop) -> list[str]:
    tabs = ("prepare", "partial", "backorder", "hold", "changed", "unpaid", "all")
    return [
        "/",
        *(f"/orders/?tab={tab}" for tab in tabs),
        *(f"/staging/?tab={tab}" for tab in ("repair", "ready", "retry", "accepted", "out")),
        "/products/",
        "/inventory/",
        "/inventory/movements/",
        "/channels/",
        *(f"/channels/{code}/{tab}" for code in shop.channels for tab in ("", "offers/")),
        *(f"/channels/{shop.channels[0]}/{tab}/" for tab in ("flows", "mappings", "preview", "settings")),
        "/runs/",
        "/findings/",
        "/findings/all/",
        "/frame/bar",
    ]


def _deep(shop: Shop, at: datetime) -> Iterator[str]:
    from comptoir.kit import paging
    from comptoir.offers.models import SellingPoint

    then = (at - timedelta(days=500)).isoformat()
    placed, by_id = paging.encode([then, shop.orders // 2]), paging.encode([shop.variants // 2])
    for address in ("/orders/?tab=all", "/orders/?tab=all&status=complete", "/orders/?tab=all&sort=oldest",
                    "/orders/?tab=prepare", "/staging/?tab=accepted", "/staging/?tab=out", "/inventory/movements/",
                    "/inventory/movements/?reason=shipment", "/findings/all/"):  # fmt: skip
        yield with_(address, {"after": placed})
    for address in ("/products/?sort=newest", "/products/?sort=newest&stock=none", "/inventory/?sort=first",
                    "/runs/"):  # fmt: skip
        yield with_(address, {"after": by_id})
    yield with_("/products/?sort=sku", {"after": paging.encode(["lamp"])})
    channel = f"/channels/{shop.channels[0]}"
    place = paging.encode([SellingPoint.objects.get(channel__code=shop.channels[0]).pk, shop.variants // 2])
    yield from (
        with_(f"{channel}/offers/", {**asked, "after": place}) for asked in ({}, {"state": "told"}, {"sort": "last"})
    )
    yield with_(f"{channel}/preview/", {"after": paging.encode([shop.preview, shop.variants // 2])})


def _searches(shop: Shop) -> Iterator[str]:
    middle = f"{shop.variants // 2 + 1:07}"
    listed = ("/products/", "/inventory/", "/inventory/movements/", f"/channels/{shop.channels[0]}/offers/")
    for address in listed:
        for text in (f"mug-{middle[:5]}", "mug", "oak mug", middle, "4000000000004", "nothing so"):
            yield with_(address, {"q": text})
    for address in ("/orders/?tab=all", "/orders/?tab=prepare"):
        for text in ("silva", "anna silva", "buyer77@", str(100000 + shop.orders // 2), "rosa xx", "100"):
            yield with_(address, {"q": text})
    for address, texts in (
        ("/staging/?tab=accepted", ("r00", "rabc12", str(shop.orders))),
        ("/findings/all/", ("sale:", "sale:77", str(shop.variants // 3))),
        (f"/channels/{shop.channels[0]}/preview/", ("mug", middle)),
        ("/search", ("silva", "oak mug", "mug-00", str(100000 + shop.orders // 2), "nothing so")),
    ):
        for text in texts:
            yield with_(address, {"q": text})


def _things(client: Any, shop: Shop) -> Iterator[str]:
    yield f"/orders/{100000 + shop.orders}/"
    yield f"/orders/{100000 + shop.orders // 2}/"
    yield "/products/1/"  # popular
    yield f"/products/{shop.variants // 2 + 1}/"
    yield "/products/100/"  # a kit
    yield f"/staging/{shop.orders + 1}/"
    yield f"/staging/{shop.orders // 2}/"
    yield "/runs/77/"
    yield f"/runs/{shop.preview}/"


def _api(shop: Shop, at: datetime) -> Iterator[str]:
    from comptoir.channels.models import Channel
    from comptoir.kit import paging

    first = Channel.objects.get(code=shop.channels[0]).pk
    placed = paging.encode([(at - timedelta(days=500)).isoformat(), shop.orders // 2])
    by_id = paging.encode([shop.variants // 2])
    for address in (
        "variants?limit=50", f"variants?after={by_id}", "variants?sku=none", "variants?barcode=4000000000004", "variants?product=7",
        "levels?limit=50", f"levels?after={by_id}", "levels?warehouse=second", "levels?variant=7", "levels?sku=none",
        "orders?limit=50", f"orders?after={placed}", "orders?status=processing", "orders?status=cancelled",
        f"orders?channel={first}", f"orders?channel={first}&status=on_hold", "orders?external_id=77",
        "findings?limit=50", "findings?open=false", "findings?severity=error", f"findings?channel={first}&severity=info",
        f"findings?after={placed}", "runs?limit=50", f"runs?channel={first}", "runs?flow=push_stock", "runs?status=failed",
        "runs?status=running", f"orders/{100000 + shop.orders // 2}", "variants/7",
    ):  # fmt: skip
        yield f"/api/v1/{address}"
