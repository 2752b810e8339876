"""A process that kill tests start once and that forks a child for each run, so that a child costs milliseconds and not
an import of everything. Lines of JSON come in on standard input, lines of JSON go out.

The kill switch is here and not in the product: a child wraps psycopg's commit and the one function that calls out.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import datetime
from typing import Any

SMALL = 2  # rows on a page: a few things make several steps


def main() -> None:
    """Serve orders until standard input closes."""
    _prepare()
    children: set[int] = set()
    _say({"ready": os.getpid()})
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "start":
            pid = os.fork()
            if pid == 0:
                _child(order)
            children.add(pid)
            _say({"pid": pid})
        else:
            pid, status = os.waitpid(order["pid"], os.WUNTRACED)
            if os.WIFSTOPPED(status):
                _say({"stopped": pid})
            else:
                children.discard(pid)
                _say({"exit": os.waitstatus_to_exitcode(status)})
    for pid in children:  # of a test that failed
        os.kill(pid, signal.SIGKILL)


def _say(answer: dict[str, int]) -> None:
    print(json.dumps(answer), flush=True)


def _prepare() -> None:
    import django

    django.setup()
    import kind_world

    from comptoir import connectors
    from comptoir.config import bootstrap
    from comptoir.engine import worker

    assert kind_world.Forward  # everything that a run needs is imported by now
    assert all(connectors.find(kind) for kind in connectors.kinds())
    bootstrap.set_up()
    _small_pages()
    worker.PAUSED = 1  # seconds: a stopped child keeps its rows no longer than a test can wait
    worker.end_paused_transactions()


def _child(order: dict[str, Any]) -> None:
    import quick_doors
    from kind_world import Forward

    from comptoir.channels import channel as channels
    from comptoir.engine import runs
    from comptoir.kit import clock

    try:
        sys.stdin.close()
        channels.set_up_doors(quick_doors.to(Forward(order["street"]) if order["street"] else None))
        if order["armed"]:
            _arm(*order["armed"], order["blow"])
        with clock.using(clock.ManualClock(datetime.fromisoformat(order["at"]))):
            runs.execute(order["run"], f"child:{os.getpid()}")
    except BaseException:  # noqa: BLE001 - a fork that must not go on as its parent
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _small_pages() -> None:
    from comptoir.connectors.prestashop import products, sales, suppliers
    from comptoir.connectors.prestashop.prices import PrestaShopPrices
    from comptoir.connectors.prestashop.stock import PrestaShopLevels
    from comptoir.flows import sales as flow
    from comptoir.staging import accept

    products.PAGE = SMALL
    sales.PrestaShopSales.__init__.__kwdefaults__["page"] = SMALL
    PrestaShopLevels.batch_size = SMALL
    PrestaShopPrices.batch_size = SMALL
    suppliers.SUPPLIERS = suppliers.LINKS = SMALL
    accept.PAGE = SMALL
    accept.accept.__kwdefaults__["limit"] = SMALL
    flow.FETCH = SMALL


def _arm(what: str, when: str, number: int, blow: int) -> None:
    """Be struck before or after the `number`-th commit, or call out, of the run."""
    import psycopg

    from comptoir.channels.http import HttpDoor

    if what == "commit":
        psycopg.Connection.commit = _strike(number, when, blow, psycopg.Connection.commit)  # type: ignore[method-assign]
    else:
        HttpDoor._exchange = _strike(number, when, blow, HttpDoor._exchange)  # type: ignore[method-assign]


def _strike(number: int, when: str, blow: int, function: Callable[..., Any]) -> Callable[..., Any]:
    seen = 0
    lock = threading.Lock()

    def struck(*args: Any, **kwargs: Any) -> Any:
        nonlocal seen
        with lock:  # several writes may be under way at once
            seen += 1
            turn = seen == number
        if turn and when == "before":
            os.kill(os.getpid(), blow)
        result = function(*args, **kwargs)
        if turn and when == "after":
            os.kill(os.getpid(), blow)
        return result

    return struck


if __name__ == "__main__":
    main()
