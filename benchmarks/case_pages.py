"""Every page of the URL conf as the owner sees it, each list with its filters and sorts, the next page and one deep within,
searches, and every API list: server time in process, statements and bytes, at 1 M variants and 2 M orders with `--large`, a
tenth of it without."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from itertools import combinations, product
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import psycopg

from benchmarks import large_shop
from benchmarks.harness import Bench, Row, below, say
from benchmarks.large_shop import Shop

LIMIT = 50.0  # milliseconds
LARGEST = 100.0  # kilobytes of HTML, before it is compressed
TIMES = 20

#: Values of a filter that are asked for, and of two filters together: a few of many that are alike.
CHOICES, TOGETHER = 8, 2

TABS = {
    "orders": ("prepare", "partial", "backorder", "hold", "changed", "unpaid", "all"),
    "staging": ("repair", "ready", "retry", "accepted", "out"),
    "audit": ("people", "all"),
}
#: Answered as a file that is as long as the list: no page.
FILES = frozenset({"suppliers_csv", "supplier_products_csv", "difference_csv", "run_bundle", "doctor_export", "image"})

_FILTERS = re.compile(r'<form class="tools" method="get" hx-get=.*?</form>', re.DOTALL)
_CHOICES = re.compile(r'<select[^>]* name="(\w+)"[^>]*>(.*?)</select>', re.DOTALL)
_VALUES = re.compile(r'<option value="([^"]+)"')
_NEXT = re.compile(r'<a[^>]* href="(\?[^"]*\bafter=[^"]*)"')


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of an answer: by the clock, and what it kept a core busy in this process and in PostgreSQL's. Where other
    work shares the cores the two part; reading from the disk is in the first alone."""

    clock: float
    cores: float


@dataclass(frozen=True, slots=True)
class Asked:
    """One address with what its answers took."""

    page: str
    address: str
    took: Sequence[Took]
    statements: int
    bytes: int

    @property
    def clock(self) -> float:
        """Its slowest answer but a twentieth, by the clock."""
        return p95([one.clock for one in self.took])

    @property
    def cores(self) -> float:
        """The same, on the cores."""
        return p95([one.cores for one in self.took])


def run(bench: Bench) -> list[Row]:
    """Milliseconds of the slowest twentieth by page, and of the worst address; what a page weighs."""
    from comptoir.config import bootstrap
    from comptoir.kit import clock

    bootstrap.set_up()
    at = clock.now()
    with psycopg.connect(bench.url, autocommit=True) as connection:
        shop = large_shop.make(connection, bench.variants or bench.size(100_000, 2_000), at)
        found = connection.execute("SELECT pg_database_size(current_database()) / 1e9").fetchone()
        say(f"    {shop.variants:,} variants, {shop.orders:,} orders, {found[0] if found else 0:.1f} GB")
        asked = list(measured(connection, shop, at, 2 if bench.quick else TIMES))
    say(table(asked))
    called = f"at {shop.variants:,} variants, {shop.orders:,} orders"
    worst = max(asked, key=lambda one: one.cores)
    heaviest = max(asked, key=lambda one: one.bytes)
    say(f"    the worst was {worst.address}, the heaviest {heaviest.address}")
    of_pages = [one for one in asked if not one.address.startswith("/api/")]
    of_lists = [one for one in asked if one.address.startswith("/api/")]
    return [
        below(f"{what} {called}, p95{where}", p95([how(took) for one in group for took in one.took]), "ms", LIMIT)
        for what, group in (("pages", of_pages), ("API lists", of_lists))
        for where, how in (("", lambda took: took.clock), (", cores", lambda took: took.cores))
    ] + [
        below(f"worst address {called}, p95", worst.clock, "ms", LIMIT),
        below(f"worst address {called}, p95, cores", worst.cores, "ms", LIMIT),
        below(f"heaviest page {called}", heaviest.bytes / 1000, "kB", LARGEST),
    ]


def measured(
    connection: psycopg.Connection[Any], shop: Shop, at: datetime, times: int, only: str = ""
) -> Iterator[Asked]:
    """Every address with what it took, those of the page `only` alone where it is given."""
    from comptoir.kit import heap

    client = large_shop.sign_in()
    heap.settle()  # as the process that answers does
    with _counted() as statements:
        for page, address in addresses(client, shop, at):
            if only and page != only:
                continue
            one = ask(client, page, address, times, connection, statements)
            over = "  <-- over" if one.cores >= LIMIT or one.bytes > LARGEST * 1000 else ""
            say(f"    {one.clock:7.1f} {one.cores:7.1f} {one.statements:4} {one.bytes / 1000:6.1f}  {address}{over}")
            yield one


def ask(
    client: Any, page: str, address: str, times: int, connection: psycopg.Connection[Any], statements: list[int]
) -> Asked:
    """Ask so many times; the first is left out, as it reads what nobody has read for a while."""
    took, asked_for = [], 0
    for number in range(times + 1):
        busy = _busy(connection)
        statements[0] = 0
        own, start = time.process_time(), time.perf_counter()
        answer = client.get(address)
        spent, own, asked_for = time.perf_counter() - start, time.process_time() - own, statements[0]
        if answer.status_code not in (200, 302):  # a search that finds one thing leads to it
            raise RuntimeError(f"{address} answered {answer.status_code}")
        if number:
            theirs = sum(now - busy.get(pid, 0.0) for pid, now in _busy(connection).items())
            took.append(Took(spent * 1000, own * 1000 + theirs))
    return Asked(page, address, took, asked_for, len(answer.content))


@contextmanager
def _counted() -> Iterator[list[int]]:
    """Statements that go to PostgreSQL through any cursor of this process; BEGIN and COMMIT go without one."""
    counter, execute = [0], psycopg.Cursor.execute

    def counting(self: Any, *given: Any, **named: Any) -> Any:
        counter[0] += 1
        return execute(self, *given, **named)

    psycopg.Cursor.execute = counting  # type: ignore[method-assign]  # Django's own counter does not see `kit.sql`
    try:
        yield counter
    finally:
        psycopg.Cursor.execute = execute  # type: ignore[method-assign]


def _busy(connection: psycopg.Connection[Any]) -> dict[int, float]:
    """Milliseconds that each server of our connections has been on a core, by the kernel. One that has just ended has none."""
    found = {}
    with psycopg.ClientCursor(connection) as cursor:
        for (pid,) in cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'comptoir'").fetchall():
            schedstat = Path(f"/proc/{pid}/schedstat")
            if schedstat.exists():
                found[pid] = int(schedstat.read_text().split()[0]) / 1e6
    return found


def p95(took: Sequence[float]) -> float:
    """The slowest but a twentieth."""
    return sorted(took)[math.ceil(len(took) * 0.95) - 1]


def table(asked: Sequence[Asked]) -> str:
    """A line for each page, as docs/benchmarks.md carries it."""
    lines = [
        "| page | addresses | p50 | p95 | its worst, p95 | statements | kB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for page in dict.fromkeys(one.page for one in asked):
        those = [one for one in asked if one.page == page]
        took = [took.cores for one in those for took in one.took]
        lines.append(
            f"| {page} | {len(those)} | {median(took):.0f} | {p95(took):.0f} | {max(one.cores for one in those):.0f}"
            f" | {max(one.statements for one in those)} | {max(one.bytes for one in those) / 1000:.0f} |"
        )
    return "\n".join(lines)


# -- what is asked for ---------------------------------------------------------------------------------------------------


def addresses(client: Any, shop: Shop, at: datetime) -> Iterator[tuple[str, str]]:
    """(page, address) of everything that is asked for; a page is called as in the URL conf."""
    seen: set[str] = set()
    for page, address in _addresses(client, shop, at):
        if address not in seen:
            seen.add(address)
            yield page, address


def _addresses(client: Any, shop: Shop, at: datetime) -> Iterator[tuple[str, str]]:
    from django.urls import resolve

    for page, address in _whole(shop):
        answer = client.get(address)
        if answer.status_code != 200 or not answer["Content-Type"].startswith("text/html"):
            continue  # done by POST, or leads elsewhere
        for tab in TABS.get(page, ("",)):
            listed = with_(address, {"tab": tab} if tab else {})
            yield page, listed
            yield from ((page, narrowed) for narrowed in _narrowed(client, listed))
    for address in (*_deep(shop, at), *_searches(shop)):
        yield str(resolve(address.partition("?")[0]).url_name), address
    yield from (("API " + address.split("/")[3].partition("?")[0], address) for address in _api(shop, at))


def _narrowed(client: Any, address: str) -> Iterator[str]:
    """A list by each of its filters in each of its orders, by filters two by two, and what comes behind its first page."""
    html = client.get(address).content.decode()
    if found := _NEXT.search(html):
        yield address.partition("?")[0] + unescape(found[1])
    form = _FILTERS.search(html)
    chosen = {name: _VALUES.findall(choices)[:CHOICES] for name, choices in _CHOICES.findall(form[0] if form else "")}
    sorts = [{}, *({"sort": one} for one in chosen.pop("sort", [])[1:])]
    filters = [{name: value} for name, values in chosen.items() if f"{name}=" not in address for value in values]
    yield from (with_(address, {**one, **sort}) for one in ({}, *filters) for sort in sorts)
    for (one, some), (other, more) in combinations(chosen.items(), 2):
        for value, another in product(some[:TOGETHER], more[:TOGETHER]):
            yield with_(address, {one: value, other: another})


def _whole(shop: Shop) -> Iterator[tuple[str, str]]:
    """(name, address) of each entry of the URL conf, for the heaviest things that it can be about."""
    from django.urls import reverse

    from comptoir.channels.models import Channel
    from comptoir.offers.models import Doubt, Listed
    from comptoir.web.urls import urlpatterns

    middle = shop.variants // 2 + 1
    first = Channel.objects.get(code=shop.channels[0])
    things: dict[str, Sequence[Any]] = {
        "order": (100000 + shop.orders, 100000 + shop.orders // 2),
        "variant": (1, middle, 100),  # popular, any, a kit
        "staged": (shop.orders + 1, shop.orders // 2),
        "staged_raw": (shop.orders // 2,),
        "run": (77, shop.preview),
        "difference": (shop.preview,),
        "supplier": (1, 7),
        "matching_listing": Listed.objects.filter(channel=first).order_by("id").values_list("pk", flat=True)[:1],
        "doubt": Doubt.objects.filter(channel=first).order_by("id").values_list("pk", flat=True)[:1],
    }
    common = {"pk": 1, "number": 100000 + shop.orders, "kind": "prestashop", "source": f"{first.pk}:77"}
    for entry in urlpatterns:
        names = set(entry.pattern.converters)
        name = str(entry.name)
        if name in FILES:
            continue
        for code in shop.channels if "code" in names else ("",):
            if "pk" in names and code and code != first.code:
                continue
            for thing in things.get(name, (None,)):
                given = {one: code if one == "code" else thing or common.get(one, "none") for one in names}
                yield name, reverse(name, kwargs=given)


def with_(address: str, asked: dict[str, Any]) -> str:
    """The address with more to ask."""
    return address + ("&" if "?" in address else "?") + urlencode(asked) if asked else address


def _deep(shop: Shop, at: datetime) -> Iterator[str]:
    from django.db.models import Max

    from comptoir.channels.models import Channel
    from comptoir.kit import paging
    from comptoir.offers.models import Listed, SellingPoint

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
    yield with_(f"/runs/{shop.preview}/difference/", {"after": paging.encode([shop.preview, shop.variants // 2])})
    first, middle = Channel.objects.get(code=shop.channels[0]).pk, Listed.objects.aggregate(Max("pk"))["pk__max"] // 2
    for asked in ({}, {"match": "none"}, {"match": "link"}):
        yield with_(f"{channel}/matching/", {**asked, "after": paging.encode([first, middle])})
    for asked in ({}, {"code": "pack_suspected"}, {"state": "ignored"}, {"state": "ignored", "code": "no_sku"}):
        yield with_(f"{channel}/doctor/", {**asked, "after": paging.encode([1, 5000, middle])})
    for asked in ({"tab": "all"}, {"tab": "people"}, {"tab": "all", "part": "orders"}, {"tab": "people", "part": "orders"},
                  {"tab": "all", "by": "person:1007"}, {"tab": "all", "by": "channel:"}):  # fmt: skip
        yield with_("/settings/audit/", {**asked, "after": placed})
    yield with_("/purchasing/suppliers/1/", {"after": paging.encode([1, shop.variants // 4])})


def _searches(shop: Shop) -> Iterator[str]:
    middle = f"{shop.variants // 2 + 1:07}"
    channel = f"/channels/{shop.channels[0]}"
    of_goods = ("/products/", "/inventory/", "/inventory/movements/", f"{channel}/offers/", f"{channel}/matching/",
                f"{channel}/matching/file/", f"{channel}/doctor/", "/purchasing/suppliers/1/")  # fmt: skip
    for address in of_goods:
        for text in (f"mug-{middle[:5]}", "mug", "oak mug", middle, "4000000000004", "nothing so"):
            yield with_(address, {"q": text})
    for address in ("/orders/?tab=all", "/orders/?tab=prepare"):
        for text in ("silva", "anna silva", "buyer77@", str(100000 + shop.orders // 2), "rosa xx", "100"):
            yield with_(address, {"q": text})
    for address, texts in (
        ("/staging/?tab=accepted", ("r00", "rabc12", str(shop.orders))),
        ("/findings/all/", ("sale:", "sale:77", str(shop.variants // 3))),
        (f"{channel}/preview/", ("mug", middle)),
        (f"/runs/{shop.preview}/difference/", ("mug", middle)),
        ("/purchasing/suppliers/", ("martin", "s19", "nothing so")),
        ("/settings/audit/?tab=all", ("anna", str(100000 + shop.orders // 2), "person1007@", "nothing so")),
        ("/palette", ("silva", "oak mug", "mug-00", str(100000 + shop.orders // 2), "nothing so")),
        ("/search", ("silva", "oak mug", "mug-00", str(100000 + shop.orders // 2), "nothing so")),
    ):
        for text in texts:
            yield with_(address, {"q": text})


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
