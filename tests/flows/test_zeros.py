"""A shop may send texts with a zero character in them, which JSON allows and PostgreSQL refuses: they come in all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from shop_world import World

from comptoir import connectors
from comptoir.channels import registry
from comptoir.channels.records import Buyer, Named, Page, keepable
from comptoir.commerce.catalog.models import Product
from comptoir.commerce.orders.models import Order
from comptoir.engine.models import Run

SIGN = "\N{REPLACEMENT CHARACTER}"


@dataclass
class Zeros:
    """An ability whose pages have a zero in some of their texts."""

    inner: Any
    spoil: Callable[[Any], Any]

    def _page(self, page: Page[Any]) -> Page[Any]:
        return msgspec.structs.replace(page, items=[self.spoil(one) for one in page.items])

    def changed_since(self, cursor: Mapping[str, object], **given: Any) -> Iterator[Page[Any]]:
        return map(self._page, self.inner.changed_since(cursor, **given))

    def everything(self, cursor: Mapping[str, object]) -> Iterator[Page[Any]]:
        return map(self._page, self.inner.everything(cursor))

    def fetch(self, external_ids: Sequence[str]) -> Page[Any]:
        return self._page(self.inner.fetch(external_ids))

    def image(self, ref: str) -> tuple[bytes, str]:
        return self.inner.image(ref)  # type: ignore[no-any-return]


@pytest.fixture
def spoilt(world: World) -> Iterator[World]:
    card = connectors.find("prestashop")
    assert card is not None

    def connect(config: Mapping[str, Any], door: Any) -> Any:
        client = card.connect(config, door)
        return replace(
            client,
            products=Zeros(
                client.products, lambda one: msgspec.structs.replace(one, name=f"{one.name}\0", brand="B\0")
            ),
            sales=Zeros(
                client.sales, lambda one: msgspec.structs.replace(one, buyer=Buyer(name="Gr\0ace"), note="\\u0000 \0")
            ),
        )

    able = replace(card, connect=connect)
    registry.set_up(lambda kind: able if kind == "prestashop" else None, lambda: ("prestashop",))
    yield world
    registry.set_up(connectors.find, connectors.kinds)


def test_products_and_sales_with_zeros_come_in(spoilt: World) -> None:
    for kind in ("pull_products", "pull_stock_once", "pull_sales"):
        run = Run.objects.get(pk=spoilt.run(kind))
        assert (run.status, run.error) == ("done", None), kind
    spoilt.drain("accept_sales")
    assert Product.objects.filter(name__endswith=SIGN, brand__name=f"B{SIGN}").exists()
    order = Order.objects.filter(channel=spoilt.channel.pk).first()
    assert order is not None
    again = Run.objects.get(pk=spoilt.run("update_products"))
    assert (again.created, again.failed) == (0, 0)


def test_what_only_looks_like_a_zero_stays() -> None:
    record = Named(external_id="\\u0000", name="a\0b\\\0")
    assert keepable(record) == Named(external_id="\\u0000", name=f"a{SIGN}b\\{SIGN}")
    plain = Named(external_id="1", name="plain")
    assert keepable(plain) is plain
