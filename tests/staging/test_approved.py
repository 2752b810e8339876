"""A channel that waits for a person's yes may have a heap of sales ready: those with a yes are found without it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from offer_world import AT, channel

from comptoir.channels.models import Channel
from comptoir.kit import sql
from comptoir.staging import accept
from comptoir.staging.models import StagedSale

HEAP = 3000

_MANY = """
INSERT INTO staging_stagedsale (channel_id, external_id, number, external_status, status_name, meaning, rule, state,
    anomalies, repairs, raw, sale, fingerprint, currency, total, buyer, is_approved, looks, placed_at, seen_at, changed_at)
SELECT %(channel)s, n, n, 'paid', '', 'paid', 'valid', 'ready', '[]', '{}', '', '{}', n, 'EUR', 1, '', false, 0,
    %(at)s::timestamptz + n * interval '1 second', %(at)s, %(at)s
FROM generate_series(1, %(many)s) n
"""


@pytest.fixture
def asks(db: None) -> Channel:
    """A channel that accepts nothing by itself, with a heap of sales that wait for a yes."""
    made = channel("asks")
    Channel.objects.filter(pk=made.pk).update(accepts_by_itself=False)
    made.refresh_from_db()
    sql.execute(_MANY, {"channel": made.pk, "at": AT, "many": HEAP})
    sql.execute("ANALYZE staging_stagedsale")
    return made


def rows_met(query: str, params: list[Any]) -> int:
    """How many staged sales a statement read, wanted or not."""

    def of(node: dict[str, Any]) -> int:
        here = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) if "Scan" in node["Node Type"] else 0
        return int(here * node["Actual Loops"]) + sum(of(one) for one in node.get("Plans", ()))

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", params)
        found = cursor.fetchone()[0]
    [plan] = json.loads(found) if isinstance(found, str) else found
    return of(plan["Plan"])


@pytest.mark.parametrize("approved", [0, 2])
def test_sales_without_a_yes_are_not_looked_at(asks: Channel, approved: int) -> None:
    yes = StagedSale.objects.order_by("-placed_at").values("pk")[:approved]
    StagedSale.objects.filter(pk__in=list(yes.values_list("pk", flat=True))).update(is_approved=True)
    assert accept.channels_ready([asks.pk]) == ({asks.pk} if approved else set())
    assert rows_met(accept.CHANNELS_READY, [[asks.pk]]) < 20
    assert rows_met(accept.NEXT_APPROVED, [asks.pk, 100]) < 20


def test_the_oldest_ready_sales_are_found_without_the_others(asks: Channel) -> None:
    Channel.objects.update(accepts_by_itself=True)
    assert accept.channels_ready([asks.pk]) == {asks.pk}
    assert rows_met(accept.CHANNELS_READY, [[asks.pk]]) < 20
    assert rows_met(accept.NEXT_READY, [asks.pk, 10]) < 50
