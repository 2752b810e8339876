"""What each mutation does: its checks in the shop's own codes, the effect in one piece, and the promise of idempotency."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from graphql import GraphQLError, GraphQLResolveInfo

from comptoir.connectors.shopify.simulator.answers import (
    FIELDS,
    Call,
    Source,
    bulk_source,
    found,
    gid,
    level_source,
    needs,
    number,
    source,
)
from comptoir.connectors.shopify.simulator.shop import money

MOST_ENTRIES = 250
MOST_LEVEL = 1_000_000_000
REASONS = frozenset(
    {
        *("correction", "cycle_count_available", "damaged", "movement_canceled", "movement_created"),
        *("movement_received", "movement_updated", "other", "promotion", "quality_control", "received"),
        *("reservation_created", "reservation_deleted", "reservation_updated", "restock", "safety_stock", "shrinkage"),
    }
)
#: mutations that must carry @idempotent, by the version from which they must
MUST_BE_IDEMPOTENT = {"inventorySetQuantities": "2026-04", "inventoryActivate": "2026-04"}
#: what the counters call what a mutation writes
RESOURCES = {
    "inventorySetQuantities": "inventory_levels",
    "inventoryActivate": "inventory_levels",
    "fulfillmentCreate": "fulfillments",
    "orderCancel": "orders",
    "productVariantsBulkUpdate": "variants",
    "webhookSubscriptionCreate": "webhooks",
    "webhookSubscriptionDelete": "webhooks",
}
#: mutations that change nothing in the shop
NO_WRITES = ("bulkOperationRunQuery", "bulkOperationCancel")


class Problems(Exception):
    """Business errors of one payload: nothing was done."""

    def __init__(self, *errors: tuple[str | None, list[str] | None, str]) -> None:
        super().__init__(errors[0][2] if errors else "")
        self.errors = [{"code": code, "field": place, "message": message} for code, place, message in errors]


def mutation(name: str, empty: Mapping[str, Any], errors: str = "userErrors") -> Callable[..., Any]:
    """Registers a mutation: one piece, and its problems in the payload."""

    def register(action: Callable[..., Source]) -> Callable[..., Source]:
        def run(call: Call, _root: Any, **arguments: Any) -> Source:
            try:
                with call.shop.store.transaction():
                    return {**empty, errors: [], **action(call, **arguments)}
            except Problems as problem:
                return {**empty, errors: problem.errors}

        FIELDS["Mutation", name] = run
        return run

    return register


# -- idempotency ---------------------------------------------------------------------------------------------------------


def idempotent(call: Call, info: GraphQLResolveInfo, run: Callable[[], Source], arguments: Mapping[str, Any]) -> Source:
    """The same key with the same variables is the stored result; with others it is an error."""
    name = info.field_name
    key = _key(info)
    if key is None:
        if (since := MUST_BE_IDEMPOTENT.get(name)) and call.version >= since:
            raise GraphQLError(f"The @idempotent directive is required on {name}", extensions={"code": "BAD_REQUEST"})
        return run()
    try:
        UUID(key)
    except ValueError as error:
        raise GraphQLError("The idempotency key must be a UUID") from error
    digest = hashlib.sha256(json.dumps([name, arguments], sort_keys=True, default=str).encode()).hexdigest()
    kept = call.shop.store.find("idempotency", key)
    if kept is None:
        with call.shop.store.transaction():
            result = run()
            call.shop.store.add("idempotency", key, digest=digest, result=json.loads(json.dumps(result, default=str)))
        return result
    if kept["digest"] != digest:
        code = "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
        return {"userErrors": [{"code": code, "field": None, "message": "The key was used with other parameters"}]}
    stored: Source = kept["result"]
    return stored


def _key(info: GraphQLResolveInfo) -> str | None:
    for node in info.field_nodes[0].directives:
        if node.name.value == "idempotent":
            value = node.arguments[0].value
            return str(
                info.variable_values[value.name.value] if hasattr(value, "name") else getattr(value, "value", "")
            )
    return None


# -- stock ---------------------------------------------------------------------------------------------------------------


@mutation("inventorySetQuantities", {"inventoryAdjustmentGroup": None})
def _set_quantities(call: Call, input: Mapping[str, Any]) -> Source:
    needs(call, "write_inventory")
    if input["name"] not in ("available", "on_hand"):
        raise Problems(
            ("INVALID_NAME", ["input", "name"], "The quantity name must be either 'available' or 'on_hand'.")
        )
    if input["reason"] not in REASONS:
        raise Problems(("INVALID_REASON", ["input", "reason"], "The specified reason is invalid."))
    entries = input["quantities"]
    if len(entries) > MOST_ENTRIES:
        raise GraphQLError(f"The input array size of {len(entries)} is greater than the maximum allowed of 250.")
    problems = []
    pairs: set[tuple[int, int]] = set()
    wanted: list[tuple[int, int, int]] = []
    for at, entry in enumerate(entries):
        place = ["input", "quantities", str(at)]
        item, location = number(entry["inventoryItemId"], "InventoryItem"), number(entry["locationId"], "Location")
        problem = _problem(call, entry, item, location, bool(input.get("ignoreCompareQuantity")), pairs)
        if problem:
            code, own, message = problem
            problems.append((code, None if call.shop.quirks.stale_without_place else [*place, own], message))
        pairs.add((item, location))
        wanted.append((item, location, entry["quantity"]))
    if problems:
        raise Problems(*problems)
    changes = []
    for item, location, quantity in wanted:
        level = call.shop.level(item, location)
        assert level is not None  # noqa: S101 - checked above
        target = quantity if input["name"] == "available" else quantity - level["committed"]
        if target != level["available"]:
            changes.append(
                {
                    "delta": target - level["available"],
                    "name": "available",
                    "quantityAfterChange": target,
                    "item": found(call, "InventoryItem", item),
                    "location": found(call, "Location", location),
                }
            )
            call.shop.set_available(item, location, target)
    if not changes:
        return {}
    group = {
        "__typename": "InventoryAdjustmentGroup",
        "id": gid("InventoryAdjustmentGroup", call.shop.store.new_id()),
        "createdAt": call.shop.now_text(),
        "reason": input["reason"],
        "referenceDocumentUri": input.get("referenceDocumentUri"),
        "changes": changes,
    }
    return {"inventoryAdjustmentGroup": group}


def _problem(
    call: Call, entry: Mapping[str, Any], item: int, location: int, ignores: bool, pairs: set[tuple[int, int]]
) -> tuple[str, str, str] | None:
    store = call.shop.store
    row = store.find("item", item)
    if row is None:
        return "INVALID_INVENTORY_ITEM", "inventoryItemId", "The specified inventory item could not be found."
    place = store.find("location", location)
    if place is None or not place["isActive"]:
        return "INVALID_LOCATION", "locationId", "The specified location could not be found."
    if store.get("variant", row["variant"])["parts"]:
        return (
            "NON_MUTABLE_INVENTORY_ITEM",
            "inventoryItemId",
            "The specified inventory item is not allowed to be adjusted.",
        )
    if (item, location) in pairs:
        code = "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"
        return code, "inventoryItemId", "The combination of inventoryItemId and locationId must be unique."
    if entry["quantity"] < 0:
        return "INVALID_QUANTITY_NEGATIVE", "quantity", "The quantity can't be negative."
    if entry["quantity"] > MOST_LEVEL:
        return "INVALID_QUANTITY_TOO_HIGH", "quantity", "The quantity can't be higher than 1,000,000,000."
    level = call.shop.level(item, location)
    if level is None:
        # The code is gone from 2026-10 and nothing says what stands there instead: the double takes the item's.
        code = "ITEM_NOT_STOCKED_AT_LOCATION" if call.version < "2026-10" else "INVALID_INVENTORY_ITEM"
        return code, "locationId", "The specified inventory item is not stocked at the location."
    if "changeFromQuantity" in entry:
        expected = entry["changeFromQuantity"]
        if expected is not None and expected != level["available"]:
            return (
                "CHANGE_FROM_QUANTITY_STALE",
                "changeFromQuantity",
                "The changeFromQuantity argument no longer matches.",
            )
        return None
    if call.version >= "2026-04":
        return "COMPARE_QUANTITY_REQUIRED", "changeFromQuantity", "The changeFromQuantity argument must be given."
    if entry.get("compareQuantity") is None and not ignores:
        return "COMPARE_QUANTITY_REQUIRED", "compareQuantity", "The compareQuantity argument must be given."
    if not ignores and entry.get("compareQuantity") != level["available"]:
        return "COMPARE_QUANTITY_STALE", "compareQuantity", "The compareQuantity argument no longer matches."
    return None


@mutation("inventoryActivate", {"inventoryLevel": None})
def _activate(
    call: Call,
    inventoryItemId: str,
    locationId: str,
    available: int | None = None,
    onHand: int | None = None,
    stockAtLegacyLocation: bool = False,
) -> Source:
    needs(call, "write_inventory")
    item, location = number(inventoryItemId, "InventoryItem"), number(locationId, "Location")
    if call.shop.store.find("item", item) is None:
        raise Problems((None, ["inventoryItemId"], "The inventory item could not be found."))
    if call.shop.store.find("location", location) is None:
        raise Problems((None, ["locationId"], "The location could not be found."))
    if call.shop.level(item, location) is not None:
        if available is not None:
            raise Problems(
                (None, ["available"], "Not allowed to set available quantity when the item is already active.")
            )
    else:
        was_there = call.shop.store.find("level", f"{item}@{location}") is not None
        call.shop.activate(item, location, available or 0)
        if was_there and call.version < "2026-04":  # since then what stood there stands again
            call.shop.set_available(item, location, available or 0)
    return {"inventoryLevel": level_source(call.shop.level(item, location))}


# -- prices --------------------------------------------------------------------------------------------------------------


@mutation("productVariantsBulkUpdate", {"product": None, "productVariants": None})
def _update_variants(
    call: Call,
    productId: str,
    variants: Sequence[Mapping[str, Any]],
    allowPartialUpdates: bool = False,
) -> Source:
    needs(call, "write_products")
    product = number(productId, "Product")
    if call.shop.store.find("product", product) is None:
        raise Problems(("PRODUCT_DOES_NOT_EXIST", ["productId"], "Product does not exist"))
    problems: list[tuple[str | None, list[str] | None, str]] = []
    good: list[tuple[int, str]] = []
    for at, one in enumerate(variants):
        row = call.shop.store.find("variant", number(one.get("id") or "", "ProductVariant"))
        place = ["variants", str(at)]
        if row is None or row["product"] != product:
            problems.append(("PRODUCT_VARIANT_DOES_NOT_EXIST", [*place, "id"], "Product variant does not exist"))
            continue
        try:
            price = Decimal(str(one.get("price", row["price"])))
        except InvalidOperation:
            problems.append(("INVALID_VALUE", [*place, "price"], "Price is not a number"))
            continue
        if price < 0:
            problems.append(("GREATER_THAN_OR_EQUAL_TO", [*place, "price"], "Price must be greater than or equal to 0"))
            continue
        good.append((row["id"], money(price)))
    if problems and not allowPartialUpdates:
        raise Problems(*problems)
    for key, text in good:
        call.shop.edit_variant(key, price=text)
    return {
        "product": found(call, "Product", product),
        "productVariants": [found(call, "ProductVariant", key) for key, _ in good],
        "userErrors": Problems(*problems).errors if problems else [],
    }


# -- parcels and cancellations -------------------------------------------------------------------------------------------


@mutation("fulfillmentCreate", {"fulfillment": None})
def _ship(call: Call, fulfillment: Mapping[str, Any], message: str | None = None) -> Source:
    needs(call, "write_merchant_managed_fulfillment_orders")
    parts: list[tuple[int, dict[int, int] | None]] = []
    rows = []
    for at, one in enumerate(fulfillment["lineItemsByFulfillmentOrder"]):
        key = number(one["fulfillmentOrderId"], "FulfillmentOrder")
        row = call.shop.store.find("fulfillment_order", key)
        place = ["fulfillment", "lineItemsByFulfillmentOrder", str(at)]
        if row is None:
            raise Problems((None, place, "Fulfillment order does not exist."))
        if row["status"] not in ("OPEN", "IN_PROGRESS"):
            raise Problems(
                (None, place, f"Fulfillment order {key} has an unfulfillable status= {row['status'].lower()}.")
            )
        wanted = one.get("fulfillmentOrderLineItems")
        lines = (
            None
            if not wanted
            else {number(line["id"], "FulfillmentOrderLineItem"): line["quantity"] for line in wanted}
        )
        if lines is not None and set(lines) - {line["id"] for line in row["lines"]}:
            raise Problems((None, place, "Fulfillment order line item does not exist."))
        rows.append(row)
        parts.append((key, lines))
    if len({(row["order"], row["location"]) for row in rows}) > 1:
        raise Problems((None, ["fulfillment"], "All fulfillment orders must be at one location and of one order."))
    try:
        made = call.shop.fulfil(
            parts, tracking=fulfillment.get("trackingInfo"), notify=bool(fulfillment.get("notifyCustomer"))
        )
    except ValueError as error:
        raise Problems(
            (None, ["fulfillment"], f"Invalid fulfillment order line item quantity requested: {error}")
        ) from error
    return {"fulfillment": found(call, "Fulfillment", made)}


@mutation("orderCancel", {"job": None}, "orderCancelUserErrors")
def _cancel(
    call: Call,
    orderId: str,
    reason: str,
    restock: bool,
    refundMethod: Mapping[str, Any] | None = None,
    **_: Any,
) -> Source:
    needs(call, "write_orders")
    row = call.shop.store.find("order", number(orderId, "Order"))
    if row is None:
        raise Problems(("NOT_FOUND", ["orderId"], "Order does not exist"))
    if row["cancelledAt"]:
        raise Problems(("INVALID", ["orderId"], "Order has already been cancelled"))
    if any(line["fulfilled"] for line in row["lines"]):
        raise Problems(("INVALID", ["orderId"], "Cannot cancel an order that has been fulfilled"))
    job = {"id": gid("Job", call.shop.store.new_id()), "done": not call.shop.quirks.slow_cancel}
    if not call.shop.quirks.slow_cancel:
        gives_back = bool((refundMethod or {}).get("originalPaymentMethodsRefund"))
        call.shop.cancel(row["id"], reason=reason, restock=restock, refund=gives_back)
    return {"job": job}


# -- bulk operations -----------------------------------------------------------------------------------------------------


@mutation("bulkOperationRunQuery", {"bulkOperation": None})
def _run_bulk(call: Call, query: str, groupObjects: bool = False) -> Source:
    running = [row for row in call.shop.store.all("bulk") if bulk_source(call, row)["status"] == "RUNNING"]
    if len(running) >= 5:
        raise Problems(("LIMIT_REACHED", ["query"], "Too many bulk operations are running for this app and shop"))
    try:
        rows = call.run(call, query, groupObjects)
    except GraphQLError as error:
        raise Problems(("INVALID", ["query"], f"Invalid bulk query: {error.message}")) from error
    now = call.shop.clock.now()
    row = call.shop.store.add(
        "bulk",
        query=query,
        createdAt=call.shop.now_text(),
        startedAt=now.isoformat(),
        seconds=call.shop.quirks.bulk_seconds,
        status="RUNNING",
        error=call.shop.quirks.bulk_fails,
        objects=len(rows),
        roots=sum(1 for one in rows if "__parentId" not in one),
        file="".join(json.dumps(one, separators=(",", ":"), ensure_ascii=False) + "\n" for one in rows),
    )
    return {"bulkOperation": {**bulk_source(call, row), "status": "CREATED"}}


@mutation("bulkOperationCancel", {"bulkOperation": None})
def _cancel_bulk(call: Call, id: str) -> Source:
    row = call.shop.store.find("bulk", number(id, "BulkOperation"))
    if row is None:
        raise Problems((None, ["id"], "Bulk operation does not exist"))
    return {"bulkOperation": bulk_source(call, call.shop.store.change("bulk", row["id"], status="CANCELED"))}


# -- webhooks ------------------------------------------------------------------------------------------------------------


@mutation("webhookSubscriptionCreate", {"webhookSubscription": None})
def _subscribe(call: Call, topic: str, webhookSubscription: Mapping[str, Any]) -> Source:
    uri = webhookSubscription.get("uri") or ""
    place = ["webhookSubscription", "uri"]
    # Shopify takes only https; a loopback address is let through, so that the demo can be delivered to.
    if not uri.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise Problems((None, place, "Address protocol http:// is not supported"))
    if any(row["topic"] == topic and row["uri"] == uri for row in call.shop.store.all("webhook")):
        raise Problems((None, place, "Address for this topic has already been taken"))
    now = call.shop.now_text()
    row = call.shop.store.add(
        "webhook",
        topic=topic,
        uri=uri,
        format=webhookSubscription.get("format") or "JSON",
        filter=webhookSubscription.get("filter"),
        createdAt=now,
        updatedAt=now,
        failures=0,
        version=call.version,
    )
    return {"webhookSubscription": source("WebhookSubscription", row)}


@mutation("webhookSubscriptionDelete", {"deletedWebhookSubscriptionId": None})
def _unsubscribe(call: Call, id: str) -> Source:
    if not call.shop.store.remove("webhook", number(id, "WebhookSubscription")):
        raise Problems((None, ["id"], "Webhook subscription does not exist"))
    return {"deletedWebhookSubscriptionId": id}
