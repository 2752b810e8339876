"""Export and erasure of one customer: all of it, nothing of anybody else, once, for good, and the books still hold."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from shop_world import World

from comptoir.accounts.models import User
from comptoir.commerce.inventory.models import Reservation
from comptoir.commerce.orders import actions as orders
from comptoir.commerce.orders.models import History, Order
from comptoir.commerce.shipments import actions as shipments
from comptoir.connectors.prestashop.simulator import Line
from comptoir.engine import findings
from comptoir.engine.models import Severity
from comptoir.events.models import Event
from comptoir.flows import house, personal
from comptoir.kit import spreadsheets, sql
from comptoir.kit.actor import SYSTEM
from comptoir.staging import actions as staging
from comptoir.staging.models import StagedSale
from comptoir.webhooks.models import Delivery

EMAIL, NAME, STREET, PHONE, NOTE = (
    "Wanda.Zyx@mail.example", "Wanda Zyxwvut", "17 Quokka Crescent", "+44 7700 900123", "Leave it with Mr Plover"
)  # fmt: skip
VALUES = (EMAIL, "Zyxwvut", "Quokka", "7700 900123", "Mr Plover", "Narwhal", "9 Former Road")


@dataclass
class Bought:
    """Somebody who buys at the shop: their address there, and another customer of the same street."""

    world: World
    customer: int
    address: int
    other: int

    def buy(self, **details: Any) -> Order:
        given = {
            "state": "PS_OS_PAYMENT",
            "customer": self.customer,
            "address": self.address,
            "message": NOTE,
            **details,
        }
        sale = self.world.shop.state.place_order([Line(1, quantity=1)], **given)
        self.world.pass_time(minutes=6)
        self.world.run("pull_sales")
        return Order.objects.filter(external_id=str(sale)).first() or Order()

    def ship(self, order: Order) -> None:
        with transaction.atomic():
            leaving = [(p.line, p.warehouse_id, p.quantity) for p in Reservation.objects.filter(order=order.pk)]
            shipments.ship(order.pk, leaving, key=f"k{order.pk}", tracking="JD7", at=self.world.at, actor=SYSTEM)
        self.world.drain()

    def erase(self, asked: str = EMAIL) -> personal.Changed:
        with transaction.atomic():
            return personal.erase(personal.find(asked), actor=SYSTEM, at=self.world.at)


@pytest.fixture
def bought(live: World) -> Bought:
    shop = live.shop.state
    customer = shop.add_customer("Wanda", "Zyxwvut", EMAIL, company="Narwhal Nets")
    place = {"address1": STREET, "city": "Leeds", "postcode": "LS1 4AP"}
    address = shop.add_address(customer, phone=PHONE, company="Narwhal Nets", **place)
    other = shop.add_customer("Otto", "Other", "otto@mail.example")
    shop.add_address(other, phone="+44 7700 900999", **place)
    return Bought(live, customer, address, other)


def everything() -> Iterator[tuple[str, str, str]]:
    """Every text of every table: (table, column, text), what is packed unpacked."""
    for table, column, kind in sql.rows(
        "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c"
        " JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name"
        " WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.data_type IN"
        " ('text', 'character varying', 'jsonb', 'json', 'bytea', 'ARRAY', 'character', 'tsvector', 'USER-DEFINED')"
    ):
        for (value,) in sql.rows(f'SELECT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL'):
            if kind == "bytea":
                packed = bytes(value)
                text = (zlib.decompress(packed) if table == "engine_input" else packed).decode("utf-8", "replace")
            else:
                text = str(value)
            yield table, column, text


def left(*values: str) -> list[tuple[str, str, str]]:
    wanted = [value.lower() for value in values]
    return [
        (table, column, value)
        for table, column, text in everything()
        for value in wanted
        if value in text.lower() or json.dumps(value)[1:-1] in text.lower()
    ]


def a_full_life(bought: Bought) -> Order:
    """An order whose customer's data went everywhere it can go."""
    order = bought.buy(placed_at=None)
    assert order.shipping is not None
    with transaction.atomic():
        former = {**order.shipping, "lines": ["9 Former Road"], "name": NAME}
        orders.change_address(order.pk, former, at=bought.world.at, actor=SYSTEM)
        orders.change_address(order.pk, order.shipping, at=bought.world.at, actor=SYSTEM)
        orders.hold(order.pk, reason=f"ring {PHONE}, ask for {NAME}", at=bought.world.at, actor=SYSTEM)
        orders.unhold(order.pk, at=bought.world.at, actor=SYSTEM)
    moved = bought.world.shop.state.edit_address(
        bought.address, address1="17 Quokka Crescent, rear", lastname="Zyxwvut"
    )
    bought.world.shop.state.change_address(int(order.external_id or 0), moved)
    bought.world.pass_time(minutes=6)
    bought.world.run("pull_sales")  # a finding with both addresses
    with transaction.atomic():
        staged = StagedSale.objects.get(order=order.pk)
        orders.keep_ours(order.pk, staged.sale, at=bought.world.at, actor=SYSTEM)
        findings.report(
            [findings.Report(None, "units_out_of_nowhere", "variant:1", Severity.INFO, {"text": f"mail from {EMAIL}"})],
            at=bought.world.at,
        )
    Delivery.objects.create(
        channel=bought.world.channel, event_id="e1", topic="sale", external_id=order.external_id or "",
        body=json.dumps({"id": order.external_id, "mail": EMAIL}).encode(),
    )  # fmt: skip
    bought.ship(order)
    order.refresh_from_db()
    assert order.status == "complete"
    return order


def figures() -> list[Any]:
    return sql.rows(
        "SELECT number, status, total, total_tax, currency, placed_at, billing->>'country', shipping->>'country',"
        " (SELECT sum(quantity) FROM orders_line l WHERE l.order_id = o.id) FROM orders_order o ORDER BY id"
    )


def test_everything_of_a_customer_is_gone_and_the_books_hold(bought: Bought) -> None:
    order = a_full_life(bought)
    neighbour = bought.buy(customer=bought.other, address=None, message="")
    assert neighbour.buyer["email"] == "otto@mail.example"
    for value in VALUES:
        assert left(value), f"{value} is nowhere: the test would prove nothing"
    before = figures()
    assert house.check_all() == {part: [] for part in house.BOOKS}

    changed = bought.erase()

    assert changed
    assert [one for one in left(*VALUES) if "Otto" not in one[2]] == [
        one for one in left("quokka") if one[0] in _of_the_neighbour()
    ]
    assert figures() == before
    assert house.check_all() == {part: [] for part in house.BOOKS}
    order.refresh_from_db()
    assert (order.buyer, order.note) == ({}, "")
    assert order.shipping == {"country": "GB"}
    neighbour.refresh_from_db()
    assert neighbour.buyer["name"] == "Otto Other"
    assert neighbour.shipping is not None
    assert neighbour.shipping["lines"] == [STREET]
    event = Event.objects.get(name=personal.ERASED)
    assert event.facts["orders"] == [order.number]
    assert History.objects.filter(order=order, what="erased").count() == 1


def _of_the_neighbour() -> set[str]:
    """Tables where the street stands because somebody else lives in it."""
    return {"orders_order", "staging_stagedsale", "engine_input"}


def test_erased_twice_changes_nothing(bought: Bought) -> None:
    order = a_full_life(bought)
    assert bought.erase()
    again = bought.erase(order.number)
    assert not again, again
    assert not personal.find(EMAIL)
    assert Event.objects.filter(name=personal.ERASED).count() == 1


def test_the_shop_does_not_bring_them_back(bought: Bought) -> None:
    order = a_full_life(bought)
    bought.erase()
    world = bought.world
    world.shop.state.change_address(int(order.external_id or 0), bought.address)
    world.shop.state.change_state(int(order.external_id or 0), "PS_OS_DELIVERED")
    for kind in ("pull_sales", "pull_sales"):
        world.pass_time(hours=2)
        world.run(kind)
        world.drain()
    sql.execute("DELETE FROM engine_input")  # what the runs heard is the shop's own words, kept for as long as is set
    assert left(*VALUES) == []
    order.refresh_from_db()
    assert order.is_blocked is False, "an address that we forgot is no change of the channel's"
    assert house.check_all() == {part: [] for part in house.BOOKS}

    later = bought.buy()
    assert later.buyer["email"].lower() == EMAIL.lower(), "who buys again is known again, for that order alone"
    assert [one.number for one in personal.find(EMAIL).orders] == [later.number]


def test_an_open_order_is_refused_and_named(bought: Bought) -> None:
    order = bought.buy()
    unpaid = bought.world.shop.state.place_order(
        [Line(2, quantity=1)], state="PS_OS_BANKWIRE", customer=bought.customer, address=bought.address
    )
    bought.world.pass_time(minutes=6)
    bought.world.run("pull_sales")
    with pytest.raises(personal.StillOpen) as refusal:
        bought.erase()
    assert refusal.value.facts["orders"] == [order.number]
    staged = StagedSale.objects.get(external_id=str(unpaid))
    assert refusal.value.facts["sales"] == [staged.number]
    assert left(NAME)

    bought.ship(order)
    with transaction.atomic():
        staging.reject([staged.pk], "never paid", at=bought.world.at, actor=SYSTEM)
    assert bought.erase()
    assert left(*VALUES) == []


@pytest.mark.parametrize(
    "asked", [EMAIL, f"  {EMAIL.upper()} ", PHONE, "0044 (7700) 900-123".replace("00", "+", 1), "number", "theirs"]
)
def test_a_customer_is_found_by_what_people_have_in_hand(bought: Bought, asked: str) -> None:
    order = bought.buy()
    text = {"number": order.number, "theirs": order.external_number}.get(asked, asked)
    assert [one.number for one in personal.find(text).orders] == [order.number]


@pytest.mark.parametrize(
    "asked", ["anda.Zyx@mail.example", "%@%", "_anda.zyx@mail.example", "900123", "nobody", "Wanda"]
)
def test_nobody_is_found_by_half_of_it(bought: Bought, asked: str) -> None:
    bought.buy()
    assert not personal.find(asked)


def test_a_colleague_who_buys_here_keeps_their_login(bought: Bought) -> None:
    order = bought.buy()
    bought.ship(order)
    User.objects.create_user(EMAIL, "correct horse battery", name="Wanda")
    bought.erase()
    assert User.objects.filter(email=EMAIL.lower()).exists()


def test_the_file_for_the_customer_holds_all_of_it_and_no_formula(bought: Bought) -> None:
    order = a_full_life(bought)
    sql.execute("UPDATE orders_order SET note = %s WHERE id = %s", ['=HYPERLINK("http://x")', order.pk])
    with transaction.atomic(), io.BytesIO() as file:
        personal.export(personal.find(EMAIL), file, actor=SYSTEM, at=bought.world.at)
        archive = zipfile.ZipFile(io.BytesIO(file.getvalue()))
    names = archive.namelist()
    data = json.loads(archive.read("data.json"))
    assert data["orders"][0]["number"] == order.number
    assert data["history"]
    assert "'=HYPERLINK" in archive.read("orders.csv").decode()
    everything_said = b"".join(archive.read(name) for name in names).decode()
    for value in (EMAIL, STREET, PHONE, order.number):
        assert value.lower() in everything_said.lower(), value
    assert any(name.startswith("as-received/sale-") for name in names)
    assert any(name.startswith("as-received/delivery-") for name in names)
    assert "otto" not in everything_said.lower()
    event = Event.objects.get(name=personal.EXPORTED)
    assert EMAIL not in json.dumps(event.facts)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+44 7700", "'+44 7700"),
        ("-5.00", "-5.00"),
        ("@a", "'@a"),
        ("\t=1", "'\t=1"),
        ("plain", "plain"),
    ],
)
def test_no_cell_is_a_formula(value: str, cell: str) -> None:
    assert spreadsheets.cell(value) == cell
