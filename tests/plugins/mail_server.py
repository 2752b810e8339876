"""A mail server on loopback that keeps what it is given: just enough of SMTP for one client at a time."""

from __future__ import annotations

import email
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Mail:
    """One message as it came over the wire: to whom, its head as sent, and its body decoded."""

    recipients: list[str]
    text: str


@dataclass
class Server:
    """Where it listens, and what came."""

    port: int = 0
    mails: list[Mail] = field(default_factory=list)


class _Conversation(socketserver.StreamRequestHandler):
    server: _Listener

    def handle(self) -> None:
        self._say("220 here")
        recipients: list[str] = []
        while line := self.rfile.readline().decode().strip():
            word = line[:4].upper()
            if word == "RCPT":
                recipients.append(line.partition("<")[2].partition(">")[0])
            if word == "DATA":
                self._say("354 go on")
                lines = []
                while (part := self.rfile.readline()) != b".\r\n":
                    lines.append(part)
                self.server.kept.mails.append(Mail(recipients, _read(b"".join(lines))))
                recipients = []
            self._say("221 bye" if word == "QUIT" else "250 ok")
            if word == "QUIT":
                return

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


def _read(content: bytes) -> str:
    message = email.message_from_bytes(content)
    head = "\n".join(f"{name}: {value}" for name, value in message.items())
    body = message.get_payload(decode=True)
    return f"{head}\n\n{body.decode() if isinstance(body, bytes) else body}"


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    kept: Server


@contextmanager
def listening() -> Iterator[Server]:
    """The server on a port that the kernel gives."""
    with _Listener(("127.0.0.1", 0), _Conversation) as listener:
        listener.kept = Server(listener.server_address[1])
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield listener.kept
        finally:
            listener.shutdown()
            thread.join()
