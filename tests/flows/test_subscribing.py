"""Webhooks that the hub asks for: missing ones are asked for, dropped ones noticed, twins ended, refusals named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from shop_world import World

from comptoir import connectors
from comptoir.channels import registry
from comptoir.channels.errors import Refused, Unknown
from comptoir.channels.records import Subscription
from comptoir.engine.models import Finding, Flow, PlanRow, Run
from comptoir.flows import connecting, reach, subscribing
from comptoir.kit.settings import settings

KIND = subscribing.KIND
PUBLIC = "https://hub.example"


@dataclass
class Notices:
    """What a shop would announce, and to whom: SubscriptionTarget."""

    topics: tuple[str, ...] = ("orders/create", "products/update")
    kept: dict[str, tuple[str, str, str, bool]] = field(default_factory=dict)  # id -> topic, address, secret, active
    refuses: set[str] = field(default_factory=set)
    loses_answers: bool = False
    asked: int = 0

    def listed(self, address: str) -> list[Subscription]:
        return [
            Subscription(external_id=key, topic=topic, active=active)
            for key, (topic, where, _secret, active) in self.kept.items()
            if where == address
        ]

    def subscribe(self, topic: str, address: str, secret: str) -> None:
        if topic in self.refuses:
            raise Refused("this address cannot be reached")
        self.asked += 1
        self.kept[str(self.asked)] = (topic, address, secret, True)
        if self.loses_answers:
            self.loses_answers = False
            raise Unknown("no answer")

    def unsubscribe(self, external_id: str) -> None:
        self.kept.pop(external_id, None)

    def switch_off(self, topic: str) -> None:
        for key, (one, address, secret, _active) in list(self.kept.items()):
            if one == topic:
                self.kept[key] = (one, address, secret, False)


@pytest.fixture
def notices(live: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notices]:
    """The demo shop as one that takes such orders, at a hub that can be reached."""
    card = connectors.find("prestashop")
    assert card is not None
    there = Notices()
    able = replace(
        card,
        abilities=card.abilities | {"subscriptions"},
        connect=lambda config, door: replace(card.connect(config, door), subscriptions=there),
    )
    registry.set_up(lambda kind: able if kind == "prestashop" else None, lambda: ("prestashop",))
    monkeypatch.setenv("COMPTOIR_PUBLIC_URL", PUBLIC)
    settings.cache_clear()
    connecting.begin(live.channel)
    yield there
    registry.set_up(connectors.find, connectors.kinds)
    monkeypatch.undo()
    settings.cache_clear()


def run(world: World) -> Run:
    return Run.objects.get(pk=world.run(KIND))


def test_every_topic_is_asked_for_once_and_signed_with_the_channels_secret(live: World, notices: Notices) -> None:
    found = run(live)
    assert (found.status, found.created, found.seen) == ("done", 2, 2)
    live.channel.refresh_from_db()
    address = f"{PUBLIC}/hooks/{live.channel.webhook_token}"
    assert sorted(topic for topic, *_ in notices.kept.values()) == sorted(notices.topics)
    assert {where for _topic, where, *_ in notices.kept.values()} == {address} == {reach.address(live.channel)}
    assert all(secret.startswith("whsec_") for *_, secret, _active in notices.kept.values())
    again = run(live)
    assert (again.unchanged, again.seen, notices.asked) == (2, 2, 2)


def test_a_subscription_that_the_shop_dropped_or_switched_off_is_noticed_and_asked_for_again(
    live: World, notices: Notices
) -> None:
    run(live)
    notices.switch_off("orders/create")
    del notices.kept["2"]
    found = run(live)
    assert found.created == 2
    assert all(active for *_, active in notices.kept.values())
    assert len(notices.kept) == 2
    said = Finding.objects.get(channel=live.channel, code="webhooks_dropped", closed_at__isnull=True)
    assert (said.severity, said.facts["topics"]) == ("info", "orders/create, products/update")
    run(live)
    said.refresh_from_db()
    assert said.closed_at is not None


def test_a_lost_answer_is_asked_about_and_makes_no_twin(live: World, notices: Notices) -> None:
    notices.loses_answers = True
    assert run(live).status == "queued"  # later
    live.pass_time(minutes=5)
    live.drain(KIND)
    assert sorted(topic for topic, *_ in notices.kept.values()) == sorted(notices.topics)


def test_twins_are_ended(live: World, notices: Notices) -> None:
    run(live)
    notices.kept["9"] = notices.kept["1"]
    found = run(live)
    assert (found.changed, found.unchanged) == (1, 1)
    assert len(notices.kept) == 2


def test_a_topic_that_the_shop_refuses_is_named_and_the_others_are_kept(live: World, notices: Notices) -> None:
    notices.refuses.add("orders/create")
    found = run(live)
    assert (found.status, found.failed, found.created) == ("done", 1, 1)
    said = Finding.objects.get(channel=live.channel, code="webhook_refused", closed_at__isnull=True)
    assert said.facts == {"topic": "orders/create", "reason": "this address cannot be reached"}
    notices.refuses.clear()
    run(live)
    said.refresh_from_db()
    assert said.closed_at is not None


def test_a_preview_says_what_would_be_asked_for_and_asks_nothing(live: World, notices: Notices) -> None:
    previewed = live.preview(KIND)
    lines = PlanRow.objects.filter(run_id=previewed).order_by("id")
    assert [(line.label, line.new) for line in lines] == [
        (topic, reach.address(live.channel)) for topic in notices.topics
    ]
    assert notices.kept == {}


def test_a_hub_that_cannot_be_reached_says_so_and_asks_nothing(
    live: World, notices: Notices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPTOIR_PUBLIC_URL", "")
    settings.cache_clear()
    run(live)
    assert notices.kept == {}
    assert Finding.objects.filter(channel=live.channel, code="no_public_address", closed_at__isnull=True).exists()


def test_in_test_mode_nothing_is_asked_for(live: World, notices: Notices) -> None:
    live.channel.mode = "test"
    live.channel.save(update_fields=["mode"])
    live.drain(KIND)
    assert notices.kept == {}
    assert not Flow.objects.get(channel=live.channel, kind=KIND).cursor


def test_an_archived_channel_is_announced_nothing_more(live: World, notices: Notices) -> None:
    run(live)
    notices.kept["other"] = ("orders/create", "https://somebody.example", "s", True)
    assert subscribing.end(live.channel) == ""
    assert list(notices.kept) == ["other"]
