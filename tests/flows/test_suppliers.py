"""Suppliers of a shop and what they sell come in whole, page by page, and every row of the shop is accounted for."""

from __future__ import annotations

from decimal import Decimal

import pytest
from shop_world import World

from comptoir.commerce.purchasing import queries
from comptoir.commerce.purchasing.models import Supplier, SupplierProduct
from comptoir.connectors.prestashop.simulator import hub_rights
from comptoir.engine.models import Finding, Flow, Run
from comptoir.offers import queries as offered


def pulled(world: World) -> tuple[Run, Run]:
    return (
        Run.objects.get(pk=world.run("pull_suppliers")),
        Run.objects.get(pk=world.run("pull_supplier_links")),
    )


def open_codes(world: World) -> dict[str, str]:
    rows = Finding.objects.filter(channel=world.channel, closed_at__isnull=True)
    return dict(rows.filter(code__startswith="suppl").values_list("subject", "code"))


def test_suppliers_and_what_they_sell_come_in_and_a_second_time_nothing_changes(world: World) -> None:
    rows = dict(
        Flow.objects.filter(channel=world.channel, kind__startswith="pull_supplier").values_list("kind", "enabled")
    )
    assert rows == {"pull_suppliers": False, "pull_supplier_links": False}  # nobody asked for them yet
    world.run("pull_products")
    suppliers, links = pulled(world)
    assert (suppliers.created, suppliers.seen, suppliers.outcome) == (2, 2, "good")
    # 32 goods, two combinations of the cushion with its own row left out, and the scarf as a whole.
    assert (links.created, links.skipped, links.seen, links.outcome) == (35, 1, 36, "good")
    assert SupplierProduct.objects.count() == 36  # the scarf has two combinations
    goods = offered.linked(world.channel.pk, ["1-0", "2-0"])
    [first] = queries.suppliers_of(goods["1-0"])
    assert (first.name, first.reference, first.price, first.currency, first.is_primary) == (
        "Northern Giftware Ltd", "S0000", Decimal("4.25"), "GBP", True,
    )  # fmt: skip
    again = pulled(world)
    assert [(run.unchanged, run.changed, run.created) for run in again] == [(2, 0, 0), (35, 0, 0)]


def test_rows_about_unknown_things_wait_with_a_finding_and_are_matched_later(world: World) -> None:
    state = world.shop.state
    _suppliers, links = pulled(world)
    assert (links.parked, links.outcome) == (35, "partial")  # no product is here yet
    assert set(open_codes(world).values()) == {"supplied_unknown"}
    world.run("pull_products")
    stranger = state.store.insert("product_suppliers", id_product=1, id_supplier=77)
    orphan = state.store.insert("product_suppliers", id_product=9999, id_supplier=1, product_supplier_reference="LOST")
    links = Run.objects.get(pk=world.run("pull_supplier_links"))
    assert (links.created, links.parked) == (35, 2)
    assert open_codes(world) == {
        f"supplier_link:{stranger}": "supplier_unknown", f"supplier_link:{orphan}": "supplied_unknown",
    }  # fmt: skip


def test_what_is_gone_at_the_shop_is_marked_and_a_list_that_shrank_is_doubted(world: World) -> None:
    world.run("pull_products")
    pulled(world)
    store = world.shop.state.store
    store.execute("DELETE FROM product_suppliers WHERE id <= 3")
    pulled(world)
    assert SupplierProduct.objects.filter(gone_at__isnull=False).count() == 3
    store.execute("DELETE FROM product_suppliers WHERE id <= 20")
    _suppliers, links = pulled(world)
    assert links.status == "done"
    assert SupplierProduct.objects.filter(gone_at__isnull=False).count() == 3
    assert open_codes(world) == {f"channel:{world.channel.pk}:products": "suppliers_shrank"}


@pytest.mark.parametrize("resource", ["suppliers", "product_suppliers"])
def test_a_key_without_the_right_stops_nothing_but_this(world: World, resource: str) -> None:
    world.run("pull_products")
    pulled(world)
    before = (Supplier.objects.count(), SupplierProduct.objects.count())
    rights = hub_rights()
    del rights[resource]
    world.shop.state.add_key(world.shop.key, rights)
    runs = pulled(world)
    assert {run.status for run in runs} == {"done"}
    assert not SupplierProduct.objects.filter(gone_at__isnull=False).exists()
    assert (Supplier.objects.count(), SupplierProduct.objects.count()) == before
    found = Finding.objects.get(channel=world.channel, code="right_missing", closed_at__isnull=True)
    assert (found.subject, found.facts["right"]) == (f"shop:{resource}", f"{resource}: GET")
    world.channel.refresh_from_db()
    assert world.channel.health == "good"
    world.shop.state.add_key(world.shop.key, hub_rights())
    pulled(world)
    assert not Finding.objects.filter(channel=world.channel, code="right_missing", closed_at__isnull=True).exists()
