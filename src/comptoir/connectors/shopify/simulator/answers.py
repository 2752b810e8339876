"""What each field answers: `field` registers one; where none is, the document of the same name is the answer. The same work
on our own schema and on Shopify's."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from comptoir.connectors.shopify.simulator import bulk, search
from comptoir.connectors.shopify.simulator.shop import CENT, Shop, line_total, money
from comptoir.connectors.shopify.simulator.store import Row

MOST_PAGE = 250
Source = dict[str, Any]
Answering = Callable[..., Any]
FIELDS: dict[tuple[str, str], Answering] = {}

#: gid type -> kind of document
KINDS = {
    "Product": "product",
    "ProductVariant": "variant",
    "InventoryItem": "item",
    "Location": "location",
    "Order": "order",
    "FulfillmentOrder": "fulfillment_order",
    "Fulfillment": "fulfillment",
    "MediaImage": "media",
    "WebhookSubscription": "webhook",
    "BulkOperation": "bulk",
}


@dataclass
class Call:
    """What one request is answered with: handed to every field as the context."""

    shop: Shop
    version: str
    base_url: str
    served: Callable[[str, Sequence[Any]], None]
    scopes: frozenset[str]
    warnings: list[str]
    run: Callable[[Call, str, bool], list[Row]]  #: runs a bulk query over everything


def field(*names: str) -> Callable[[Answering], Answering]:
    """Registers what answers "Type.field"."""

    def register(answering: Answering) -> Answering:
        for name in names:
            kind, _, own = name.partition(".")
            FIELDS[kind, own] = answering
        return answering

    return register


def answer(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
    """The resolver of every field."""
    found = FIELDS.get((info.parent_type.name, info.field_name))
    if found is not None:
        return found(info.context, source, **arguments)
    if isinstance(source, Mapping) and info.field_name in source:
        return source[info.field_name]
    raise GraphQLError(f"the double does not know {info.parent_type.name}.{info.field_name}")


def kind_of(source: Any, _info: Any, _abstract: Any) -> str:
    """The type of an object behind an interface."""
    return str(source["__typename"])


# -- ids and pages -------------------------------------------------------------------------------------------------------


def gid(kind: str, identity: object) -> str:
    """gid://shopify/Order/1"""
    return f"gid://shopify/{kind}/{identity}"


def number(text: str, kind: str = "") -> int:
    """The number of a gid; a gid of another kind, or no gid, is an invalid id."""
    head, _, tail = text.partition("?")[0].rpartition("/")
    if not tail.isdigit() or not head.startswith("gid://shopify/") or (kind and head != f"gid://shopify/{kind}"):
        raise GraphQLError(f"Invalid global id '{text}'")
    return int(tail)


def source(kind: str, row: Row | None) -> Source | None:
    """A document as an object of the schema."""
    return None if row is None else {"__typename": kind, **row, "id": gid(kind, row["id"]), "row": row}


def found(call: Call, kind: str, identity: Any) -> Source | None:
    """A document by its number."""
    return source(kind, call.shop.store.find(KINDS[kind], identity))


def connection(
    items: Sequence[Source],
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    key: Callable[[Source], Any] | None = None,
    reverse: bool = False,
) -> Source:
    """A page of a list. The place after which it goes on is a value to sort by, not a count: rows may move meanwhile."""
    if bulk.is_on():
        return {"edges": [{"node": one} for one in items], "nodes": list(items)}
    if first is None and last is None:
        raise GraphQLError("you must provide one of first or last")
    size = first if first is not None else last
    assert size is not None  # noqa: S101
    if not 0 <= size <= MOST_PAGE:
        raise GraphQLError(f"first and last cannot exceed {MOST_PAGE}")
    places = {id(one): [at] for at, one in enumerate(items)}
    place = key or (lambda one: places[id(one)])
    rows = sorted(items, key=place, reverse=reverse) if key else list(items)
    if after is not None:
        passed = _place_of(after)
        rows = [one for one in rows if (place(one) < passed if reverse else place(one) > passed)]
    if before is not None:
        passed = _place_of(before)
        rows = [one for one in rows if place(one) < passed]
    page = rows[:size] if first is not None else rows[-size:]
    edges = [{"cursor": _cursor(place(one)), "node": one} for one in page]
    return {
        "nodes": page,
        "edges": edges,
        "pageInfo": {
            "hasNextPage": len(rows) > len(page) if first is not None else False,
            "hasPreviousPage": after is not None or (last is not None and len(rows) > len(page)),
            "startCursor": edges[0]["cursor"] if edges else None,
            "endCursor": edges[-1]["cursor"] if edges else None,
        },
    }


def _cursor(place: Any) -> str:
    return base64.b64encode(json.dumps(place).encode()).decode()


def _place_of(cursor: str) -> Any:
    try:
        return json.loads(base64.b64decode(cursor, validate=True))
    except ValueError as error:
        raise GraphQLError("Invalid cursor for current pagination sort.") from error


def searched(
    call: Call, kind: str, rows: Iterable[Row], query: str | None, fields: Mapping[str, search.Field]
) -> list[Source]:
    """Rows that a filter finds, as far as the index knows of them."""
    test, warnings = search.matcher(query, fields)
    call.warnings.extend(warnings)
    lag = call.shop.quirks.index_lag
    now = call.shop.clock.now()
    return [
        one
        for row in rows
        if test(row)
        and not (lag and "updatedAt" in row and (now - search.moment(row["updatedAt"])).total_seconds() < lag)
        and (one := source(kind, row)) is not None
    ]


def needs(call: Call, scope: str) -> None:
    """Access denied without a scope."""
    if scope not in call.scopes:
        raise GraphQLError(
            f"Access denied. Required access: `{scope}` access scope.",
            extensions={"code": "ACCESS_DENIED", "requiredAccess": f"`{scope}` access scope."},
        )


def bag(amount: Decimal | str, order: Row) -> Source:
    """An amount in the shop's currency and in the buyer's."""
    shop = Decimal(amount)
    return {
        "shopMoney": {"amount": money(shop), "currencyCode": order["currencyCode"]},
        "presentmentMoney": {
            "amount": money((shop * Decimal(order["rate"])).quantize(CENT, ROUND_HALF_UP)),
            "currencyCode": order["presentmentCurrencyCode"],
        },
    }


@field(*(f"{kind}.legacyResourceId" for kind in (*KINDS, "Refund", "Customer")))
def _legacy(call: Call, one: Source) -> str:
    return str(number(one["id"]))


# -- roots ---------------------------------------------------------------------------------------------------------------


@field("QueryRoot.shop")
def _shop(call: Call, root: Any) -> Source:
    row = call.shop.settings
    return {**row, "__typename": "Shop", "id": gid("Shop", 1), "url": f"https://{row['myshopifyDomain']}"}


@field("QueryRoot.currentAppInstallation")
def _installation(call: Call, root: Any) -> Source:
    return {
        "id": gid("AppInstallation", 1),
        "accessScopes": [{"handle": one, "description": one} for one in sorted(call.scopes)],
    }


@field("QueryRoot.deliveryProfiles")
def _profiles(call: Call, root: Any, **paging: Any) -> Source:
    needs(call, "read_shipping")
    methods = [
        {"id": gid("DeliveryMethodDefinition", at), "name": name, "active": True}
        for at, name in enumerate(call.shop.settings["methods"], start=1)
    ]
    zone = {"methodDefinitions": methods}
    return connection(
        [{"id": gid("DeliveryProfile", 1), "name": "General", "profileLocationGroups": [{"zones": [zone]}]}],
        **_paging(paging),
    )


@field("DeliveryProfileLocationGroup.locationGroupZones")
def _zones(call: Call, one: Source, **paging: Any) -> Source:
    return connection(one["zones"], **_paging(paging))


@field("DeliveryLocationGroupZone.methodDefinitions")
def _methods(call: Call, one: Source, **paging: Any) -> Source:
    return connection(one["methodDefinitions"], **_paging(paging))


def _paging(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in ("first", "after", "last", "before") if name in given}


@field("QueryRoot.node")
def _node(call: Call, root: Any, id: str) -> Source | None:
    head, _, tail = id.partition("?")[0].rpartition("/")
    kind = head.rpartition("/")[2]
    if kind not in KINDS or not tail.isdigit():
        raise GraphQLError(f"Invalid global id '{id}'")
    if kind == "Order":
        needs(call, "read_orders")
    if kind in ("Product", "ProductVariant"):
        needs(call, "read_products")
    if kind == "InventoryItem":
        needs(call, "read_inventory")
    return found(call, kind, int(tail))


@field("QueryRoot.nodes")
def _nodes(call: Call, root: Any, ids: Sequence[str]) -> list[Source | None]:
    if len(ids) > MOST_PAGE:
        raise GraphQLError(f"The input array size of {len(ids)} is greater than the maximum allowed of {MOST_PAGE}.")
    rows = [_node(call, root, id=one) for one in ids]
    for kind, resource in (("Order", "orders"), ("Product", "products")):
        there = [number(row["id"]) for row in rows if row is not None and row["__typename"] == kind]
        if there:
            call.served(resource, there)
    return rows


# -- goods ---------------------------------------------------------------------------------------------------------------

_PRODUCT_FILTERS: dict[str, search.Field] = {
    "updated_at": lambda row: search.moment(row["updatedAt"]),
    "created_at": lambda row: search.moment(row["createdAt"]),
    "id": lambda row: row["id"],
    "status": lambda row: row["status"],
    "vendor": lambda row: row["vendor"],
}
_SORTS = {
    "UPDATED_AT": lambda one: [one["row"]["updatedAt"], one["row"]["id"]],
    "CREATED_AT": lambda one: [one["row"]["createdAt"], one["row"]["id"]],
    "PROCESSED_AT": lambda one: [one["row"]["processedAt"], one["row"]["id"]],
}


def _key(sort: str) -> Callable[[Source], Any]:
    return _SORTS.get(sort, lambda one: [one["row"]["id"]])


@field("QueryRoot.products")
def _products(
    call: Call,
    root: Any,
    query: str | None = None,
    reverse: bool = False,
    sortKey: str = "ID",
    **paging: Any,
) -> Source:
    needs(call, "read_products")
    rows = searched(call, "Product", call.shop.store.all("product"), query, _PRODUCT_FILTERS)
    page = connection(rows, key=_key(sortKey), reverse=reverse, **_paging(paging))
    call.served("products", [one["row"]["id"] for one in page["nodes"]])
    return page


@field("QueryRoot.product")
def _product(call: Call, root: Any, id: str) -> Source | None:
    needs(call, "read_products")
    return found(call, "Product", number(id, "Product"))


@field("QueryRoot.productVariants")
def _all_variants(
    call: Call,
    root: Any,
    query: str | None = None,
    reverse: bool = False,
    sortKey: str = "ID",
    **paging: Any,
) -> Source:
    needs(call, "read_products")
    filters: dict[str, search.Field] = {
        "sku": lambda row: row["sku"] or None,
        "barcode": lambda row: row["barcode"],
        "product_id": lambda row: row["product"],
        "id": lambda row: row["id"],
    }
    rows = searched(call, "ProductVariant", call.shop.store.all("variant"), query, filters)
    return connection(rows, key=_key("ID"), reverse=reverse, **_paging(paging))


@field("Product.category")
def _category(call: Call, one: Source) -> Source | None:
    name = one["row"]["category"]
    return {"id": gid("TaxonomyCategory", "x"), "fullName": name, "name": name.rpartition(" > ")[2]} if name else None


@field("Product.hasOnlyDefaultVariant")
def _only_default(call: Call, one: Source) -> bool:
    variants = one["row"]["variants"]
    return len(variants) == 1 and call.shop.store.get("variant", variants[0])["title"] == "Default Title"


@field("Product.onlineStoreUrl")
def _page_url(call: Call, one: Source) -> str | None:
    domain = call.shop.settings["myshopifyDomain"]
    return f"https://{domain}/products/{one['handle']}" if one["status"] == "ACTIVE" else None


@field("Product.tags", "Order.tags", "Order.discountCodes", "Order.customAttributes")
def _none_of_it(call: Call, one: Source) -> list[Any]:
    return []


@field("Product.tracksInventory")
def _tracks(call: Call, one: Source) -> bool:
    store = call.shop.store
    return any(store.get("item", store.get("variant", key)["item"])["tracked"] for key in one["row"]["variants"])


@field("Product.variantsCount")
def _variants_count(call: Call, one: Source) -> Source:
    return {"count": len(one["row"]["variants"])}


@field("Product.variants")
def _variants(call: Call, one: Source, sortKey: str = "POSITION", reverse: bool = False, **paging: Any) -> Source:
    rows = [found(call, "ProductVariant", key) for key in one["row"]["variants"]]
    return connection([row for row in rows if row is not None], **_paging(paging))


@field("Product.media", "ProductVariant.media")
def _media(call: Call, one: Source, **paging: Any) -> Source:
    rows = [found(call, "MediaImage", key) for key in one["row"]["media"]]
    return connection([row for row in rows if row is not None], **_paging(paging))


@field("MediaImage.image")
def _image(call: Call, one: Source) -> Source:
    key = one["row"]["id"]
    return {"id": gid("ImageSource", key), "url": f"{call.base_url}/cdn/files/{key}.png?v=1", "width": 64, "height": 64}


@field("MediaImage.status")
def _media_status(call: Call, one: Source) -> str:
    return "READY"


@field("MediaImage.alt", "MediaImage.mimeType", "ProductVariant.compareAtPrice")
def _nothing(call: Call, one: Source) -> None:
    return None


@field("ProductVariant.inventoryItem")
def _item(call: Call, one: Source) -> Source | None:
    return found(call, "InventoryItem", one["row"]["item"])


@field("ProductVariant.product")
def _product_of(call: Call, one: Source) -> Source | None:
    return found(call, "Product", one["row"]["product"])


@field("ProductVariant.inventoryPolicy")
def _policy(call: Call, one: Source) -> str:
    return "DENY"


@field("ProductVariant.requiresComponents")
def _is_bundle(call: Call, one: Source) -> bool:
    return bool(one["row"]["parts"])


@field("ProductVariant.productVariantComponents")
def _components(call: Call, one: Source, **paging: Any) -> Source:
    rows: list[Source] = [
        {
            "__typename": "ProductVariantComponent",
            "id": gid("ProductVariantComponent", f"{one['row']['id']}{at:04}"),
            "quantity": units,
            "productVariant": found(call, "ProductVariant", key),
        }
        for at, (key, units) in enumerate(one["row"]["parts"], start=1)
    ]
    return connection(rows, **_paging(paging))


@field("ProductVariant.selectedOptions")
def _options(call: Call, one: Source) -> list[Source]:
    return [{"name": name, "value": value} for name, value in one["row"]["options"].items()]


@field("InventoryItem.variants")
def _variants_of_item(call: Call, one: Source, **paging: Any) -> Source:
    row = found(call, "ProductVariant", one["row"]["variant"])
    return connection([row] if row else [], **_paging(paging))


@field("InventoryItem.sku")
def _item_sku(call: Call, one: Source) -> str | None:
    sku: str | None = call.shop.store.find("variant", one["row"]["variant"], {}).get("sku")
    return sku


@field("InventoryItem.duplicateSkuCount")
def _duplicates(call: Call, one: Source) -> int:
    sku = _item_sku(call, one)
    return sum(1 for row in call.shop.store.all("variant") if sku and row["sku"] == sku) - 1 if sku else 0


@field("InventoryItem.unitCost")
def _cost(call: Call, one: Source) -> Source | None:
    needs(call, "read_inventory")
    cost = one["row"]["cost"]
    return None if cost is None else {"amount": money(cost), "currencyCode": call.shop.settings["currencyCode"]}


@field("InventoryItem.measurement")
def _measurement(call: Call, one: Source) -> Source:
    grams = one["row"]["grams"]
    return {
        "id": gid("InventoryItemMeasurement", one["row"]["id"]),
        "weight": {"value": float(grams), "unit": "GRAMS"} if grams else None,
    }


# -- stock ---------------------------------------------------------------------------------------------------------------


@field("QueryRoot.locations")
def _locations(
    call: Call,
    root: Any,
    includeInactive: bool = False,
    includeLegacy: bool = False,
    **paging: Any,
) -> Source:
    needs(call, "read_locations")
    rows = [row for row in call.shop.store.all("location") if row["isActive"] or includeInactive]
    return connection([one for row in rows if (one := source("Location", row))], **_paging(paging))


@field("QueryRoot.location")
def _location(call: Call, root: Any, id: str | None = None) -> Source | None:
    needs(call, "read_locations")
    key = number(id, "Location") if id else call.shop.locations()[0]["id"]
    return found(call, "Location", key)


@field("Location.isFulfillmentService")
def _is_service(call: Call, one: Source) -> bool:
    return False


def level_source(row: Row | None) -> Source | None:
    if row is None:
        return None
    key = gid("InventoryLevel", f"{row['number']}?inventory_item_id={row['item']}")
    return {"__typename": "InventoryLevel", "id": key, "row": row, "updatedAt": row["updatedAt"]}


@field("Location.inventoryLevels")
def _levels_there(call: Call, one: Source, query: str | None = None, reverse: bool = False, **paging: Any) -> Source:
    needs(call, "read_inventory")
    rows = [row for row in call.shop.store.all("level") if row["location"] == one["row"]["id"] and row["active"]]
    levels = [level for row in rows if (level := level_source(row))]
    page = connection(levels, key=lambda level: [level["row"]["number"]], **_paging(paging))
    call.served("inventory_levels", [level["row"]["key"] for level in page["nodes"]])
    return page


@field("InventoryItem.inventoryLevels")
def _levels_of(call: Call, one: Source, query: str | None = None, reverse: bool = False, **paging: Any) -> Source:
    rows = [row for row in call.shop.store.all("level") if row["item"] == one["row"]["id"] and row["active"]]
    return connection([level for row in rows if (level := level_source(row))], **_paging(paging))


@field("InventoryItem.inventoryLevel")
def _level_at(call: Call, one: Source, locationId: str, **_: Any) -> Source | None:
    return level_source(call.shop.level(one["row"]["id"], number(locationId, "Location")))


@field("Location.inventoryLevel")
def _level_of(call: Call, one: Source, inventoryItemId: str, **_: Any) -> Source | None:
    return level_source(call.shop.level(number(inventoryItemId, "InventoryItem"), one["row"]["id"]))


@field("InventoryLevel.item")
def _level_item(call: Call, one: Source) -> Source | None:
    return found(call, "InventoryItem", one["row"]["item"])


@field("InventoryLevel.location")
def _level_location(call: Call, one: Source) -> Source | None:
    return found(call, "Location", one["row"]["location"])


@field("InventoryLevel.quantities")
def _quantities(call: Call, one: Source, names: Sequence[str]) -> list[Source]:
    row = one["row"]
    figures = {
        "available": row["available"],
        "committed": row["committed"],
        "on_hand": row["available"] + row["committed"],
    }
    return [
        {
            "id": gid("InventoryQuantity", f"{row['number']}?name={name}"),
            "name": name,
            "quantity": figures.get(name, 0),
            "updatedAt": row["updatedAt"],
        }
        for name in names
    ]


# -- orders --------------------------------------------------------------------------------------------------------------

_ORDER_FILTERS: dict[str, search.Field] = {
    "updated_at": lambda row: search.moment(row["updatedAt"]),
    "created_at": lambda row: search.moment(row["createdAt"]),
    "processed_at": lambda row: search.moment(row["processedAt"]),
    "id": lambda row: row["id"],
    "name": lambda row: row["name"],
    "test": lambda row: row["test"],
    "financial_status": lambda row: row["financial"],
    "status": lambda row: "cancelled" if row["cancelledAt"] else "open",
}


@field("QueryRoot.orders")
def _orders(
    call: Call,
    root: Any,
    query: str | None = None,
    reverse: bool = False,
    sortKey: str = "PROCESSED_AT",
    **paging: Any,
) -> Source:
    needs(call, "read_orders")
    rows = searched(call, "Order", call.shop.store.all("order"), query, _ORDER_FILTERS)
    page = connection(rows, key=_key(sortKey), reverse=reverse, **_paging(paging))
    call.served("orders", [one["row"]["id"] for one in page["nodes"]])
    return page


@field("QueryRoot.order")
def _order(call: Call, root: Any, id: str) -> Source | None:
    needs(call, "read_orders")
    return found(call, "Order", number(id, "Order"))


@field("QueryRoot.refund")
def _refund(call: Call, root: Any, id: str) -> Source | None:
    key = number(id, "Refund")
    for row in call.shop.store.all("order"):
        for one in row["refunds"]:
            if one["id"] == key:
                return _refund_source(one, row)
    return None


@field("QueryRoot.fulfillment")
def _fulfillment(call: Call, root: Any, id: str) -> Source | None:
    return found(call, "Fulfillment", number(id, "Fulfillment"))


@field("QueryRoot.fulfillmentOrder")
def _fulfillment_order(call: Call, root: Any, id: str) -> Source | None:
    needs(call, "read_merchant_managed_fulfillment_orders")
    return found(call, "FulfillmentOrder", number(id, "FulfillmentOrder"))


@field("Order.displayFinancialStatus")
def _financial(call: Call, one: Source) -> str | None:
    status: str | None = one["row"]["financial"]
    return status


@field("Order.displayFulfillmentStatus")
def _fulfilment(call: Call, one: Source) -> str:
    return call.shop.fulfilment(one["row"])


@field("Order.fullyPaid")
def _fully_paid(call: Call, one: Source) -> bool:
    return one["row"]["financial"] in ("PAID", "PARTIALLY_REFUNDED", "REFUNDED")


@field("Order.sourceName")
def _source_name(call: Call, one: Source) -> str:
    return "pos" if one["row"]["retail"] else "web"


@field("Order.retailLocation")
def _retail(call: Call, one: Source) -> Source | None:
    return found(call, "Location", one["row"]["retail"]) if one["row"]["retail"] else None


@field("Order.totalPriceSet")
def _total(call: Call, one: Source) -> Source:
    return bag(call.shop.total(one["row"]), one["row"])


@field("Order.currentTotalPriceSet")
def _current_total(call: Call, one: Source) -> Source:
    row = one["row"]
    return bag(call.shop.total(row) - _given_back(row), row)


@field("Order.totalRefundedSet")
def _refunded(call: Call, one: Source) -> Source:
    return bag(_given_back(one["row"]), one["row"])


def _given_back(order: Row) -> Decimal:
    excluded = not order["taxesIncluded"]
    shares = (
        line_total(line, excluded=excluded) * line["refunded"] / max(1, line["quantity"] - line["removed"])
        for line in order["lines"]
    )
    return sum(shares, Decimal(0))


@field("Order.totalTaxSet")
def _total_tax(call: Call, one: Source) -> Source:
    row = one["row"]
    taxed = [*row["lines"], *row["shipping"]]
    return bag(sum((Decimal(tax["amount"]) for line in taxed for tax in line["taxes"]), Decimal(0)), row)


@field("Order.taxLines")
def _order_taxes(call: Call, one: Source) -> list[Source]:
    row = one["row"]
    return [_tax_line(tax, row) for line in (*row["lines"], *row["shipping"]) for tax in line["taxes"]]


@field("Order.totalTipReceivedSet")
def _tip(call: Call, one: Source) -> Source:
    return bag(one["row"]["tip"], one["row"])


@field("Order.currentTotalDutiesSet")
def _duties(call: Call, one: Source) -> Source | None:
    duties = one["row"]["duties"]
    return None if duties is None else bag(duties, one["row"])


@field("Order.additionalFees")
def _fees(call: Call, one: Source) -> list[Source]:
    row = one["row"]
    return [
        {
            "id": gid("AdditionalFee", fee["id"]),
            "name": fee["name"],
            "price": bag(fee["price"], row),
            "taxLines": [],
        }
        for fee in row["fees"]
    ]


@field("Order.totalShippingPriceSet")
def _total_shipping(call: Call, one: Source) -> Source:
    return bag(sum((Decimal(line["price"]) for line in one["row"]["shipping"]), Decimal(0)), one["row"])


@field("Order.totalDiscountsSet")
def _total_discounts(call: Call, one: Source) -> Source:
    lines = one["row"]["lines"]
    return bag(sum((Decimal(cut) for line in lines for cut in line["discounts"]), Decimal(0)), one["row"])


@field("Order.totalOutstandingSet")
def _outstanding(call: Call, one: Source) -> Source:
    row = one["row"]
    return bag("0" if row["financial"] != "PENDING" else call.shop.total(row), row)


@field("Order.paymentGatewayNames")
def _gateways(call: Call, one: Source) -> list[str]:
    return list(dict.fromkeys([*(row["gateway"] for row in one["row"]["transactions"]), one["row"]["gateway"]]))


@field("Order.transactions")
def _transactions(call: Call, one: Source, first: int | None = None, **_: Any) -> list[Source]:
    rows = one["row"]["transactions"]
    return [
        {
            "id": gid("OrderTransaction", row["id"]),
            "kind": row["kind"],
            "status": row["status"],
            "gateway": row["gateway"],
            "formattedGateway": row["gateway"].replace("_", " ").capitalize(),
            "processedAt": row["processedAt"],
            "amountSet": bag(row["amount"], one["row"]),
        }
        for row in rows[:first]
    ]


@field("Order.customer")
def _customer(call: Call, one: Source) -> Source | None:
    row = one["row"]["customer"]
    if row is None or "read_customers" not in call.scopes:
        return None
    return {
        "id": gid("Customer", row.get("id", 1)),
        "firstName": row.get("firstName"),
        "lastName": row.get("lastName"),
    }


@field("Order.billingAddress", "Order.shippingAddress")
def _address(call: Call, one: Source) -> Source | None:
    row = one["row"]["address"]
    if row is None:
        return None
    names = (
        *("firstName", "lastName", "company", "address1", "address2", "zip", "city"),
        *("provinceCode", "countryCodeV2", "phone"),
    )
    return {"id": gid("MailingAddress", one["row"]["id"]), **{name: row.get(name) for name in names}}


@field("Order.shippingLines")
def _shipping_lines(call: Call, one: Source, includeRemovals: bool = False, **paging: Any) -> Source:
    rows = [
        {
            "id": gid("ShippingLine", line["id"]),
            "title": line["title"],
            "code": line["code"],
            "discountedPriceSet": bag(line["price"], one["row"]),
            "taxLines": [_tax_line(tax, one["row"]) for tax in line["taxes"]],
        }
        for line in one["row"]["shipping"]
    ]
    return connection(rows, **_paging(paging))


def _tax_line(tax: Row, order: Row) -> Source:
    return {"title": tax["title"], "rate": tax["rate"], "priceSet": bag(tax["amount"], order)}


@field("Order.lineItems")
def _line_items(call: Call, one: Source, reverse: bool = False, **paging: Any) -> Source:
    return connection([_line_source(line, one["row"]) for line in one["row"]["lines"]], **_paging(paging))


def _line_source(line: Row, order: Row) -> Source:
    kept = line["quantity"] - line["removed"] - line["refunded"]
    return {
        **line,
        "__typename": "LineItem",
        "id": gid("LineItem", line["id"]),
        "row": line,
        "name": line["title"] if not line["variantTitle"] else f"{line['title']} - {line['variantTitle']}",
        "currentQuantity": kept,
        "unfulfilledQuantity": max(0, kept - line["fulfilled"]),
        "originalUnitPriceSet": bag(line["price"], order),
        "discountAllocations": [{"allocatedAmountSet": bag(one, order)} for one in line["discounts"]],
        "taxes": [_tax_line(tax, order) for tax in line["taxes"]],
    }


@field("LineItem.taxLines")
def _line_taxes(call: Call, one: Source, first: int | None = None) -> list[Source]:
    rows: list[Source] = one["taxes"]
    return rows[:first]


@field("LineItem.variant")
def _line_variant(call: Call, one: Source) -> Source | None:
    return found(call, "ProductVariant", one["row"]["variant"]) if one["row"]["variant"] else None


@field("LineItem.product")
def _line_product(call: Call, one: Source) -> Source | None:
    return found(call, "Product", one["row"]["product"]) if one["row"]["product"] else None


@field("Order.refunds")
def _refunds(call: Call, one: Source, first: int | None = None) -> list[Source]:
    return [_refund_source(row, one["row"]) for row in one["row"]["refunds"]][:first]


def _refund_source(row: Row, order: Row) -> Source:
    lines = {line["id"]: line for line in order["lines"]}
    return {
        "__typename": "Refund",
        "id": gid("Refund", row["id"]),
        "createdAt": row["createdAt"],
        "totalRefundedSet": bag(_given_back(order), order),
        "lines": [
            {
                "quantity": one["quantity"],
                "restockType": one["restock"],
                "location": None,
                "lineItem": _line_source(lines[one["line"]], order),
            }
            for one in row["lines"]
        ],
    }


@field("Refund.refundLineItems")
def _refund_lines(call: Call, one: Source, reverse: bool = False, **paging: Any) -> Source:
    return connection(one["lines"], **_paging(paging))


# -- fulfilment ----------------------------------------------------------------------------------------------------------


@field("Order.fulfillmentOrders")
def _fulfillment_orders(call: Call, one: Source, **paging: Any) -> Source:
    needs(call, "read_merchant_managed_fulfillment_orders")
    rows = [row for row in call.shop.store.all("fulfillment_order") if row["order"] == one["row"]["id"]]
    return connection([row for each in rows if (row := source("FulfillmentOrder", each))], **_paging(paging))


@field("FulfillmentOrder.assignedLocation")
def _assigned(call: Call, one: Source) -> Source:
    location = found(call, "Location", one["row"]["location"])
    return {"location": location, "name": location["name"] if location else "?"}


@field("FulfillmentOrder.requestStatus")
def _request_status(call: Call, one: Source) -> str:
    return "UNSUBMITTED"


@field("FulfillmentOrder.supportedActions")
def _actions(call: Call, one: Source) -> list[Source]:
    names = {
        "OPEN": ("CREATE_FULFILLMENT", "HOLD", "MOVE"),
        "IN_PROGRESS": ("CREATE_FULFILLMENT",),
        "ON_HOLD": ("RELEASE_HOLD",),
    }
    return [{"action": name} for name in names.get(one["row"]["status"], ())]


@field("FulfillmentOrder.fulfillmentHolds")
def _holds(call: Call, one: Source) -> list[Source]:
    hold = one["row"]["hold"]
    return [{**hold, "id": gid("FulfillmentHold", hold["id"])}] if hold and one["row"]["status"] == "ON_HOLD" else []


@field("FulfillmentOrder.lineItems")
def _fulfillment_order_lines(call: Call, one: Source, **paging: Any) -> Source:
    order = call.shop.store.get("order", one["row"]["order"])
    lines = {line["id"]: line for line in order["lines"]}
    rows = [
        {
            "id": gid("FulfillmentOrderLineItem", line["id"]),
            "totalQuantity": line["total"],
            "remainingQuantity": line["remaining"],
            "sku": lines[line["line"]]["sku"],
            "inventoryItemId": None,
            "lineItem": _line_source(lines[line["line"]], order),
        }
        for line in one["row"]["lines"]
    ]
    return connection(rows, **_paging(paging))


@field("Order.fulfillments")
def _fulfillments(call: Call, one: Source, first: int | None = None, query: str | None = None) -> list[Source]:
    rows = call.shop.fulfillments(one["row"]["id"])
    return [row for each in rows if (row := source("Fulfillment", each))][:first]


@field("Fulfillment.location")
def _fulfillment_location(call: Call, one: Source) -> Source | None:
    return found(call, "Location", one["row"]["location"])


@field("Fulfillment.trackingInfo")
def _tracking(call: Call, one: Source, first: int | None = None) -> list[Source]:
    tracking = one["row"]["tracking"]
    numbers = [*([tracking["number"]] if tracking.get("number") else []), *tracking.get("numbers", ())]
    urls = [*([tracking["url"]] if tracking.get("url") else []), *tracking.get("urls", ())]
    rows = [
        {"company": tracking.get("company"), "number": text, "url": urls[at] if at < len(urls) else None}
        for at, text in enumerate(numbers)
    ]
    return rows[:first]


@field("Fulfillment.fulfillmentLineItems")
def _fulfillment_lines(call: Call, one: Source, reverse: bool = False, **paging: Any) -> Source:
    order = call.shop.store.get("order", one["row"]["order"])
    lines = {line["id"]: line for line in order["lines"]}
    rows = [
        {
            "id": gid("FulfillmentLineItem", line["id"]),
            "quantity": line["quantity"],
            "lineItem": _line_source(lines[line["line"]], order),
        }
        for line in one["row"]["lines"]
    ]
    return connection(rows, **_paging(paging))


# -- bulk operations and webhooks ----------------------------------------------------------------------------------------


def bulk_source(call: Call, row: Row) -> Source:
    """A bulk operation as it stands by the clock."""
    now = call.shop.clock.now()
    is_over = (now - search.moment(row["startedAt"])).total_seconds() >= row["seconds"]
    status = row["status"] if row["status"] != "RUNNING" else ("FAILED" if row["error"] else "COMPLETED")
    if not is_over and row["status"] == "RUNNING":
        status = "RUNNING"
    is_done = status == "COMPLETED"
    return {
        "__typename": "BulkOperation",
        "id": gid("BulkOperation", row["id"]),
        "createdAt": row["createdAt"],
        "completedAt": row["createdAt"] if is_over else None,
        "query": row["query"],
        "type": "QUERY",
        "status": status,
        "errorCode": row["error"] or None if status == "FAILED" else None,
        "objectCount": str(row["objects"]) if is_done else "0",
        "rootObjectCount": str(row["roots"]) if is_done else "0",
        "fileSize": str(len(row["file"].encode())) if is_done else None,
        "url": f"{call.base_url}/bulk/{row['id']}.jsonl?signature=s{row['id']}" if is_done and row["file"] else None,
        "partialDataUrl": None,
    }


@field("QueryRoot.bulkOperation")
def _bulk(call: Call, root: Any, id: str) -> Source | None:
    row = call.shop.store.find("bulk", number(id, "BulkOperation"))
    return bulk_source(call, row) if row is not None else None


@field("QueryRoot.bulkOperations")
def _bulks(call: Call, root: Any, reverse: bool = False, sortKey: str = "CREATED_AT", **paging: Any) -> Source:
    rows = [bulk_source(call, row) for row in call.shop.store.all("bulk")]
    return connection(rows[::-1] if reverse else rows, **_paging(paging))


@field("QueryRoot.webhookSubscriptions")
def _subscriptions(
    call: Call,
    root: Any,
    topics: Sequence[str] | None = None,
    uri: str | None = None,
    **paging: Any,
) -> Source:
    rows = [
        row
        for row in call.shop.store.all("webhook")
        if (uri is None or row["uri"] == uri) and (topics is None or row["topic"] in topics)
    ]
    return connection([one for row in rows if (one := source("WebhookSubscription", row))], **_paging(paging))
