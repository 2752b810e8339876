"""What waits in the inbox, what is done, and what is forgotten."""

from datetime import UTC, datetime, timedelta

import pytest
from deliveries import make_channel

from comptoir.channels.models import Channel
from comptoir.webhooks import inbox
from comptoir.webhooks.models import Delivery

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def kept(channel: Channel, event: str, external_id: str, topic: str = "sale", received_at: datetime = AT) -> Delivery:
    return Delivery.objects.create(
        channel=channel, event_id=event, topic=topic, external_id=external_id, body=b"{}", received_at=received_at
    )


def test_many_deliveries_about_one_thing_are_one_thing_to_fetch() -> None:
    channel = make_channel()
    first, other, again = kept(channel, "a", "7"), kept(channel, "b", "8"), kept(channel, "c", "7")
    assert inbox.due(channel.pk, 10) == [
        inbox.Due("sale", "7", (first.pk, again.pk)),
        inbox.Due("sale", "8", (other.pk,)),
    ]


def test_a_sale_and_a_product_of_one_number_are_two_things() -> None:
    channel = make_channel()
    kept(channel, "a", "7"), kept(channel, "b", "7", topic="product")
    assert [(one.topic, one.external_id) for one in inbox.due(channel.pk, 10)] == [("sale", "7"), ("product", "7")]
    assert [one.topic for one in inbox.due(channel.pk, 10, topic="product")] == ["product"]


def test_a_delivery_that_comes_while_its_thing_is_fetched_makes_it_fetched_again() -> None:
    channel = make_channel()
    kept(channel, "a", "7")
    (taken,) = inbox.due(channel.pk, 10)
    late = kept(channel, "b", "7")
    assert inbox.drained(taken.deliveries, at=AT) == 1
    assert inbox.due(channel.pk, 10) == [inbox.Due("sale", "7", (late.pk,))]


def test_draining_again_changes_nothing() -> None:
    channel = make_channel()
    row = kept(channel, "a", "7")
    assert inbox.drained([row.pk], at=AT) == 1
    assert inbox.drained([row.pk], at=AT + timedelta(hours=1)) == 0
    row.refresh_from_db()
    assert row.drained_at == AT


def test_a_page_holds_the_oldest() -> None:
    channel = make_channel()
    for number in range(5):
        kept(channel, f"{number}", f"{number}")
    assert [one.external_id for one in inbox.due(channel.pk, 2)] == ["0", "1"]


def test_channels_with_something_to_fetch() -> None:
    busy, done, idle = make_channel("busy"), make_channel("done"), make_channel("idle")
    kept(busy, "a", "7")
    inbox.drained([kept(done, "a", "7").pk], at=AT)
    every = [busy.pk, done.pk, idle.pk]
    assert inbox.channels_due(every) == {busy.pk}
    assert inbox.channels_due([idle.pk]) == set()
    assert inbox.channels_due([]) == set()
    assert inbox.channels_due(every, "sale") == {busy.pk}
    assert inbox.channels_due(every, "stock") == set()


def test_forgetting_leaves_what_is_young_or_waits_and_goes_on_by_pages() -> None:
    channel, closed = make_channel(), make_channel("closed")
    Channel.objects.filter(pk=closed.pk).update(archived_at=AT)
    old = AT - timedelta(days=31)
    for number in range(3):
        inbox.drained([kept(channel, f"old {number}", "7", received_at=old).pk], at=old)
    inbox.drained([kept(channel, "young", "7").pk], at=AT)
    kept(channel, "waits", "7", received_at=old)
    kept(closed, "nobody comes", "7", received_at=old)
    before = AT - timedelta(days=30)
    assert inbox.forget(before=before, limit=3) == 3
    assert inbox.forget(before=before, limit=3) == 1
    assert inbox.forget(before=before, limit=3) == 0
    assert sorted(Delivery.objects.values_list("event_id", flat=True)) == ["waits", "young"]
