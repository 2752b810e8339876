"""Payment methods that no channel lists are met in its sales, and wait to be mapped."""

from __future__ import annotations

from shop_world import World

from comptoir.connectors.prestashop.simulator import Line
from comptoir.kit.actor import SYSTEM
from comptoir.offers import actions as offers
from comptoir.offers.models import Mapping


def _methods(world: World) -> dict[str, tuple[str, str]]:
    rows = Mapping.objects.filter(channel=world.channel, kind="payment")
    return {row.external_id: (row.name, row.ours) for row in rows}


def test_a_payment_method_is_remembered_with_its_first_sale_and_what_a_person_said_stays(stocked: World) -> None:
    met = _methods(stocked)
    assert met
    assert {ours for _name, ours in met.values()} == {""}
    [method, *_] = met
    offers.map_to(stocked.channel.pk, "payment", method, "card", at=stocked.at, actor=SYSTEM)

    stocked.shop.state.place_order([Line(1, quantity=1)], state="PS_OS_PAYMENT")
    stocked.pass_time(minutes=6)
    stocked.run("pull_sales")

    assert _methods(stocked) == met | {method: (met[method][0], "card")}


def test_a_method_with_an_endless_name_stops_no_sale(stocked: World) -> None:
    stocked.shop.state.place_order(
        [Line(1, quantity=1)], state="PS_OS_PAYMENT", payment="Voucher " * 40, module="v" * 200
    )
    stocked.pass_time(minutes=6)
    stocked.run("pull_sales")

    assert "v" * 120 in _methods(stocked)
