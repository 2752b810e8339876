"""What we ask and what our double answers is checked against Adobe's own schema of the REST API."""

from __future__ import annotations

import io
import json
import re
from decimal import Decimal
from importlib import util
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from comptoir.channels.records import Fate, LevelToTell, PriceToTell
from comptoir.connectors.magento.simulator import Line


@pytest.fixture(scope="session")
def contract() -> Any:
    spec = util.spec_from_file_location("magento_contracts", Path(__file__).with_name("contracts.py"))
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Contract()


class Witness:
    """Sees every call with its answer."""

    def __init__(self, bench: Any) -> None:
        self.seen: list[tuple[str, str, dict[str, str], Any, int, Any]] = []
        inner = bench.application

        def wsgi(environ: dict[str, Any], start_response: Any) -> Any:
            body = environ["wsgi.input"].read() if environ.get("wsgi.input") else b""
            environ["wsgi.input"] = io.BytesIO(body)
            heads: list[Any] = []
            answered = b"".join(inner(environ, lambda *given: heads.append(given)))
            start_response(*heads[0])
            path = re.sub(r"^/rest(/(all|default))?", "", environ["PATH_INFO"])
            if "/V1/" in path:
                query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
                asked = json.loads(body) if body else None
                status = int(heads[0][0].partition(" ")[0])
                self.seen.append((environ["REQUEST_METHOD"], path, query, asked, status, json.loads(answered)))
            return [answered]

        bench.application = wsgi

    def wrong(self, contract: Any) -> list[str]:
        found = []
        for method, path, query, body, status, content in self.seen:
            operation = contract.operation(method, path.removeprefix("/async"))
            unknown = {re.sub(r"\[\d+\]", "[0]", name) for name in query} - contract.parameters(operation)
            found += [f"{method} {path}: parameter {name}" for name in sorted(unknown)]
            problems = contract.request(operation, body)
            if (
                "/stockItems/" in path
            ):  # a part of one is documented to do, though what the shop itself shows is the whole
                problems = [one for one in problems if not one.endswith("is a required property")]
            found += [f"{method} {path} body: {one}" for one in problems]
            if not path.startswith("/async"):  # whose answers no schema tells
                problems = contract.answer(operation, status, content, projected="fields" in query)
                found += [f"{method} {path} answer: {one}" for one in problems]
        return sorted(set(found))


def test_everything_that_is_read_of_a_demo_shop(magento: Any, contract: Any) -> None:
    bench = magento()
    bench.shop.add_source("annex")
    witness = Witness(bench)
    client = bench.open(country="GB", barcode="ean")
    client.probe.look_around()
    list(client.sales.changed_since({}, start=None))
    list(client.sales.placed_between(bench.simulator.clock.now(), bench.simulator.clock.now()))
    list(client.products.everything({}))
    list(client.products.changed_since({}))
    for page in client.stock.figures({}):
        client.stock.fetch([figure.ref for figure in page.items])
    client.prices.figures(bench.priced(client))
    assert len({path for _, path, *_ in witness.seen}) >= 14
    assert witness.wrong(contract) == []


def test_everything_that_is_told_to_a_shop(magento: Any, contract: Any) -> None:
    bench = magento()
    sales = bench.sell(3)
    unpaid = str(bench.shop.place_order([Line("CUS-200-SAN-40")], state="new"))
    bench.shop.ship_order(int(sales[2]))
    witness = Witness(bench)
    client = bench.open(invoices="yes", bulk="yes")
    found = [figure for page in client.stock.figures({}) for figure in page.items]
    told = [
        LevelToTell(offer=1, listing=one.listing, selling_point="default", ref=one.ref, level=Decimal(number) / 2)
        for number, one in enumerate(found * 3)
    ]
    client.levels.set_levels(told[: len(found)])
    assert client.levels._queue.is_trusted()
    prices = [
        PriceToTell(offer=1, listing=one.listing, selling_point="default", amount=Decimal(price))
        for one, price in zip(found, ("7.123456", "-1"), strict=False)
    ]
    assert [answer.fate for answer in client.prices.set_prices(prices)] == [Fate.DONE, Fate.REFUSED]
    for sale in (sales[0], unpaid, sales[2]):
        assert client.tracking.confirm(bench.a_parcel(sale)).fate is Fate.DONE
        assert client.tracking.is_confirmed(bench.a_parcel(sale))
    assert client.cancelling.cancel(sales[1]).fate is Fate.REFUSED
    written = {path for method, path, *_ in witness.seen if method != "GET"}
    assert len(written) >= 7
    assert witness.wrong(contract) == []


def test_a_shop_without_sources(magento: Any, contract: Any) -> None:
    bench = magento(world="empty", msi=False)
    bench.simulator.stock({"CUP": 5})
    witness = Witness(bench)
    client = bench.open()
    (figure,) = next(client.stock.figures({})).items
    assert client.levels.set_levels([bench.a_level(figure)])[0].fate is Fate.DONE
    assert witness.wrong(contract) == []


def test_what_is_refused(magento: Any, contract: Any) -> None:
    bench = magento()
    witness = Witness(bench)
    client = bench.open()
    figure = next(client.stock.figures({})).items[0]
    bench.shop.edit_product(int(figure.listing), sku=" LAN")
    assert client.levels.set_levels([bench.a_level(figure)])[0].fate is Fate.REFUSED
    assert client.cancelling.cancel("999").fate is Fate.REFUSED
    assert {status for *_, status, _ in witness.seen} >= {400, 404}
    assert witness.wrong(contract) == []
