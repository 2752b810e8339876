"""Counting begins while the shop goes on selling and our other flows go on reading."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from shop_world import World, connect

from comptoir.commerce.inventory.models import Level
from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.kit import clock
from comptoir.offers.models import Offer


class BusyShop(PrestaShopSimulator):
    """Something happens right after it has answered a certain request for the first time."""

    after: str = ""
    happens: Callable[[], None] | None = None

    def answer(self, request, fault):  # type: ignore[no-untyped-def]
        answer = super().answer(request, fault)
        if self.happens is not None and self.after in request.path:
            happens, self.happens = self.happens, None
            happens()
        return answer


@pytest.fixture
def busy(db: None, doors: dict[str, PrestaShopSimulator], manual_clock: clock.ManualClock) -> World:
    doors["shop.test"] = BusyShop(version="8.2", world="empty", timezone="Europe/Paris")
    return connect(doors["shop.test"], manual_clock)


def test_a_sale_that_another_flow_reads_while_figures_are_read_is_counted_once(busy: World) -> None:
    cup = busy.shop.state.add_product("Cup", reference="CUP", price="5.00", quantity=10)
    busy.run("pull_products")

    def sell() -> None:
        busy.shop.state.place_order([(cup, 0, 3)])
        busy.run("pull_sales")

    assert isinstance(busy.shop, BusyShop)
    busy.shop.after, busy.shop.happens = "stock_availables", sell
    busy.run("pull_stock_once")
    assert busy.shop.happens is None
    level = Level.objects.get()
    assert (level.on_hand, level.reserved, busy.shop.state.stock(cup)) == (10, 3, 7)
    assert Offer.objects.get().told == 7
