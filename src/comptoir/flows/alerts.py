"""Open findings become messages: a few lines for each place that wants them, never one for each finding."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from comptoir.alerts import digests, rules, sending
from comptoir.alerts.sending import Fate
from comptoir.channels.channel import OpenChannel
from comptoir.engine.flow import HERE, Lane, flow, minutes
from comptoir.engine.models import Severity
from comptoir.engine.runs import RunContext
from comptoir.kit.settings import settings

KIND = "send_alerts"


@flow(KIND, direction=HERE, title=_("Alerts"), needs=("hub",), lane=Lane.LIVE, every=minutes(1))
def send_alerts(run: RunContext, channel: OpenChannel | None) -> None:
    """Fix what each destination is told next, then deliver what is due. The intention commits before the call, so that a
    message whose worker died is sent again with a word that it may be known already, and never lost."""
    for destination in digests.speaking():
        with run.checkpoint():
            digests.make(destination, at=run.at)
    for digest in digests.due(run.at):
        with run.checkpoint():
            wanted = digests.call(digest, at=run.at)
        if wanted is None:
            continue
        url, message = wanted
        answer = sending.send(url, message, allow_private=settings().allow_private_addresses)
        with run.checkpoint():
            place = digests.became(digest, answer, at=run.at)
            is_sent = answer.fate is Fate.SENT
            run.count(seen=1, changed=int(is_sent), failed=int(not is_sent))
            if place is None:
                continue
            subject = rules.subject(place.pk)
            run.resolved([subject])
            if not is_sent:
                run.found(
                    rules.NOT_DELIVERED, subject, Severity.ERROR,
                    name=place.name, service=place.service, reason=place.failure, tries=place.failures,
                )  # fmt: skip
