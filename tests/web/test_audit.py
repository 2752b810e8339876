"""The audit trail: whatever somebody changes is found there, in words, by who, what and when."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from comptoir.accounts.models import Role, User
from comptoir.channels import channel as channels
from comptoir.channels.models import Channel, Mode
from comptoir.engine import flow
from comptoir.engine.models import Run, RunStatus, Trigger
from comptoir.events import queries
from comptoir.events.models import Event
from comptoir.events.record import record
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM, Actor, ActorKind
from comptoir.offers import actions as offers
from comptoir.web import event_words

FLOW = Actor(ActorKind.FLOW, "1", "pull_sales")
HOSTILE = "<script>alert('x')</script>"

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(db: None) -> Channel:
    return Channel.objects.create(
        name="Corner shop", code="corner", kind="prestashop", created_at=clock.now(), webhook_token="t", sealed=b""
    )


def rows(client: Client, **asked: str) -> list[Event]:
    return list(client.get("/settings/audit/", asked).context["list"].items)


def names(client: Client, **asked: str) -> list[str]:
    return [row.name for row in rows(client, **asked)]


def text(client: Client, **asked: str) -> str:
    return client.get("/settings/audit/", asked).content.decode()


def test_what_a_person_changes_is_there_with_their_name(
    owner: Client, person: Callable[[Role], User], shop: Channel
) -> None:
    buyer = person(Role.BUYER)
    made = flow.ensure_flows(shop.pk, ["push_stock"])[0]
    run = Run.objects.create(
        flow=made, trigger=Trigger.PERSON, actor={}, status=RunStatus.QUEUED, queued_at=clock.now()
    )
    turn = "no" if made.enabled else "yes"
    deeds: dict[str, tuple[str, dict[str, Any]]] = {
        "accounts.person.changed": (f"/settings/people/{buyer.pk}", {"role": "picker", "is_active": "yes"}),
        "accounts.invitation.made": ("/settings/people/", {"email": "zoe@hub.test", "role": "reader"}),
        "accounts.token.made": ("/settings/tokens/", {"name": "Web shop", "scopes": ["stock.read"]}),
        "accounts.second_factor.required": ("/settings/roles/second-factor", {"roles": ["accountant"]}),
        "accounts.person.renamed": ("/me/", {"name": "Odile", "timezone": "UTC"}),
        "engine.flow.scheduled": (f"/flows/{made.pk}/schedule", {"minutes": "7"}),
        "engine.flow.switched": (f"/flows/{made.pk}/switch", {"on": turn}),
        "engine.run.cancelled": (f"/runs/{run.pk}/cancel", {}),
        "channels.channel.paused": ("/channels/corner/settings/pause", {"paused": "yes"}),
    }
    for name, (address, given) in deeds.items():
        owner.post(address, given)
        event = Event.objects.filter(name=name).last()
        assert event is not None, name
        assert event.actor_kind == "person", name
        assert event.subject or name == "accounts.second_factor.required", name

    assert set(deeds) <= set(names(owner))
    page = text(owner)
    for words in ("Role: Picker", "Invited zoe@hub.test", "“Web shop” made", "Must have a second factor: Accountant"):
        assert words in page, words
    assert "Corner shop" in page
    assert names(owner, by=f"person:{buyer.pk}") == []


def test_flows_and_the_hub_are_left_out_until_asked_for(owner: Client, shop: Channel) -> None:
    now = clock.now()
    record("orders.orders.placed", {"orders": [1, 2]}, actor=FLOW, at=now)
    channels.set_mode(shop, Mode.TEST, actor=SYSTEM, at=now)
    offers.map_to(shop.pk, "carrier", "7", "post", at=now, actor=Actor(ActorKind.TOKEN, "4", "ERP"))

    assert names(owner) == ["offers.mapping.changed"]
    assert names(owner, tab="all") == [
        "offers.mapping.changed",
        "channels.channel.mode_changed",
        "orders.orders.placed",
    ]
    assert "2 orders placed" in text(owner, tab="all")
    assert names(owner, tab="all", by="flow:") == ["orders.orders.placed"]
    assert names(owner, tab="all", part="channels") == ["channels.channel.mode_changed"]
    assert names(owner, tab="all", part="no such part") == names(owner, tab="all")


def test_it_is_narrowed_to_a_time_and_to_one_thing(owner: Client, shop: Channel) -> None:
    now, anna = clock.now(), Actor(ActorKind.PERSON, "7", "Anna")
    for days in (0, 3, 40):
        channels.pause_writes(shop, True, actor=anna, at=now - timedelta(days=days))
    record("channels.channel.paused", {}, actor=anna, at=now, subject="channel:999999")

    assert len(rows(owner)) == 4
    assert len(rows(owner, days="7")) == 3
    assert len(rows(owner, days="7", about=f"channel:{shop.pk}")) == 2
    assert (
        owner.get("/settings/audit/", {"about": "channel:", "q": "x" * 500, "after": "x", "days": "x"}).status_code
        == 200
    )
    assert "channel:999999" in text(owner)


def test_it_is_searched_by_the_names_that_people_know(
    owner: Client, person: Callable[[Role], User], shop: Channel
) -> None:
    buyer, now = person(Role.BUYER), clock.now()
    owner.post(f"/settings/people/{buyer.pk}/sign-out")
    channels.pause_writes(shop, True, actor=Actor(ActorKind.PERSON, str(buyer.pk), "Buyer"), at=now)
    record(
        "staging.total.accepted",
        {"staged": 1},
        actor=Actor(ActorKind.PERSON, "999999", "Z"),
        at=now,
        subject="sale:A-1042",
    )
    Client().post("/account/login/", {"login": "mallory@evil.test", "password": "x"})

    assert set(names(owner, q="buyer@hub")) == {"channels.channel.paused", "accounts.sessions.ended"}
    assert names(owner, q="corner") == ["channels.channel.paused"]
    assert names(owner, q="A-1042") == ["staging.total.accepted"]
    assert names(owner, q="mallory") == ["accounts.person.sign_in_failed"]
    assert names(owner, q="nothing like it") == []


def test_pages_follow_one_another_without_gap_or_repeat_and_cost_the_same(owner: Client, shop: Channel) -> None:
    now, anna = clock.now(), Actor(ActorKind.PERSON, "7", "Anna")
    for number in range(120):
        record("staging.total.accepted", {"number": number}, actor=anna, at=now, subject=f"order:{number}")
    seen: list[int] = []
    address, pages = "/settings/audit/", 0
    while address:
        with CaptureQueriesContext(
            connection,
        ) as statements:
            shown = owner.get(address).context["list"]
        seen += [row.facts["number"] for row in shown.items]
        address, pages = f"/settings/audit/{shown.next}" if shown.next else "", pages + 1
        assert len(statements) < 30

    assert seen == list(range(119, -1, -1))
    assert pages == 3


def test_what_a_channel_or_a_person_wrote_stays_text(owner: Client, shop: Channel) -> None:
    hostile = Actor(ActorKind.PERSON, "7", HOSTILE)
    record(
        "offers.mapping.changed",
        {"external_id": HOSTILE, "ours": HOSTILE},
        actor=hostile,
        at=clock.now(),
        subject=HOSTILE,
    )
    record("made.up.event", {HOSTILE: {"a": [HOSTILE]}}, actor=hostile, at=clock.now())

    page = text(owner)
    assert HOSTILE not in page
    assert "Made up event" in page


def test_every_sentence_bears_facts_that_are_missing_or_odd() -> None:
    for name in (*event_words.WORDS, *event_words.WORKED_OUT):
        for facts in (
            {},
            {"number": None, "role": "emperor", "mode": "x", "orders": 3, "variants": ["a"], "after": None},
        ):
            if name == "accounts.second_factor.required":
                facts = {}
            assert event_words.told(name, facts), name


def test_each_question_has_its_index() -> None:
    """With enough events the planner reads the latest of each kind without looking at the others."""
    at = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (name, subject, facts, actor_kind, actor_id, actor_label, at)"
            " SELECT CASE WHEN n %% 25 = 0 THEN 'accounts.token.made' ELSE 'orders.order.moved' END, 'order:' || n, '{}',"
            " CASE WHEN n %% 100 = 0 THEN 'person' ELSE 'flow' END, (n %% 7)::text, '', %s - n * interval '1 minute'"
            " FROM generate_series(1, 20000) n",
            [at],
        )
        cursor.execute("ANALYZE events_event")
    for rows_, lead, index in (
        (queries.everything(), [], "event_latest"),
        (queries.by_people(), [], "event_by_people"),
        (queries.of_part(queries.everything(), "accounts"), [queries.PART.asc()], "event_part"),
        # Nobody did anything of this kind, and the planner believes that most of what people did was.
        (queries.of_part(queries.by_people(), "orders"), [queries.PART.asc()], "event_part_by_people"),
        (queries.everything().filter(actor_kind="person", actor_id="3"), [], "event_actor"),
    ):
        plan = rows_.order_by(*lead, "-at", "-id")[:51].explain()
        assert index in plan, plan
        assert "Sort" not in plan, plan


def exported(client: Client, **asked: str) -> list[dict[str, str]]:
    answer = client.get("/settings/audit/audit.csv", asked)
    assert answer["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_the_trail_is_exported_as_it_is_narrowed_and_no_cell_runs(owner: Client, shop: Channel) -> None:
    at = clock.now()
    for n, name in enumerate(("orders.order.held", "channels.channel.paused", "orders.order.held")):
        person = Actor(ActorKind.PERSON, "7", '=HYPERLINK("http://evil.test")')
        record(name, {"note": "-1+1", "n": n}, actor=person, at=at + timedelta(seconds=n), subject=f"channel:{shop.pk}")
    record("engine.run.finished", {}, actor=FLOW, at=at, subject="")

    mine = exported(owner, part="orders")
    assert [(row["event"], row["about"], row["facts"]) for row in mine] == [
        ("orders.order.held", "Corner shop", '{"n": 2, "note": "-1+1"}'),
        ("orders.order.held", "Corner shop", '{"n": 0, "note": "-1+1"}'),
    ]
    assert mine[0]["by"].startswith("'=HYPERLINK")
    assert mine[0]["at"] == (at + timedelta(seconds=2)).isoformat()
    assert [row["event"] for row in exported(owner, tab="all", by="flow:")] == ["engine.run.finished"]
    assert {row["event"] for row in exported(owner, about=f"channel:{shop.pk}")} == {
        "orders.order.held", "channels.channel.paused",
    }  # fmt: skip
    assert exported(owner, q="nobody at all") == []
    assert "audit.csv?part=orders" in text(owner, part="orders")


def test_a_large_trail_is_exported_in_few_queries(owner: Client, shop: Channel) -> None:
    at = clock.now()
    Event.objects.bulk_create(
        Event(name="orders.order.held", facts={}, actor_kind="person", actor_id="7", actor_label="Zoe", at=at,
              subject=f"channel:{shop.pk}")
        for _ in range(2_500)
    )  # fmt: skip
    with CaptureQueriesContext(connection) as asked:
        assert len(exported(owner, part="orders")) == 2_500
    assert len(asked) < 30
