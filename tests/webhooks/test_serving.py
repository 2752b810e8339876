"""The door behind its real server: killed under load it has lost nothing that it answered, and it lives beside Django."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest
from deliveries import notice, signed

from comptoir.channels.models import Channel
from comptoir.webhooks.models import Delivery

pytestmark = pytest.mark.kill

DOOR = "comptoir.webhooks.door:application"
HUB = "comptoir.config.asgi:application"


class Server:
    """Granian as `comptoir door` and `comptoir web` run it, on a port that the kernel gives."""

    def __init__(self, application: str, url: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "granian", "--interface", "asgi", "--no-ws", "--loop", "uvloop",
             "--log-level", "warning", "--port", str(self.port), application],
            env={**os.environ, "COMPTOIR_DATABASE_URL": url},
        )  # fmt: skip

    def wait_until_it_listens(self) -> None:
        while self.process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
        raise AssertionError("the server ended")

    def kill(self) -> None:
        """As the kernel or an operator would: nothing is finished, nobody is told."""
        processes = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for process in processes:
            process.send_signal(signal.SIGKILL)
        psutil.wait_procs(processes)
        self.process.wait()

    def post(self, path: str, body: object, headers: dict[str, str]) -> int:
        sender = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sender.request("POST", path, body, headers)  # type: ignore[arg-type]
            return sender.getresponse().status
        finally:
            sender.close()

    def begin(self, path: str, header: tuple[str, str], part: bytes) -> int:
        """The answer to a body that never ends: whoever sends on after a refusal may find the connection gone."""
        sender = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sender.putrequest("POST", path)
            sender.putheader(*header)
            sender.endheaders(part)
            return sender.getresponse().status
        finally:
            sender.close()


@pytest.fixture
def serve(url: str) -> Iterator[Callable[[str], Server]]:
    servers: list[Server] = []

    def serve(application: str) -> Server:
        servers.append(Server(application, url))
        servers[-1].wait_until_it_listens()
        return servers[-1]

    yield serve
    for server in servers:
        if server.process.poll() is None:
            server.process.terminate()
            server.process.wait(30)


def send_until_it_dies(server: Server, path: str, sender: str, answered: list[str], enough: threading.Event) -> None:
    """Deliver one after the other on one connection; what was answered well is noted."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    body = notice()
    with suppress(OSError, http.client.HTTPException):
        for number in range(100_000):
            event = f"{sender}-{number}"
            connection.request("POST", path, body, signed(body, event))
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                answered.append(event)
            if len(answered) >= 400:
                enough.set()
    connection.close()


def test_a_door_killed_under_load_has_kept_everything_that_it_answered(
    channel: Channel, serve: Callable[[str], Server]
) -> None:
    for turn in range(3):
        server = serve(DOOR)
        answered: list[str] = []
        enough = threading.Event()
        path = f"/hooks/{channel.webhook_token}"
        senders = [
            threading.Thread(target=send_until_it_dies, args=(server, path, f"{turn}-{number}", answered, enough))
            for number in range(16)
        ]
        for sender in senders:
            sender.start()
        assert enough.wait(60)
        server.kill()
        for sender in senders:
            sender.join(60)
        kept = set(Delivery.objects.filter(event_id__startswith=f"{turn}-").values_list("event_id", flat=True))
        assert len(answered) >= 400
        assert set(answered) <= kept


def test_a_door_that_is_told_to_end_ends(channel: Channel, serve: Callable[[str], Server]) -> None:
    server = serve(DOOR)
    body = notice()
    assert server.post(f"/hooks/{channel.webhook_token}", body, signed(body, "msg_1")) == 200
    server.process.terminate()
    assert server.process.wait(30) == 0


def test_bodies_as_servers_pass_them_on(channel: Channel, serve: Callable[[str], Server]) -> None:
    server = serve(DOOR)
    path, body = f"/hooks/{channel.webhook_token}", notice()
    assert server.post(path, iter([body[:9], body[9:]]), signed(body, "in chunks")) == 200
    assert server.begin(path, ("Content-Length", str((1 << 20) + 1)), b"x") == 413
    chunks = b"".join(b"%x\r\n%s\r\n" % (size, b"x" * size) for size in (*[65536] * 16, 1))
    assert server.begin(path, ("Transfer-Encoding", "chunked"), chunks) == 413
    assert server.post(path, body, signed(body, "afterwards")) == 200


def test_the_door_stands_beside_django_on_one_port(channel: Channel, serve: Callable[[str], Server]) -> None:
    server = serve(HUB)
    body = notice()
    assert server.post(f"/hooks/{channel.webhook_token}", body, signed(body, "msg_1")) == 200
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for path, status in (("/healthz", 200), ("/readyz", 200), ("/account/login/", 200), ("/hooks/x", 405)):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert (path, answer.status) == (path, status)
        if answer.getheader("connection") == "close":
            break
    connection.close()
    assert Delivery.objects.get().event_id == "msg_1"
