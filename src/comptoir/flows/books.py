"""What must always be true between a channel and the parts that speak to it, looked over on live data."""

from __future__ import annotations

import json

from comptoir.channels import registry
from comptoir.channels.models import Channel
from comptoir.kit import sql
from comptoir.kit.breach import Breach

_CHECKS = {
    # Test mode never writes: a run that wrote had its channel in production at its start or at some moment since. A channel
    # whose mode nobody ever changed is what it is now.
    "wrote_in_test_mode": """
        SELECT 'run:' || r.id, jsonb_build_object('flow', f.kind, 'channel', c.code, 'writes', r.calls->>'write')
        FROM engine_run r JOIN engine_flow f ON f.id = r.flow_id JOIN channels_channel c ON c.id = f.channel_id
        WHERE (r.calls->>'write')::int > 0
          AND coalesce((SELECT e.facts->>'mode' FROM events_event e
                WHERE e.name = 'channels.channel.mode_changed' AND e.subject = 'channel:' || c.id AND e.at < r.started_at
                ORDER BY e.at DESC, e.id DESC LIMIT 1),
              CASE WHEN EXISTS (SELECT FROM events_event e
                  WHERE e.name = 'channels.channel.mode_changed' AND e.subject = 'channel:' || c.id)
              THEN 'test' ELSE c.mode END) <> 'production'
          AND NOT EXISTS (SELECT FROM events_event e
                WHERE e.name = 'channels.channel.mode_changed' AND e.subject = 'channel:' || c.id
                  AND e.facts->>'mode' = 'production'
                  AND e.at BETWEEN r.started_at AND coalesce(r.finished_at, 'infinity'))""",
    # A parcel of ours for a channel's sale is promised to that channel, so that it is told and told once.
    "parcel_without_promise": """
        SELECT 'shipment:' || s.id, jsonb_build_object('number', s.number, 'order', s.order_id)
        FROM shipments_shipment s JOIN orders_order o ON o.id = s.order_id
        WHERE s.is_ours AND o.channel = ANY(%(telling)s)
          AND NOT EXISTS (SELECT FROM engine_effect e
                WHERE e.channel_id = o.channel AND e.kind = 'tracking' AND e.key = 'shipment:' || s.id)""",
    # Constraints say these already; they are looked at all the same, as a constraint can be dropped.
    "effect_promised_twice": """
        SELECT 'effect:' || min(id), jsonb_build_object('kind', kind, 'key', key, 'times', count(*))
        FROM engine_effect GROUP BY channel_id, kind, key HAVING count(*) > 1""",
    "delivery_kept_twice": """
        SELECT 'delivery:' || min(id), jsonb_build_object('event', event_id, 'times', count(*))
        FROM webhooks_delivery GROUP BY channel_id, event_id HAVING count(*) > 1""",
}


def check_books(*, most: int = 1000) -> list[Breach]:
    """Every invariant between a channel and us: what does not hold, at most `most` of each."""
    telling = [
        row.pk
        for row in Channel.objects.only("kind")
        if row.kind in registry.kinds() and "tracking" in registry.find(row.kind).abilities
    ]
    return [
        Breach(code, subject, json.loads(facts))
        for code, query in _CHECKS.items()
        for subject, facts in sql.rows(f"{query} ORDER BY 1 LIMIT %(most)s", {"telling": telling, "most": most})
    ]
