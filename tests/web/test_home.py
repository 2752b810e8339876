"""Home adds up what each channel sold today beside the same day last week, by the reader's own clock, and gathers what needs
somebody by its cure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from comptoir.accounts.models import User
from comptoir.channels.models import Channel
from comptoir.commerce.catalog.models import Product, Variant
from comptoir.commerce.inventory.actions import default_warehouse
from comptoir.commerce.inventory.models import Backorder, Reservation
from comptoir.commerce.orders.models import Order, Status
from comptoir.engine import findings
from comptoir.engine.models import Severity
from comptoir.kit import clock
from comptoir.web import plots

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def channel(code: str) -> Channel:
    return Channel.objects.create(name=f"Shop {code}", code=code, kind="toy", webhook_token=code, created_at=NOON)


def order(number: str, at: datetime, total: str, currency: str = "EUR", **more: object) -> Order:
    row = {"status": Status.PROCESSING, "accepted_at": at, "changed_at": at, **more}
    if row.get("channel") is not None:
        row["external_id"] = number
    return Order.objects.create(number=number, placed_at=at, total=Decimal(total), currency=currency, **row)


def home(client: Client, at: datetime = NOON) -> str:
    with clock.using(clock.ManualClock(at)):
        answer = client.get("/")
    assert answer.status_code == 200
    return answer.content.decode()


def turnover(page: str) -> list[list[str]]:
    """The rows of the table of turnover as their texts."""
    table = page[page.index('<table class="list turnover">') :].partition("</table>")[0]
    table = re.sub(r"<svg.*?</svg>", "", table, flags=re.DOTALL)
    rows = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in table.split("<tr")[2:]]
    return [
        [re.sub(r"<[^>]+>", "", cell).replace("\N{NO-BREAK SPACE}", " ").strip() for cell in row][:5] for row in rows
    ]


def test_nothing_is_said_where_nothing_is(owner: Client) -> None:
    page = home(owner)
    assert "Nothing needs you" in page
    assert "No order in the last two weeks." in page


def test_turnover_is_by_channel_and_currency_and_never_across_currencies(owner: Client) -> None:
    one, other = channel("one"), channel("two")
    order("1", NOON - timedelta(hours=1), "10.50", channel=one.pk)
    order("2", NOON - timedelta(hours=2), "5", channel=one.pk, currency="USD")
    order("3", NOON - timedelta(hours=3), "7", channel=other.pk)
    order("4", NOON - timedelta(hours=3), "1000", channel=other.pk, status=Status.CANCELLED)
    order("5", NOON - timedelta(days=7, hours=1), "20", channel=one.pk)
    order("6", NOON - timedelta(days=7) + timedelta(hours=1), "3000", channel=one.pk)  # later on that day
    order("7", NOON - timedelta(days=40), "50000", channel=one.pk)
    page = home(owner)
    assert turnover(page) == [
        ["Shop one", "1", "1", "10.50 EUR", "20.00 EUR"],
        ["Shop one", "1", "0", "5.00 USD", "0.00 USD"],
        ["Shop two", "2", "0", "7.00 EUR", "0.00 EUR"],
        ["All in EUR", "3", "1", "17.50 EUR", "20.00 EUR"],
    ]
    assert "Orders today: 4. At this hour a week ago: 1." in page


@pytest.mark.parametrize(
    ("zone", "orders"), [("UTC", 4), ("Pacific/Auckland", 2), ("America/Los_Angeles", 3), ("Asia/Kathmandu", 4)]
)
def test_today_is_the_reader_s_day(owner: Client, zone: str, orders: int) -> None:
    """At noon in UTC it is one o'clock at night in Auckland and four in Los Angeles: their days began at other times."""
    shop = channel("one")
    for number, minutes in enumerate((20, 50, 120, 360, 1200)):
        order(str(number), NOON - timedelta(minutes=minutes), "1", channel=shop.pk)
    User.objects.update(timezone=zone)
    page = home(owner)
    assert turnover(page)[0][1] == str(orders)
    assert f"Orders today: {orders}." in page


def test_a_day_that_is_an_hour_short_is_compared_by_the_clock_on_the_wall(owner: Client) -> None:
    """On 29 March 2026 the clocks of Paris go forward: ten o'clock there is an hour earlier in UTC than a week before."""
    shop = channel("one")
    User.objects.update(timezone="Europe/Paris")
    at = datetime(2026, 3, 29, 8, 0, tzinfo=UTC)  # ten o'clock there
    order("1", datetime(2026, 3, 22, 8, 30, tzinfo=UTC), "10", channel=shop.pk)  # half past nine there
    order("2", datetime(2026, 3, 22, 9, 30, tzinfo=UTC), "100", channel=shop.pk)  # half past ten there
    assert turnover(home(owner, at))[0][2:] == ["1", "0.00 EUR", "10.00 EUR"]


def test_errors_of_one_kind_are_one_line_with_a_way_to_each_channel(owner: Client, picker: Client) -> None:
    one, other = channel("one"), channel("two")
    reports = [
        findings.Report(shop.pk, "unmapped_status", f"sale:{n}", Severity.ERROR, {"name": "X"})
        for shop in (one, other)
        for n in range(3)
    ]
    findings.report(reports, at=NOON)
    page = home(owner)
    assert page.count("says nothing about payment") == 1
    assert "6 such" in page
    assert page.count("<bdi>Shop one</bdi>") >= 2
    assert "says nothing about payment" not in home(picker)


def promise(model: type[Reservation | Backorder], of: Order, variant: Variant) -> None:
    """Goods for an order: on the shelf, or waited for."""
    place = {"warehouse": default_warehouse()} if model is Reservation else {}
    model.objects.create(
        line=of.pk, order=of.pk, variant=variant, quantity=1, placed_at=of.placed_at, warehouses=[], **place
    )


def test_what_waits_too_long_is_said_and_each_figure_opens_what_it_counts(owner: Client, picker: Client) -> None:
    product = Product.objects.create(name="Cup", created_at=NOON, changed_at=NOON)
    cup = Variant.objects.create(product=product, sku="CUP", created_at=NOON, changed_at=NOON)
    old, new, without, partly = (
        order(str(n), NOON - timedelta(hours=hours), "1") for n, hours in enumerate((72, 3, 90, 5))
    )
    order("4", NOON, "1", is_blocked=True)
    order("5", NOON, "1", status=Status.ON_HOLD)
    for each in (old, new, partly):
        promise(Reservation, each, cup)
    for each in (without, partly):
        promise(Backorder, each, cup)
    for client in (owner, picker):
        page = home(client)
        waits = page.partition('<p class="waits">')[2].partition("</p>")[0]
        said = re.findall(r'href="([^"]+)">([^<]+)', waits)
        assert [words for _url, words in said] == [
            "2 orders to prepare",
            "1 of them waits for more than two days",
            "1 order changed at its channel",
            "1 order on hold",
            "1 order is partly in stock",
            "1 order waits for goods",
        ]
        for url, words in said:
            with clock.using(clock.ManualClock(NOON)):
                listed = client.get(url.replace("&amp;", "&")).context["list"]
            assert len(listed.items) == int(words.split()[0]), url
    assert "2 orders to prepare" in page


def test_bars_are_as_high_as_what_they_show() -> None:
    drawn = plots.bars([Decimal(0), Decimal(-5), Decimal("0.01"), Decimal(50), Decimal(100)], marked={4: "now"})
    assert [bar.height for bar in drawn.bars] == [0.0, 0.0, 1.0, 12.0, 24.0]
    assert [bar.y for bar in drawn.bars] == [24.0, 24.0, 23.0, 12.0, 0.0]
    assert (drawn.width, drawn.bars[-1].tone) == (40, "now")
    assert {bar.height for bar in plots.bars([0] * 15, marked={}).bars} == {0.0}
