"""What each route of the REST API does, in the shop's own words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from comptoir.connectors.woocommerce.simulator.auth import Caller, Problem
from comptoir.connectors.woocommerce.simulator.goods import PRODUCT
from comptoir.connectors.woocommerce.simulator.hooks import TOPICS
from comptoir.connectors.woocommerce.simulator.shop import (
    GATEWAYS,
    HIDDEN_STATUSES,
    SETTINGS,
    TAX_CLASSES,
    TAXES,
    ZONES,
)
from comptoir.connectors.woocommerce.simulator.state import Shop
from comptoir.connectors.woocommerce.simulator.store import Row, opened
from comptoir.simulators.counters import Counters
from comptoir.simulators.exchange import Request

MOST_IN_BATCH = 100
ROUTES: list[tuple[str, str, Callable[[Call], Any]]] = []
ORDERBY = {"id": "id", "date": "created", "title": "id", "slug": "id", "include": "id"}


class Call:
    """One call to one route; `saves` says whose saving code it reached, for the counters."""

    def __init__(
        self, shop: Shop, counters: Counters, request: Request, parts: tuple[str, ...], who: Caller | None
    ) -> None:
        self.shop, self.counters, self.request, self.who = shop, counters, request, who
        self.numbers = tuple(int(part) for part in parts if part.isdigit())
        self.names = tuple(part for part in parts if not part.isdigit())
        self.query = dict(request.query)
        self.headers: dict[str, str] = {}
        self.status = 200
        self.saves = ""
        self.ids: list[Any] = []

    def may(self, right: str) -> None:
        """Refuse strangers, and keys without the right."""
        reads = right == "read"
        if self.who is None:
            what = ("view", "list resources") if reads else ("create", "create resources")
            raise Problem(401, f"woocommerce_rest_cannot_{what[0]}", f"Sorry, you cannot {what[1]}.")
        if not (self.who.reads if reads else self.who.writes):
            raise Problem(
                401,
                "woocommerce_rest_authentication_error",
                f"The API key provided does not have {right} permissions.",
            )

    def must_manage(self) -> None:
        """Settings, webhooks and the like are for those who manage the shop."""
        if self.who is None or not self.who.manages:
            raise Problem(403, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")

    @property
    def body(self) -> Row:
        """What was sent, as JSON."""
        if not self.request.body:
            return {}
        try:
            found = json.loads(self.request.body)
        except ValueError as error:
            raise Problem(400, "rest_invalid_json", "Invalid JSON body passed.") from error
        return found if isinstance(found, dict) else {}

    def find(self, kind: str, identity: int, *, parent: int | None = None) -> Row:
        """An object that is there; the bin is there too."""
        row = self.shop.store.find(kind, identity)
        if row is None or (parent is not None and row["parent"] != parent):
            prefix = "shop_order" if kind == "order" else kind
            raise Problem(404, f"woocommerce_rest_{prefix}_invalid_id", "Invalid ID.")
        return row

    def read(self, resource: str, ids: list[Any]) -> None:
        """Count what goes over the wire."""
        self.counters.read(resource, ids, "&".join(f"{name}={text}" for name, text in self.request.query))

    # Lists -----------------------------------------------------------------------------------------------------

    def listed(self, kind: str, conditions: list[tuple[str, list[Any]]], default: str = "date") -> list[Row]:
        """A page of a list with its headers."""
        where = ["kind = ?"] + [sql for sql, _ in conditions]
        values: list[Any] = [kind] + [value for _, given in conditions for value in given]
        include = self._ids("include")
        if include:
            where.append(f"id IN ({','.join('?' * len(include))})")
            values += include
        if exclude := self._ids("exclude"):
            where.append(f"id NOT IN ({','.join('?' * len(exclude))})")
            values += exclude
        clause = " AND ".join(where)
        total = int(self.shop.store.value(f"SELECT count(*) FROM objects WHERE {clause}", values))
        size = self._number("per_page", 10, 1, 100)
        page = self._number("page", 1, 1, 10**9)
        skip = self._number("offset", (page - 1) * size, 0, 10**9)
        self.headers |= {"X-WP-Total": str(total), "X-WP-TotalPages": str(-(-total // size))}
        self._link(page, size, total)
        rows = self.shop.store.rows(
            f"SELECT * FROM objects WHERE {clause} ORDER BY {self._order(default)} LIMIT ? OFFSET ?",
            [*values, size, skip],
        )
        return [opened(row) for row in rows]

    def dated(self) -> list[tuple[str, list[Any]]]:
        """The four filters on dates. A zone in the value is ignored; they compare with the site's time unless told otherwise."""
        gmt = self.says_yes("dates_are_gmt")
        conditions = []
        for name, column, sign in (
            ("after", "created", ">"),
            ("before", "created", "<"),
            ("modified_after", "modified", ">"),
            ("modified_before", "modified", "<"),
        ):
            if name not in self.query or (self.shop.quirks.ignores_modified and column == "modified"):
                continue
            text = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", self.query[name])
            if text is None:
                raise _invalid(name, "Invalid date.")
            conditions.append((f"{column}{'' if gmt else '_here'} {sign} ?", [text[0]]))
        return conditions

    def trimmed(self, shown: list[Row]) -> list[Row]:
        """Only the fields that were asked for."""
        if not self.query.get("_fields"):
            return shown
        wanted = {name.strip().split(".")[0] for name in self.query["_fields"].split(",")}
        return [{name: value for name, value in one.items() if name in wanted} for one in shown]

    def says_yes(self, name: str) -> bool:
        """A parameter that is true or false."""
        return self.query.get(name, "").lower() in ("true", "1")

    def decimals(self) -> int:
        """`dp`."""
        return self._number("dp", 2, 0, 12)

    def _order(self, default: str) -> str:
        by = self.query.get("orderby", default)
        columns = {**ORDERBY, **({"modified": "modified"} if self.shop.at_least(8) else {})}
        if by not in columns:
            raise _invalid("orderby", f"orderby is not one of {', '.join(columns)}.")
        way = self.query.get("order", "desc").upper()
        if way not in ("ASC", "DESC"):
            raise _invalid("order", "order is not one of asc, desc.")
        return f"{columns[by]} {way}, id {way}"

    def _ids(self, name: str) -> list[int]:
        return [int(one) for one in self.query.get(name, "").split(",") if one.strip().isdigit()]

    def _number(self, name: str, default: int, least: int, most: int) -> int:
        text = self.query.get(name)
        if text is None:
            return default
        if not text.isdigit() or not least <= int(text) <= most:
            raise _invalid(name, f"{name} must be between {least} (inclusive) and {most} (inclusive)")
        return int(text)

    def _link(self, page: int, size: int, total: int) -> None:
        last = -(-total // size)
        links = []
        for rel, number in (("prev", page - 1), ("next", page + 1)):
            if 1 <= number <= last:
                links.append(f'<{self.request.base_url}{self.request.path}?page={number}>; rel="{rel}"')
        if links:
            self.headers["Link"] = ", ".join(links)


def _invalid(name: str, why: str) -> Problem:
    return Problem(
        400,
        "rest_invalid_param",
        f"Invalid parameter(s): {name}",
        {"status": 400, "params": {name: why}, "details": {}},
    )


def route(method: str, pattern: str) -> Callable[[Callable[[Call], Any]], Callable[[Call], Any]]:
    """Register a handler; numbers in the pattern are `call.numbers`."""

    def register(handler: Callable[[Call], Any]) -> Callable[[Call], Any]:
        ROUTES.append((method, pattern.replace("<id>", r"(\d+)"), handler))
        return handler

    return register


# -- products ------------------------------------------------------------------------------------------------------------


@route("GET", "/wc/v3/products")
def products(call: Call) -> list[Row]:
    """Products, without the bin unless it is asked for."""
    status = call.query.get("status", "any")
    conditions = call.dated()
    conditions.append(("status NOT IN ('trash', 'auto-draft')", []) if status == "any" else ("status = ?", [status]))
    if skus := [one for one in call.query.get("sku", "").split(",") if one]:
        conditions.append((f"sku IN ({','.join('?' * len(skus))})", skus))
    if "type" in call.query:
        conditions.append(("json_extract(doc, '$.type') = ?", [call.query["type"]]))
    rows = call.listed("product", conditions)
    call.read("products", [row["id"] for row in rows])
    return call.trimmed([call.shop.show(row) for row in rows])


@route("POST", "/wc/v3/products")
def make_product(call: Call) -> Row:
    """A new product."""
    call.saves = "products"
    call.status = 201
    return _create_product(call, call.body)


@route("EDIT", "/wc/v3/products/batch")
def products_batch(call: Call) -> Row:
    """Many products."""
    return _batch(
        call,
        "products",
        lambda body: _create_product(call, body),
        lambda body: _update(call, call.find("product", _identity(body)), body),
        lambda identity: _trash_product(call, identity),
    )


@route("GET", "/wc/v3/products/categories")
def categories(call: Call) -> list[Row]:
    """Categories."""
    rows = call.listed("category", [], default="id")
    call.read("categories", [row["id"] for row in rows])
    return call.trimmed([call.shop.show(row) for row in rows])


@route("GET", "/wc/v3/products/<id>")
def product(call: Call) -> Row:
    """One product; a variation is found by this address too."""
    identity = call.numbers[0]
    row = call.shop.store.find("variation", identity) or call.find("product", identity)
    call.read("products", [identity])
    return call.trimmed([call.shop.show(row)])[0]


@route("EDIT", "/wc/v3/products/<id>")
def edit_product(call: Call) -> Row:
    """Change a product."""
    call.saves = "products"
    return _update(call, call.find("product", call.numbers[0]), call.body)


@route("GET", "/wc/v3/products/<id>/variations")
def variations(call: Call) -> list[Row]:
    """The variations of a product."""
    parent = call.find("product", call.numbers[0])
    rows = call.listed("variation", [("parent = ?", [parent["id"]])])
    call.read("variations", [f"{parent['id']}-{row['id']}" for row in rows])
    return call.trimmed([call.shop.show(row) for row in rows])


@route("EDIT", "/wc/v3/products/<id>/variations/batch")
def variations_batch(call: Call) -> Row:
    """Many variations of one product."""
    parent = call.find("product", call.numbers[0])["id"]
    return _batch(
        call,
        "variations",
        None,
        lambda body: _update(call, call.find("variation", _identity(body), parent=parent), body),
        None,
    )


@route("GET", "/wc/v3/products/<id>/variations/<id>")
def variation(call: Call) -> Row:
    """One variation."""
    row = call.find("variation", call.numbers[1], parent=call.numbers[0])
    call.read("variations", [f"{row['parent']}-{row['id']}"])
    return call.trimmed([call.shop.show(row)])[0]


@route("EDIT", "/wc/v3/products/<id>/variations/<id>")
def edit_variation(call: Call) -> Row:
    """Change a variation."""
    call.saves = "variations"
    return _update(call, call.find("variation", call.numbers[1], parent=call.numbers[0]), call.body)


def _identity(body: Row) -> int:
    identity = body.get("id")
    return int(str(identity)) if str(identity).isdigit() else 0


def _create_product(call: Call, body: Row) -> Row:
    if body.get("sku") and call.shop.sku_taken(body["sku"], 0):
        raise Problem(400, "product_invalid_sku", "Invalid or duplicated SKU.", {"resource_id": 0, "unique_sku": ""})
    known = {name: body[name] for name in PRODUCT if name in body and name not in ("name", "regular_price", "images")}
    made = call.shop.add_product(
        body.get("name", ""), sku=body.get("sku", ""), price=str(body.get("regular_price", "")), **known
    )
    call.ids.append(made)
    return call.shop.show(call.shop.store.get("product", made))


_PLAIN = ("name", "description", "sale_price", "regular_price", "tax_class", "weight", "backorders", "global_unique_id")


def _update(call: Call, row: Row, body: Row) -> Row:
    """Save a product or a variation: what is not sent stays."""
    shop, doc = call.shop, row["doc"]
    call.ids.append(row["id"])
    values: Row = {name: str(body[name]) for name in _PLAIN if name in body and name in doc}
    if "sku" in body and body["sku"] != row["sku"]:
        if body["sku"] and shop.sku_taken(body["sku"], row["id"]):
            raise Problem(400, "product_invalid_sku", "Invalid or duplicated SKU.", {"resource_id": row["id"]})
        values["sku"] = body["sku"]
    if "status" in body:
        values["status"] = body["status"]
    if shop.counts_stock():
        manages = doc["manage_stock"]
        if "manage_stock" in body:
            manages = False if body["manage_stock"] == "parent" else body["manage_stock"] in (True, "true", "yes", 1)
        if not manages:
            values |= {"manage_stock": False, "stock_quantity": None, "backorders": "no"}
        else:
            values["manage_stock"] = True
            if "stock_quantity" in body:
                values["stock_quantity"] = _whole(body["stock_quantity"])
            elif "inventory_delta" in body:
                values["stock_quantity"] = int(doc["stock_quantity"] or 0) + _whole(body["inventory_delta"])
    if "stock_status" in body:
        values["stock_status"] = body["stock_status"]
    shop.store.save(row, **values)
    shop.product_saved(row["parent"] if row["kind"] == "variation" else row["id"])
    return shop.show(shop.store.get(row["kind"], row["id"]))


def _whole(value: Any) -> int:
    """A quantity as PHP casts it: what is no number is nothing."""
    found = re.match(r"\s*-?\d+", str(value))
    return int(found[0]) if found else 0


def _trash_product(call: Call, identity: int) -> Row:
    call.find("product", identity)
    call.ids.append(identity)
    call.shop.trash_product(identity)
    return call.shop.show(call.shop.store.get("product", identity))


def _batch(
    call: Call,
    resource: str,
    create: Callable[[Row], Row] | None,
    update: Callable[[Row], Row],
    delete: Callable[[int], Row] | None,
) -> Row:
    """Each object by itself: the answer is 200, and what failed says so in its place."""
    body = call.body
    count = sum(len(body.get(name) or ()) for name in ("create", "update", "delete"))
    if count > MOST_IN_BATCH:
        call.saves = resource
        raise Problem(
            413,
            "woocommerce_rest_request_entity_too_large",
            f"Unable to accept more than {MOST_IN_BATCH} items for this request.",
        )
    if not count:
        return {}
    call.saves = resource
    left = call.shop.quirks.weighs or count
    answer: Row = {}
    for name, action in (("create", create), ("update", update), ("delete", delete)):
        for item in body.get(name) or ():
            if left < 1:
                raise Problem(500, "internal_server_error", "<p>There has been a critical error on this website.</p>")
            left -= 1
            identity = _identity(item) if isinstance(item, dict) else item
            try:
                if action is None:
                    raise Problem(400, "woocommerce_rest_invalid", f"this simulator has no {name} here")
                answer.setdefault(name, []).append(action(item))
            except Problem as problem:
                error = {
                    "code": problem.code,
                    "message": problem.message,
                    "data": problem.data or {"status": problem.status},
                }
                answer.setdefault(name, []).append({"id": identity, "error": error})
    return answer


# -- orders --------------------------------------------------------------------------------------------------------------


@route("GET", "/wc/v3/orders")
def orders(call: Call) -> list[Row]:
    """Orders; any status but the bin and what nobody has begun to fill in."""
    wanted = [one.strip() for one in call.query.get("status", "any").split(",")]
    if unknown := [one for one in wanted if one != "any" and one not in {*call.shop.statuses, *HIDDEN_STATUSES}]:
        raise _invalid("status", f"status[0] is not one of any, trash, {', '.join(call.shop.statuses)}: {unknown[0]}")
    conditions = call.dated()
    if "any" in wanted:
        conditions.append(("status NOT IN ('trash', 'auto-draft')", []))
    else:
        conditions.append((f"status IN ({','.join('?' * len(wanted))})", wanted))
    dp = call.decimals()
    rows = call.listed("order", conditions)
    call.read("orders", [row["id"] for row in rows])
    return call.trimmed([call.shop.show(row, dp) for row in rows])


@route("GET", "/wc/v3/orders/statuses")
def statuses(call: Call) -> list[Row]:
    """The slugs and names of every status; undocumented, and not on older versions."""
    if not call.shop.at_least(9):
        raise Problem(404, "rest_no_route", "No route was found matching the URL and request method.")
    call.read("statuses", [])
    return [{"slug": slug, "name": name} for slug, name in call.shop.statuses.items()]


@route("GET", "/wc/v3/reports/orders/totals")
def totals(call: Call) -> list[Row]:
    """How many orders are in each status."""
    call.must_manage()
    call.read("totals", [])
    count = "SELECT count(*) FROM objects WHERE kind = 'order' AND status = ?"
    return [
        {"slug": slug, "name": name, "total": call.shop.store.value(count, (slug,))}
        for slug, name in call.shop.statuses.items()
    ]


@route("GET", "/wc/v3/orders/<id>")
def order(call: Call) -> Row:
    """One order, in the bin or not."""
    row = call.find("order", call.numbers[0])
    call.read("orders", [row["id"]])
    return call.trimmed([call.shop.show(row, call.decimals())])[0]


@route("EDIT", "/wc/v3/orders/<id>")
def edit_order(call: Call) -> Row:
    """Change an order: its status with all that follows, its meta data."""
    row = call.find("order", call.numbers[0])
    call.saves = "orders"
    call.ids.append(row["id"])
    body = call.body
    status = body.get("status")
    if status is not None and status not in call.shop.statuses:
        raise _invalid("status", f"status is not one of {', '.join(call.shop.statuses)}.")
    if "meta_data" in body:
        new = [{"id": call.shop.store.fresh("meta"), **one} for one in body["meta_data"]]
        replaced = {one["key"] for one in new}
        kept = [one for one in row["doc"]["meta_data"] if one["key"] not in replaced]
        call.shop.store.save(row, meta_data=[*kept, *new])
    if status is not None:
        call.shop.change_status(row["id"], status)
    return call.shop.show(call.shop.store.get("order", row["id"]))


@route("EDIT", "/wc/v3/orders/batch")
def orders_batch(call: Call) -> Row:
    """Many orders: only statuses here."""

    def update(body: Row) -> Row:
        row = call.find("order", _identity(body))
        call.ids.append(row["id"])
        call.shop.change_status(row["id"], body["status"])
        return call.shop.show(call.shop.store.get("order", row["id"]))

    return _batch(call, "orders", None, update, None)


@route("GET", "/wc/v3/orders/<id>/notes")
def notes(call: Call) -> list[Row]:
    """The notes of an order, the newest first."""
    parent = call.find("order", call.numbers[0])["id"]
    found = call.shop.store.all("note", parent=parent)[::-1]
    call.read("notes", [row["id"] for row in found])
    return [call.shop.show(row) for row in found]


@route("POST", "/wc/v3/orders/<id>/notes")
def make_note(call: Call) -> Row:
    """A note; one for the customer is e-mailed."""
    parent = call.find("order", call.numbers[0])["id"]
    call.saves = "notes"
    note = call.body.get("note")
    if not note:
        raise Problem(400, "rest_missing_callback_param", "Missing parameter(s): note")
    made = call.shop.add_note(parent, str(note), customer_note=bool(call.body.get("customer_note")))
    call.ids.append(made)
    call.status = 201
    return call.shop.show(call.shop.store.get("note", made))


@route("GET", "/wc/v3/orders/<id>/refunds")
def refunds(call: Call) -> list[Row]:
    """What was given back."""
    parent = call.find("order", call.numbers[0])["id"]
    rows = call.listed("refund", [("parent = ?", [parent])])
    call.read("refunds", [row["id"] for row in rows])
    return [call.shop.show(row, call.decimals()) for row in rows]


# -- parcels -------------------------------------------------------------------------------------------------------------


def _fulfils(call: Call) -> int:
    if not call.shop.has_plugin("fulfillments"):
        raise Problem(404, "rest_no_route", "No route was found matching the URL and request method.")
    call.must_manage()
    return int(call.find("order", call.numbers[0])["id"])


@route("GET", "/wc/v3/orders/<id>/fulfillments")
def fulfillments(call: Call) -> list[Row]:
    """The parcels of an order, where the feature is on."""
    parent = _fulfils(call)
    rows = call.shop.store.all("fulfillment", parent=parent)
    call.read("fulfillments", [row["id"] for row in rows])
    return [call.shop.show(row) for row in rows]


@route("POST", "/wc/v3/orders/<id>/fulfillments")
def make_fulfillment(call: Call) -> Row:
    """A parcel with the units of lines that are in it."""
    parent = _fulfils(call)
    call.saves = "fulfillments"
    made = call.shop.store.add("fulfillment", _fulfilled(call, parent), parent=parent)
    if call.says_yes("notify_customer"):
        call.shop.add_note(parent, "Fulfillment e-mail sent")
    call.ids.append(made)
    call.status = 201
    return call.shop.show(call.shop.store.get("fulfillment", made))


@route("EDIT", "/wc/v3/orders/<id>/fulfillments/<id>")
def edit_fulfillment(call: Call) -> Row:
    """Change a parcel: meta data that is not sent is dropped."""
    parent = _fulfils(call)
    row = call.find("fulfillment", call.numbers[1], parent=parent)
    call.saves = "fulfillments"
    call.ids.append(row["id"])
    call.shop.store.save(row, **_fulfilled(call, parent))
    return call.shop.show(call.shop.store.get("fulfillment", row["id"]))


def _fulfilled(call: Call, order: int) -> Row:
    body = call.body
    if body.get("status") not in ("fulfilled", "unfulfilled"):
        raise _invalid("status", "status is not one of fulfilled, unfulfilled.")
    meta = body.get("meta_data") or []
    items = next((one["value"] for one in meta if one.get("key") == "_items"), None)
    if not items:
        raise Problem(400, "woocommerce_fulfillment_error", "The fulfillment should contain at least one item.")
    lines = {line["id"] for line in call.shop.store.get("order", order)["doc"]["lines"]}
    if any(one.get("item_id") not in lines or not one.get("qty") for one in items):
        raise Problem(400, "woocommerce_fulfillment_error", "Invalid item.")
    return {
        "status": body["status"],
        "is_fulfilled": bool(body.get("is_fulfilled")),
        "meta_data": [{"id": call.shop.store.fresh("meta"), **one} for one in meta],
    }


PLUGINS = {"wc-shipment-tracking": "shipment-tracking", "wc-ast": "ast"}
PROVIDERS = {
    "United Kingdom": {"Royal Mail": "https://www.royalmail.com/track?n=%1$s", "DPD": "https://dpd.example/%1$s"},
    "Global": {"DHL": "https://dhl.example/?id=%1$s"},
}


def _tracks(call: Call) -> int:
    if not call.shop.has_plugin(PLUGINS[call.names[0]]):
        raise Problem(404, "rest_no_route", "No route was found matching the URL and request method.")
    return int(call.find("order", call.numbers[0])["id"])


@route("GET", "/(wc-shipment-tracking|wc-ast)/v3/orders/<id>/shipment-trackings/providers")
def providers(call: Call) -> Row:
    """The carriers that a plugin knows, by country."""
    _tracks(call)
    call.read("providers", [])
    return PROVIDERS


@route("GET", "/(wc-shipment-tracking|wc-ast)/v3/orders/<id>/shipment-trackings")
def trackings(call: Call) -> list[Row]:
    """The parcels of an order as a plugin has them."""
    parent = _tracks(call)
    found = call.shop.trackings(parent)
    call.read("trackings", [one["tracking_id"] for one in found])
    return found


@route("POST", "/(wc-shipment-tracking|wc-ast)/v3/orders/<id>/shipment-trackings")
def make_tracking(call: Call) -> Row:
    """A parcel; nothing guards against the same number twice."""
    parent = _tracks(call)
    call.saves = "trackings"
    body = call.body
    if not body.get("tracking_number"):
        raise Problem(400, "rest_missing_callback_param", "Missing parameter(s): tracking_number")
    fields = {
        name: str(body.get(name, ""))
        for name in (
            "tracking_provider",
            "custom_tracking_provider",
            "custom_tracking_link",
            "tracking_number",
            "date_shipped",
        )
    }
    if fields["tracking_provider"] and not any(fields["tracking_provider"] in names for names in PROVIDERS.values()):
        raise Problem(400, "woocommerce_rest_tracking_invalid_provider", "Unknown tracking provider.")
    call.status = 201
    made = call.shop.add_tracking(parent, fields)
    call.ids.append(made["tracking_id"])
    return made


# -- the shop ------------------------------------------------------------------------------------------------------------


@route("GET", "/wc/v3/settings/([a-z]+)")
def settings(call: Call) -> list[Row]:
    """A group of settings."""
    call.must_manage()
    if call.names[0] not in SETTINGS:
        raise Problem(404, "rest_setting_setting_group_invalid", "Invalid setting group.")
    call.read("settings", [])
    return call.trimmed(
        [{"id": name, "label": name, "value": call.shop.setting(name)} for name in SETTINGS[call.names[0]]]
    )


@route("GET", "/wc/v3/system_status")
def system_status(call: Call) -> Row:
    """Versions."""
    call.must_manage()
    call.read("system_status", [])
    shown = {"environment": {"version": call.shop.version, "wp_version": "6.6"}, "settings": {}, "database": {}}
    return call.trimmed([shown])[0]


@route("GET", "/wc/v3/payment_gateways")
def payment_gateways(call: Call) -> list[Row]:
    """Ways to pay."""
    call.must_manage()
    call.read("payment_gateways", list(GATEWAYS))
    return [{"id": key, "title": name, "enabled": True, "method_title": name} for key, name in GATEWAYS.items()]


@route("GET", "/wc/v3/shipping/zones")
def zones(call: Call) -> list[Row]:
    """Where the shop sends to."""
    call.must_manage()
    call.read("zones", list(ZONES))
    return [{"id": key, "name": name, "order": key} for key, (name, _) in ZONES.items()]


@route("GET", "/wc/v3/shipping/zones/<id>/methods")
def methods(call: Call) -> list[Row]:
    """How the shop sends there."""
    call.must_manage()
    if call.numbers[0] not in ZONES:
        raise Problem(404, "woocommerce_rest_shipping_zone_invalid", "Resource does not exist.")
    call.read("methods", [])
    return [
        {
            "id": instance,
            "instance_id": instance,
            "title": title,
            "order": instance,
            "enabled": True,
            "method_id": method,
        }
        for instance, method, title in ZONES[call.numbers[0]][1]
    ]


@route("GET", "/wc/v3/taxes/classes")
def tax_classes(call: Call) -> list[Row]:
    """Classes of tax."""
    call.must_manage()
    call.read("tax_classes", [])
    return [{"slug": slug, "name": name} for slug, name in TAX_CLASSES.items()]


@route("GET", "/wc/v3/taxes")
def taxes(call: Call) -> list[Row]:
    """Rates of tax, of one class where it is named."""
    call.must_manage()
    wanted = call.query.get("class")
    blank = {"state": "", "postcode": "", "city": "", "priority": 1, "compound": False, "shipping": True, "order": 1}
    found = [{**blank, **one} for one in TAXES if wanted in (None, one["class"])]
    call.read("taxes", [one["id"] for one in found])
    size = call._number("per_page", 10, 1, 100)
    page = call._number("page", 1, 1, 10**9)
    call.headers["X-WP-Total"] = str(len(found))
    return found[(page - 1) * size : page * size]


@route("GET", "/wc/v3/webhooks")
def webhooks(call: Call) -> list[Row]:
    """Every webhook, whoever made it."""
    call.must_manage()
    status = call.query.get("status", "all")
    rows = call.listed("webhook", [] if status == "all" else [("status = ?", [status])])
    call.read("webhooks", [row["id"] for row in rows])
    return [call.shop.show(row) for row in rows]


@route("POST", "/wc/v3/webhooks")
def make_webhook(call: Call) -> Row:
    """A webhook, tried at once with a ping."""
    call.must_manage()
    call.saves = "webhooks"
    body = call.body
    if body.get("topic") not in TOPICS and not str(body.get("topic", "")).startswith("action."):
        raise Problem(400, "woocommerce_rest_invalid_webhook_topic", "Webhook topic must be valid.")
    if not str(body.get("delivery_url", "")).startswith(("http://", "https://")):
        raise Problem(
            400,
            "woocommerce_rest_invalid_webhook_delivery_url",
            "Webhook delivery URL must be a valid URL starting with http://.",
        )
    made = call.shop.add_webhook(
        body["topic"],
        body["delivery_url"],
        body.get("secret") or "made-by-the-shop",
        name=body.get("name", ""),
        status=body.get("status", "active"),
    )
    call.ids.append(made)
    call.status = 201
    return call.shop.show(call.shop.store.get("webhook", made))


@route("EDIT", "/wc/v3/webhooks/<id>")
def edit_webhook(call: Call) -> Row:
    """Change a webhook; switching it on forgets its failures."""
    call.must_manage()
    row = call.find("webhook", call.numbers[0])
    call.saves = "webhooks"
    call.ids.append(row["id"])
    body = call.body
    values = {name: body[name] for name in ("name", "topic", "delivery_url", "secret", "status") if name in body}
    call.shop.store.save(row, **values, failures=0)
    return call.shop.show(call.shop.store.get("webhook", row["id"]))


@route("DELETE", "/wc/v3/webhooks/<id>")
def drop_webhook(call: Call) -> Row:
    """End one; there is no bin for webhooks."""
    call.must_manage()
    row = call.find("webhook", call.numbers[0])
    call.saves = "webhooks"
    call.ids.append(row["id"])
    if not call.says_yes("force"):
        raise Problem(501, "woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.")
    shown = call.shop.show(row)
    call.shop.store.remove("webhook", row["id"])
    return shown
