"""Who the simulated shop lets in: signatures of OAuth 1.0a made here by hand, tokens, rights, and its words when it says no."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from comptoir.connectors.magento.simulator import Keys, MagentoSimulator
from comptoir.simulators.asking import Asker, Heard

CONFIGS = "/rest/V1/store/storeConfigs"


def coded(text: str) -> str:
    return quote(text, safe="~")


def signed(
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    *,
    keys: Keys = Keys.demo,
    digest: str = "HMAC-SHA256",
    nonce: str = "n-1",
    off: float = 0,
) -> str:
    """The header, straight from RFC 5849; `path` as it goes over the wire."""
    given = {
        "oauth_consumer_key": keys.consumer_key,
        "oauth_nonce": nonce,
        "oauth_signature_method": digest,
        "oauth_timestamp": str(int(time.time() + off)),
        "oauth_token": keys.access_token,
        "oauth_version": "1.0",
    }
    pairs = sorted((coded(name), coded(value)) for name, value in {**given, **(query or {})}.items())
    base = "&".join([method, coded("http://localhost" + path), coded("&".join("=".join(pair) for pair in pairs))])
    key = f"{coded(keys.consumer_secret)}&{coded(keys.access_token_secret)}"
    hashed = hmac.new(key.encode(), base.encode(), hashlib.sha256 if digest == "HMAC-SHA256" else hashlib.sha1).digest()
    given["oauth_signature"] = base64.b64encode(hashed).decode()
    return "OAuth " + ", ".join(f'{name}="{coded(value)}"' for name, value in given.items())


def ask(
    sim: MagentoSimulator, authorization: str = "", path: str = CONFIGS, query: Mapping[str, str] | str = ""
) -> Heard:
    headers = {"Authorization": authorization} if authorization else {}
    return Asker(sim.wsgi).ask("GET", path, query, headers=headers)


@pytest.fixture
def sim() -> MagentoSimulator:
    return MagentoSimulator(world="empty")


def test_a_good_signature_is_let_in(sim: MagentoSimulator) -> None:
    assert ask(sim, signed("GET", CONFIGS)).status == 200


def test_hmac_sha1_is_refused_as_a_bad_request(sim: MagentoSimulator) -> None:
    heard = ask(sim, signed("GET", CONFIGS, digest="HMAC-SHA1"))
    assert heard.status == 400
    assert "not supported" in heard.json()["message"]


def test_a_nonce_counts_once(sim: MagentoSimulator) -> None:
    header = signed("GET", CONFIGS)
    assert ask(sim, header).status == 200
    assert ask(sim, header).status == 401
    assert ask(sim, signed("GET", CONFIGS, nonce="n-2")).status == 200


@pytest.mark.parametrize("off", [-7200, 7200])
def test_a_timestamp_far_off_is_refused(sim: MagentoSimulator, off: int) -> None:
    assert ask(sim, signed("GET", CONFIGS, off=off)).status == 401


def test_every_parameter_of_the_query_is_signed(sim: MagentoSimulator) -> None:
    query = {"searchCriteria[pageSize]": "2", "searchCriteria[currentPage]": "1"}
    path = "/rest/V1/orders"
    assert ask(sim, signed("GET", path, query), path, query).status == 200
    assert ask(sim, signed("GET", path, nonce="n-2"), path, query).status == 401


@pytest.mark.parametrize("sku", ["CUP 1", "A+B", "CAFÉ"])
def test_a_sku_with_a_blank_a_plus_or_an_accent_is_found_by_its_encoded_path(sim: MagentoSimulator, sku: str) -> None:
    sim.state.add_product("Odd", sku=sku, quantity=1)
    path = f"/rest/V1/products/{coded(sku)}"
    assert ask(sim, signed("GET", path), f"/rest/V1/products/{sku}").json()["sku"] == sku


def test_an_encoded_slash_breaks_the_signature_but_not_a_token(sim: MagentoSimulator) -> None:
    sim.state.add_product("Odd", sku="A/B", quantity=1)
    sim.state.set_quirk("bearer")
    header = signed("GET", "/rest/V1/products/A%2FB")
    assert ask(sim, header, "/rest/V1/products/A/B").status == 401
    assert ask(sim, f"Bearer {Keys.demo.access_token}", "/rest/V1/products/A/B").json()["sku"] == "A/B"


@pytest.mark.parametrize(("version", "status"), [("2.4.3", 200), ("2.4.4", 401), ("2.4.8", 401)])
def test_a_token_alone_is_refused_since_2_4_4(version: str, status: int) -> None:
    sim = MagentoSimulator(version=version, world="empty")
    assert ask(sim, f"Bearer {Keys.demo.access_token}").status == status
    sim.state.set_quirk("bearer")
    assert ask(sim, f"Bearer {Keys.demo.access_token}").status == 200
    assert ask(sim, "Bearer other").status == 401


def test_a_bad_token_and_a_missing_right_have_the_same_words(sim: MagentoSimulator) -> None:
    wanted = {
        "message": "The consumer isn't authorized to access %resources.",
        "parameters": {"resources": "Magento_Backend::store"},
    }
    assert ask(sim).json() == wanted
    sim.state.set_rights(["Magento_Backend::store"])
    heard = ask(sim, signed("GET", CONFIGS))
    assert (heard.status, heard.json()) == (401, wanted)


def test_a_killed_process_loses_nothing_that_it_has_answered(tmp_path: Any) -> None:
    command = [sys.executable, "-m", "comptoir.simulators", "serve", "--kind", "magento", "--world", "empty"]

    def started() -> tuple[subprocess.Popen[str], Any]:
        process = subprocess.Popen([*command, "--state", str(tmp_path / "shop")], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())

    def trade(url: str, action: str, **given: Any) -> Any:
        content = json.dumps({"action": action, **given}).encode()
        with urlopen(Request(f"{url}/_simulator/trade", content, method="POST")) as answer:  # noqa: S310
            return json.load(answer)["result"]

    process, told = started()
    trade(told["url"], "stock", goods={"CUP": 5})
    sale = trade(told["url"], "buy", lines={"CUP": 2})
    process.kill()
    process.communicate()
    process, told = started()
    assert trade(told["url"], "shelf") == {"CUP": 3}
    assert trade(told["url"], "sold") == {sale: "paid"}
    process.terminate()
    process.communicate()


def test_it_is_started_on_a_file_and_another_process_is_refused(tmp_path: Any) -> None:
    path = tmp_path / "shop.sqlite"
    sim = MagentoSimulator(world="empty", state=path)
    sim.stock({"CUP": 3})
    sale = sim.buy({"CUP": 1})
    with pytest.raises(RuntimeError, match="in use"):
        MagentoSimulator(world="empty", state=path)
    body = json.dumps({"sourceItems": [{"sku": "CUP", "source_code": "default", "quantity": 9, "status": 1}]})
    sim.state.set_quirk("bearer")
    asker = Asker(sim.wsgi)
    headers = {"Authorization": f"Bearer {Keys.demo.access_token}", "Content-Type": "application/json"}
    assert asker.ask("POST", "/rest/all/V1/inventory/source-items", body=body, headers=headers).json() == []
    sim.close()
    again = MagentoSimulator(world="empty", state=path)
    assert again.shelf() == {"CUP": 8}
    assert again.sold() == {sale: "paid"}
    assert again.counters.writes.total() == again.counters.effects.total() == 1
    again.close()
