"""Serves a WSGI application on loopback: HTTP/1.1 with keep-alive, and the connection faults that WSGI cannot express."""

from __future__ import annotations

import io
import select
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from comptoir.simulators.exchange import ConnectionCut, Environ, NoAnswer, StartResponse

LARGEST_BODY = 64 * 1024 * 1024

WsgiApplication = Callable[[Environ, StartResponse], Iterable[bytes]]


class HasWsgi(Protocol):
    """Anything that carries a WSGI application, such as a simulator."""

    def wsgi(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """The application."""


class Server(ThreadingTCPServer):
    """One thread per connection, a port of the kernel's choice, and a stop that leaves no connection behind."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, application: WsgiApplication, host: str = "127.0.0.1", port: int = 0) -> None:
        self.application = application
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that stopping can end it."""
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a finished connection."""
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is everyday business here; anything else is a defect of ours and must be seen."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Stop accepting, end waiting connections, free the port."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._connections_lock:
            waiting = list(self._connections)
        for connection in waiting:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # its client was quicker


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the counters tell what happened."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def answer(self) -> None:
        """Run the application for one request."""
        body = self._body()
        if body is None:
            return
        parts = urlsplit(self.path)
        host, port = self.server.server_address[:2]
        environ: Environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(parts.path),
            "QUERY_STRING": parts.query,
            "SERVER_NAME": str(host),
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": str(self.client_address[0]),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            if name.lower() not in {"content-type", "content-length"}:
                environ["HTTP_" + name.upper().replace("-", "_")] = value
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _problem: Any = None) -> None:
            started.append((status, headers))

        try:
            chunks = self.server.application(environ, start_response)
            self._send(started[0], chunks)
        except NoAnswer:
            self._wait_until_the_client_gives_up()
        except ConnectionCut:
            self._cut()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def _body(self) -> bytes | None:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # trailers
            return b"".join(pieces)
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST_BODY:
            self.send_error(413)
            self.close_connection = True
            return None
        return self.rfile.read(length) if length else b""

    def _send(self, started: tuple[str, list[tuple[str, str]]], chunks: Iterable[bytes]) -> None:
        status, headers = started
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        announced = None
        for name, value in headers:
            if name.lower() == "content-length":
                announced = int(value)
            self.send_header(name, value)
        if announced is None:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        sent = 0
        for chunk in chunks:
            if self.command != "HEAD":
                self.wfile.write(chunk)
                sent += len(chunk)
                if len(chunk) < announced if announced is not None else True:
                    self.wfile.flush()
        self.wfile.flush()
        if announced is not None and self.command != "HEAD" and sent < announced:
            self.close_connection = True  # a truncated body can only be ended by closing

    def _wait_until_the_client_gives_up(self) -> None:
        self.close_connection = True
        while not self.server.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.2)
            if readable and not self.connection.recv(4096):
                return

    def _cut(self) -> None:
        """Close with a reset instead of a goodbye."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def start(application: WsgiApplication, host: str = "127.0.0.1", port: int = 0) -> Server:
    """Start serving in a thread; `stop()` ends it."""
    server = Server(application, host, port)
    threading.Thread(target=server.serve_forever, args=(0.05,), name="simulator", daemon=True).start()
    return server


@contextmanager
def serve(simulator: HasWsgi, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve a simulator for as long as the block lasts; gives its address."""
    server = start(simulator.wsgi, host, port)
    try:
        yield server.url
    finally:
        server.stop()
