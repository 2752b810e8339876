"""When a flow is due, across daylight saving, and in the reader's language."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from comptoir.engine import schedule
from comptoir.kit.errors import BadInput

PARIS = "Europe/Paris"


def cron(expression: str, after: datetime, zone: str = PARIS) -> datetime | None:
    return schedule.next_at(None, expression, zone, after=after, last=None)


def test_three_in_the_morning_stays_three_in_the_morning_when_the_clocks_change() -> None:
    # Paris: UTC+1 until 2026-03-29 02:00, then UTC+2; back on 2026-10-25 03:00.
    assert cron("0 3 * * *", datetime(2026, 3, 27, 12, tzinfo=UTC)) == datetime(2026, 3, 28, 2, tzinfo=UTC)
    assert cron("0 3 * * *", datetime(2026, 3, 28, 12, tzinfo=UTC)) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert cron("0 3 * * *", datetime(2026, 10, 25, 12, tzinfo=UTC)) == datetime(2026, 10, 26, 2, tzinfo=UTC)


def test_a_time_that_the_change_skips_is_run_that_day_all_the_same() -> None:
    due = cron("30 2 * * *", datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert due is not None
    assert due.date() == datetime(2026, 3, 29, tzinfo=UTC).date(), "02:30 does not exist; the night's run is not lost"


def test_a_time_that_the_change_repeats_is_run_once() -> None:
    first = cron("30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert first is not None
    second = cron("30 2 * * *", first)
    assert second is not None
    assert second - first > timedelta(hours=23)


def test_every_hour_is_every_hour_in_the_night_of_the_change() -> None:
    at = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
    dues = []
    for _ in range(4):
        following = cron("0 * * * *", at)
        assert following is not None
        dues.append(following)
        at = following
    assert [later - earlier for earlier, later in pairwise(dues)] == [timedelta(hours=1)] * 3


@given(
    every=st.integers(10, 100_000),
    late=st.integers(0, 1_000_000),
)
@settings(max_examples=200, deadline=None)
def test_an_interval_keeps_its_phase_and_makes_up_for_nothing(every: int, late: int) -> None:
    last = datetime(2026, 5, 1, tzinfo=UTC)
    at = last + timedelta(seconds=late)
    due = schedule.next_at(every, "", "UTC", after=at, last=last)
    assert due is not None
    assert at < due <= at + timedelta(seconds=every)
    assert (due - last) % timedelta(seconds=every) == timedelta(0)


def test_without_a_schedule_nothing_is_due() -> None:
    assert schedule.next_at(None, "", "UTC", after=datetime(2026, 5, 1, tzinfo=UTC), last=None) is None


@pytest.mark.parametrize(
    ("every", "expression", "zone", "place"),
    [
        (60, "0 3 * * *", "UTC", "cron"),
        (1, "", "UTC", "every"),
        (None, "0 25 * * *", "UTC", "cron"),
        (None, "0 0 30 2 *", "UTC", "cron"),
        (None, "nonsense", "UTC", "cron"),
        (None, "0 3 * * *", "Europe/Atlantis", "timezone"),
        (None, "0 3 * * *", "/etc/passwd", "timezone"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused_with_its_place(
    every: int | None, expression: str, zone: str, place: str
) -> None:
    with pytest.raises(BadInput) as caught:
        schedule.check(every, expression, zone)
    assert caught.value.facts["place"] == place


@pytest.mark.parametrize(
    ("every", "expression", "words"),
    [
        (60, "", "every minute"),
        (300, "", "every 5 minutes"),
        (3600, "", "every hour"),
        (7200, "", "every 2 hours"),
        (86400, "", "every day"),
        (45, "", "every 45 seconds"),
        (None, "5 3 * * *", "every day at 03:05 (Europe/Paris)"),
        (None, "20 * * * *", "every hour at minute 20"),
        (None, "0 3 1 * *", "by “0 3 1 * *” (Europe/Paris)"),
        (None, "", "on events and by hand"),
    ],
)
def test_a_schedule_can_be_said_in_words(every: int | None, expression: str, words: str) -> None:
    with translation.override("en"):
        assert schedule.words(every, expression, PARIS) == words
