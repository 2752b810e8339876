"""The simulated REST API under /rest: who asks, what is asked, what is saved, and the answers in Magento's words."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from comptoir.connectors.magento.simulator import search
from comptoir.connectors.magento.simulator import world as worlds
from comptoir.connectors.magento.simulator.auth import Guard, Keys, unauthorized
from comptoir.connectors.magento.simulator.catalogue import TAX_CLASSES
from comptoir.connectors.magento.simulator.ordering import TAX
from comptoir.connectors.magento.simulator.problem import Problem, no_such
from comptoir.connectors.magento.simulator.shop import ACTIONS, Shop
from comptoir.connectors.magento.simulator.store import Row, plain, text
from comptoir.connectors.magento.simulator.trade import Trade
from comptoir.simulators.counters import Written
from comptoir.simulators.exchange import Answer, Request
from comptoir.simulators.simulator import Simulator, query_text

_encode = msgspec.json.Encoder(decimal_format="number").encode
_PATH = re.compile(r"^/rest(?:/(?P<store>[a-z][a-z0-9_]*))?(?P<mode>/async/bulk|/async)?/V1/(?P<rest>.+)$")
_BY = "|".join(("bySku", "byOrderId", "byItemId"))
COMPLETE, RETRIABLE, NOT_RETRIABLE, OPEN = 1, 2, 3, 4  # of an operation of a bulk


@dataclass(frozen=True)
class Route:
    """One path: its method, the right it needs, whether it writes, what answers."""

    method: str
    pattern: re.Pattern[str]
    right: str
    resource: str
    answer: Callable[..., Any]
    writes: bool = False
    inventory: bool = False  # there only with MSI


ROUTES: list[Route] = []


def route(
    method: str, path: str, right: str, resource: str, *, writes: bool = False, inventory: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare what answers a path; `{name}` is a part of it, a SKU with slashes too."""
    pattern = re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>.+)", path) + "$")

    def declared(function: Callable[..., Any]) -> Callable[..., Any]:
        ROUTES.append(Route(method, pattern, right, resource, function, writes, inventory))
        return function

    return declared


class MagentoSimulator(Trade, Simulator):
    """A Magento shop with its REST API under /rest."""

    kind: ClassVar[str] = "magento"

    def __init__(
        self,
        version: str = "2.4.8",
        world: str = "demo",
        key: str = Keys.demo.access_token,
        timezone: str = "Europe/London",
        *,
        state: Path | None = None,
        currency: str = "GBP",
        seed: int = 0,
        msi: bool = True,
        bearer: bool = False,
    ) -> None:
        super().__init__(seed=seed)
        self.version = version
        self.keys = Keys(access_token=key)
        self.guard = Guard(self.keys)
        self.state = Shop(self.clock, timezone=timezone, version=version, path=state, currency=currency)
        self.state.quirks.last_page_forever = _number(version) < (2, 4, 7)
        self.state.quirks.bearer = bearer or _number(version) < (2, 4, 4)
        self.state.quirks.msi = msi
        self.counters.restore(self.state.store.log())
        if state is not None:
            self.counters.keep = self.state.store.keep
        if self.state.store.value("SELECT value FROM meta WHERE name = 'world'") is None:
            with self.state.store.transaction():
                worlds.WORLDS[world](self.state, seed)
                self.state.store.set("world", world)

    # Harness ----------------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """What a client needs to connect."""
        return {
            "kind": self.kind,
            "key": self.keys.access_token,
            **asdict(self.keys),
            "version": self.version,
            "timezone": self.state.timezone,
        }

    def act(self, action: str, arguments: dict[str, Any]) -> Any:
        """A shop action by name."""
        if action not in ACTIONS:
            raise KeyError(f"no action {action}; known: {', '.join(ACTIONS)}")
        return getattr(self.state, action)(**arguments)

    def dump(self) -> dict[str, Any]:
        """Goods, stock, orders."""
        return self.state.dump()

    def close(self) -> None:
        """Let go of the state file."""
        self.state.store.close()

    # One request ------------------------------------------------------------------------------------------------

    def answer(self, request: Request, fault: str) -> Answer:
        """Answer one request to the shop."""
        path = request.path
        if path.startswith("/media/catalog/product"):
            return self._picture(path.removeprefix("/media/catalog/product"))
        call = Call(self, request, fault)
        try:
            status, content = call.answer()
        except Problem as problem:
            status, content = problem.status, _told(problem)
        if fields := request.parameter("fields"):
            content = search.project(content, fields) if status == 200 else content
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Date": format_datetime(self.clock.now(), usegmt=True),
            "X-Magento-Cache-Debug": "MISS",
        }
        return Answer(status, headers, _encode(content))

    def _picture(self, file: str) -> Answer:
        content = self.state.picture(file)
        self.counters.read("media", [file])
        if content is None:
            return Answer(404, {"Content-Type": "text/html"}, b"<html><body>404 Not Found</body></html>")
        return Answer(200, {"Content-Type": "image/png"}, content)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _told(problem: Problem) -> Row:
    told: Row = {"message": problem.message}
    if problem.errors:
        told["errors"] = list(problem.errors)
    if problem.parameters:
        told["parameters"] = problem.parameters if isinstance(problem.parameters, Mapping) else list(problem.parameters)
    return told


class Call:
    """One exchange: found, let in, answered, counted."""

    def __init__(self, simulator: MagentoSimulator, request: Request, fault: str) -> None:
        self.simulator = simulator
        self.shop = simulator.state
        self.store = simulator.state.store
        self.request = request
        self.fault = fault
        self.resource = ""

    def answer(self) -> tuple[int, Any]:
        """Status and content."""
        place = _PATH.match(self.request.path)
        if place is None:
            raise Problem(404, "Request does not match any route.")
        mode = (place["mode"] or "").removeprefix("/async") if place["mode"] else None
        rest = place["rest"].rstrip("/")
        if mode is not None:
            rest = re.sub(rf"/({_BY})\b", "/{}", rest)
        found = self._route(rest)
        if place["store"] not in (None, "all", *(one["code"] for one in self.shop.stores)):
            raise Problem(404, "The store that was requested wasn't found. Verify the store and try again.")
        self.resource = found[0].resource
        self._let_in(found[0].right)
        if mode is not None:
            return self._later(found[0], bulk=mode == "/bulk")
        if found[0].writes:
            return self._write(*found)
        return 200, found[0].answer(self, **found[1])

    def _route(self, rest: str) -> tuple[Route, dict[str, str]]:
        for one in ROUTES:
            there = one.pattern.match(rest)
            if there and one.method == self.request.method and (self.shop.msi or not one.inventory):
                return one, there.groupdict()
        raise Problem(404, "Request does not match any route.")

    def _let_in(self, right: str) -> None:
        if self.store.setting("revoked"):
            raise unauthorized(right)
        self.simulator.guard.check(self.request, bearer=self.shop.quirks.bearer, right=right)
        if right in self.store.setting("without").split(","):
            raise unauthorized(right)

    @property
    def body(self) -> Any:
        """The body of a write."""
        try:
            return json.loads(self.request.body)
        except ValueError as error:
            raise Problem(400, "Decoding error: \n%1", [str(error)]) from error

    def part(self, name: str) -> Any:
        """A part of the body without which nothing goes."""
        if not isinstance(self.body, dict) or name not in self.body:
            raise Problem(400, '"%fieldName" is required. Enter and try again.', {"fieldName": name})
        return self.body[name]

    # Writing ------------------------------------------------------------------------------------------------------

    def _write(self, found: Route, places: dict[str, str]) -> tuple[int, Any]:
        status, content = 200, None
        # One piece, with its log: every acknowledged write is in the file before the answer leaves.
        with self.store.recorded() as changes:
            try:
                with self.store.transaction():
                    content = found.answer(self, **places)
                    self._log(200, list(changes))
            except Problem as problem:
                changes.clear()
                status, content = problem.status, _told(problem)
                self._log(status, [])
        return status, content

    def _log(self, status: int, changes: list[dict[str, Any]]) -> None:
        counters = self.simulator.counters
        counters.wrote(
            Written(
                seq=counters.next_seq(),
                at=self.simulator.clock.now().isoformat(),
                method=self.request.method,
                path=self.request.path,
                query=query_text(self.request),
                resource=self.resource,
                ids=[one["id"] for one in changes],
                digest=hashlib.sha256(self.request.body).hexdigest(),
                status=status,
                changes=changes,
                fault=self.fault,
            )
        )

    # Asynchronous ---------------------------------------------------------------------------------------------------

    def _later(self, found: Route, *, bulk: bool) -> tuple[int, Any]:
        if not found.writes:
            raise Problem(404, "Request does not match any route.")
        bodies = self.body if bulk else [self.body]
        if not isinstance(bodies, list):
            raise Problem(400, "Request body should be an array")
        name = str(uuid.UUID(int=self.store.next("bulk")))
        with self.store.recorded() as changes, self.store.transaction():
            for number, body in enumerate(bodies):
                self.store.execute(
                    "INSERT INTO operations VALUES (?, ?, ?, '', ?, ?, ?)",
                    (number, name, OPEN, found.resource, text(body), self.shop.stamp()),
                )
            self.store.record("bulk", name, None, len(bodies))
            self._log(202, list(changes))
        hashed = hashlib.sha256(self.request.body).hexdigest()
        items = [{"id": number, "data_hash": hashed, "status": "accepted"} for number in range(len(bodies))]
        return 202, {"bulk_uuid": name, "request_items": items, "errors": False}

    def consume(self) -> None:
        """The consumer, if it runs, works off what waits; it is woken by whoever asks how far it is."""
        if not self.shop.quirks.consumer:
            return
        for row in self.store.rows("SELECT * FROM operations WHERE status = ?", (OPEN,)):
            status, message = COMPLETE, ""
            try:
                with self.store.recorded() as changes, self.store.transaction():
                    if row["topic"] != "source_items":
                        raise Problem(400, "Only source items are worked off here")
                    self.shop.write_source_items(_items_of(json.loads(row["body"])))
                    self.simulator.counters.effects.update(str(one["resource"]) for one in changes)
            except Problem as problem:
                status, message = NOT_RETRIABLE, problem.message
            self.store.execute(
                "UPDATE operations SET status = ?, message = ? WHERE uuid = ? AND id = ?",
                (status, message, row["uuid"], row["id"]),
            )

    # Lists ----------------------------------------------------------------------------------------------------------

    def listing(
        self,
        table: str,
        columns: Mapping[str, str],
        show: Callable[[Row], Any],
        *,
        key: str = "entity_id",
        identity: Callable[[Row], Any] | None = None,
    ) -> Row:
        """A page of a table by the criteria of the request."""
        criteria = search.parse(self.request.query)
        quirks = self.shop.quirks
        if quirks.input_limit and criteria.page_size > 300:
            raise Problem(400, "Maximum SearchCriteria pageSize is %max", {"max": 300})
        condition, values = search.where(criteria, columns)
        total = int(self.store.value(f"SELECT count(*) FROM {table} WHERE {condition}", values))
        wanted = search.order(criteria, columns)
        if not wanted:
            wanted = "random()" if quirks.shuffles_unsorted else key
        page = criteria.page
        size = criteria.page_size or max(total, 1)
        last = max(1, -(-total // size))
        if page > last and quirks.last_page_forever:
            page = last
        statement = f"SELECT * FROM {table} WHERE {condition} ORDER BY {wanted} LIMIT ? OFFSET ?"
        rows = self.store.rows(statement, [*values, size, (page - 1) * size])
        self.simulator.counters.read(
            self.resource, [identity(row) if identity else row[key] for row in rows], query_text(self.request)
        )
        items = [show(row) for row in rows]
        return {
            "items": None if quirks.items_null and not items else items,
            "search_criteria": _echo(criteria),
            "total_count": total,
        }

    def given(self, rows: Sequence[Row], key: str = "id") -> Row:
        """A short list that is no table."""
        self.simulator.counters.read(self.resource, [row.get(key) for row in rows])
        criteria = search.parse(self.request.query)
        size = criteria.page_size or max(len(rows), 1)
        start = (criteria.page - 1) * size
        items = list(rows[start : start + size])
        return {"items": items, "search_criteria": _echo(criteria), "total_count": len(rows)}

    def bare(self, value: Any) -> Any:
        """A scalar, in quotes where this shop puts them."""
        return str(value) if self.shop.quirks.quoted_scalars and not isinstance(value, bool) else value


def _echo(criteria: search.Criteria) -> Row:
    """What was asked, as the answer repeats it."""
    return {
        "filter_groups": [
            {"filters": [{"field": one.field, "value": one.value, "condition_type": one.condition} for one in group]}
            for group in criteria.groups
        ],
        "sort_orders": [{"field": name, "direction": direction} for name, direction in criteria.sorts],
        "page_size": criteria.page_size or None,
        "current_page": criteria.page,
    }


PRODUCT_COLUMNS = {
    **{name: name for name in ("entity_id", "sku", "type_id", "name", "price", "status", "visibility", "created_at", "updated_at")},
    "website_id": "1", "store_id": "1",
}  # fmt: skip
ORDER_COLUMNS = {
    name: name for name in ("entity_id", "increment_id", "state", "status", "store_id", "created_at", "updated_at")
}

# Store --------------------------------------------------------------------------------------------------------------


@route("GET", "store/storeConfigs", "Magento_Backend::store", "store")
def _store_configs(call: Call) -> Any:
    call.simulator.counters.read("store", [1])
    base = call.request.base_url
    return [
        {
            "id": one["id"], "code": one["code"], "website_id": call.shop.websites.index(one["website"]) + 1,
            "locale": "en_GB", "base_currency_code": call.shop.currency, "weight_unit": "kgs",
            "default_display_currency_code": call.shop.currency, "timezone": call.shop.timezone,
            "base_url": f"{base}/", "base_link_url": f"{base}/", "base_static_url": f"{base}/static/",
            "base_media_url": f"{base}/media/", "secure_base_url": f"{base}/", "secure_base_link_url": f"{base}/",
            "secure_base_static_url": f"{base}/static/", "secure_base_media_url": f"{base}/media/",
        }
        for one in call.shop.stores
    ]  # fmt: skip


@route("GET", "store/storeViews", "Magento_Backend::store", "store")
def _store_views(call: Call) -> Any:
    return [{"id": 0, "code": "admin", "name": "Admin", "website_id": 0, "store_group_id": 0, "is_active": 1}] + [
        {
            "id": one["id"], "code": one["code"], "name": one["name"], "store_group_id": one["id"], "is_active": 1,
            "website_id": call.shop.websites.index(one["website"]) + 1,
        }
        for one in call.shop.stores
    ]  # fmt: skip


@route("GET", "store/websites", "Magento_Backend::store", "store")
def _websites(call: Call) -> Any:
    return [{"id": 0, "code": "admin", "name": "Admin", "default_group_id": 0}] + [
        {"id": place, "code": code, "name": code, "default_group_id": place}
        for place, code in enumerate(call.shop.websites, start=1)
    ]


# Catalogue ----------------------------------------------------------------------------------------------------------


@route("GET", "products", "Magento_Catalog::products", "products")
def _products(call: Call) -> Any:
    return call.listing("products", PRODUCT_COLUMNS, call.shop.shown_product)


@route("GET", "products/attributes/{code}/options", "Magento_Catalog::attributes_attributes", "attributes")
def _options(call: Call, code: str) -> Any:
    return call.shop.shown_attribute(code)["options"]


@route("GET", "products/attributes", "Magento_Catalog::attributes_attributes", "attributes")
def _attributes(call: Call) -> Any:
    known = json.loads(call.store.setting("options", "{}"))
    return call.given([call.shop.shown_attribute(code) for code in known], "attribute_code")


@route("GET", "products/attributes/{code}", "Magento_Catalog::attributes_attributes", "attributes")
def _attribute(call: Call, code: str) -> Any:
    return call.shop.shown_attribute(code)


@route("POST", "products/base-prices-information", "Magento_Catalog::products", "prices")
def _prices_there(call: Call) -> Any:
    rows = [call.shop.by_sku(str(sku)) for sku in call.part("skus")]
    if None in rows:
        raise Problem(400, "Requested product doesn't exist: %sku", {"sku": call.part("skus")[rows.index(None)]})
    call.simulator.counters.read("prices", call.part("skus"))
    return [
        {"price": plain(row["price"]), "store_id": 0, "sku": row["sku"]}
        for row in rows
        if row is not None and row["price"] is not None
    ]


ROW = "Row ID: SKU = %SKU, Store ID: %storeId."  # of a price; what belongs in it comes in order, without names


@route("POST", "products/base-prices", "Magento_Catalog::products", "prices", writes=True)
def _set_prices(call: Call) -> Any:
    """Rows that are wrong come back with their words; the others are saved."""
    wrong = []
    for one in call.part("prices"):
        row = call.shop.by_sku(str(one.get("sku", "")))
        where = [str(one.get("sku")), str(one.get("store_id"))]
        if row is None or row["type_id"] in ("configurable", "grouped"):
            wrong.append({"message": f"The product that was requested doesn't exist. {ROW}", "parameters": where})
        elif Decimal(str(one.get("price"))) < 0:
            message = f"Invalid attribute %fieldName = %fieldValue. {ROW}"
            wrong.append({"message": message, "parameters": ["Price", str(one["price"]), *where]})
        else:
            call.shop.set_price(row, Decimal(str(one["price"])))
    return wrong


@route("GET", "products/{sku}/media", "Magento_Catalog::products", "media")
def _media(call: Call, sku: str) -> Any:
    return _one_product(call, sku)["media_gallery_entries"]


@route("GET", "products/{sku}", "Magento_Catalog::products", "products")
def _product(call: Call, sku: str) -> Any:
    return _one_product(call, sku)


def _one_product(call: Call, sku: str) -> Any:
    row = call.shop.by_sku(sku)
    if row is None:
        raise Problem(404, "The product that was requested doesn't exist. Verify the product and try again.")
    call.simulator.counters.read("products", [row["entity_id"]])
    return call.shop.shown_product(row, whole=True)


@route("GET", "configurable-products/{sku}/children", "Magento_Catalog::products", "products")
def _children(call: Call, sku: str) -> Any:
    row = call.shop.by_sku(sku)
    if row is None or row["type_id"] != "configurable":
        raise no_such(sku=sku)
    return [call.shop.shown_product(call.shop.product(one)) for one in row["doc"]["children"]]


@route("GET", "categories/list", "Magento_Catalog::categories", "categories")
def _categories(call: Call) -> Any:
    return call.given(call.shop.shown_categories())


@route("GET", "taxClasses/search", "Magento_Tax::manage_tax", "tax")
def _tax_classes(call: Call) -> Any:
    return call.given(
        [{"class_id": one, "class_name": name, "class_type": kind} for one, name, kind in TAX_CLASSES if one],
        "class_id",
    )


@route("GET", "taxRules/search", "Magento_Tax::manage_tax", "tax")
def _tax_rules(call: Call) -> Any:
    return call.given(
        [
            {
                "id": 1, "code": "Standard", "priority": 0, "position": 0, "customer_tax_class_ids": [3],
                "product_tax_class_ids": [2], "tax_rate_ids": [1], "calculate_subtotal": False,
            }
        ]
    )  # fmt: skip


@route("GET", "taxRates/search", "Magento_Tax::manage_tax", "tax")
def _tax_rates(call: Call) -> Any:
    return call.given(
        [
            {
                "id": 1,
                "tax_country_id": "GB",
                "tax_region_id": 0,
                "tax_postcode": "*",
                "rate": plain(TAX),
                "code": "GB",
                "titles": [],
            }
        ]
    )


# Stock --------------------------------------------------------------------------------------------------------------


@route("GET", "inventory/sources", "Magento_InventoryApi::source", "sources", inventory=True)
def _sources(call: Call) -> Any:
    return call.listing(
        "sources",
        {"source_code": "source_code", "enabled": "enabled", "name": "name"},
        lambda row: {
            "source_code": row["source_code"], "name": row["name"], "enabled": bool(row["enabled"]), **json.loads(row["doc"]),
        },
        key="source_code",
    )  # fmt: skip


@route("GET", "inventory/stocks", "Magento_InventoryApi::stock", "stocks", inventory=True)
def _stocks(call: Call) -> Any:
    return call.listing(
        "stocks",
        {"stock_id": "stock_id", "name": "name"},
        lambda row: {
            "stock_id": row["stock_id"],
            "name": row["name"],
            "extension_attributes": {
                "sales_channels": [{"type": "website", "code": one} for one in json.loads(row["websites"])]
            },
        },
        key="stock_id",
    )


@route("GET", "inventory/stock-source-links", "Magento_InventoryApi::stock_source_link", "stocks", inventory=True)
def _links(call: Call) -> Any:
    columns = {name: name for name in ("stock_id", "source_code", "priority")}
    return call.listing("stock_links", columns, dict, key="stock_id")


@route("GET", "inventory/source-items", "Magento_InventoryApi::source", "source_items", inventory=True)
def _source_items(call: Call) -> Any:
    return call.listing(
        "source_items",
        {name: name for name in ("sku", "source_code", "quantity", "status")},
        lambda row: {
            "sku": row["sku"], "source_code": row["source_code"], "quantity": plain(row["quantity"]), "status": row["status"],
        },
        key="id",
        identity=lambda row: f"{row['source_code']}/{row['sku']}",
    )  # fmt: skip


@route("POST", "inventory/source-items", "Magento_InventoryApi::stock_source_item_assign", "source_items",
       writes=True, inventory=True)  # fmt: skip
def _write_source_items(call: Call) -> Any:
    quirks = call.shop.quirks
    if quirks.deadlocks > 0:
        quirks.deadlocks -= 1
        message = "SQLSTATE[40001]: Serialization failure: 1213 Deadlock found when trying to get lock; try restarting transaction"
        raise Problem(500, message)
    call.shop.write_source_items(_items_of(call.body), limit=quirks.input_limit)
    return []


def _items_of(body: Any) -> Any:
    if not isinstance(body, dict) or ("sourceItems" not in body and "source_items" not in body):
        raise Problem(400, '"%fieldName" is required. Enter and try again.', {"fieldName": "sourceItems"})
    return body.get("sourceItems", body.get("source_items"))


@route("GET", "inventory/get-product-salable-quantity/{sku}/{stock}", "Magento_InventorySalesApi::stock", "salable",
       inventory=True)  # fmt: skip
def _salable(call: Call, sku: str, stock: str) -> Any:
    return call.bare(plain(call.shop.salable(sku, int(stock))))


@route("GET", "stockItems/{sku}", "Magento_CatalogInventory::cataloginventory", "stock_items")
def _stock_item(call: Call, sku: str) -> Any:
    row = call.shop.by_sku(sku)
    if row is None:
        raise no_such(sku=sku)
    call.simulator.counters.read("stock_items", [f"legacy/{row['sku']}"])
    return call.shop.shown_product(row, whole=True)["extension_attributes"]["stock_item"]


@route(
    "PUT", "products/{sku}/stockItems/{item}", "Magento_CatalogInventory::cataloginventory", "stock_items", writes=True
)
def _write_stock_item(call: Call, sku: str, item: str) -> Any:
    row = call.shop.by_sku(sku)
    if row is None or str(row["entity_id"]) != item:
        raise no_such(sku=sku)
    given = call.part("stockItem")
    call.shop.set_quantity(row["sku"], float(given["qty"]), status=int(bool(given.get("is_in_stock"))))
    return call.bare(row["entity_id"])


# Orders -------------------------------------------------------------------------------------------------------------


@route("GET", "orders", "Magento_Sales::actions_view", "orders")
def _orders(call: Call) -> Any:
    return call.listing("orders", ORDER_COLUMNS, lambda row: call.shop.shown_order(row["entity_id"]))


@route("GET", "orders/{order}", "Magento_Sales::actions_view", "orders")
def _order(call: Call, order: str) -> Any:
    shown = call.shop.shown_order(_id(order))
    call.simulator.counters.read("orders", [shown["entity_id"]])
    return shown


@route("POST", "orders/{order}/comments", "Magento_Sales::comment", "comments", writes=True)
def _comment(call: Call, order: str) -> Any:
    given = call.part("statusHistory")
    call.shop.add_comment(_id(order), str(given.get("comment") or ""), str(given.get("status") or ""))
    return True


@route("POST", "orders/{order}/cancel", "Magento_Sales::cancel", "orders", writes=True)
def _cancel(call: Call, order: str) -> Any:
    return call.shop.cancel_order(_id(order))


@route("POST", "order/{order}/invoice", "Magento_Sales::invoice", "invoices", writes=True)
def _invoice(call: Call, order: str) -> Any:
    return call.bare(call.shop.invoice(_id(order), call.body.get("items") or ()))


@route("POST", "order/{order}/ship", "Magento_Sales::ship", "shipments", writes=True)
def _ship(call: Call, order: str) -> Any:
    given = call.body
    extension = (given.get("arguments") or {}).get("extension_attributes") or {}
    return call.bare(
        call.shop.ship_order(
            _id(order),
            given.get("items") or (),
            tracks=given.get("tracks") or (),
            source=str(extension.get("source_code") or ""),
            comment=str((given.get("comment") or {}).get("comment") or ""),
        )
    )


@route("GET", "shipments", "Magento_Sales::shipment", "shipments")
def _shipments(call: Call) -> Any:
    columns = {name: name for name in ("entity_id", "order_id", "created_at")}
    return call.listing("shipments", columns, call.shop.shown_shipment)


@route("POST", "shipment/track", "Magento_Sales::shipment", "shipments", writes=True)
def _track(call: Call) -> Any:
    given = call.part("entity")
    for name in ("order_id", "parent_id", "track_number", "title", "carrier_code", "qty", "weight", "description"):
        if name not in given:
            raise Problem(400, '"%fieldName" is required. Enter and try again.', {"fieldName": name})
    return call.shop.add_track(int(given["parent_id"]), given)


# Bulk ---------------------------------------------------------------------------------------------------------------


def _operations(call: Call, name: str) -> list[Row]:
    call.consume()
    rows = call.store.rows("SELECT * FROM operations WHERE uuid = ? ORDER BY id", (name,))
    if not rows:
        raise no_such(bulk_uuid=name)
    return rows


BULK = "Magento_Logging::system_magento_logging_bulk_operations"


@route("GET", "bulk/{name}/status", BULK, "bulk")
def _bulk_status(call: Call, name: str) -> Any:
    rows = _operations(call, name)
    return {
        "bulk_id": name, "operation_count": len(rows), "user_id": 1, "user_type": 1, "start_time": rows[0]["started_at"],
        "description": f"Topic {rows[0]['topic']}",
        "operations_list": [
            {"id": row["id"], "status": row["status"], "result_message": row["message"] or None, "error_code": None}
            for row in rows
        ],
    }  # fmt: skip


@route("GET", "bulk", BULK, "bulk")
def _bulks(call: Call) -> Any:
    call.consume()
    rows = call.store.rows("SELECT * FROM operations ORDER BY started_at DESC, uuid DESC, id")
    return call.given(
        [
            {"id": row["id"], "bulk_uuid": row["uuid"], "topic_name": row["topic"], "status": row["status"],
             "serialized_data": row["body"], "result_message": row["message"] or None, "error_code": None}
            for row in rows
        ]
    )  # fmt: skip


def _id(part: str) -> int:
    if not part.isdigit():
        raise no_such(entityId=part)
    return int(part)
