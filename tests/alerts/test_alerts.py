"""Alerts: grouped, held back at night, said again, said to be over; never lost, and never twice in silence."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from alert_world import AT, SECRET, House, Receiver
from django.db import connection, transaction
from psycopg.conninfo import make_conninfo

from comptoir.alerts import actions, messenger, rules, sending
from comptoir.alerts.models import Destination, Digest
from comptoir.alerts.sending import Fate, Message
from comptoir.engine import inline, queue, tick
from comptoir.engine.models import Finding, Run, Severity
from comptoir.events.models import Event
from comptoir.kit import sql
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput
from comptoir.kit.settings import settings


def later(hub: House, **span: float) -> None:
    hub.clock.advance(timedelta(**span))


def test_many_findings_are_one_message_and_what_comes_meanwhile_waits_for_the_next(
    hub: House, receiver: Receiver
) -> None:
    hub.destination(receiver.url, name="Chat", window=10)
    hub.open(*(f"sale:{n}" for n in range(30)), sku="A-1")
    hub.open("channel:1", code="not_let_in")
    hub.open("sale:99", code="sale_unpaid", severity=Severity.RETRY)
    hub.run()
    assert len(receiver.got) == 1
    first = receiver.got[0]
    assert "31 findings are open" in first["title"]
    assert "\n" not in first["title"]
    assert first["message"].count("- Comptoir: ") == 2
    assert "30 × " in first["message"]
    assert "payment" not in first["message"], "a Retry was not asked for"

    hub.open("sale:100", sku="B-2")
    for _ in range(3):
        later(hub, minutes=3)
        hub.run()
    assert len(receiver.got) == 1, "the window is ten minutes"
    hub.open("sale:101", sku="B-3")
    later(hub, minutes=2)
    hub.run()
    hub.run()
    assert len(receiver.got) == 2
    assert "2 findings are open" in receiver.got[1]["title"]


def test_what_opened_and_closed_within_the_window_is_never_told_and_what_was_told_is_said_to_be_over(
    hub: House, receiver: Receiver
) -> None:
    hub.destination(receiver.url)
    hub.open("sale:1", "sale:2", sku="A-1")
    hub.run()
    hub.open("sale:3", sku="A-1")
    hub.close("sale:3", "sale:1", "sale:2")
    later(hub, minutes=10)
    hub.run()
    assert "2 are resolved" in receiver.got[1]["title"]
    assert receiver.got[1]["type"] == "success"
    hub.open("sale:1", sku="A-1")  # again: it is news again
    later(hub, minutes=10)
    hub.run()
    assert "1 finding is open" in receiver.got[2]["title"]
    later(hub, days=3)
    hub.run()
    assert len(receiver.got) == 3, "no reminder was asked for"


def test_what_stays_open_is_said_again_and_what_became_worse_is_news(hub: House, receiver: Receiver) -> None:
    hub.destination(receiver.url, remind_after=4, severities=["retry", "error"], tells_resolved=False)
    hub.open("flow:pull_sales", code="channel_unreachable", severity=Severity.RETRY)
    hub.run()
    later(hub, hours=1)
    hub.open("flow:pull_sales", code="channel_unreachable", severity=Severity.ERROR)
    hub.run()
    assert [one["type"] for one in receiver.got] == ["warning", "failure"]
    for _ in range(9):
        later(hub, hours=1)
        hub.run()
    assert len(receiver.got) == 4
    assert "Still open" in receiver.got[3]["message"]
    hub.close("flow:pull_sales")
    later(hub, hours=5)
    hub.run()
    assert len(receiver.got) == 4, "nothing is said when it is over, as was asked"


def test_at_night_only_what_is_urgent_is_told_and_the_rest_comes_in_the_morning(hub: House, receiver: Receiver) -> None:
    hub.destination(
        receiver.url, timezone="Europe/Paris", quiet_from=time(22), quiet_until=time(7), urgent_breaks_quiet=True
    )
    hub.clock.set(datetime(2026, 3, 2, 22, 0, tzinfo=UTC))  # 23:00 in Paris
    hub.open("sale:1", sku="A-1")
    hub.run()
    assert receiver.got == []
    hub.open("channel:1", code="not_let_in")
    hub.run()
    assert len(receiver.got) == 1
    assert "SKU" not in receiver.got[0]["message"]
    hub.clock.set(datetime(2026, 3, 3, 5, 59, tzinfo=UTC))  # 06:59
    hub.run()
    assert len(receiver.got) == 1
    later(hub, minutes=1)
    hub.run()
    assert len(receiver.got) == 2
    assert "1 finding is open" in receiver.got[1]["title"]


@pytest.mark.parametrize(
    ("begin", "end", "at", "quiet"),
    [
        (time(22), time(7), datetime(2026, 7, 1, 20, 30, tzinfo=UTC), True),  # 22:30 in a Paris summer
        (time(22), time(7), datetime(2026, 1, 1, 20, 30, tzinfo=UTC), False),  # 21:30 in winter
        (time(12), time(14), datetime(2026, 1, 1, 11, 0, tzinfo=UTC), True),
        (time(12), time(14), datetime(2026, 1, 1, 13, 0, tzinfo=UTC), False),
        (time(8), time(8), datetime(2026, 1, 1, 7, 0, tzinfo=UTC), False),
        (None, None, datetime(2026, 1, 1, 2, 0, tzinfo=UTC), False),
    ],
)
def test_quiet_hours_are_of_the_clock_on_the_wall(
    begin: time | None, end: time | None, at: datetime, quiet: bool
) -> None:
    place = Destination(quiet_from=begin, quiet_until=end, timezone="Europe/Paris")
    assert rules.is_quiet(place, at) is quiet


def test_a_destination_hears_of_its_channels_alone(hub: House, receiver: Receiver) -> None:
    hub.destination(receiver.url, channels=[hub.hub.pk + 1])
    hub.open("sale:1", sku="A-1")
    hub.run()
    assert receiver.got == []
    Destination.objects.update(channels=[hub.hub.pk])  # findings without a channel are the hub's own
    hub.run()
    assert len(receiver.got) == 1


def test_a_receiver_that_says_no_is_tried_again_later_and_becomes_a_finding_that_closes(
    hub: House, receiver: Receiver
) -> None:
    place = hub.destination(receiver.url)
    other = hub.destination(receiver.url, name="Boss")
    Destination.objects.filter(pk=other.pk).update(is_on=False)
    hub.open("sale:1", sku="A-1")
    receiver.answer = "500 Internal Server Error"
    hub.run()
    finding = Finding.objects.get(code=rules.NOT_DELIVERED, closed_at=None)
    assert finding.facts["name"] == "Chat"
    assert finding.severity == "error"
    assert "500" in finding.facts["reason"]
    assert SECRET not in str(finding.facts)
    run = Run.objects.latest("id")
    assert (run.status, run.seen, run.failed) == ("done", 1, 1)
    hub.run()
    assert len(receiver.got) == 1, "it is left alone for a while"
    later(hub, minutes=2)
    hub.run()
    assert len(receiver.got) == 2
    receiver.answer = "200 OK"
    later(hub, hours=1)
    hub.run()
    assert len(receiver.got) == 3
    assert "Perhaps you have this message already" not in receiver.got[2]["message"], "it was surely not taken"
    assert receiver.got[0]["title"] == receiver.got[2]["title"]
    assert not Finding.objects.filter(code=rules.NOT_DELIVERED, closed_at=None).exists()
    place.refresh_from_db()
    assert (place.failures, place.failure) == (0, "")
    later(hub, minutes=20)
    hub.run()
    assert len(receiver.got) == 3, "a destination is not told of its own failures"


def test_a_receiver_that_is_down_costs_the_others_nothing(hub: House, receiver: Receiver) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens here
        hub.destination(f"json://127.0.0.1:{taken.getsockname()[1]}/")
        hub.destination(receiver.url, name="Chat")
        hub.open("sale:1", sku="A-1")
        hub.run()
    assert len(receiver.got) == 1
    assert Finding.objects.filter(code=rules.NOT_DELIVERED, closed_at=None).count() == 1


def test_no_answer_in_time_is_not_known_to_have_failed(
    hub: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    receiver.before = lambda: release.wait(60)
    monkeypatch.setattr(sending, "LIMIT", 5.0)
    hub.destination(receiver.url)
    hub.open("sale:1", sku="A-1")
    hub.run()
    release.set()
    assert Digest.objects.get().state == "called"
    assert Destination.objects.get().failure == "no answer in time"
    later(hub, minutes=5)
    hub.run()
    assert Digest.objects.get().state == "sent"
    assert receiver.got[-1]["message"].startswith("Perhaps you have this message already.")


CHILD = """
import sys
from comptoir.cli import starting
starting.django()
from comptoir.kit import clock
from datetime import datetime
with clock.using(clock.ManualClock(datetime.fromisoformat(sys.argv[2]))):
    from comptoir.engine import runs
    runs.execute(int(sys.argv[1]), "victim")
"""


@pytest.mark.kill
@pytest.mark.django_db(transaction=True)
def test_a_kill_between_sending_and_noting_says_it_again_with_a_word_and_loses_nothing(
    hub: House, receiver: Receiver
) -> None:
    hub.destination(receiver.url)
    hub.open("sale:1", sku="A-1")
    with queue.without_wakeups():
        run = hub.request()
    url = make_conninfo(os.environ["COMPTOIR_DATABASE_URL"], dbname=str(connection.settings_dict["NAME"]))
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CHILD, str(run), AT.isoformat()],
        env={**os.environ, "COMPTOIR_DATABASE_URL": url},
    )
    receiver.before = lambda: os.kill(child.pid, signal.SIGKILL)
    assert child.wait(60) == -signal.SIGKILL
    receiver.before = lambda: None
    assert len(receiver.got) == 1
    assert Digest.objects.get().state == "called"
    sql.execute("UPDATE engine_run SET heartbeat_at = heartbeat_at - interval '1 hour'")
    with queue.without_wakeups():
        assert tick.rescue(hub.at) == [run]
    later(hub, minutes=2)
    inline.drain(hub.at, kinds=["send_alerts"])
    assert Digest.objects.get().state == "sent"
    first, second = receiver.got
    assert first["title"] == second["title"], "the number says that both are one"
    assert second["message"].startswith("Perhaps you have this message already.")
    later(hub, minutes=30)
    inline.drain(hub.at, kinds=["send_alerts"])
    assert len(receiver.got) == 2


def test_the_address_is_kept_encrypted_and_shown_nowhere(hub: House, receiver: Receiver) -> None:
    place = hub.destination(receiver.url)
    assert SECRET.encode() not in bytes(place.sealed)
    assert place.service == "JSON · 127.0.0.1"
    assert SECRET not in str(list(Event.objects.values()))
    with transaction.atomic():
        actions.save(place.pk, actions.Wanted(name="Chat"), actor=SYSTEM, at=hub.at)
    hub.open("sale:1", sku="A-1")
    hub.run()
    assert len(receiver.got) == 1, "an empty address leaves the one that is there"


@pytest.mark.parametrize(
    "url", ["", "nonsense", "json://", "gopher://x.example", "mailto://", "file:///etc/passwd", "json://[::1"]
)
def test_what_cannot_be_sent_to_is_refused(hub: House, url: str) -> None:
    with pytest.raises(BadInput):
        hub.destination(url)
    assert not Destination.objects.exists()


@pytest.mark.parametrize(
    "url",
    ["json://127.0.0.1:{port}/{secret}", "json://localhost:{port}/{secret}", "json://[::ffff:127.0.0.1]:{port}/", "json://2130706433:{port}/",
     "json://169.254.169.254/latest/meta-data", "json://10.0.0.1/", "mailto://me:{secret}@127.0.0.1:{port}?to=a@b.example"],
)  # fmt: skip
def test_an_address_within_our_own_network_is_refused_when_typed_and_when_called(
    hub: House, receiver: Receiver, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = url.format(port=receiver.port, secret=SECRET)
    monkeypatch.setenv("COMPTOIR_ALLOW_PRIVATE_ADDRESSES", "no")
    settings.cache_clear()
    with pytest.raises(BadInput) as refusal:
        hub.destination(address)
    assert SECRET not in str(refusal.value.facts)
    answer = sending.send(address, Message("a", "b"), allow_private=False)
    assert answer.fate is Fate.REFUSED
    assert receiver.got == []


def test_the_guard_judges_every_connection_whatever_name_led_to_it() -> None:
    guard = messenger._Guard(allow_private=False)
    for address in [("192.168.1.1", 80), ("::1", 80, 0, 0), ("fe80::1%eth0", 80, 0, 2), "/run/docker.sock"]:
        with pytest.raises(messenger.NotAllowed):
            guard("socket.connect", (None, address))
    guard("socket.connect", (None, ("93.184.216.34", 443)))
    for event in ("subprocess.Popen", "os.system", "syslog.openlog"):
        with pytest.raises(messenger.NotAllowed):
            messenger._Guard(allow_private=True)(event, ())


def test_a_service_of_the_hubs_own_machine_is_refused(hub: House) -> None:
    assert sending.send("syslog://", Message("a", "b"), allow_private=True).fate is Fate.REFUSED


def test_a_redirect_is_not_followed_into_our_own_network(receiver: Receiver) -> None:
    receiver.answer = "302 Found"
    answer = sending.send(receiver.url, Message("a", "b"), allow_private=True)
    assert answer.fate is Fate.REFUSED


def test_a_messenger_has_neither_our_database_nor_our_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def run(*command: Any, **options: Any) -> Any:
        seen.update(options)
        return subprocess.CompletedProcess(command, 1, "", "")

    monkeypatch.setenv("COMPTOIR_SECRET_KEY", "x" * 40)
    monkeypatch.setattr(subprocess, "run", run)
    assert sending.send("json://x.example", Message("a\r\nBcc: b", "c"), allow_private=False).fate is Fate.UNKNOWN
    assert not [name for name in seen["env"] if name.startswith("COMPTOIR_")]
    title = json.loads(seen["input"])["title"]
    assert title == "a Bcc: b", "a title is one line"


@pytest.mark.parametrize(
    ("said", "url", "shown"),
    [
        ("could not reach json://me:pa55word@h.example/path", "json://me:pa55word@h.example/path", "could not reach …"),
        ("Bad token AbCdEf0123", "tgram://123456:abcdef0123/77", "Bad token …"),
    ],
)
def test_what_a_service_says_is_told_without_the_secrets_of_its_address(said: str, url: str, shown: str) -> None:
    assert messenger.scrub(said, url) == shown
