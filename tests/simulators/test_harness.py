"""The harness of the simulators: clock, faults in process and on the wire, counters, control door, durable state."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from comptoir.connectors.prestashop.simulator import DEMO_KEY, PrestaShopSimulator
from comptoir.simulators.asking import Asker
from comptoir.simulators.clock import Clock
from comptoir.simulators.exchange import ConnectionCut, NoAnswer
from comptoir.simulators.server import serve

HEADERS = {"Authorization": "Basic " + b64encode(f"{DEMO_KEY}:".encode()).decode()}
SET_STOCK = "<prestashop><stock_available><id>1</id><quantity>3</quantity></stock_available></prestashop>"


@pytest.fixture
def sim():
    sim = PrestaShopSimulator(world="empty")
    sim.state.add_product("Cup", quantity=10)
    return sim


@pytest.fixture
def shop(sim):
    return Asker(sim.wsgi, DEMO_KEY)


def push(shop):
    return shop.ask("PATCH", "/api/stock_availables", body=SET_STOCK)


# Clock --------------------------------------------------------------------------------------------------------------


def test_a_set_clock_stands_still_until_it_is_advanced_or_released():
    clock = Clock()
    clock.set(datetime(2011, 1, 1, tzinfo=UTC))
    assert clock.now() == clock.now() == datetime(2011, 1, 1, tzinfo=UTC)
    clock.advance(timedelta(days=1))
    assert clock.now().day == 2
    clock.release()
    assert clock.now().year > 2011


def test_a_clock_refuses_a_moment_without_zone():
    with pytest.raises(ValueError, match="aware"):
        Clock().set(datetime(2011, 1, 1))  # noqa: DTZ001 - that is the point


# Faults in process --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "raised", "effect"),
    [
        ("time_out_before", NoAnswer, False),
        ("time_out_after", NoAnswer, True),
        ("reset_before", ConnectionCut, False),
        ("reset_after", ConnectionCut, True),
    ],
)
def test_a_lost_answer_happens_before_or_after_the_effect(sim, shop, kind, raised, effect):
    sim.faults.add(kind, "PATCH", "/api/stock_availables*")
    with pytest.raises(raised):
        push(shop)
    assert sim.state.stock(1) == (3 if effect else 10)
    assert sim.counters.effects["stock_availables"] == int(effect)
    if effect:
        assert sim.counters.log[-1].fault == kind
    assert push(shop).status == 200


@pytest.mark.parametrize(
    ("kind", "options", "status", "effect"),
    [
        ("throttled", {"retry_after": "7"}, 429, False),
        ("status_before", {"status": 503}, 503, False),
        ("status_after", {"status": 502}, 502, True),
        ("html_page", {}, 200, False),
    ],
)
def test_a_wrong_answer_happens_before_or_after_the_effect(sim, shop, kind, options, status, effect):
    sim.faults.add(kind, "PATCH", **options)
    heard = push(shop)
    assert heard.status == status
    assert sim.state.stock(1) == (3 if effect else 10)
    assert heard.headers.get("Retry-After") == options.get("retry_after")
    assert not heard.body.startswith(b"<?xml")


def test_bodies_can_be_cut_broken_dirty_or_mislabelled(sim, shop):
    good = shop.get("/api/products/1").body
    for kind in ("truncated", "malformed", "junk_before", "wrong_type"):
        sim.faults.add(kind)
    truncated, malformed, junk, mislabelled = (shop.get("/api/products/1") for _ in range(4))
    assert good.startswith(truncated.body)
    assert int(truncated.headers["Content-Length"]) == len(good) > len(truncated.body)
    assert malformed.body != good
    assert junk.body.endswith(good)
    assert b"Notice" in junk.body
    assert (mislabelled.body, mislabelled.headers["Content-Type"]) == (good, "text/html; charset=utf-8")


def test_an_answer_can_be_huge(sim, shop):
    sim.faults.add("huge", size=40 * 1024 * 1024)
    assert len(shop.get("/api/products").body) == 40 * 1024 * 1024


def test_a_fault_can_let_requests_pass_first_and_is_used_up(sim, shop):
    sim.faults.add("status_before", "GET", "/api/products*", skip=2, times=2)
    assert [shop.get("/api/products").status for _ in range(6)] == [200, 200, 503, 503, 200, 200]
    assert shop.get("/api/orders").status == 200


def test_a_fault_can_speak_of_one_query_only(sim, shop):
    sim.faults.add("status_before", query="limit=5", times=None)
    assert shop.get("/api/products", {"limit": "5"}).status == 503
    assert shop.get("/api/products", {"limit": "6"}).status == 200


def test_faults_by_chance_are_the_same_for_the_same_seed():
    def weather(seed):
        sim = PrestaShopSimulator(world="empty", seed=seed)
        sim.faults.add("status_before", times=None, probability=0.5)
        return [Asker(sim.wsgi, DEMO_KEY).get("/api/orders").status for _ in range(40)]

    assert weather(1) == weather(1)
    assert 0 < weather(1).count(503) < 40
    assert weather(1) != weather(2)


# Counters and the control door --------------------------------------------------------------------------------------


def test_the_ids_of_every_list_are_remembered(sim, shop):
    sim.state.add_product("Bowl")
    shop.get("/api/products", {"limit": "1"})
    assert sim.counters.served_ids("products") == {1}
    mark = sim.counters.as_dict()["last_served"]
    shop.get("/api/products", {"filter[id]": ">[1]", "display": "full"})
    assert sim.counters.served_ids("products", since=mark) == {2}


def test_the_door_shows_counts_logs_and_state_and_is_not_counted_itself(sim, shop):
    push(shop)
    counts = shop.control("GET", "counters")
    assert (counts["write_total"], counts["effect_total"], counts["requests"]) == (1, 1, 1)
    [written] = shop.control("GET", "log")
    assert (written["resource"], written["ids"], written["changes"][0]["to"]) == (
        "stock_availables",
        [1],
        {"quantity": 3},
    )
    assert shop.control("GET", "state")["stock"][0]["quantity"] == 3
    assert sim.counters.requests == 1


def test_the_door_sets_clock_and_faults_and_acts_in_the_shop(sim, shop):
    shop.control("POST", "clock", {"set": "2026-03-02T12:00:00+00:00"})
    order = shop.control("POST", "act", {"action": "place_order", "lines": [{"product": 1, "quantity": 2}]})["result"]
    assert sim.state.order(order)["date_add"] == "2026-03-02 12:00:00"
    assert sim.state.stock(1) == 8
    shop.control("POST", "faults", {"kind": "status_before", "path": "/api/orders*"})
    assert shop.get("/api/orders").status == 503
    assert shop.get("/api/orders").status == 200


def test_the_door_names_what_it_does_not_know(shop):
    with pytest.raises(ValueError, match="no action steal"):
        shop.control("POST", "act", {"action": "steal"})


# On the wire --------------------------------------------------------------------------------------------------------


@pytest.fixture
def wire(sim):
    with serve(sim) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
        yield connection
        connection.close()


def test_a_connection_is_kept_alive(wire):
    wire.request("GET", "/api/products", headers=HEADERS)
    assert wire.getresponse().read().startswith(b"<?xml")
    first = wire.sock
    wire.request("GET", "/api/products/1", headers=HEADERS)
    assert wire.getresponse().status == 200
    assert wire.sock is first


def test_a_reset_reaches_the_client_as_a_broken_connection(sim, wire):
    sim.faults.add("reset_after", "PATCH")
    wire.request("PATCH", "/api/stock_availables", body=SET_STOCK, headers=HEADERS)
    with pytest.raises(ConnectionError):
        wire.getresponse()
    assert sim.state.stock(1) == 3


def test_silence_lasts_until_the_client_gives_up(sim, wire):
    sim.faults.add("time_out_after", "PATCH")
    wire.timeout = 0.3
    wire.request("PATCH", "/api/stock_availables", body=SET_STOCK, headers=HEADERS)
    with pytest.raises(TimeoutError):
        wire.getresponse()
    assert sim.state.stock(1) == 3


def test_a_truncated_body_ends_before_its_announced_length(sim, wire):
    sim.faults.add("truncated")
    wire.request("GET", "/api/products/1", headers=HEADERS)
    with pytest.raises(http.client.IncompleteRead):
        wire.getresponse().read()


def test_a_slow_answer_is_complete_in_the_end(sim, wire):
    sim.faults.add("slow", seconds=0.05)
    wire.request("GET", "/api/products/1", headers=HEADERS)
    assert wire.getresponse().read().rstrip().endswith(b"</prestashop>")


def test_a_body_in_chunks_is_understood(sim, wire):
    pieces = iter([SET_STOCK[:20].encode(), SET_STOCK[20:].encode()])
    wire.request("PATCH", "/api/stock_availables", body=pieces, headers=HEADERS, encode_chunked=True)
    assert wire.getresponse().status == 200
    assert sim.state.stock(1) == 3


def test_stopping_ends_silent_connections_and_frees_the_port(sim):
    sim.faults.add("time_out_before", times=None)
    ended = threading.Event()
    with serve(sim) as url:
        host, port = url.removeprefix("http://").split(":")
        silent = socket.create_connection((host, int(port)), timeout=20)
        silent.sendall(b"GET /api/products HTTP/1.1\r\nHost: x\r\n\r\n")

        def listen():
            try:
                said = silent.recv(100)
            except ConnectionResetError:  # the server had not even accepted it yet
                said = b""
            if said == b"":
                ended.set()

        listener = threading.Thread(target=listen)
        listener.start()
    listener.join(20)
    assert ended.is_set()
    silent.close()
    with socket.create_server((host, int(port))):
        pass


def test_parallel_writers_lose_nothing(sim):
    def sell(asker):
        for _ in range(25):
            asker.control("POST", "act", {"action": "place_order", "lines": [{"product": 1, "quantity": 1}]})

    threads = [threading.Thread(target=sell, args=(Asker(sim.wsgi, DEMO_KEY),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sim.state.stock(1) == 10 - 150
    assert len(sim.state.dump()["orders"]) == 150


def test_a_test_may_act_in_the_shop_while_the_server_answers(sim, shop):
    def ask_for_levels():
        for level in range(40):
            body = SET_STOCK.replace("<quantity>3<", f"<quantity>{level}<")
            assert shop.ask("PATCH", "/api/stock_availables", body=body).status == 200

    other = sim.state.add_product("Bowl", quantity=100)
    threads = [threading.Thread(target=ask_for_levels) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        sim.state.cancel(sim.state.place_order([(other, 0, 1)]))
        sim.state.set_stock(other, sim.state.stock(other) - 1)
    for thread in threads:
        thread.join()
    assert sim.state.stock(other) == 60
    assert sim.counters.writes["stock_availables"] == 120
    assert all(change["resource"] == "stock_availables" for written in sim.counters.log for change in written.changes)


# As a process -------------------------------------------------------------------------------------------------------


def start(state, *more):
    process = subprocess.Popen(
        [sys.executable, "-m", "comptoir.simulators", "serve", "--kind", "prestashop", "--state", str(state), *more],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    return process, json.loads(process.stdout.readline())


def ask(url, method, path, body=None):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    connection.request(method, path, body=body, headers=HEADERS)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def finish(process):
    code = process.wait(20)
    process.stdin.close()
    process.stdout.close()
    return code


def test_an_acknowledged_write_survives_a_kill(tmp_path):
    state = tmp_path / "shop.sqlite"
    process, said = start(state)
    assert said["key"] == DEMO_KEY
    assert ask(said["url"], "PATCH", "/api/stock_availables", SET_STOCK)[0] == 200
    os.kill(process.pid, signal.SIGKILL)
    finish(process)
    again, said = start(state)
    counts = json.loads(ask(said["url"], "GET", "/_simulator/counters")[1])
    stock = json.loads(ask(said["url"], "GET", "/_simulator/state")[1])["stock"]
    again.send_signal(signal.SIGTERM)
    assert finish(again) == 0
    assert stock[0]["quantity"] == 3
    assert counts["effects"] == {"stock_availables": 1}


def test_two_processes_never_share_one_state(tmp_path):
    state = tmp_path / "shop.sqlite"
    process, _said = start(state)
    second = subprocess.run(
        [sys.executable, "-m", "comptoir.simulators", "serve", "--kind", "prestashop", "--state", str(state)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    process.terminate()
    finish(process)
    assert second.returncode != 0
    assert "in use" in second.stderr


def test_the_process_ends_with_its_parents_pipe(tmp_path):
    process, _said = start(tmp_path / "shop.sqlite", "--until-stdin-closes")
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()
