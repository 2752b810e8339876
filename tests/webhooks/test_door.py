"""The door: what it lets in, what it refuses, and that nothing is answered before it is kept."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from deliveries import Opened, ask, deliver, make_channel, notice, signed

from comptoir import connectors
from comptoir.channels import channel as channels
from comptoir.channels import registry
from comptoir.channels.connector import WEBHOOK_SECRET
from comptoir.channels.models import Channel
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.webhooks.connection import Connection
from comptoir.webhooks.door import Limits
from comptoir.webhooks.models import Delivery
from comptoir.webhooks.writer import NOTICE


def events() -> list[str]:
    return sorted(Delivery.objects.values_list("event_id", flat=True))


def test_a_signed_delivery_is_kept_with_what_it_speaks_of(channel: Channel, opened: Opened) -> None:
    async def play() -> int:
        async with opened() as door:
            return (await deliver(door, channel, "msg_1")).status

    assert asyncio.run(play()) == 200
    kept = Delivery.objects.get()
    assert (kept.channel_id, kept.event_id, kept.topic, kept.external_id) == (channel.pk, "msg_1", "sale", "1207")
    assert bytes(kept.body) == notice()
    assert kept.drained_at is None


def test_nothing_is_answered_before_its_commit(channel: Channel, opened: Opened, url: str) -> None:
    async def play() -> None:
        async with opened() as door, await psycopg.AsyncConnection.connect(url) as other:
            assert (await deliver(door, channel, "before")).status == 200
            await other.execute("LOCK TABLE webhooks_delivery IN SHARE MODE")
            answer = asyncio.create_task(deliver(door, channel, "held up"))
            while not await (
                await other.execute(
                    "SELECT FROM pg_locks WHERE NOT granted AND relation = 'webhooks_delivery'::regclass"
                )
            ).fetchall():
                assert not answer.done()
            assert not answer.done()
            await other.rollback()
            assert (await answer).status == 200

    asyncio.run(play())
    assert events() == ["before", "held up"]


def test_a_delivery_seen_again_is_answered_well_and_kept_once(channel: Channel, opened: Opened) -> None:
    async def play() -> list[int]:
        async with opened() as door:
            together = await asyncio.gather(*(deliver(door, channel, "msg_1") for _time in range(20)))
            later = await deliver(door, channel, "msg_1")
            return [answer.status for answer in [*together, later]]

    assert set(asyncio.run(play())) == {200}
    assert events() == ["msg_1"]


def test_the_same_event_name_at_two_channels_is_two_deliveries(channel: Channel, opened: Opened) -> None:
    other = make_channel("other")

    async def play() -> None:
        async with opened() as door:
            await asyncio.gather(deliver(door, channel, "msg_1"), deliver(door, other, "msg_1"))

    asyncio.run(play())
    assert events() == ["msg_1", "msg_1"]


def test_two_doors_given_the_same_events_in_opposite_order_do_not_wait_for_each_other(
    channel: Channel, opened: Opened
) -> None:
    async def play() -> set[int]:
        async with opened() as left, opened() as right:
            statuses: set[int] = set()
            for turn in range(20):
                names = [f"{turn}-{number:02}" for number in range(40)]
                answers = await asyncio.gather(
                    *(deliver(left, channel, name) for name in names),
                    *(deliver(right, channel, name) for name in reversed(names)),
                )
                statuses |= {answer.status for answer in answers}
            return statuses

    assert asyncio.run(play()) == {200}
    assert len(events()) == 20 * 40


def test_a_made_up_address_and_a_wrong_signature_get_the_same_answer(channel: Channel, opened: Opened) -> None:
    body = notice()
    other_secret = "whsec_" + "b" * 32

    async def play() -> list[Any]:
        async with opened() as door:
            path = f"/hooks/{channel.webhook_token}"
            return [
                await ask(door, "/hooks/nobody", headers=signed(body, "a"), parts=[body]),
                await ask(door, path, headers=signed(body, "b", secret=other_secret), parts=[body]),
                await ask(door, path, headers=signed(body, "c"), parts=[notice("9999")]),
                await ask(door, path, parts=[body]),
                await deliver(door, channel, "old", at=datetime.now(UTC) - timedelta(minutes=6)),
                await deliver(door, channel, "early", at=datetime.now(UTC) + timedelta(minutes=6)),
                await deliver(door, channel, "odd", body=b'{"topic": "weather", "id": "1"}'),
            ]

    first, *others = asyncio.run(play())
    assert first.status == 404
    assert all(answer == first for answer in others)
    assert events() == []


def test_a_delivery_repeated_after_its_row_is_gone_is_too_old_by_then(channel: Channel, opened: Opened) -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    async def play() -> list[int]:
        time = clock.ManualClock(at)
        async with opened() as door:
            with clock.using(time):
                first = await deliver(door, channel, "msg_1", at=at)
                time.advance(timedelta(minutes=5, seconds=1))
                return [first.status, (await deliver(door, channel, "msg_1", at=at)).status]

    assert asyncio.run(play()) == [200, 404]


def test_an_archived_channel_is_no_longer_known(channel: Channel, opened: Opened) -> None:
    Channel.objects.filter(pk=channel.pk).update(archived_at=clock.now())

    async def play() -> int:
        async with opened() as door:
            return (await deliver(door, channel, "msg_1")).status

    assert asyncio.run(play()) == 404


def test_a_channel_without_a_secret_takes_nothing(transactional_db: None, opened: Opened) -> None:
    channel = make_channel("bare", secret="")

    async def play() -> int:
        async with opened() as door:
            return (await deliver(door, channel, "msg_1")).status

    assert asyncio.run(play()) == 404


def test_a_secret_that_cannot_be_read_puts_off_that_channel_alone(channel: Channel, opened: Opened) -> None:
    broken = make_channel("broken")
    Channel.objects.filter(pk=broken.pk).update(sealed=b"sealed with a key that is gone")

    async def play() -> list[int]:
        async with opened() as door:
            return [(await deliver(door, broken, "a")).status, (await deliver(door, channel, "b")).status]

    assert asyncio.run(play()) == [503, 200]


async def never() -> None:
    raise AssertionError("the body must not be asked for")


def test_a_body_that_says_it_is_too_large_is_refused_unread(channel: Channel, opened: Opened) -> None:
    async def play() -> list[int]:
        async with opened() as door:
            statuses = []
            for length in (str((1 << 20) + 1), "9" * 30, "-1", "١"):
                answered: list[Any] = []

                async def send(message: Any, answered: list[Any] = answered) -> None:
                    answered.append(message)

                headers = [(b"content-length", length.encode())]
                scope = {
                    "type": "http",
                    "path": f"/hooks/{channel.webhook_token}",
                    "method": "POST",
                    "headers": headers,
                }
                await door(scope, never, send)
                statuses.append(answered[0]["status"])
            return statuses

    assert asyncio.run(play()) == [413] * 4


def test_a_body_in_parts_is_put_together_and_stops_at_the_limit(channel: Channel, opened: Opened) -> None:
    body = notice("7")
    path = f"/hooks/{channel.webhook_token}"

    async def play() -> list[int]:
        async with opened() as door:
            parts = [body[:5], b"", body[5:]]
            small = await ask(door, path, headers=signed(body, "parts"), parts=parts)
            large = await ask(door, path, headers=signed(body, "large"), parts=[b"x" * 65536] * 17, then=never)
            return [small.status, large.status]

    assert asyncio.run(play()) == [200, 413]
    assert events() == ["parts"]


def test_a_sender_that_trickles_is_let_go(channel: Channel, opened: Opened) -> None:
    async def play() -> int:
        async with opened(Limits(reading=0.05)) as door:
            path = f"/hooks/{channel.webhook_token}"
            return (await ask(door, path, parts=[b"{"], then=asyncio.Event().wait)).status

    assert asyncio.run(play()) == 408


def test_a_sender_that_goes_away_in_the_middle_leaves_nothing(channel: Channel, opened: Opened) -> None:
    body = notice()

    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def play() -> int:
        async with opened() as door:
            path = f"/hooks/{channel.webhook_token}"
            return (await ask(door, path, headers=signed(body, "half"), parts=[body], then=gone)).status

    assert asyncio.run(play()) == 400
    assert events() == []


def test_many_large_bodies_at_once_are_put_off_and_room_comes_back(channel: Channel, opened: Opened) -> None:
    async def play() -> list[int]:
        async with opened(Limits(body=1000, together=1500)) as door:
            path = f"/hooks/{channel.webhook_token}"
            slow = asyncio.create_task(ask(door, path, parts=[b"{"], then=asyncio.Event().wait))
            await asyncio.wait([slow], timeout=0)
            turned_away = await deliver(door, channel, "one too many")
            slow.cancel()
            await asyncio.wait([slow])
            return [turned_away.status, (await deliver(door, channel, "then")).status]

    assert asyncio.run(play()) == [503, 200]


def test_a_database_that_is_away_puts_senders_off_until_it_is_back(channel: Channel, opened: Opened, url: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    elsewhere = psycopg.conninfo.make_conninfo(url, dbname="postgres")

    async def play() -> list[Any]:
        async with opened() as door, await psycopg.AsyncConnection.connect(elsewhere, autocommit=True) as server:
            answers = [await deliver(door, channel, "before")]
            await server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            try:
                await server.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'comptoir door' AND datname = %s",
                    [name],
                )
                answers.append(await deliver(door, channel, "away"))
                answers.append(await deliver(door, channel, "still away"))
            finally:
                await server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            answers.append(await deliver(door, channel, "away"))
            return answers

    answers = asyncio.run(play())
    assert [answer.status for answer in answers] == [200, 503, 503, 200]
    assert int(answers[1].headers["retry-after"]) > 0
    assert events() == ["away", "before"]


def test_a_database_that_hangs_puts_senders_off(channel: Channel, opened: Opened, url: str) -> None:
    async def play() -> list[int]:
        async with opened(Limits(keeping=0.3)) as door, await psycopg.AsyncConnection.connect(url) as other:
            await other.execute("LOCK TABLE webhooks_delivery IN SHARE MODE")
            hung = await deliver(door, channel, "hung")
            await other.rollback()
            return [hung.status, (await deliver(door, channel, "hung")).status]

    assert asyncio.run(play()) == [503, 200]
    assert events() == ["hung"]


def test_a_row_that_cannot_be_kept_does_not_take_its_group_with_it(channel: Channel, opened: Opened, url: str) -> None:
    gone = make_channel("gone")

    async def play() -> list[int]:
        async with opened() as door, await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
            await deliver(door, channel, "first")  # both channels are known from here on
            await other.execute("DELETE FROM channels_channel WHERE id = %s", [gone.pk])
            answers = await asyncio.gather(
                deliver(door, channel, "a"), deliver(door, gone, "b"), deliver(door, channel, "c")
            )
            return [answer.status for answer in answers]

    assert asyncio.run(play()) == [200, 422, 200]
    assert events() == ["a", "c", "first"]


@pytest.mark.parametrize(("event", "external_id"), [("e" * 161, "1"), ("e", "1" * 121), ("e", "\\u0000"), ("e", "")])
def test_names_that_no_row_can_hold_are_refused_before_they_join_others(
    channel: Channel, opened: Opened, event: str, external_id: str
) -> None:
    async def play() -> int:
        async with opened() as door:
            return (await deliver(door, channel, event, body=notice(external_id))).status

    assert asyncio.run(play()) == 422


def test_a_group_wakes_listeners_once_and_a_repeat_wakes_nobody(channel: Channel, opened: Opened, url: str) -> None:
    async def play() -> tuple[int, int]:
        async with opened() as door, await psycopg.AsyncConnection.connect(url, autocommit=True) as ear:
            await ear.execute(f"LISTEN {NOTICE}")
            await asyncio.gather(*(deliver(door, channel, f"{number}") for number in range(50)))
            await deliver(door, channel, "7")
            await ear.execute("NOTIFY the_end")
            notices = len([note async for note in ear.notifies(timeout=0)])
            rows = await ear.execute("SELECT count(DISTINCT xmin::text) FROM webhooks_delivery")  # a group is a commit
            return notices, (await rows.fetchall())[0][0]

    notices, groups = asyncio.run(play())
    assert notices == groups < 50


def test_a_commit_is_on_disk_even_where_the_server_is_set_otherwise(url: str) -> None:
    async def play() -> list[tuple[Any, ...]]:
        connection = Connection(lambda: psycopg.conninfo.make_conninfo(url, options="-c synchronous_commit=off"), 5)
        try:
            return await connection.rows("SHOW synchronous_commit")
        finally:
            await connection.close()

    assert asyncio.run(play()) == [("on",)]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/hooks/x", 405), ("POST", "/hooks/", 404), ("POST", "/elsewhere", 404), ("GET", "/healthz", 200)],
)
def test_other_addresses_need_no_database(method: str, path: str, status: int, opened: Opened) -> None:
    def nowhere() -> str:
        raise AssertionError("no database is needed")

    async def play() -> int:
        async with opened(address=nowhere) as door:
            return (await ask(door, path, method=method)).status

    assert asyncio.run(play()) == status


def test_a_channel_connected_by_a_merchant_may_deliver_at_once(transactional_db: None, opened: Opened) -> None:
    registry.set_up(connectors.find, connectors.kinds)
    given = {"url": "https://shop.test", "key": "K" * 32}
    channel = channels.connect(kind="prestashop", name="Shop", code="shop", config=given, actor=SYSTEM, at=clock.now())
    secret = channels.config_of(channel)[WEBHOOK_SECRET]

    async def play() -> int:
        async with opened() as door:
            return (await deliver(door, channel, "msg_1", secret=secret)).status

    assert asyncio.run(play()) == 200
