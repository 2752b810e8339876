"""Webhooks are asked for by the hub: what a shop should deliver is compared with what it says it would, every hour.

A subscription that the shop dropped or switched off after failures is noticed and asked for again. Deliveries stay hints:
polling goes on whatever comes of this.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from comptoir.channels import channel as channels
from comptoir.channels.channel import OpenChannel
from comptoir.channels.errors import ChannelError, Refused, WritesRefused
from comptoir.channels.models import Channel
from comptoir.channels.records import Subscription
from comptoir.engine.flow import OUT, flow, hours
from comptoir.engine.models import Severity
from comptoir.engine.runs import PlanLine, RunContext
from comptoir.flows import reach

KIND = "keep_webhooks"


@flow(
    KIND,
    direction=OUT,
    title=_("Webhooks asked for"),
    needs=("webhooks", "subscriptions"),
    every=hours(1),
    writes=True,
    previews=True,
    replays=True,
)
def keep_webhooks(run: RunContext, channel: OpenChannel | None) -> None:
    """See that the shop delivers every topic to our public address, once."""
    assert channel is not None  # noqa: S101 - the engine opens it for IN and OUT
    subject = f"channel:{channel.ref}"
    address, secret = reach.address(channel.row), channels.signing_secret(channel.row)
    if problem := ("no_public_address" if not address else "no_webhook_secret" if not secret else ""):
        with run.checkpoint(cursor={}):
            run.found(problem, subject, Severity.INFO)
        return
    target = channel.client.subscriptions
    there: dict[str, list[Subscription]] = defaultdict(list)
    for one in target.listed(address):
        there[one.topic].append(one)
    had = run.cursor.get("topics", []) if run.cursor.get("address") == address else []
    with run.checkpoint():
        run.resolved([subject], codes=("no_public_address", "no_webhook_secret", "webhooks_dropped"))
        dropped = [topic for topic in target.topics if topic in had and not any(one.active for one in there[topic])]
        if dropped:
            run.found("webhooks_dropped", subject, Severity.INFO, topics=", ".join(dropped))
    for topic in target.topics:
        _keep(run, target, topic, there[topic], address, secret)
    with run.checkpoint(cursor={"address": address, "topics": list(target.topics)}):
        run.expect(len(target.topics))


def _keep(run: RunContext, target: Any, topic: str, there: Sequence[Subscription], address: str, secret: str) -> None:
    """One topic: asked for where it is missing; what is switched off, or there twice, is ended."""
    live = [one for one in there if one.active]
    ended = [one for one in there if not one.active] + live[1:]
    if run.is_preview:
        with run.checkpoint():
            differs = bool(ended) or not live
            run.count(seen=1, changed=int(differs), unchanged=int(not differs))
            if not live:
                run.plan([PlanLine("webhook", f"webhook:{topic}", topic, "address", None, address)])
            for one in ended:
                run.plan([PlanLine("webhook", f"webhook:{topic}", topic, "subscription", one.external_id, None)])
        return
    try:
        for one in ended:
            target.unsubscribe(one.external_id)
        if not live:
            target.subscribe(topic, address, secret)
    except Refused as error:  # of this topic: the others go on
        with run.checkpoint():
            run.count(seen=1, failed=1)
            run.found("webhook_refused", f"webhook:{topic}", Severity.ERROR, topic=topic, reason=str(error))
        return
    with run.checkpoint():
        run.count(
            seen=1, created=int(not live), changed=int(bool(live and ended)), unchanged=int(bool(live and not ended))
        )
        run.resolved([f"webhook:{topic}"])


def end(row: Channel) -> str:
    """Ask the shop to deliver nothing to us any more, before its credentials are forgotten; outside of any transaction. What
    stood in the way, or nothing: a shop that cannot be told ends deliveries by itself, since their address is not known here
    from then on."""
    address = reach.address(row)
    try:
        with channels.opened(row) as channel:
            target = channel.client.subscriptions
            if target is None or not address:
                return ""
            for one in target.listed(address):
                target.unsubscribe(one.external_id)
    except WritesRefused:
        return ""  # in test mode we never asked for any that this would have to end
    except ChannelError as error:
        return str(error)
    return ""
