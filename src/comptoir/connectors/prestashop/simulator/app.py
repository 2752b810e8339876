"""The simulated webservice: who may ask, what is asked, what is saved, and the answers with their codes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, ClassVar
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from comptoir.connectors.prestashop.simulator import query as queries
from comptoir.connectors.prestashop.simulator import world as worlds
from comptoir.connectors.prestashop.simulator.base import DEMO_KEY, Key
from comptoir.connectors.prestashop.simulator.query import Problem
from comptoir.connectors.prestashop.simulator.resources import (
    EMPTY,
    RESOURCES,
    SPECIAL,
    Field,
    Resource,
)
from comptoir.connectors.prestashop.simulator.state import ACTIONS, Shop
from comptoir.connectors.prestashop.simulator.store import Row
from comptoir.connectors.prestashop.simulator.trade import Trade
from comptoir.connectors.prestashop.simulator.xml import Item, Writer
from comptoir.simulators.counters import Written
from comptoir.simulators.exchange import Answer, Request
from comptoir.simulators.images import png
from comptoir.simulators.simulator import Simulator, query_text

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
FULL_VERSIONS = {"1.6": "1.6.1.24", "1.7": "1.7.8.11", "8": "8.2.1", "8.2": "8.2.1", "9": "9.0.3", "9.0": "9.0.3"}
REALM = 'Basic realm="Welcome to PrestaShop Webservice, please enter the authentication key as the login."'

_TRACKING = re.compile(r"[~:#,%&_=()\[\].? +\-@/a-zA-Z0-9]*")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2})?")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
TRACKING_COLUMN = 64


class PrestaShopSimulator(Trade, Simulator):
    """A PrestaShop shop with its webservice under /api."""

    kind: ClassVar[str] = "prestashop"

    def __init__(
        self,
        version: str = "8.2",
        world: str = "demo",
        key: str = DEMO_KEY,
        timezone: str = "Europe/London",
        *,
        state: Path | None = None,
        currency: str = "GBP",
        seed: int = 0,
    ) -> None:
        super().__init__(seed=seed)
        self.version = FULL_VERSIONS.get(version, version)
        self.key = key
        self.state = Shop(self.clock, timezone=timezone, version=self.version, path=state, currency=currency)
        if key not in self.state.keys:
            self.state.add_key(key)
        self.resources = _resources(self.version)
        self.counters.restore(self.state.store.log())
        if state is not None:
            self.counters.keep = self.state.store.keep
        self.state.quirks.duplicate_history = self.version.startswith("1.")
        if self.state.store.value("SELECT value FROM meta WHERE name = 'world'") is None:
            with self.state.store.transaction():
                worlds.WORLDS[world](self.state, seed)
                self.state.store.execute("INSERT INTO meta VALUES ('world', ?)", (world,))

    # Harness ----------------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """What a client needs to connect."""
        return {
            "kind": self.kind,
            "key": self.key,
            "version": self.version,
            "timezone": self.state.configuration("PS_TIMEZONE"),
        }

    def act(self, action: str, arguments: dict[str, Any]) -> Any:
        """A shop action by name."""
        if action not in ACTIONS:
            raise KeyError(f"no action {action}; known: {', '.join(ACTIONS)}")
        if action == "add_key" and arguments.get("rights") is not None:
            arguments["rights"] = {name: set(methods) for name, methods in arguments["rights"].items()}
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
        if self.state.quirks.maintenance:
            page = b"<!DOCTYPE html>\n<html><body><h1>We'll be back soon.</h1></body></html>\n"
            return Answer(503, {"Content-Type": "text/html; charset=utf-8", "Retry-After": "3600"}, page)
        path = request.path
        if path.startswith("/webservice/dispatcher.php"):
            path = "/api/" + (request.parameter("url") or "")
        if path != "/api" and not path.startswith("/api/"):
            return Answer(404, {"Content-Type": "text/html; charset=utf-8"}, b"<html><body>Not found</body></html>")
        call = Call(self, request, [part for part in path.removeprefix("/api").split("/") if part], fault)
        answer = call.answer()
        if request.method == "HEAD":
            answer.headers["Content-Length"] = str(len(answer.body))
            answer.body = b""
        return answer


class Call:
    """One authenticated exchange with the webservice."""

    def __init__(self, simulator: PrestaShopSimulator, request: Request, segments: list[str], fault: str) -> None:
        self.simulator = simulator
        self.shop = simulator.state
        self.store = simulator.state.store
        self.request = request
        self.segments = segments
        self.fault = fault
        self.method = (request.parameter("ps_method") or request.method).upper()
        as_json = "JSON" in {
            (request.parameter("output_format") or "").upper(),
            (request.parameter("io_format") or "").upper(),
            request.headers.get("output-format", "").upper(),
            request.headers.get("io-format", "").upper(),
        }
        self.writer = Writer(f"{request.base_url}/api/", self.store.languages, as_json)
        self.authenticated = False
        self.extra: dict[str, str] = {}

    def answer(self) -> Answer:
        """The answer, good or bad."""
        try:
            answer = self._checked()
        except Problem as problem:
            answer = self._problem(problem)
        answer.headers = {
            "X-Powered-By": "PrestaShop Webservice",
            "Access-Time": str(int(self.shop.clock.now().timestamp())),
            "Execution-Time": "0.004",
            **({"PSWS-Version": self.simulator.version} if self.authenticated else {}),
            **self.extra,
            **answer.headers,
        }
        return answer

    def _problem(self, problem: Problem) -> Answer:
        if problem.status == 401:
            self.extra["WWW-Authenticate"] = REALM
        if problem.code == 0:
            return Answer(problem.status)
        body = self.writer.errors([(problem.code, problem.message)])
        return Answer(problem.status, {"Content-Type": self.writer.content_type}, body)

    def _checked(self) -> Answer:
        if self.shop.configuration("PS_WEBSERVICE") != "1":
            raise Problem(503, 22, "The webservice is switched off")
        key = self._key()
        self.authenticated = True
        self.shops = self._shops(key)
        self.groups = sorted({self.shop.group_of(shop) for shop in self.shops})
        self.writer.languages = self._languages()
        if not self.segments:
            self.simulator.counters.read("api")
            return self._body(self.writer.granted(self.shop.configuration("PS_SHOP_NAME"), key.rights))
        name = self.segments[0]
        if name not in self.simulator.resources and name not in SPECIAL:
            raise Problem(400, 27, f'There is no resource "{name}"')
        if name not in key.rights:
            raise Problem(401, 26, f'Resource "{name}" is not allowed with this key')
        known = METHODS if not self.simulator.version.startswith("1.") else tuple(m for m in METHODS if m != "PATCH")
        if self.method not in known:
            raise Problem(405, 23, f"Method {self.method} is not valid")
        if name in RESOURCES and self.method in RESOURCES[name].forbidden:
            raise Problem(405, 101, f"Method {self.method} is forbidden for {name}")
        if self.method not in key.rights[name]:
            raise Problem(405, 25, f"Method {self.method} on {name} is not granted to this key")
        if name == "images":
            return self._images()
        resource = self.simulator.resources[name]
        if self.method in {"GET", "HEAD"}:
            return self._read(resource)
        return self._write(resource)

    def _body(self, body: bytes, status: int = 200) -> Answer:
        """A good answer, or 304 where the client has it already."""
        digest = hashlib.sha1(body, usedforsecurity=False).hexdigest()
        if self.request.headers.get("local-content-sha1") == digest:
            return Answer(304, {"Content-Sha1": digest})
        return Answer(status, {"Content-Type": self.writer.content_type, "Content-Sha1": digest}, body)

    # Who asks ---------------------------------------------------------------------------------------------------

    def _key(self) -> Key:
        given = self._given_key()
        if given is None:
            raise Problem(401, 16, "Enter the key as the login; no password is needed")
        if given == "":
            raise Problem(401, 17, "The key is empty")
        if len(given) != 32:
            raise Problem(401, 18, "The key has not the right format")
        key = self.shop.keys.get(given)
        if key is None or not key.active:
            raise Problem(401, 20, "The key is not active")
        if not key.rights:
            raise Problem(401, 21, "The key has no permission")
        return key

    def _given_key(self) -> str | None:
        scheme, _, coded = self.request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                return base64.b64decode(coded, validate=True).decode().partition(":")[0].strip()
            except (binascii.Error, UnicodeDecodeError):
                return ""
        return self.request.parameter("ws_key")

    def _shops(self, key: Key) -> list[int]:
        """The shops of this request, in the order of the real service: group, shop, default."""
        known = [row["id"] for row in self.store.rows("SELECT id FROM shops WHERE deleted = 0 ORDER BY id")]
        group = self.request.parameter("id_shop_group") or self.request.parameter("id_group_shop")
        shop = self.request.parameter("id_shop")
        if group is not None and group.isdigit():
            shops = [one for one in known if self.shop.group_of(one) == int(group)]
            if not shops:
                raise Problem(500, 999, "This group has no shops")
        elif shop == "all":
            shops = known
        elif shop is None:
            shops = [int(self.shop.configuration("PS_SHOP_DEFAULT"))]
        elif shop.isdigit():
            shops = [int(shop)]
        else:
            raise Problem(404, 999, "There is no such shop")
        if key.shops is not None and not key.shops & set(shops):
            raise Problem(403, 132, "The key is not allowed for this shop")
        if not set(shops) & set(known):
            raise Problem(403, 132, "The key is not allowed for this shop")
        return shops

    def _languages(self) -> list[int]:
        text = self.request.parameter("language")
        if text is None:
            return self.store.languages
        bare = text.strip("[]")
        if "," in bare:
            first, last = bare.split(",", 1)
            wanted = range(int(first), int(last) + 1) if first.isdigit() and last.isdigit() else range(0)
            chosen = list(wanted)
        else:
            chosen = [int(one) for one in bare.split("|") if one.isdigit()]
        known = [one for one in chosen if one in self.store.languages]
        if not known:
            raise Problem(400, 81, "This language is not available")
        return known

    # Reading ----------------------------------------------------------------------------------------------------

    def _read(self, resource: Resource) -> Answer:
        schema = self.request.parameter("schema")
        if schema is not None:
            if schema not in {"blank", "synopsis"}:
                raise Problem(400, 28, "A schema is blank or synopsis")
            self._count(resource.name, [])
            return self._body(self.writer.schema(resource, schema))
        prices = self._prices()
        wanted = queries.display(resource, self.request.parameter("display"), set(prices))
        if len(self.segments) > 1:
            return self._single(resource, wanted, prices)
        query = queries.parse(self.request.query)
        query.languages = tuple(self.writer.languages)
        sql, values = queries.statement(resource, query, self.shops, self.groups)
        if wanted is None:
            rows = self.store.rows(sql.replace("SELECT *", "SELECT main.id", 1), values)
            ids = [row["id"] for row in rows]
            self._count(resource.name, ids)
            return self._body(self.writer.ids(resource, ids))
        rows = self.store.rows(sql, values)
        self._count(resource.name, [row["id"] for row in rows])
        return self._body(self.writer.listing(resource, self._items(resource, rows, prices, wanted), wanted))

    def _single(self, resource: Resource, wanted: list[str] | None, prices: dict[str, dict[str, str]]) -> Answer:
        text = self.segments[1]
        row = self.store.get(resource.name, int(text)) if text.isdigit() else None
        if row is None:
            self._count(resource.name, [])
            raise Problem(404, 0, "")
        if not self._in_context(resource, row):
            raise Problem(404, 131, f"{resource.node} {text} does not exist in this shop")
        self._count(resource.name, [row["id"]])
        items = self._items(resource, [row], prices, wanted or ["*"])
        if self.writer.as_json and self.request.parameter("display") is not None:
            return self._body(self.writer.listing(resource, items, wanted or ["*"]))
        return self._body(self.writer.objects(resource, items, wanted or ["*"]))

    def _in_context(self, resource: Resource, row: Row) -> bool:
        if resource.shop == "list":
            members = self.store.rows(
                "SELECT id_shop FROM shop_members WHERE resource = ? AND id = ?", (resource.name, row["id"])
            )
            return bool({one["id_shop"] for one in members} & set(self.shops))
        if resource.shop == "row":
            return row["id_shop"] in self.shops or (row["id_shop"] == 0 and row["id_shop_group"] in self.groups)
        return True

    def _count(self, name: str, ids: list[int]) -> None:
        self.simulator.counters.read(name, ids, query_text(self.request))

    def _items(
        self,
        resource: Resource,
        rows: list[Row],
        prices: Mapping[str, dict[str, str]] | None = None,
        wanted: Iterable[str] = ("*",),
    ) -> list[Item]:
        """Rows made ready: texts by language, computed fields, associations, all read for the whole page at once."""
        ids = [row["id"] for row in rows]
        needs_more = "*" in wanted or any(one.startswith("associations.") for one in wanted)
        names = set(wanted)
        needs_computed = "*" in names or any(one.computed and one.name in names for one in resource.fields)
        associations = self._associations(resource, ids) if needs_more else {}
        computed = self._computed(resource, rows) if needs_computed else {}
        items = []
        many = [one.name for one in resource.shown if one.many]
        shown = [(one.name, one.computed) for one in resource.shown]
        for row in rows:
            extra = computed.get(row["id"], {})
            values: dict[str, Any] = {name: extra.get(name, "") if made else row[name] for name, made in shown}
            for name in many:
                values[name] = {int(language): text for language, text in json.loads(values[name]).items()}
            if prices and resource.name in {"products", "combinations"}:
                values |= {name: self._price(resource, row, options) for name, options in prices.items()}
            own = associations.get(row["id"], {})
            if needs_more:
                stored = json.loads(row["associations"])
                own = {**own, **stored}
            items.append(Item(row["id"], values, own))
        return items

    def _associations(self, resource: Resource, ids: list[int]) -> dict[int, dict[str, list[dict[str, Any]]]]:
        """Associations that live in other tables."""
        found: dict[int, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
        if not ids:
            return found
        marks = f"({', '.join('?' * len(ids))})"
        match resource.name:
            case "orders":
                names = next(one for one in resource.associations if one.name == "order_rows").fields
                columns = ", ".join(names)
                for row in self.store.rows(
                    f"SELECT id_order AS owner, {columns} FROM order_details WHERE id_order IN {marks} ORDER BY id", ids
                ):
                    found[row.pop("owner")]["order_rows"].append(row)
            case "products":
                for row in self.store.rows(
                    f"SELECT id_product AS owner, id FROM product_images WHERE id_product IN {marks} ORDER BY id", ids
                ):
                    found[row["owner"]]["images"].append({"id": row["id"]})
                for row in self.store.rows(
                    f"SELECT id_product AS owner, id, associations FROM combinations WHERE id_product IN {marks} "
                    "ORDER BY id",
                    ids,
                ):
                    own = found[row["owner"]]
                    own["combinations"].append({"id": row["id"]})
                    for value in json.loads(row["associations"]).get("product_option_values", []):
                        if value not in own["product_option_values"]:
                            own["product_option_values"].append(value)
                shops, groups = ", ".join(map(str, self.shops)), ", ".join(map(str, self.groups))
                for row in self.store.rows(
                    "SELECT id_product AS owner, id, id_product_attribute FROM stock_availables "
                    f"WHERE id_product IN {marks} AND (id_shop IN ({shops}) "
                    f"OR (id_shop = 0 AND id_shop_group IN ({groups}))) ORDER BY id",
                    ids,
                ):
                    found[row.pop("owner")]["stock_availables"].append(row)
            case "product_options":
                for row in self.store.rows(
                    f"SELECT id_attribute_group AS owner, id FROM product_option_values WHERE id_attribute_group IN {marks}",
                    ids,
                ):
                    found[row["owner"]]["product_option_values"].append({"id": row["id"]})
            case "categories":
                for row in self.store.rows(
                    f"SELECT id_parent AS owner, id FROM categories WHERE id_parent IN {marks} ORDER BY id", ids
                ):
                    found[row["owner"]]["categories"].append({"id": row["id"]})
                for row in self.store.rows(
                    f"SELECT id_category_default AS owner, id FROM products WHERE id_category_default IN {marks} "
                    "ORDER BY id",
                    ids,
                ):
                    found[row["owner"]]["products"].append({"id": row["id"]})
        return found

    def _computed(self, resource: Resource, rows: list[Row]) -> dict[int, dict[str, Any]]:
        """Fields that the shop makes in code."""
        ids = [row["id"] for row in rows]
        marks = f"({', '.join('?' * len(ids))})"
        match resource.name:
            case "orders":
                # The tracking number of the first parcel row that an unsorted query finds.
                parcels = self.store.rows(
                    f"SELECT id_order, tracking_number FROM order_carriers WHERE id_order IN {marks} ORDER BY id DESC",
                    ids,
                )
                numbers = {row["id_order"]: row["tracking_number"] for row in parcels}
                return {one: {"shipping_number": numbers.get(one, "")} for one in ids}
            case "products":
                names = {row["id"]: row["name"] for row in self.store.rows("SELECT id, name FROM manufacturers")}
                covers = {
                    row["id_product"]: row["id"]
                    for row in self.store.rows(
                        f"SELECT id_product, id FROM product_images WHERE cover = 1 AND id_product IN {marks}", ids
                    )
                }
                defaults = {
                    row["id_product"]: row["id"]
                    for row in self.store.rows(
                        f"SELECT id_product, id FROM combinations WHERE default_on = 1 AND id_product IN {marks}", ids
                    )
                }
                return {
                    row["id"]: {
                        "manufacturer_name": names.get(row["id_manufacturer"], ""),
                        "quantity": 0,
                        "type": "virtual" if row["is_virtual"] else "pack" if row["cache_is_pack"] else "simple",
                        "id_default_image": covers.get(row["id"], ""),
                        "id_default_combination": defaults.get(row["id"], 0),
                        "position_in_category": 0,
                    }
                    for row in rows
                }
            case "combinations":
                return {one: {"quantity": 0} for one in ids}
            case "suppliers" | "manufacturers":
                return {row["id"]: {"link_rewrite": row["name"].lower().replace(" ", "-")} for row in rows}
            case "categories":
                return {row["id"]: {"level_depth": min(row["id"] - 1, 2), "nb_products_recursive": 0} for row in rows}
        return {}

    def _prices(self) -> dict[str, dict[str, str]]:
        """`price[alias][option]=value` as {alias: {option: value}}."""
        wanted: dict[str, dict[str, str]] = defaultdict(dict)
        for name, value in self.request.query:
            found = re.fullmatch(r"price\[([^\]]+)\]\[([^\]]+)\]", name)
            if found:
                wanted[found[1].lower()][found[2]] = value
        return dict(wanted)

    def _price(self, resource: Resource, row: Row, options: dict[str, str]) -> str:
        product = row
        attribute = int(options.get("product_attribute", 0))
        if resource.name == "combinations":
            attribute, product = row["id"], self.store.get("products", row["id_product"]) or row
        price = Decimal(product["price"])
        if attribute:
            impact = self.store.value("SELECT price FROM combinations WHERE id = ?", (attribute,))
            price += Decimal(impact or 0)
        if options.get("use_tax", self.shop.configuration("PS_TAX")) == "1":
            country = int(options.get("country", 0)) or None
            price *= 1 + self.shop.tax_rate(product.get("id_tax_rules_group", 0), country) / 100
        decimals = int(options.get("decimals", 2))
        return f"{price.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP):.6f}"

    # Images -----------------------------------------------------------------------------------------------------

    def _images(self) -> Answer:
        if self.method not in {"GET", "HEAD"}:
            raise Problem(405, 25, "This simulator takes no image uploads")
        base = f"{self.writer.base}images/products"
        match self.segments[1:]:
            case []:
                self._count("images", [])
                kinds = ("general", "products", "categories", "manufacturers", "suppliers", "stores", "customizations")
                inner = "".join(f'<{one} xlink:href="{self.writer.base}images/{one}"/>\n' for one in kinds)
                return self._body(self.writer.raw(f"<image_types>\n{inner}</image_types>\n"))
            case ["products"]:
                rows = self.store.rows("SELECT DISTINCT id_product AS id FROM product_images ORDER BY id_product")
                self._count("images", [])
                inner = "".join(f'<image id="{row["id"]}" xlink:href="{base}/{row["id"]}"/>\n' for row in rows)
                return self._body(self.writer.raw(f"<images>\n{inner}</images>\n"))
            case ["products", product]:
                rows = self.store.rows("SELECT id FROM product_images WHERE id_product = ? ORDER BY id", (product,))
                self._count("images", [row["id"] for row in rows])
                if not rows:
                    raise Problem(404, 0, "")
                inner = "".join(
                    f'<declination id="{row["id"]}" xlink:href="{base}/{product}/{row["id"]}"/>\n' for row in rows
                )
                return self._body(self.writer.raw(f'<image id="{product}">\n{inner}</image>\n'))
            case ["products", product, image, *kind]:
                return self._picture(product, image, kind[0] if kind else "")
        raise Problem(400, 62, "There is no such image address")

    def _picture(self, product: str, image: str, kind: str) -> Answer:
        found = self.store.rows("SELECT * FROM product_images WHERE id = ? AND id_product = ?", (image, product))
        size = 96
        if kind:
            types = self.store.rows("SELECT width FROM image_types WHERE name = ?", (kind,))
            if not types:
                raise Problem(400, 62, f'There is no image type "{kind}"')
            size = types[0]["width"]
        self._count("image_files", [int(image)] if image.isdigit() else [])
        if not found:
            raise Problem(404, 0, "")
        if found[0]["missing"]:
            raise Problem(500, 59, "The file of this image cannot be read")
        return Answer(200, {"Content-Type": "image/png"}, png(found[0]["id"], size, size))

    # Writing ----------------------------------------------------------------------------------------------------

    def _write(self, resource: Resource) -> Answer:
        """Save, and log in the same transaction what was asked and what it changed."""
        ids: list[int] = []
        with self.store.transaction(), self.store.recorded() as changes:
            try:
                answer = self._delete(resource, ids) if self.method == "DELETE" else self._save(resource, ids)
            except Problem as problem:
                # What earlier objects of the request changed stays saved: the real service has no transaction here.
                answer = self._problem(problem)
            self.simulator.counters.wrote(
                Written(
                    seq=self.simulator.counters.next_seq(),
                    at=self.shop.clock.now().isoformat(),
                    method=self.method,
                    path=self.request.path,
                    query=query_text(self.request),
                    resource=resource.name,
                    ids=ids,
                    digest=hashlib.sha256(self.request.body).hexdigest(),
                    status=answer.status,
                    changes=list(changes),
                    fault=self.fault,
                )
            )
        return answer

    def _delete(self, resource: Resource, ids: list[int]) -> Answer:
        listed = self.request.parameter("id")
        texts = listed.strip("[]").split(",") if listed else self.segments[1:2]
        wanted = [int(text) for text in texts if text.strip().isdigit()]
        missing = [one for one in wanted if self.store.get(resource.name, one) is None]
        if missing or not wanted:
            raise Problem(404, 87, f"No such ids: {missing}")
        for one in wanted:
            match resource.name:
                case "products":
                    self.shop.delete_product(one)
                case "combinations":
                    self.shop.delete_combination(one)
                case _:
                    self.store.delete(resource.name, one)
            ids.append(one)
        return Answer(200)

    def _save(self, resource: Resource, ids: list[int]) -> Answer:
        try:
            root: Element = fromstring(self.request.body)
        except (ParseError, DefusedXmlException, ValueError) as problem:
            raise Problem(500, 127, f"The XML cannot be parsed: {problem}") from problem
        entities = list(root)
        given = [text for entity in entities if (text := (entity.findtext("id") or "").strip())]
        if self.method == "POST":
            if given:
                raise Problem(400, 91, "id is not allowed when adding")
        else:
            if len(set(given)) != len(given):
                raise Problem(400, 89, "The same id occurs twice")
            if len(given) != len(entities):
                raise Problem(400, 90, "id is required when changing")
        for entity in entities:
            self._save_one(resource, entity, ids)
        rows = [row for one in ids if (row := self.store.get(resource.name, one)) is not None]
        body = self.writer.objects(resource, self._items(resource, rows), ["*"])
        return self._body(body, 201 if self.method == "POST" else 200)

    def _save_one(self, resource: Resource, entity: Element, ids: list[int]) -> None:
        """Save one object of the request; its id is noted before anything that may fail afterwards."""
        before: Row | None = None
        if self.method != "POST":
            text = (entity.findtext("id") or "").strip()
            before = self.store.get(resource.name, int(text)) if text.isdigit() else None
            if before is None:
                raise Problem(404, 92, "No object has this id")
        values: dict[str, Any] = {}
        for one in resource.fields:
            if one.hidden:
                continue
            element = entity.find(one.name)
            if element is not None and one.fixed:
                raise Problem(400, 93, f'"{one.name}" is not writable')
            if one.computed:
                continue
            if element is not None:
                values[one.name] = self._sent(one, element, before)
            elif self.method == "PATCH":
                continue
            elif one.required:
                raise Problem(400, 41, f'"{one.name}" is required')
            elif not one.many:
                # PUT and POST replace: an optional field that was left out becomes null.
                values[one.name] = EMPTY[one.kind]
        stored = self._stored_associations(resource, entity, before)
        if stored is not None:
            values["associations"] = stored
        identity = self._apply(resource, before, values)
        ids.append(identity)
        self._afterwards(resource, identity, before, values)

    def _sent(self, one: Field, element: Element, before: Row | None) -> Any:
        """A value from the request, checked."""
        if one.many:
            texts = {} if before is None else {int(k): v for k, v in json.loads(before[one.name]).items()}
            languages = element.findall("language")
            for language in languages:
                texts[int(language.get("id", "0"))] = language.text or ""
            if not languages:
                texts = dict.fromkeys(self.store.languages, element.text or "")
            if one.size and any(len(text) > one.size for text in texts.values()):
                raise Problem(400, 84, f"{one.name}: longer than {one.size}")
            if one.required and not all(texts.values()):
                raise Problem(400, 84, f"{one.name} is empty")
            return texts
        text = element.text or ""
        wrong = Problem(400, 85, f"Validation error: {one.name} is not valid")
        match one.kind:
            case "id" | "int" | "bool":
                if text == "":
                    return 0
                if not re.fullmatch(r"-?\d+", text) or (one.kind == "bool" and text not in {"0", "1"}):
                    raise wrong
                if one.kind == "id" and text.startswith("-"):
                    raise wrong
                return int(text)
            case "money" | "rate":
                if text and not _NUMBER.fullmatch(text):
                    raise wrong
                return text or "0"
            case "date":
                if text and not _DATE.fullmatch(text):
                    raise wrong
                return text or EMPTY["date"]
            case _:
                if one.required and text == "":
                    raise wrong
                if one.size and len(text) > one.size:
                    raise Problem(400, 85, f"{one.name}: longer than {one.size}")
                return text

    def _stored_associations(self, resource: Resource, entity: Element, before: Row | None) -> dict[str, Any] | None:
        sent = entity.find("associations")
        if sent is None:
            return None
        known = {one.name: one for one in resource.associations}
        stored: dict[str, Any] = json.loads(before["associations"]) if before else {}
        for association in sent:
            if association.tag not in known:
                raise Problem(400, 86, f'There is no association "{association.tag}"')
            if known[association.tag].stored:
                stored[association.tag] = [{part.tag: part.text or "" for part in element} for element in association]
        return stored

    def _apply(self, resource: Resource, before: Row | None, values: dict[str, Any]) -> int:
        """Save one object with the rules of its kind; gives its id."""
        now = self.shop.shop_time()
        dated = "date_upd" in resource.by_name
        match resource.name:
            case "order_histories" if before is None:
                if self.store.get("orders", values["id_order"]) is None:
                    raise Problem(500, 46, "Unable to save: no such order")
                if self.store.get("order_states", values["id_order_state"]) is None:
                    raise Problem(500, 46, "Unable to save: no such order state")
                # Nothing guards against the state that the order already has.
                return self.shop.change_state(
                    values["id_order"], values["id_order_state"], employee=values.get("id_employee", 0)
                )
            case "orders" if before is None:
                raise Problem(500, 46, "Unable to save: this simulator takes orders from its checkout only")
            case "orders" if before is not None:
                state = values.pop("current_state", before["current_state"])
                if state != before["current_state"]:
                    self._state_by_order(before["id"], state)
                    for name in ("valid", "invoice_number", "invoice_date", "delivery_number", "delivery_date"):
                        values.pop(name, None)
                    values.pop("total_paid_real", None)
            case "order_carriers":
                number = str(values.get("tracking_number", ""))
                if not _TRACKING.fullmatch(number):
                    raise Problem(400, 85, "Validation error: tracking_number is not valid")
                if len(number) > TRACKING_COLUMN:
                    raise Problem(500, 46, "Unable to save: tracking_number does not fit its column")
            case "stock_availables" if before is not None:
                governed = values.get("depends_on_stock", before["depends_on_stock"])
                if governed and not self.simulator.version.startswith("9"):
                    raise Problem(500, 133, "This stock is governed by advanced stock management")
        if before is None:
            if dated:
                values["date_upd"] = now
            if "date_add" in resource.by_name:
                values["date_add"] = now
            return self.store.insert(resource.name, **values)
        if dated:
            values["date_upd"] = now
        self.store.update(resource.name, before["id"], **values)
        return int(before["id"])

    def _state_by_order(self, order: int, state: int) -> None:
        """`current_state` written on the order itself: always sends the e-mail, on older versions twice in the history."""
        if self.store.get("order_states", state) is None:
            raise Problem(400, 85, "Validation error: there is no such order state")
        self.shop.change_state(order, state, send_mail=True)
        if self.shop.quirks.duplicate_history:
            self.store.insert("order_histories", id_order=order, id_order_state=state, date_add=self.shop.shop_time())

    def _afterwards(self, resource: Resource, identity: int, before: Row | None, values: dict[str, Any]) -> None:
        """What the core does after saving; a failure here is answered as an error although the object is saved."""
        wants_mail = (self.request.parameter("sendemail") or "") not in {"", "0"}
        match resource.name:
            case "stock_availables":
                saved = self.store.get(resource.name, identity)
                if saved is not None:
                    self.shop.stock_row_written(
                        saved["id_product"], saved["id_product_attribute"], saved["id_shop"], saved["id_shop_group"]
                    )
            case "order_carriers" if wants_mail:
                saved = self.store.get(resource.name, identity) or {}
                carrier = self.store.get("carriers", saved.get("id_carrier", 0))
                has_address = carrier is not None and carrier["url"] != ""
                if has_address and not self.shop.mail("in_transit", saved["id_order"]):
                    raise Problem(500, 46, "Unable to save resource")
            case "order_histories" if wants_mail and before is None:
                state = self.shop.state(values["id_order_state"])
                template = json.loads(state["template"]).get("1", "")
                sent = not state["send_email"] or self.shop.mail(template, values["id_order"])
                if not sent or self.shop.quirks.history_mail_500:
                    raise Problem(500, 46, "Unable to save resource")
            case "products":
                self.shop.goods_changed()


def _resources(version: str) -> dict[str, Resource]:
    """The resources as a version shows them: `product_type` is new in 8."""
    shown = dict(RESOURCES)
    if version.startswith("1."):
        old = tuple(one for one in RESOURCES["products"].fields if one.name != "product_type")
        shown["products"] = replace(RESOURCES["products"], fields=old)
    return shown
