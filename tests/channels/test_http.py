"""The door out against a server that does everything a server can do wrong."""

from __future__ import annotations

import gzip
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from comptoir.channels.connector import Call
from comptoir.channels.errors import (
    ChannelError,
    Missing,
    NotLetIn,
    NotUnderstood,
    Refused,
    TryLater,
    Unknown,
    WritesRefused,
)
from comptoir.channels.http import CallMade, HttpDoor, Limits

Behaviour = Callable[[socket.socket], None]


class HostileServer:
    """Plays one behaviour per connection, and counts the requests that reached it whole."""

    def __init__(self) -> None:
        self.behave: Behaviour = answer(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
        self.received: list[bytes] = []
        self.let_go = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/things"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                data = connection.recv(65536)
                while data and (wanted := _length(data)) is not None and len(data) < wanted:
                    data += connection.recv(65536)
                self.received.append(data)
                self.behave(connection)
            except OSError:
                pass  # the caller hung up: that is what these tests are about

    def close(self) -> None:
        self.let_go.set()
        self._listener.close()


def _length(data: bytes) -> int | None:
    head, found, _ = data.partition(b"\r\n\r\n")
    if not found:
        return None
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(head) + 4 + int(value)
    return len(head) + 4


def answer(*pieces: bytes) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return behave


def status(code: int, *headers: str, body: bytes = b"") -> Behaviour:
    lines = [f"HTTP/1.1 {code} Whatever", "Connection: close", f"Content-Length: {len(body)}", *headers]
    return answer("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.fixture
def server() -> Iterator[HostileServer]:
    one = HostileServer()
    yield one
    one.close()


def a_door(**options: object) -> HttpDoor:
    given: dict[str, object] = {
        "may_write": lambda: True,
        "allow_private": True,
        "limits": Limits(total=0.5, connect=0.3, body=1_000_000),
        **options,
    }
    return HttpDoor(**given)  # type: ignore[arg-type]  # each test names what differs


def test_an_answer_comes_back_with_its_headers_in_lower_case(server: HostileServer) -> None:
    server.behave = status(200, "X-Thing: Yes", body=b"hello")
    reply = a_door().read("GET", server.url, params={"filter[id]": "[1|2]", "day": "2026-03-01 10:00:00"})
    assert (reply.status, reply.body, reply.headers["x-thing"]) == (200, b"hello", "Yes")
    assert b"day=2026-03-01%2010%3A00%3A00" in server.received[0]


@pytest.mark.parametrize(
    ("code", "read", "write"),
    [
        (400, Refused, Refused),
        (401, NotLetIn, NotLetIn),
        (403, NotLetIn, NotLetIn),
        (404, Missing, Missing),
        (405, Refused, Refused),
        (408, TryLater, TryLater),
        (409, Refused, Refused),
        (422, Refused, Refused),
        (425, TryLater, TryLater),
        (429, TryLater, TryLater),
        (500, TryLater, Unknown),
        (502, TryLater, Unknown),
        (503, TryLater, Unknown),
        (301, NotUnderstood, NotUnderstood),
        (204, NotUnderstood, NotUnderstood),
    ],
)
def test_each_status_has_one_fate(
    server: HostileServer, code: int, read: type[ChannelError], write: type[ChannelError]
) -> None:
    server.behave = status(code)
    for call, fate in ((a_door().read, read), (a_door().write, write)):
        with pytest.raises(ChannelError) as caught:
            call("POST", server.url, body=b"x")
        assert type(caught.value) is fate
        assert caught.value.facts["status"] == code


def test_a_connector_changes_only_the_rows_that_differ(server: HostileServer) -> None:
    server.behave = status(405)
    with pytest.raises(NotLetIn):
        a_door(fates={405: NotLetIn}).read("GET", server.url)


def silent(server: HostileServer) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        server.let_go.wait(5)

    return behave


@pytest.mark.parametrize("fault", ["silent", "reset", "hung up", "truncated", "dripping"])
def test_a_lost_answer_is_unknown_for_a_write_and_try_later_for_a_read(server: HostileServer, fault: str) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        while not server.let_go.wait(0.05):
            connection.sendall(b".")

    server.behave = {
        "silent": silent(server),
        "reset": reset,
        "hung up": answer(),
        "truncated": answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"),
        "dripping": drip,
    }[fault]
    with pytest.raises(Unknown):
        a_door().write("PATCH", server.url, body=b"<levels/>")
    with pytest.raises(TryLater) as caught:
        a_door().read("GET", server.url)
    assert type(caught.value) is TryLater
    assert len(server.received) == 2, "neither call is repeated by itself"


def test_a_refused_connection_is_try_later_even_for_a_write() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(TryLater) as caught:
        a_door().write("POST", f"http://127.0.0.1:{port}/", body=b"x")
    assert type(caught.value) is TryLater


def test_a_body_over_the_limit_is_not_read_to_its_end(server: HostileServer) -> None:
    server.behave = answer(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 100_000] * 30)
    with pytest.raises(NotUnderstood) as caught:
        a_door().read("GET", server.url)
    assert caught.value.facts["limit"] == 1_000_000
    assert 1_000_000 < caught.value.facts["size"] < 2_000_000


def test_an_announced_size_over_the_limit_is_refused_at_once(server: HostileServer) -> None:
    def behave(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 41943040\r\n\r\n" + b"x" * 200_000)
        server.let_go.wait(5)

    server.behave = behave
    with pytest.raises(NotUnderstood) as caught:
        a_door().read("GET", server.url)
    assert "41943040" in str(caught.value)
    assert "1000000" in str(caught.value)


def test_a_redirect_is_not_followed_and_says_where_it_leads(server: HostileServer) -> None:
    server.behave = status(302, "Location: http://169.254.169.254/latest/meta-data")
    with pytest.raises(NotUnderstood) as caught:
        a_door().read("GET", server.url)
    assert "169.254.169.254" in str(caught.value)
    assert len(server.received) == 1


def test_retry_after_is_understood_as_seconds_and_as_a_date(server: HostileServer) -> None:
    theirs = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
    later = format_datetime(theirs + timedelta(seconds=90), usegmt=True)
    for header, wait in (("7", 7.0), (later, 90.0), ("soon", None)):
        server.behave = status(429, f"Retry-After: {header}", f"Date: {format_datetime(theirs, usegmt=True)}")
        with pytest.raises(TryLater) as caught:
            a_door().read("GET", server.url)
        assert caught.value.wait == wait


class CountingPace:
    def __init__(self) -> None:
        self.taken: list[bool] = []
        self.waits: list[float] = []
        self.empty = False

    def take(self, live: bool) -> None:
        if self.empty:
            raise TryLater("the budget is spent", wait=3)
        self.taken.append(live)

    def back_off(self, seconds: float) -> None:
        self.waits.append(seconds)


def test_every_call_takes_from_the_budget_and_a_throttle_is_passed_on(server: HostileServer) -> None:
    pace = CountingPace()
    door = a_door(pace=pace, live=True)
    door.read("GET", server.url)
    server.behave = status(429, "Retry-After: 5")
    with pytest.raises(TryLater):
        door.read("GET", server.url)
    assert (pace.taken, pace.waits) == ([True, True], [5.0])
    pace.empty = True
    with pytest.raises(TryLater):
        door.read("GET", server.url)
    assert len(server.received) == 2


def test_a_write_is_refused_in_test_mode_and_the_question_is_asked_each_time(server: HostileServer) -> None:
    allowed = [True, False]
    door = a_door(may_write=lambda: allowed.pop(0))
    door.write("PUT", server.url, body=b"x")
    with pytest.raises(WritesRefused):
        door.write("PUT", server.url, body=b"x")
    door.read("POST", server.url, body=b"query { }")
    assert len(server.received) == 2


def test_secrets_are_in_no_error_no_record_of_a_call_and_no_repr(server: HostileServer) -> None:
    calls: list[CallMade] = []
    key = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    door = a_door(secrets=[key], observer=calls.append)
    for behave in (status(500, body=f"key {key} in ws_key=other".encode()), reset, status(302, f"Location: /?k={key}")):
        server.behave = behave
        with pytest.raises(ChannelError) as caught:
            door.read("GET", server.url, params={"ws_key": key}, headers={"Authorization": f"Basic {key}"})
        error: BaseException | None = caught.value
        while error is not None:
            assert key not in f"{error!r} {error} {getattr(error, 'facts', '')} {getattr(error, 'details', '')}"
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert key not in f"{calls} {door!r}"
    assert "ws_key=…" in calls[0].url


@pytest.mark.parametrize(
    "url",
    ["ftp://shop.example/", "file:///etc/passwd", "http://user:word@shop.example/", "http://a b/", "shop.example"],
)
def test_only_plain_web_addresses_are_called(url: str) -> None:
    with pytest.raises(NotLetIn) as caught:
        a_door().read("GET", url)
    assert "word" not in f"{caught.value} {caught.value.facts}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]"])
def test_private_addresses_are_refused_however_they_are_spelt(server: HostileServer, host: str) -> None:
    with pytest.raises(NotLetIn) as caught:
        a_door(allow_private=False).read("GET", f"http://{host}:{server.port}/")
    assert caught.value.facts["why"] == "private"
    assert server.received == []


def test_the_judged_address_is_the_one_that_is_called_under_the_hosts_own_name(server: HostileServer) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.99"]  # a name that answers differently a second later

    door = a_door(allow_private=False, resolve=resolve)
    for _ in range(3):
        door.read("GET", f"http://shop.example:{server.port}/api")
    assert asked == ["shop.example"]
    assert all(f"host: shop.example:{server.port}".encode() in request.lower() for request in server.received)


def test_another_address_of_the_host_is_tried_only_when_nothing_was_sent(server: HostileServer) -> None:
    def both(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]  # nobody listens at the first

    door = a_door(allow_private=False, resolve=both)
    assert door.write("PUT", f"http://shop.example:{server.port}/", body=b"x").body == b"hi"
    server.behave = reset
    with pytest.raises(Unknown):
        a_door(allow_private=False, resolve=lambda host, port: ["127.0.0.1", "127.0.0.1"]).write(
            "PUT", f"http://shop.example:{server.port}/", body=b"x"
        )
    assert len(server.received) == 2


def test_a_small_body_that_unpacks_to_a_huge_one_is_refused(server: HostileServer) -> None:
    packed = gzip.compress(b"0" * 20_000_000)
    server.behave = status(200, "Content-Encoding: gzip", body=packed)
    with pytest.raises(NotUnderstood) as caught:
        a_door(limits=Limits(total=5, connect=1, body=1_000_000)).read("GET", server.url)
    assert len(packed) < 1_000_000 < caught.value.facts["size"]


def test_calls_bytes_and_seconds_are_counted_and_each_call_is_seen(server: HostileServer) -> None:
    calls: list[CallMade] = []
    door = a_door(observer=calls.append)
    door.read("GET", server.url)
    door.write("PUT", server.url, body=b"12345")
    server.behave = reset
    with pytest.raises(Unknown):
        door.write("PUT", server.url, body=b"12345")
    counts = door.counts
    assert (counts.reads, counts.writes, counts.sent, counts.received) == (1, 2, 10, 4)
    assert [(call.method, call.writes, call.status, call.problem) for call in calls] == [
        ("GET", False, 200, ""),
        ("PUT", True, 200, ""),
        ("PUT", True, 0, "unknown"),
    ]


def test_several_writes_go_at_once_and_each_has_its_answer(server: HostileServer) -> None:
    """Permission, pace and the observer are asked from our thread alone: they stand on a connection of that thread."""
    together = threading.Barrier(3)
    threads: set[int] = set()
    calls: list[CallMade] = []

    class Pace(CountingPace):
        def take(self, live: bool) -> None:
            threads.add(threading.get_ident())
            super().take(live)

    def may_write() -> bool:
        threads.add(threading.get_ident())
        return True

    def observe(call: CallMade) -> None:
        threads.add(threading.get_ident())
        calls.append(call)

    def behave(connection: socket.socket) -> None:
        together.wait(5)  # broken unless three are there at the same time
        status(200)(connection)

    server.behave = behave
    door = a_door(pace=Pace(), may_write=may_write, observer=observe, limits=Limits(total=8, connect=1, concurrency=3))
    found = door.write_each([Call("PUT", server.url, body=str(n).encode()) for n in range(6)])
    assert [getattr(one, "status", one) for one in found] == [200] * 6
    assert threads == {threading.get_ident()}
    assert (len(calls), door.counts.writes) == (6, 6)


def test_of_several_writes_a_pause_in_the_middle_stops_the_rest(server: HostileServer) -> None:
    allowed = [True, True, False, True]
    found = a_door(may_write=lambda: allowed.pop(0)).write_each([Call("PUT", server.url, body=b"x")] * 4)
    assert [type(one) for one in found[2:]] == [WritesRefused, WritesRefused]
    assert len(server.received) == 2
    with pytest.raises(WritesRefused):
        a_door(may_write=lambda: False).write_each([Call("PUT", server.url, body=b"x")])
    assert a_door().write_each([]) == []


def test_of_several_writes_each_has_its_own_fate(server: HostileServer) -> None:
    def behave(connection: socket.socket) -> None:
        if server.received[-1].endswith(b"bad"):
            status(409)(connection)
        else:
            reset(connection)

    server.behave = behave
    door = a_door(limits=Limits(total=2, connect=1, concurrency=1))
    found = door.write_each([Call("PUT", server.url, body=body) for body in (b"bad", b"lost", b"bad")])
    assert [type(one) for one in found] == [Refused, Unknown, Refused]


def test_no_more_calls_run_at_once_than_the_limit(server: HostileServer) -> None:
    inside = 0
    most = 0
    lock = threading.Lock()
    started = threading.Semaphore(0)

    def behave(connection: socket.socket) -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        started.release()
        server.let_go.wait(5)
        with lock:
            inside -= 1
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    server.behave = behave
    door = a_door(limits=Limits(total=10, connect=1, concurrency=2))
    threads = [threading.Thread(target=door.read, args=("GET", server.url)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        assert started.acquire(timeout=5)
    assert not started.acquire(timeout=0.2), "a third call came through"
    server.let_go.set()
    for thread in threads:
        thread.join(10)
    assert most == 2
    assert len(server.received) == 6


FORKING = """
import os, sys
from comptoir.channels.http import HttpDoor
door = HttpDoor(may_write=lambda: True, allow_private=True)
child = os.fork()
code = 0 if door.read("GET", sys.argv[1]).body == b"hi" else 1
if child == 0:
    os._exit(code)
sys.exit(code or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_door_made_before_a_fork_makes_its_client_after_it(server: HostileServer) -> None:
    ran = subprocess.run([sys.executable, "-c", FORKING, server.url], timeout=30, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert len(server.received) == 2


def test_a_simulator_answers_in_process_and_its_broken_connections_are_fates() -> None:
    def app(environ: dict[str, object], start_response: Callable[..., object]) -> list[bytes]:
        if environ["REQUEST_METHOD"] == "PUT":
            raise ConnectionResetError("cut")
        start_response("200 OK", [("Content-Length", "100" if environ["PATH_INFO"] == "/short" else "2")])
        return [b"hi"]

    door = a_door(simulator=app, allow_private=False)
    assert door.read("GET", "http://shop.test/whole").body == b"hi"
    with pytest.raises(TryLater):
        door.read("GET", "http://shop.test/short")
    with pytest.raises(Unknown):
        door.write("PUT", "http://shop.test/whole", body=b"x")
