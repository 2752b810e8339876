"""Builders of toy channels and flows, and the processes of a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comptoir.channels.models import Channel
from comptoir.engine import flow
from comptoir.engine.models import Flow
from comptoir.kit import clock


def make_channel(code: str = "toy") -> Channel:
    return Channel.objects.create(
        name=code, code=code, kind="toy", webhook_token=code, created_at=clock.now(), mode="production"
    )


def make_flow(channel: Channel, kind: str, **changes: Any) -> int:
    """The flow's row, without a schedule unless given one."""
    [row] = flow.ensure_flows(channel.pk, [kind])
    if changes:
        Flow.objects.filter(pk=row.pk).update(**changes)
    return int(row.pk)


class Children:
    """Processes of a test; none survives it."""

    def __init__(self, context: Any, folder: Path) -> None:
        self._context = context
        self._all: list[Any] = []
        self.errors = folder / "stderr"

    def start(self, target: Callable[..., None], *args: Any) -> Any:
        process = self._context.Process(target=target, args=args)
        process.start()
        self._all.append(process)
        return process

    def end(self) -> None:
        for process in self._all:
            if process.is_alive():
                process.kill()
            process.join()


def wait_until(condition: Callable[[], Any], *, seconds: float = 40) -> Any:
    """What `condition` says once it says something; other processes are at work, so it is asked again and again."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        threading.Event().wait(0.02)
    raise AssertionError("this never came true")


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped by a signal."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has ended: before the look, or in the middle of it
        return False
    return stat.rpartition(")")[2].split()[0] == "T"
