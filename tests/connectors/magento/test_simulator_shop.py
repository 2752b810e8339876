"""What the simulated shop does, fact by fact of what is known of the real one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from comptoir.connectors.magento.simulator import Keys, Line, MagentoSimulator
from comptoir.simulators.asking import Asker, Heard


class Api:
    """The API by token alone, so that these tests read as what is asked."""

    def __init__(self, sim: MagentoSimulator) -> None:
        sim.state.set_quirk("bearer")
        self._asker = Asker(sim.wsgi)

    def ask(self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> Heard:
        headers = {"Authorization": f"Bearer {Keys.demo.access_token}", "Content-Type": "application/json"}
        content = b"" if body is None else json.dumps(body)
        return self._asker.ask(method, f"/rest/all/V1/{path}", query or {}, content, headers)

    def get(self, path: str, **criteria: Any) -> Any:
        heard = self.ask("GET", path, {f"searchCriteria[{name}]": value for name, value in criteria.items()})
        assert heard.status == 200, heard.text
        return heard.json()

    def where(self, path: str, *filters: tuple[str, str, str], group: bool = False, **more: Any) -> list[Any]:
        query: dict[str, Any] = dict(more)
        for place, (field, condition, value) in enumerate(filters):
            name = f"searchCriteria[filter_groups][{0 if group else place}][filters][{place if group else 0}]"
            query |= {f"{name}[field]": field, f"{name}[condition_type]": condition, f"{name}[value]": value}
        heard = self.ask("GET", path, {**query, "searchCriteria[sortOrders][0][field]": "entity_id"})
        assert heard.status == 200, heard.text
        return list(heard.json()["items"])


@pytest.fixture
def sim() -> MagentoSimulator:
    sim = MagentoSimulator(world="empty")
    sim.stock({f"T-{number:02}": number for number in range(12)})
    return sim


@pytest.fixture
def api(sim: MagentoSimulator) -> Api:
    return Api(sim)


# -- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([("sku", "eq", "t-03")], ["T-03"]),
        ([("sku", "in", "T-01,T-02,X")], ["T-01", "T-02"]),
        ([("sku", "like", "%-1%")], ["T-10", "T-11"]),
        ([("entity_id", "gt", "10")], ["T-10", "T-11"]),
        ([("entity_id", "from", "2"), ("entity_id", "to", "3")], ["T-01", "T-02"]),
        ([("entity_id", "gteq", "2"), ("entity_id", "lteq", "2")], ["T-01"]),
        ([("entity_id", "nin", ",".join(map(str, range(1, 12))))], ["T-11"]),
    ],
)  # fmt: skip
def test_groups_are_all_to_hold(api: Api, filters: list[tuple[str, str, str]], found: list[str]) -> None:
    assert [row["sku"] for row in api.where("products", *filters)] == found


def test_filters_within_a_group_are_alternatives(api: Api) -> None:
    rows = api.where("products", ("sku", "eq", "T-01"), ("sku", "eq", "T-05"), group=True)
    assert [row["sku"] for row in rows] == ["T-01", "T-05"]


def test_a_filter_on_what_is_no_column_is_a_bad_request(api: Api) -> None:
    name = "searchCriteria[filter_groups][0][filters][0]"
    heard = api.ask("GET", "products", {f"{name}[field]": "colour", f"{name}[value]": "1"})
    assert heard.status == 400
    assert "%1" in heard.json()["message"]
    assert heard.json()["parameters"] == {"1": "colour"}


def test_without_a_page_size_all_rows_come(api: Api) -> None:
    assert len(api.get("products")["items"]) == 12


@pytest.mark.parametrize(("version", "last"), [("2.4.5", ["T-10", "T-11"]), ("2.4.8", [])])
def test_past_the_end_old_versions_give_their_last_page_for_ever(version: str, last: list[str]) -> None:
    sim = MagentoSimulator(version=version, world="empty")
    sim.stock({f"T-{number:02}": 1 for number in range(12)})
    found = Api(sim).get("products", pageSize=5, currentPage=9, **{"sortOrders][0][field": "entity_id"})
    assert [row["sku"] for row in found["items"]] == last
    assert found["total_count"] == 12


def test_an_empty_list_may_be_null(sim: MagentoSimulator, api: Api) -> None:
    sim.state.set_quirk("items_null")
    assert api.get("orders")["items"] is None


def test_without_a_sort_pages_are_cut_from_another_order_each_time(api: Api) -> None:
    pages = [[row["id"] for row in api.get("products", pageSize=6, currentPage=1)["items"]] for _ in range(6)]
    assert any(page != pages[0] for page in pages)


def test_only_what_is_asked_for_comes(api: Api) -> None:
    query = {"fields": "items[sku,extension_attributes[website_ids]],total_count", "searchCriteria[pageSize]": 1}
    found = api.ask("GET", "products", query).json()
    assert set(found) == {"items", "total_count"}
    assert set(found["items"][0]) == {"sku", "extension_attributes"}


def test_with_input_limits_pages_and_calls_are_short(sim: MagentoSimulator, api: Api) -> None:
    sim.state.set_quirk("input_limit", 20)
    assert api.ask("GET", "orders", {"searchCriteria[pageSize]": 301}).status == 400
    rows = [{"sku": "T-01", "source_code": "default", "quantity": 1, "status": 1}] * 21
    assert api.ask("POST", "inventory/source-items", body={"sourceItems": rows}).status == 400
    assert api.ask("POST", "inventory/source-items", body={"sourceItems": rows[:20]}).status == 200


# -- stock -----------------------------------------------------------------------------------------------------------


def test_an_order_is_held_against_what_is_salable_and_leaves_the_source_alone(sim: MagentoSimulator, api: Api) -> None:
    order = sim.state.place_order([("T-05", 2)])
    assert (sim.state.quantity("T-05"), sim.state.salable("T-05")) == (5, 3)
    assert api.get("inventory/get-product-salable-quantity/T-05/1") == 3
    sim.state.ship_order(order)
    assert (sim.state.quantity("T-05"), sim.state.salable("T-05")) == (3, 3)


@pytest.mark.parametrize("state", ["new", "pending_payment", "payment_review", "holded"])
def test_whatever_its_state_a_new_order_holds(sim: MagentoSimulator, state: str) -> None:
    sim.state.place_order([("T-05", 2)], state=state)
    assert sim.state.salable("T-05") == 3


def test_cancelling_and_refunding_give_back_what_was_held(sim: MagentoSimulator) -> None:
    sim.state.cancel_order(sim.state.place_order([("T-05", 2)], state="new"))
    assert sim.state.salable("T-05") == 5
    sim.state.refund(sim.state.place_order([("T-05", 2)]))
    assert (sim.state.quantity("T-05"), sim.state.salable("T-05")) == (5, 5)


def test_one_bad_row_rejects_all_and_says_each_thing(api: Api, sim: MagentoSimulator) -> None:
    good = {"sku": "T-05", "source_code": "default", "quantity": 9, "status": 1}
    bad = {"sku": " T-06", "source_code": "nowhere", "quantity": "many", "status": 1}
    heard = api.ask("POST", "inventory/source-items", body={"sourceItems": [good, bad]})
    assert heard.status == 400
    assert len(heard.json()["errors"]) == 3
    assert sim.state.quantity("T-05") == 5


def test_a_row_without_a_status_is_refused(api: Api) -> None:
    body = {"sourceItems": [{"sku": "T-05", "source_code": "default", "quantity": 9}]}
    assert api.ask("POST", "inventory/source-items", body=body).status == 400


def test_an_unknown_sku_leaves_an_orphan(api: Api, sim: MagentoSimulator) -> None:
    body = {"sourceItems": [{"sku": "NONE", "source_code": "default", "quantity": 9, "status": 1}]}
    assert api.ask("POST", "inventory/source-items", body=body).json() == []
    assert sim.state.quantity("NONE") == 9


def test_writing_stock_stamps_no_product(api: Api, sim: MagentoSimulator) -> None:
    before = sim.dump()["products"]
    body = {"sourceItems": [{"sku": "T-05", "source_code": "default", "quantity": 9, "status": 1}]}
    api.ask("POST", "inventory/source-items", body=body)
    assert sim.dump()["products"] == before


def test_without_msi_there_are_no_sources_and_the_figure_falls_with_the_order(sim: MagentoSimulator, api: Api) -> None:
    sim.state.set_quirk("msi", False)
    heard = api.ask("GET", "inventory/sources")
    assert (heard.status, heard.json()["message"]) == (404, "Request does not match any route.")
    order = sim.state.place_order([("T-05", 2)], state="new")
    assert api.get("stockItems/T-05")["qty"] == 3
    sim.state.cancel_order(order)
    assert api.get("stockItems/T-05")["qty"] == 5


def test_a_deadlock_does_nothing(sim: MagentoSimulator, api: Api) -> None:
    sim.state.set_quirk("deadlocks", 1)
    body = {"sourceItems": [{"sku": "T-05", "source_code": "default", "quantity": 9, "status": 1}]}
    assert api.ask("POST", "inventory/source-items", body=body).status == 500
    assert sim.state.quantity("T-05") == 5


def test_an_asynchronous_call_waits_until_somebody_works_it_off(sim: MagentoSimulator, api: Api) -> None:
    sim.state.set_quirk("consumer", False)
    headers = {"Authorization": f"Bearer {Keys.demo.access_token}"}
    body = {"sourceItems": [{"sku": "T-05", "source_code": "default", "quantity": 9, "status": 1}]}
    heard = Asker(sim.wsgi).ask("POST", "/rest/all/async/V1/inventory/source-items", "", json.dumps(body), headers)
    assert heard.status == 202
    name = heard.json()["bulk_uuid"]
    assert [one["status"] for one in api.get(f"bulk/{name}/status")["operations_list"]] == [4]
    assert sim.state.quantity("T-05") == 5
    sim.state.set_quirk("consumer")
    assert [one["status"] for one in api.get(f"bulk/{name}/status")["operations_list"]] == [1]
    assert sim.state.quantity("T-05") == 9


def test_in_bulk_the_body_is_a_list(sim: MagentoSimulator, api: Api) -> None:
    headers = {"Authorization": f"Bearer {Keys.demo.access_token}"}
    row = {"sku": "T-05", "source_code": "default", "quantity": 9, "status": 1}
    bodies = [{"sourceItems": [row]}, {"sourceItems": [{**row, "source_code": "nowhere"}]}]
    heard = Asker(sim.wsgi).ask(
        "POST", "/rest/all/async/bulk/V1/inventory/source-items", "", json.dumps(bodies), headers
    )
    found = api.get(f"bulk/{heard.json()['bulk_uuid']}/status")["operations_list"]
    assert [one["status"] for one in found] == [1, 3]


# -- orders ----------------------------------------------------------------------------------------------------------


def a_shirt(sim: MagentoSimulator) -> tuple[int, list[int]]:
    variants = [{"sku": f"SH-{size}", "quantity": 5, "options": {"Size": size}} for size in ("S", "M")]
    return sim.state.add_configurable("Shirt", sku="SH", variants=variants)


def test_a_configurable_is_two_rows(sim: MagentoSimulator, api: Api) -> None:
    shirt, (_, medium) = a_shirt(sim)
    order = sim.state.place_order([Line("SH-M", 2)])
    parent, child = api.get(f"orders/{order}")["items"]
    assert (parent["product_type"], parent["product_id"], parent["sku"], parent["name"]) == (
        "configurable",
        shirt,
        "SH-M",
        "Shirt",
    )
    assert (child["parent_item_id"], child["product_id"], child["price"]) == (parent["item_id"], medium, 0)
    assert parent["row_total_incl_tax"] == 12


def test_two_rows_of_a_configurable_hold_its_units_once(sim: MagentoSimulator) -> None:
    a_shirt(sim)
    order = sim.state.place_order([Line("SH-M", 2)], state="new")
    assert sim.state.salable("SH-M") == 3
    sim.state.cancel_order(order)
    assert sim.state.salable("SH-M") == 5
    sim.state.ship_order(sim.state.place_order([Line("SH-M", 2)]))
    assert (sim.state.quantity("SH-M"), sim.state.salable("SH-M")) == (3, 3)
    sim.state.refund(sim.state.place_order([Line("SH-M", 2)]))
    assert sim.state.salable("SH-M") == 3


def test_a_shipment_names_the_parent_and_never_the_child(sim: MagentoSimulator, api: Api) -> None:
    a_shirt(sim)
    order = sim.state.place_order([Line("SH-M", 2)])
    parent, child = (row["item_id"] for row in api.get(f"orders/{order}")["items"])
    heard = api.ask("POST", f"order/{order}/ship", body={"items": [{"order_item_id": child, "qty": 1}]})
    assert (heard.status, heard.json()["message"]) == (400, "You can't create a shipment without products.")
    assert api.ask("POST", f"order/{order}/ship", body={"items": [{"order_item_id": parent, "qty": 1}]}).status == 200
    assert sim.state.quantity("SH-M") == 4


def test_processing_begins_with_the_first_invoice_or_shipment_and_complete_takes_both(sim: MagentoSimulator) -> None:
    order = sim.state.place_order([("T-05", 2)], state="new")
    sim.state.ship_order(order)
    assert sim.state.order(order)["state"] == "processing"
    sim.state.invoice(order)
    assert sim.state.order(order)["state"] == "complete"
    sim.state.refund(order)
    assert sim.state.order(order)["state"] == "closed"


def test_an_order_without_a_parcel_is_complete_once_it_is_paid(sim: MagentoSimulator) -> None:
    sim.state.add_product("Guide", sku="GUIDE", kind="downloadable", quantity=9)
    assert sim.state.order(sim.state.place_order([("GUIDE", 1)]))["state"] == "complete"


def test_a_partial_refund_leaves_the_state(sim: MagentoSimulator) -> None:
    order = sim.state.place_order([("T-05", 2)])
    row = sim.state.order(order)["items"][0]["item_id"]
    sim.state.refund(order, {row: 1})
    kept = sim.state.order(order)
    assert (kept["state"], kept["total_refunded"]) == ("processing", Decimal("6.00"))


def test_a_shipment_does_not_stamp_its_order(sim: MagentoSimulator) -> None:
    order = sim.state.place_order([("T-05", 2)])
    before = sim.state.order(order)["updated_at"]
    sim.clock.advance(timedelta(hours=1))
    sim.state.ship_order(order)
    assert sim.state.order(order)["updated_at"] == before


def test_an_invoiced_order_is_not_cancelled_and_the_answer_is_false(sim: MagentoSimulator, api: Api) -> None:
    assert api.ask("POST", f"orders/{sim.state.place_order([('T-05', 1)])}/cancel").json() is False
    assert api.ask("POST", f"orders/{sim.state.place_order([('T-05', 1)], state='new')}/cancel").json() is True


def test_with_several_sources_a_shipment_without_one_is_taken_from_the_default(sim: MagentoSimulator, api: Api) -> None:
    sim.state.add_source("annex")
    sim.state.set_quantity("T-00", 4, "annex")
    order = sim.state.place_order([("T-00", 1)])
    heard = api.ask("POST", f"order/{order}/ship", body={})
    assert heard.json()["message"] == "Not all of your products are available in the requested quantity."
    body = {"arguments": {"extension_attributes": {"source_code": "annex"}}}
    assert api.ask("POST", f"order/{order}/ship", body=body).status == 200
    assert sim.state.quantity("T-00", "annex") == 3


def test_a_bundle_of_fixed_price_has_it_on_its_own_row(sim: MagentoSimulator, api: Api) -> None:
    bundle = [{"title": "A", "links": [("T-05", 2)]}]
    sim.state.add_product("Fixed", sku="FIX", price="10", kind="bundle", bundle=bundle)
    sim.state.add_product("Sum", sku="SUM", price="0", kind="bundle", bundle=bundle, attributes={"price_type": "0"})
    fixed, part = api.get(f"orders/{sim.state.place_order([Line('FIX')])}")["items"]
    assert (fixed["row_total_incl_tax"], part["price"], part["qty_ordered"]) == (12, 0, 2)
    summed, part = api.get(f"orders/{sim.state.place_order([Line('SUM')])}")["items"]
    assert summed["row_total_incl_tax"] == part["row_total_incl_tax"] == 12


def test_a_bare_number_may_come_in_quotes(sim: MagentoSimulator, api: Api) -> None:
    sim.state.set_quirk("quoted_scalars")
    assert api.ask("POST", f"order/{sim.state.place_order([('T-05', 1)])}/ship", body={}).json() == "1"


def test_the_demo_shop_sells_what_every_demo_sells_and_has_orders_in_every_state() -> None:
    from comptoir.simulators.goods import GOODS

    sim = MagentoSimulator()
    assert {sku for sku, *_ in GOODS} <= sim.shelf().keys()
    states = {row["state"] for row in sim.dump()["orders"]}
    assert states == {
        "new", "pending_payment", "payment_review", "processing", "complete", "closed", "canceled", "holded",
    }  # fmt: skip
    assert {"GLU/10", "TIN + LID", "CAFÉ-7", "PEN,RED"} <= sim.shelf().keys()


def test_what_happens_in_any_shop_happens_here(sim: MagentoSimulator) -> None:
    sale = sim.buy({"T-05": 2}, paid=False)
    assert (sim.sold()[sale], sim.shelf()["T-05"]) == ("unpaid", 3)
    sim.pay(sale)
    assert sim.sold()[sale] == "paid"
    sim.ship(sale, "GB1")
    assert (sim.sold()[sale], sim.parcels(sale), sim.shelf()["T-05"]) == ("shipped", ["GB1"], 3)
    other = sim.buy({"T-05": 1}, paid=False)
    sim.cancel(other)
    assert (sim.sold()[other], sim.shelf()["T-05"]) == ("cancelled", 3)
