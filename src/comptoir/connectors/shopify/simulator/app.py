"""The simulated Shopify over HTTP: tokens, GraphQL with its costs and its errors under status 200, files."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    execute,
    get_operation_ast,
    parse,
    validate,
)

from comptoir.connectors.shopify.simulator import answers, bulk, search, writes
from comptoir.connectors.shopify.simulator import world as worlds
from comptoir.connectors.shopify.simulator.cost import Bucket, Cost
from comptoir.connectors.shopify.simulator.schema import VERSIONS, schema
from comptoir.connectors.shopify.simulator.shop import Line, Shop
from comptoir.connectors.shopify.simulator.store import Row
from comptoir.connectors.shopify.simulator.trade import Trade
from comptoir.simulators.counters import Written
from comptoir.simulators.exchange import Answer, Request
from comptoir.simulators.images import png
from comptoir.simulators.simulator import Simulator

DEMO_TOKEN = "shpat_c0mpt01rsimulatedshop0000000001"  # noqa: S105 - of a shop that is made up
DEMO_CLIENT = "c0mpt01rsimulatedclient000000001"
DEMO_SECRET = "shpss_c0mpt01rsimulatedsecret0000001"  # noqa: S105
DOMAIN = "gifts-and-lights.myshopify.com"

#: what may be done through the control door
ACTIONS = (
    *("add_location", "add_product", "add_variant", "edit_product", "edit_variant", "edit_item", "delete_product"),
    *("set_stock", "activate", "deactivate", "place_order", "pay", "cancel", "refund", "edit_order", "hold"),
    *("ship_in_shop", "configure", "uninstall", "set_quirk"),
)
#: documents whose changes are effects, as the counters call them
EFFECTS = {
    "level": "inventory_levels",
    "order": "orders",
    "fulfillment": "fulfillments",
    "variant": "variants",
    "webhook": "webhooks",
}

_GRAPHQL = re.compile(r"/admin/api/([^/]+)/graphql\.json")
_FILE = re.compile(r"/bulk/(\d+)\.jsonl")
_PICTURE = re.compile(r"/cdn/files/(\d+)\.png")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class ShopifySimulator(Trade, Simulator):
    """A Shopify shop with its Admin API. `key` is the token of an app made in the admin; `secret` the client secret of the
    same app, for the client-credentials grant and for webhooks."""

    kind: ClassVar[str] = "shopify"

    def __init__(
        self,
        version: str = "2026-07",
        world: str = "demo",
        key: str = DEMO_TOKEN,
        timezone: str = "Europe/London",
        *,
        secret: str = DEMO_SECRET,
        state: Path | None = None,
        currency: str = "GBP",
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        if version not in VERSIONS:
            raise ValueError(f"no version {version}; known: {', '.join(VERSIONS)}")
        self.version = version
        self.key = key
        self.client = DEMO_CLIENT
        self.state = Shop(self.clock, domain=DOMAIN, timezone=timezone, currency=currency, path=state)
        self.state.secret = secret
        self.bucket = Bucket()
        #: filters that the search did not understand: a client that is right leaves none
        self.search_warnings: list[str] = []
        #: another schema to answer on, by version: Shopify's own in a test
        self.schemas: dict[str, GraphQLSchema] = {}
        self.counters.restore(self.state.store.log())
        if state is not None:
            self.counters.keep = self.state.store.keep
        if self.state.store.find("meta", "world") is None:
            with self.state.store.transaction():
                worlds.WORLDS[world](self.state, seed)
                self.state.store.add("meta", "world", name=world)

    # Harness ----------------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """What a client needs to connect."""
        return {
            "kind": self.kind,
            "key": self.key,
            "token": self.key,
            "client_id": self.client,
            "client_secret": self.state.secret,
            "version": self.version,
            "timezone": self.state.settings["ianaTimezone"],
            "shop": self.state.settings["myshopifyDomain"],
        }

    def act(self, action: str, arguments: dict[str, Any]) -> Any:
        """A shop action by name."""
        if action not in ACTIONS:
            raise KeyError(f"no action {action}; known: {', '.join(ACTIONS)}")
        for name in ("lines", "add"):
            if action in ("place_order", "edit_order") and name in arguments:
                arguments[name] = [Line(**line) for line in arguments[name]]
        return getattr(self.state, action)(**arguments)

    def dump(self) -> dict[str, Any]:
        """Goods, stock, orders, parcels."""
        return self.state.dump()

    def deliver(self) -> bool:
        """By a courier of its own."""
        self.state.start_courier()
        return True

    def close(self) -> None:
        """Let go of the state file."""
        self.state.store.close()

    def rotate_secret(self, secret: str) -> None:
        """The merchant makes a new client secret; tokens asked for with the old one live on."""
        self.state.secret = secret

    # One request ------------------------------------------------------------------------------------------------

    def answer(self, request: Request, fault: str) -> Answer:
        """Answer one request to the shop."""
        if request.path == "/admin/oauth/access_token":
            return self._token(request)
        if found := _FILE.fullmatch(request.path):
            return self._file(int(found[1]), request)
        if found := _PICTURE.fullmatch(request.path):
            return self._picture(int(found[1]))
        if found := _GRAPHQL.fullmatch(request.path):
            return self._graphql(found[1], request, fault)
        return Answer(404, {"Content-Type": "text/html; charset=utf-8"}, b"<html><body>Not Found</body></html>")

    def _token(self, request: Request) -> Answer:
        """The client-credentials grant, as a form or as JSON."""
        if request.headers.get("content-type", "").startswith("application/json"):
            given = json.loads(request.body or b"{}")
        else:
            given = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
        if given.get("grant_type") != "client_credentials":
            return _json(400, {"error": "unsupported_grant_type"})
        is_known = given.get("client_id") == self.client and given.get("client_secret") == self.state.secret
        if not is_known or not self.state.settings["installed"]:
            return _json(400, {"error": "application_cannot_be_found"} if is_known else {"error": "invalid_client"})
        seconds = self.state.quirks.token_seconds
        token = f"shpat_{hashlib.sha256(uuid.uuid4().bytes).hexdigest()[:32]}"
        until = self.clock.now() + timedelta(seconds=seconds)
        self.state.store.add("token", token, until=until.isoformat())
        self.counters.read("tokens")
        scope = ",".join(self.state.settings["scopes"])
        return _json(200, {"access_token": token, "scope": scope, "expires_in": seconds})

    def _is_let_in(self, token: str) -> bool:
        if not self.state.settings["installed"]:
            return False
        if token == self.key:
            return True
        row = self.state.store.find("token", token)
        return row is not None and search.moment(row["until"]) > self.clock.now()

    def _file(self, key: int, request: Request) -> Answer:
        """The result of a bulk operation: no token, since the address itself is signed."""
        row = self.state.store.find("bulk", key)
        if row is None or request.parameter("signature") != f"s{key}":
            return Answer(403, {"Content-Type": "application/xml"}, b"<Error><Code>AccessDenied</Code></Error>")
        content = row["file"].encode()
        headers = {"Content-Type": "application/jsonl", "Accept-Ranges": "bytes"}
        asked = _RANGE.fullmatch(request.headers.get("range", ""))
        start = 0
        if asked and not self.state.quirks.ignores_ranges:
            start = int(asked[1])
            if start >= len(content):
                return Answer(416, {**headers, "Content-Range": f"bytes */{len(content)}"}, b"")
            end = min(int(asked[2] or len(content) - 1), len(content) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
            piece = content[start : end + 1]
        else:
            piece = content
        self.counters.read("products", _products_in(piece))
        return Answer(206 if "Content-Range" in headers else 200, headers, piece)

    def _picture(self, key: int) -> Answer:
        row = self.state.store.find("media", key)
        if row is None or row.get("missing"):
            return Answer(404, {"Content-Type": "text/plain"}, b"")
        self.counters.read("images", [key])
        return Answer(200, {"Content-Type": "image/png"}, png(key, 64, 64))

    # GraphQL ----------------------------------------------------------------------------------------------------

    def _graphql(self, version: str, request: Request, fault: str) -> Answer:
        if not self._is_let_in(request.headers.get("x-shopify-access-token", "")):
            return _json(
                401,
                {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"},
            )
        if version not in VERSIONS:
            return _json(404, {"errors": "Not Found"})
        try:
            given = json.loads(request.body)
            text, variables = given["query"], given.get("variables") or {}
        except (ValueError, KeyError, TypeError):
            return _json(400, {"errors": {"query": "Required parameter missing or invalid"}})
        call = answers.Call(
            shop=self.state,
            version=version,
            base_url=request.base_url,
            served=self.counters.read,
            scopes=frozenset(self.state.settings["scopes"]),
            warnings=[],
            run=self._run_bulk,
        )
        content = self._execute(call, text, variables, given.get("operationName"), request, fault)
        return _json(200, content, {"X-Shopify-API-Version": version, "X-Request-Id": str(uuid.uuid4())})

    def _execute(
        self,
        call: answers.Call,
        text: str,
        variables: Mapping[str, Any],
        name: str | None,
        request: Request,
        fault: str,
    ) -> dict[str, Any]:
        own = self.schemas.get(call.version) or schema(call.version)
        try:
            document = parse(text)
        except GraphQLError as error:
            return {"errors": [error.formatted]}
        if problems := validate(own, document):
            return {"errors": [problem.formatted for problem in problems]}
        cost = Cost(own, document, variables)
        wanted = cost.requested()
        quirks = self.state.quirks
        if wanted > quirks.most_cost:
            message = (
                f"Query cost is {wanted:.0f}, which exceeds the single query max cost limit ({quirks.most_cost:.0f})."
            )
            extensions = {"code": "MAX_COST_EXCEEDED", "cost": wanted, "maxCost": quirks.most_cost}
            return {"errors": [{"message": message, "extensions": extensions}]}
        left = self.bucket.filled(self.clock.now(), quirks.bucket, quirks.restore)
        if wanted > left:
            return {
                "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
                "extensions": {"cost": self._told(wanted, None, left)},
            }
        with self.state.store.recorded() as changes:
            result = execute(
                own,
                document,
                context_value=call,
                variable_values=dict(variables),
                operation_name=name,
                field_resolver=resolve,
                type_resolver=answers.kind_of,
            )
            changed = [one for one in changes if one["resource"] in EFFECTS]
        assert isinstance(result, ExecutionResult)  # noqa: S101 - nothing here waits
        actual = cost.actual(result.data)
        self.bucket.take(actual)
        self._count(document, name, changed, request, fault)
        self.search_warnings += call.warnings
        content: dict[str, Any] = {"data": result.data}
        if result.errors:
            content["errors"] = [error.formatted for error in result.errors]
        content["extensions"] = {"cost": self._told(wanted, actual, left - actual)}
        if call.warnings:
            content["extensions"]["search"] = [{"warnings": [{"message": text} for text in call.warnings]}]
        return content

    def _told(self, wanted: float, actual: float | None, left: float) -> dict[str, Any]:
        quirks = self.state.quirks
        return {
            "requestedQueryCost": int(wanted),
            "actualQueryCost": None if actual is None else int(actual),
            "throttleStatus": {
                "maximumAvailable": quirks.bucket,
                "currentlyAvailable": int(left),
                "restoreRate": quirks.restore,
            },
        }

    def _count(
        self,
        document: DocumentNode,
        name: str | None,
        changes: Sequence[Row],
        request: Request,
        fault: str,
    ) -> None:
        operation = get_operation_ast(document, name)
        assert operation is not None  # noqa: S101 - it was executed
        names = [node.name.value for node in operation.selection_set.selections if isinstance(node, FieldNode)]
        if operation.operation.value != "mutation" or names[0] in writes.NO_WRITES:
            self.counters.read(names[0])
            return
        told = [{**one, "resource": EFFECTS[one["resource"]]} for one in changes]
        self.counters.wrote(
            Written(
                seq=self.counters.next_seq(),
                at=self.clock.now().isoformat(),
                method=request.method,
                path=request.path,
                query=names[0],
                resource=writes.RESOURCES[names[0]],
                ids=[one["id"] for one in told],
                digest=hashlib.sha256(request.body).hexdigest(),
                status=200,
                changes=told,
                fault=fault,
            )
        )

    def _run_bulk(self, call: answers.Call, text: str, grouped: bool) -> list[Row]:
        """Run a bulk query over everything."""
        document = parse(text)
        bulk.check(document)
        own = self.schemas.get(call.version) or schema(call.version)
        if problems := validate(own, document):
            raise problems[0]
        unseen = answers.Call(**{**call.__dict__, "served": lambda resource, ids: None})
        with bulk.everything():
            result = execute(own, document, context_value=unseen, field_resolver=resolve, type_resolver=answers.kind_of)
        assert isinstance(result, ExecutionResult)  # noqa: S101 - nothing here waits
        if result.errors:
            raise result.errors[0]
        return bulk.lines(result.data or {}, grouped=grouped)


def resolve(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
    """The resolver of every field; mutations that may be repeated under a key go through the promise of idempotency."""
    if info.parent_type.name == "Mutation" and info.field_name in writes.MUST_BE_IDEMPOTENT:
        return writes.idempotent(info.context, info, lambda: answers.answer(source, info, **arguments), arguments)
    return answers.answer(source, info, **arguments)


def _products_in(piece: bytes) -> list[int]:
    return [int(found[1]) for found in re.finditer(rb'^\{"id":"gid://shopify/Product/(\d+)"', piece, re.MULTILINE)]


def _json(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Answer:
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    return Answer(status, {"Content-Type": "application/json; charset=utf-8", **(headers or {})}, body)
