"""`comptoir check` names whatever must always be true and is not: one row of a sound hub is broken at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import house_world
import pytest
from django.db import DatabaseError, connection, transaction
from proof_children import database_url
from pytest_django import DjangoDbBlocker
from shop_world import World

from comptoir.channels.models import Channel
from comptoir.commerce.orders.models import Order, Status
from comptoir.commerce.shipments import actions as shipments
from comptoir.connectors.prestashop.simulator import Line
from comptoir.flows import connecting, house
from comptoir.kit import sql
from comptoir.kit.actor import SYSTEM


@pytest.fixture(scope="module")
def sound(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """A hub in step with its shop: an order is open, one waits for goods, one was shipped and told."""
    with django_db_blocker.unblock(), transaction.atomic():
        with house_world.running() as world:
            product = world.shop.state.add_product("Vase", reference="VASE", price="9.00", quantity=4)
            world.pass_time(minutes=40)
            world.run("pull_products")
            for quantity in (1, 2):
                world.shop.state.place_order([Line(product, quantity=quantity)], state="PS_OS_PAYMENT")
            world.shop.state.place_order([Line(1, quantity=1)], state="PS_OS_BANKWIRE")
            world.pass_time(minutes=6)
            world.drain()
            order = Order.objects.filter(channel=world.channel.pk, status=Status.PROCESSING, is_blocked=False).first()
            assert order is not None
            shipments.ship(order.pk, key="check", carrier=order.carrier, tracking="JD1", at=world.at, actor=SYSTEM)
            world.drain()
            yield world
        transaction.set_rollback(True)


@dataclass(frozen=True)
class Broken:
    """One row broken by SQL; `refusal` is what PostgreSQL says about it first, `lifted` how it is made to let it through."""

    invariant: int  # of what must always be true, in the order of the design
    part: str
    code: str
    statement: str
    refusal: str = ""
    lifted: str = ""

    def __str__(self) -> str:
        return f"{self.invariant}-{self.code}"


def dropped(table: str, constraint: str) -> str:
    return f"ALTER TABLE {table} DROP CONSTRAINT {constraint}"


ONE_LEVEL = "(SELECT id FROM inventory_level WHERE on_hand > 0 AND reserved > 0 ORDER BY id LIMIT 1)"
ONE_OPEN = "(SELECT id FROM orders_order WHERE status = 'processing' ORDER BY id LIMIT 1)"
ONE_PROMISE = "(SELECT id FROM inventory_reservation ORDER BY id LIMIT 1)"
ONE_HOLD = "(SELECT id FROM inventory_hold ORDER BY id LIMIT 1)"
A_RUN = "(SELECT id FROM engine_run WHERE status = 'done' AND seen > 0 ORDER BY id LIMIT 1)"
COPY = "INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} ORDER BY id LIMIT 1"

BREAKS = [
    # 1. Stock.
    Broken(
        1,
        "inventory",
        "on_hand_differs_from_movements",
        f"UPDATE inventory_level SET on_hand = on_hand + 1 WHERE id = {ONE_LEVEL}",
    ),
    Broken(
        1,
        "inventory",
        "balance_differs_from_on_hand",
        f"UPDATE inventory_level SET on_hand = on_hand + 1 WHERE id = {ONE_LEVEL}",
    ),
    Broken(
        1,
        "inventory",
        "level_out_of_bounds",
        f"UPDATE inventory_level SET reserved = on_hand + 1 WHERE id = {ONE_LEVEL}",
        "level_reserved_on_hand",
        dropped("inventory_level", "level_reserved_on_hand"),
    ),
    Broken(
        1,
        "inventory",
        "level_out_of_bounds",
        f"UPDATE inventory_level SET reserved = -1 WHERE id = {ONE_LEVEL}",
        "level_reserved_not_negative",
        dropped("inventory_level", "level_reserved_not_negative"),
    ),
    Broken(
        1,
        "inventory",
        "reserved_differs_from_reservations",
        f"UPDATE inventory_reservation SET quantity = quantity + 1 WHERE id = {ONE_PROMISE}",
    ),
    Broken(
        1,
        "inventory",
        "held_differs_from_holds",
        f"UPDATE inventory_hold SET quantity = quantity + 1, scope = NULL WHERE id = {ONE_HOLD}",
    ),
    Broken(
        1,
        "inventory",
        "on_hand_differs_from_movements",
        "UPDATE inventory_movement SET quantity = quantity + 1",
        "the stock ledger only grows",
        "ALTER TABLE inventory_movement DISABLE TRIGGER USER",
    ),
    Broken(
        1,
        "inventory",
        "on_hand_differs_from_movements",
        "DELETE FROM inventory_movement WHERE id = (SELECT min(id) FROM inventory_movement)",
        "the stock ledger only grows",
        "ALTER TABLE inventory_movement DISABLE TRIGGER USER",
    ),
    Broken(1, "inventory", "ledger_is_not_append_only", "ALTER TABLE inventory_movement DISABLE TRIGGER USER"),
    Broken(
        1,
        "inventory",
        "movement_booked_twice",
        COPY.format(
            table="inventory_movement",
            columns="variant_id, from_warehouse_id, to_warehouse_id, quantity, reason, reference,"
            " comment, supplier, actor_kind, actor_id, actor_label, at",
        ),
        "inventory_movement_reference",
        dropped("inventory_movement", "{found}"),
    ),
    # 2. No oversell by us: what is promised is there, to the unit, and whoever waits is served first.
    Broken(
        2, "orders", "line_open_differs_from_promises", f"DELETE FROM inventory_reservation WHERE id = {ONE_PROMISE}"
    ),
    Broken(
        2,
        "inventory",
        "goods_idle_while_a_backorder_waits",
        'INSERT INTO inventory_backorder (line, "order", variant_id, quantity, warehouses, placed_at)'
        " SELECT 0, 0, variant_id, 1, ARRAY[warehouse_id], now() FROM inventory_level WHERE on_hand - reserved - held > 0 LIMIT 1",
    ),
    # 3. One order per sale.
    Broken(
        3,
        "staging",
        "sale_staged_twice",
        "UPDATE staging_stagedsale SET external_id = (SELECT min(external_id) FROM staging_stagedsale)"
        " WHERE id = (SELECT max(id) FROM staging_stagedsale)",
        "staged_one_per_sale",
        dropped("staging_stagedsale", "staged_one_per_sale"),
    ),
    Broken(
        3,
        "orders",
        "sale_with_several_orders",
        "UPDATE orders_order SET external_id = (SELECT min(external_id) FROM orders_order) WHERE id = (SELECT max(id) FROM orders_order)",
        "order_one_per_sale",
        dropped("orders_order", "order_one_per_sale"),
    ),
    Broken(
        3, "staging", "order_without_sale", 'UPDATE staging_stagedsale SET "order" = NULL WHERE "order" IS NOT NULL'
    ),
    Broken(
        3, "staging", "accepted_without_order", "UPDATE staging_stagedsale SET state = 'accepted' WHERE state = 'retry'"
    ),
    # 4. Nothing received is lost.
    Broken(
        4,
        "engine",
        "cursor_astray",
        "UPDATE engine_flow SET cursor = '{\"until\": \"2030-01-01T00:00:00+00:00\"}' WHERE kind = 'pull_sales'",
    ),
    Broken(
        4,
        "engine",
        "run_abandoned",
        f"UPDATE engine_run SET status = 'running', finished_at = NULL, heartbeat_at = now() - interval '1 day' WHERE id = {A_RUN}",
    ),
    Broken(
        4, "staging", "retry_without_hour", "UPDATE staging_stagedsale SET next_look_at = NULL WHERE state = 'retry'"
    ),
    Broken(
        4,
        "staging",
        "repair_without_reason",
        "UPDATE staging_stagedsale SET state = 'repair', anomalies = '[]' WHERE state = 'retry'",
    ),
    Broken(
        4,
        "channels",
        "delivery_kept_twice",
        "INSERT INTO webhooks_delivery (channel_id, event_id, topic, external_id, body)"
        " SELECT id, 'e1', 'sale', '1', ''::bytea FROM channels_channel, generate_series(1, 2) WHERE kind = 'prestashop'",
        "delivery_once",
        dropped("webhooks_delivery", "delivery_once"),
    ),
    # 5. Nothing is sent twice with effect, and what is to be sent is.
    Broken(
        5,
        "offers",
        "level_not_told",
        "UPDATE offers_offer SET told = told + 1 WHERE id = (SELECT min(id) FROM offers_offer WHERE is_active)",
    ),
    Broken(
        5,
        "offers",
        "offer_not_its_link",
        "UPDATE offers_link SET variant_id = (SELECT max(id) FROM catalog_variant)"
        " WHERE id = (SELECT min(id) FROM offers_link WHERE kind = 'listing')",
    ),
    Broken(5, "channels", "parcel_without_promise", "DELETE FROM engine_effect WHERE kind = 'tracking'"),
    Broken(
        5,
        "channels",
        "effect_promised_twice",
        COPY.format(
            table="engine_effect",
            columns="channel_id, kind, key, subject, facts, state, attempt, reason, calls, wanted_at",
        ),
        "effect_once",
        dropped("engine_effect", "effect_once"),
    ),
    Broken(
        5,
        "engine",
        "effect_stuck",
        "UPDATE engine_effect SET state = 'called', finished_at = NULL, next_at = NULL, called_at = now() - interval '1 day'",
    ),
    Broken(
        5, "engine", "effect_finished_without_time", "UPDATE engine_effect SET finished_at = NULL WHERE state = 'done'"
    ),
    Broken(
        5,
        "shipments",
        "movement_lacks_its_shipment_line",
        "UPDATE inventory_movement SET reference = reference || '0' WHERE reason = 'shipment'",
        "the stock ledger only grows",
        "ALTER TABLE inventory_movement DISABLE TRIGGER USER",
    ),
    Broken(5, "shipments", "shipped_differs_from_parcels", "UPDATE shipments_shipmentline SET quantity = quantity + 1"),
    # 6. Test mode never writes.
    Broken(
        6,
        "channels",
        "wrote_in_test_mode",
        "UPDATE engine_run SET calls = calls || '{\"write\": 1}', started_at = started_at - interval '1 hour',"
        " finished_at = finished_at - interval '1 hour' WHERE id = (SELECT min(r.id) FROM engine_run r"
        " JOIN engine_flow f ON f.id = r.flow_id WHERE f.kind = 'pull_products' AND r.status = 'done')",
    ),
    # 7. A run balances.
    Broken(7, "engine", "run_unbalanced", f"UPDATE engine_run SET seen = seen + 1 WHERE id = {A_RUN}"),
    # 8. Money adds up.
    Broken(8, "orders", "order_total_differs", f"UPDATE orders_order SET total = total + 0.01 WHERE id = {ONE_OPEN}"),
    Broken(
        8, "orders", "order_total_differs", f"DELETE FROM orders_charge WHERE amount <> 0 AND order_id = {ONE_OPEN}"
    ),
]


def test_a_hub_in_step_has_nothing_to_complain_of(sound: World) -> None:
    assert house.check_all() == {part: [] for part in house.BOOKS}
    assert {one.invariant for one in BREAKS} == set(range(1, 9))


@pytest.mark.parametrize("broken", BREAKS, ids=str)
def test_what_is_broken_is_named(sound: World, broken: Broken) -> None:
    with transaction.atomic():
        sql.execute("SET CONSTRAINTS ALL IMMEDIATE")
        if broken.refusal:
            with pytest.raises(DatabaseError, match=broken.refusal) as refused, transaction.atomic():
                sql.execute(broken.statement)
            cause = refused.value.__cause__
            sql.execute(broken.lifted.format(found=getattr(getattr(cause, "diag", None), "constraint_name", "")))
        sql.execute(broken.statement)
        assert broken.code in {one.code for one in house.check_all()[broken.part]}
        transaction.set_rollback(True)


def test_the_command_ends_with_1_and_says_what_and_where(live: World, transactional_db: None) -> None:
    def check(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "comptoir.cli.main", "check", *options],
            env={**os.environ, "COMPTOIR_DATABASE_URL": database_url()},
            capture_output=True,
            text=True,
            check=False,
        )

    assert connection.in_atomic_block is False
    good = check()
    assert (good.returncode, "broken" in good.stdout) == (0, False), good.stderr
    order = Order.objects.filter(status=Status.PROCESSING).earliest("pk")
    Order.objects.filter(pk=order.pk).update(total=order.total + 1)
    bad = check()
    assert bad.returncode == 1, bad.stderr
    assert f"order_total_differs order:{order.pk}" in bad.stdout
    [breach] = json.loads(check("--json").stdout)["orders"]
    assert (breach["code"], breach["subject"]) == ("order_total_differs", f"order:{order.pk}")


def test_a_channel_that_went_back_to_test_mode_wrote_nothing_wrong_before(live: World) -> None:
    live.pass_time(minutes=1)
    connecting.back_to_test(Channel.objects.get(pk=live.channel.pk), actor=SYSTEM, at=live.at)
    live.pass_time(minutes=1)
    assert house.check_all()["channels"] == []
