"""The API: who may, what it answers, and how it says no."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

import comptoir
from comptoir.accounts.models import Role, Token
from comptoir.accounts.rights import Scope
from comptoir.api import errors
from comptoir.api.callers import RIGHTS
from comptoir.api.orders import OrderOut
from comptoir.api.urls import api
from comptoir.channels.models import Channel
from comptoir.commerce.catalog.models import Barcode, Price, PriceList, Product, Variant
from comptoir.commerce.inventory.models import Level, Warehouse
from comptoir.commerce.orders.models import Charge, Line, Order
from comptoir.engine.models import Finding, Flow, Run
from comptoir.kit.errors import ComptoirError

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
Asker = Callable[..., Client]

LISTS = {
    "tokens": Scope.TOKENS_MANAGE,
    "variants": Scope.CATALOG_READ,
    "levels": Scope.STOCK_READ,
    "orders": Scope.ORDERS_READ,
    "runs": Scope.RUNS_READ,
    "findings": Scope.RUNS_READ,
}


def variant(sku: str) -> Variant:
    product = Product.objects.create(name=f"Thing {sku}", created_at=AT, changed_at=AT)
    return Variant.objects.create(product=product, sku=sku, created_at=AT, changed_at=AT)


def order(number: str, *, placed_at: datetime = AT, **values: Any) -> Order:
    return Order.objects.create(
        number=number, status="processing", currency="EUR", total=Decimal("12.50"), buyer={"name": "Ada"},
        shipping={"city": "Paris"}, placed_at=placed_at, accepted_at=AT, changed_at=AT, **values,
    )  # fmt: skip


def channel(code: str = "shop") -> Channel:
    return Channel.objects.create(name=code, code=code, kind="prestashop", webhook_token=code, created_at=AT)


def everything(client: Client, path: str, limit: int) -> Iterator[list[Any]]:
    """Page after page."""
    after = ""
    while True:
        answer = client.get(f"/api/v1/{path}{'&' if '?' in path else '?'}limit={limit}{after}").json()
        yield answer["items"]
        if answer["after"] is None:
            return
        after = f"&after={answer['after']}"


# Who may


def test_health_needs_nobody(client: Client) -> None:
    assert client.get("/api/v1/health").json() == {"status": "ok", "version": comptoir.__version__}


@pytest.mark.parametrize("name", LISTS)
def test_strangers_learn_nothing(client: Client, db: None, name: str) -> None:
    answer = client.get(f"/api/v1/{name}")
    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["code"] == "not_signed_in"


@pytest.mark.parametrize("name", LISTS)
def test_a_token_opens_what_its_scope_says_and_nothing_else(with_token: Asker, name: str) -> None:
    assert with_token(LISTS[name]).get(f"/api/v1/{name}").status_code == 200
    others = set(Scope) - {LISTS[name]}
    answer = with_token(*others).get(f"/api/v1/{name}")
    assert (answer.status_code, answer.json()["facts"]) == (403, {"scope": LISTS[name].value})


def test_a_revoked_an_expired_and_a_made_up_token_get_the_same_answer(with_token: Asker) -> None:
    revoked, expired = with_token(Scope.RUNS_READ), with_token(Scope.RUNS_READ)
    first, second = Token.objects.order_by("id")
    Token.objects.filter(pk=first.pk).update(revoked_at=AT)
    Token.objects.filter(pk=second.pk).update(expires_at=AT)
    invented = Client(headers={"Authorization": "Bearer cmt_invented"})
    answers = [client.get("/api/v1/runs") for client in (revoked, expired, invented)]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1


def test_a_wrong_token_is_not_made_up_for_by_a_session(signed_in: Asker) -> None:
    owner = signed_in(Role.OWNER)
    assert owner.get("/api/v1/runs").status_code == 200
    assert owner.get("/api/v1/runs", headers={"Authorization": "Bearer cmt_wrong"}).status_code == 401


def test_a_signed_in_person_may_what_their_role_may(signed_in: Asker) -> None:
    assert signed_in(Role.PICKER).get("/api/v1/orders").status_code == 200
    assert signed_in(Role.BUYER).get("/api/v1/runs").status_code == 403
    assert signed_in(Role.MANAGER).get("/api/v1/tokens").status_code == 403
    assert set(RIGHTS) == set(Scope)


def test_what_is_not_there_is_a_problem_too(with_token: Asker) -> None:
    client = with_token(*Scope)
    for path in ("variants/999", "orders/A-1", "runs/999", "nothing", "../v2/"):
        answer = client.get(f"/api/v1/{path}")
        assert (path, answer.status_code, answer["Content-Type"]) == (path, 404, "application/problem+json")


# Tokens


def make(client: Client, **content: Any) -> Any:
    return client.post("/api/v1/tokens", content, content_type="application/json")


def test_a_token_is_made_used_listed_without_its_secret_and_revoked(signed_in: Asker) -> None:
    owner = signed_in(Role.OWNER)
    made = make(owner, name="Till", scopes=["stock.read"])
    assert made.status_code == 201
    secret = made.json()["secret"]
    till = Client(headers={"Authorization": f"Bearer {secret}"})
    assert till.get("/api/v1/levels").status_code == 200
    (listed,) = owner.get("/api/v1/tokens").json()["items"]
    assert (listed["name"], listed["hint"], listed["scopes"]) == ("Till", secret[-4:], ["stock.read"])
    assert listed["last_used_at"].endswith("Z")
    assert secret not in owner.get("/api/v1/tokens").content.decode()
    assert owner.delete(f"/api/v1/tokens/{listed['id']}").status_code == 204
    assert owner.delete(f"/api/v1/tokens/{listed['id']}").status_code == 204
    assert till.get("/api/v1/levels").status_code == 401
    assert owner.delete("/api/v1/tokens/999").status_code == 404


def test_a_token_cannot_make_one_that_may_more(with_token: Asker) -> None:
    client = with_token(Scope.TOKENS_MANAGE, Scope.STOCK_READ)
    assert make(client, name="Less", scopes=["stock.read"]).status_code == 201
    answer = make(client, name="More", scopes=["stock.read", "orders.read"])
    assert (answer.status_code, answer.json()["facts"]) == (403, {"scope": "orders.read"})
    assert Token.objects.filter(name="More").count() == 0


def test_the_limit_of_tokens_and_bad_scopes_are_said_plainly(signed_in: Asker) -> None:
    owner = signed_in(Role.OWNER)
    wrong = make(owner, name="Till", scopes=["everything"])
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["facts"]["place"]) == (422, "bad_input", "scopes")
    naive = make(owner, name="Till", scopes=["stock.read"], expires_at="2027-01-01T00:00:00")
    assert (naive.status_code, naive.json()["facts"]["place"]) == (422, "expires_at")
    for number in range(11):
        assert make(owner, name=f"{number}", scopes=["stock.read"]).status_code == 201
    full = make(owner, name="one more", scopes=["stock.read"])
    assert (full.status_code, full.json()["code"], full.json()["facts"]["limit"]) == (409, "too_many_tokens", 11)


def test_a_browser_that_was_tricked_changes_nothing(signed_in: Asker) -> None:
    owner = signed_in(Role.OWNER, csrf=True)
    answer = make(owner, name="Stolen", scopes=["orders.read"])
    assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
    assert Token.objects.count() == 0


# Reading


def test_a_variant_with_its_prices_and_barcodes(with_token: Asker) -> None:
    mug = variant("MUG-1")
    Barcode.objects.create(variant=mug, code="4006381333931")
    retail = PriceList.objects.create(code="retail", name="Retail", currency="EUR", tax_included=True)
    Price.objects.create(price_list=retail, variant=mug, amount=Decimal("8.333333"))
    client = with_token(Scope.CATALOG_READ)
    shown = client.get(f"/api/v1/variants/{mug.pk}").json()
    assert (shown["sku"], shown["name"], shown["barcodes"]) == ("MUG-1", "Thing MUG-1", ["4006381333931"])
    assert shown["prices"] == [{"price_list": "retail", "currency": "EUR", "tax_included": True, "amount": "8.333333"}]
    variant("MUG-2")
    for asked in ("sku=mug-1", "barcode=4006381333931", f"product={mug.product_id}"):
        assert [one["id"] for one in client.get(f"/api/v1/variants?{asked}").json()["items"]] == [mug.pk]


def test_levels_are_text_with_three_places(with_token: Asker) -> None:
    shelf = Warehouse.objects.create(code="paris", name="Paris")
    Level.objects.create(variant=variant("A"), warehouse=shelf, on_hand=Decimal(5), reserved=1, held=Decimal("0.5"))
    (shown,) = with_token(Scope.STOCK_READ).get("/api/v1/levels?sku=a&warehouse=paris").json()["items"]
    assert shown == {
        "variant": Variant.objects.get().pk, "sku": "A", "warehouse": "paris",
        "on_hand": "5.000", "reserved": "1.000", "held": "0.500", "available": "3.500",
    }  # fmt: skip


def test_an_order_with_its_lines_in_order(with_token: Asker) -> None:
    row = order("C-1", channel=channel().pk, external_id="1042")
    mug = variant("MUG-1")
    for position, sku in ((2, "B"), (1, "A")):
        Line.objects.create(
            order=row, position=position, kind="goods", variant=mug, sku=sku, name=sku, quantity=2,
            unit_price=Decimal("1.5"), total=3,
        )  # fmt: skip
    Charge.objects.create(order=row, kind="shipping", amount=Decimal("9.5"))
    shown = with_token(Scope.ORDERS_READ).get("/api/v1/orders/C-1").json()
    assert (shown["total"], shown["placed_at"], shown["buyer"]) == (
        "12.500000",
        "2026-03-02T09:00:00Z",
        {"name": "Ada"},
    )
    assert [(line["position"], line["sku"], line["quantity"]) for line in shown["lines"]] == [
        (1, "A", "2.000"),
        (2, "B", "2.000"),
    ]
    assert shown["charges"] == [{"kind": "shipping", "name": "", "amount": "9.500000", "tax": None}]
    # Answers of many values are written without being held against their schema.
    assert json.loads(OrderOut.model_validate(shown).model_dump_json()) == shown
    assert with_token(Scope.ORDERS_READ).get("/api/v1/orders").json() == {"items": [shown], "after": None}


def test_roles_without_need_see_no_buyer(signed_in: Asker) -> None:
    order("C-1")
    reader, service = signed_in(Role.READER), signed_in(Role.SERVICE)
    (masked,) = reader.get("/api/v1/orders").json()["items"]
    assert (masked["buyer"], masked["billing"], masked["shipping"]) == (None, None, None)
    assert reader.get("/api/v1/orders/C-1").json()["buyer"] is None
    assert service.get("/api/v1/orders/C-1").json()["buyer"] == {"name": "Ada"}


def test_pages_of_orders_lose_and_repeat_none_though_several_share_a_time(with_token: Asker) -> None:
    rows = [order(f"C-{number}", placed_at=AT + timedelta(minutes=number // 3)) for number in range(10)]
    pages = list(everything(with_token(Scope.ORDERS_READ), "orders", 4))
    assert [len(page) for page in pages] == [4, 4, 2]
    wanted = [row.number for row in sorted(rows, key=lambda row: (row.placed_at, row.pk), reverse=True)]
    assert [one["number"] for page in pages for one in page] == wanted


def test_a_page_stays_where_it_was_though_rows_come_in(with_token: Asker) -> None:
    for number in range(4):
        order(f"C-{number}", placed_at=AT + timedelta(minutes=number))
    pages = everything(with_token(Scope.ORDERS_READ), "orders", 2)
    first = next(pages)
    order("C-new", placed_at=AT + timedelta(hours=1))
    assert [one["number"] for one in [*first, *next(pages)]] == ["C-3", "C-2", "C-1", "C-0"]


def test_filters_of_orders(with_token: Asker) -> None:
    shop, other = channel("shop"), channel("other")
    order("C-1", channel=shop.pk, external_id="7")
    order("C-2", channel=other.pk, external_id="7")
    client = with_token(Scope.ORDERS_READ)
    asked = {f"channel={shop.pk}": ["C-1"], "external_id=7&status=processing": ["C-2", "C-1"], "status=complete": []}
    for query, numbers in asked.items():
        assert [one["number"] for one in client.get(f"/api/v1/orders?{query}").json()["items"]] == numbers


def test_runs_and_findings(with_token: Asker) -> None:
    shop = channel()
    flow = Flow.objects.create(channel=shop, kind="pull_sales", lane="live")
    run = Run.objects.create(
        flow=flow, trigger="person", status="done", outcome="good", seen=3, created=3, queued_at=AT
    )
    for number, closed in (("1", None), ("2", AT)):
        Finding.objects.create(
            channel=shop, code="unknown_sku", subject=f"sale:{number}", severity="error", first_at=AT, last_at=AT,
            closed_at=closed, run=run,
        )  # fmt: skip
    client = with_token(Scope.RUNS_READ)
    shown = client.get(f"/api/v1/runs/{run.pk}").json()
    assert (shown["channel"], shown["flow"], shown["seen"], shown["created"]) == (shop.pk, "pull_sales", 3, 3)
    assert client.get("/api/v1/runs?flow=push_stock").json()["items"] == []
    assert [one["subject"] for one in client.get("/api/v1/findings").json()["items"]] == ["sale:1"]
    assert [one["subject"] for one in client.get("/api/v1/findings?open=false").json()["items"]] == ["sale:2"]


@pytest.mark.parametrize(
    "query", ["after=nonsense", "after=WyJ4Il0", "after=W251bGxd", "limit=0", "limit=100000", "limit=many", "channel=x"]
)
def test_a_query_that_makes_no_sense_names_its_place(with_token: Asker, query: str) -> None:
    answer = with_token(Scope.RUNS_READ).get(f"/api/v1/runs?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_input")
    assert query.partition("=")[0] in str(answer.json()["facts"])


def test_a_page_of_orders_costs_the_same_statements_however_long(
    with_token: Asker, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    client = with_token(Scope.ORDERS_READ)
    mug = variant("A")
    for number in range(20):
        row = order(f"C-{number}")
        Line.objects.create(
            order=row, position=1, kind="goods", variant=mug, name="A", quantity=1, unit_price=1, total=1
        )
    client.get("/api/v1/orders")  # notes the use of the token
    with django_assert_max_num_queries(6):
        assert len(client.get("/api/v1/orders").json()["items"]) == 20


# Errors and the description


def every_error() -> set[type[ComptoirError]]:
    """Each class of ours below ComptoirError, once every module that could define one is imported."""
    for found in pkgutil.walk_packages(comptoir.__path__, "comptoir."):
        if found.name.rpartition(".")[2] != "__main__" and ".migrations" not in found.name:
            importlib.import_module(found.name)

    def below(kind: type[ComptoirError]) -> set[type[ComptoirError]]:
        return {one for child in kind.__subclasses__() for one in {child, *below(child)}}

    return {kind for kind in below(ComptoirError) if kind.__module__.startswith("comptoir.")}


def test_every_error_has_a_status() -> None:
    assert {kind.__qualname__ for kind in every_error() if errors.status_of(kind) is None} == set()


def test_an_error_nobody_foresaw_is_a_problem_that_tells_nothing(rf: Any) -> None:
    answer = api.on_exception(rf.get("/api/v1/runs"), RuntimeError("the password is hunter2"))
    assert answer.status_code == 500
    assert b"hunter2" not in answer.content


def test_the_description_is_served_and_names_every_list(client: Client) -> None:
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert {f"/api/v1/{name}" for name in LISTS} <= set(answer.json()["paths"])
    assert client.get("/api/v1/docs").status_code == 404
