"""What a destination is told: gathered set-wise, fixed as a message in the same transaction as the note that it was told,
delivered at least once. The words of a finding are handed in by `config/bootstrap.py`, as pages have them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from comptoir.alerts import rules
from comptoir.alerts.models import Destination, Digest, DigestState
from comptoir.alerts.sending import Answer, Fate, Message
from comptoir.channels.channel import box
from comptoir.channels.models import HUB, Channel
from comptoir.engine.models import Finding, Severity
from comptoir.kit import sql
from comptoir.kit.settings import settings

#: Kinds of findings that one message names; it counts the rest.
MOST_NAMED = 20
KEPT = timedelta(days=90)

Words = Callable[[str, Mapping[str, Any]], tuple[str, str]]


def _plainly(code: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    return code.replace("_", " "), ""


_words: Words = _plainly


def speak_with(words: Words) -> None:
    """Let `words` say what a finding is and what to do about it, in the language that is active."""
    global _words
    _words = words


# -- what there is to tell ---------------------------------------------------------------------------------------------

# The hub's own findings name no channel; people choose them as the pseudo-channel of the hub.
_CHANNEL = "coalesce(f.channel_id, (SELECT id FROM channels_channel WHERE kind = 'hub' ORDER BY id LIMIT 1))"
_OPEN = f"""
SELECT %(destination)s, f.id, f.severity, f.code, f.channel_id, %(at)s::timestamptz FROM engine_finding f
WHERE f.closed_at IS NULL AND f.severity = ANY(%(severities)s) AND (NOT %(urgent_only)s OR f.code = ANY(%(urgent)s))
  AND (cardinality(%(channels)s::bigint[]) = 0 OR {_CHANNEL} = ANY(%(channels)s::bigint[]))
  AND NOT (f.code = %(own)s AND f.subject = %(subject)s)
  AND NOT EXISTS (SELECT FROM alerts_told t
                  WHERE t.destination_id = %(destination)s AND t.finding = f.id AND t.severity = f.severity)
"""
_NEWS = f"""
WITH fresh AS (
    INSERT INTO alerts_told (destination_id, finding, severity, code, channel, told_at) {_OPEN}
    ON CONFLICT (destination_id, finding) DO UPDATE SET severity = excluded.severity, told_at = excluded.told_at
    RETURNING severity, code, channel, finding
)
SELECT severity, code, channel, count(*), max(finding) FROM fresh GROUP BY 1, 2, 3
"""
_REMINDERS = """
WITH again AS (
    UPDATE alerts_told t SET told_at = %(at)s FROM engine_finding f
    WHERE t.destination_id = %(destination)s AND f.id = t.finding AND f.closed_at IS NULL AND t.told_at <= %(before)s
    RETURNING t.severity, t.code, t.channel, t.finding
)
SELECT severity, code, channel, count(*), max(finding) FROM again GROUP BY 1, 2, 3
"""
_RESOLVED = """
WITH over AS (
    DELETE FROM alerts_told t WHERE t.destination_id = %(destination)s
    AND NOT EXISTS (SELECT FROM engine_finding f WHERE f.id = t.finding AND f.closed_at IS NULL)
    RETURNING t.severity, t.code, t.channel, t.finding
)
SELECT severity, code, channel, count(*), max(finding) FROM over GROUP BY 1, 2, 3
"""


def speaking() -> list[int]:
    """Destinations that are switched on."""
    return list(Destination.objects.filter(is_on=True).order_by("id").values_list("pk", flat=True))


def make(destination: int, *, at: datetime) -> int | None:
    """Fix what this destination is told next, in the caller's transaction; its message, or None where there is nothing to
    tell, it is too soon, or it is to be quiet. What waits meanwhile is told together later."""
    it = Destination.objects.select_for_update().filter(pk=destination, is_on=True).first()
    if it is None or not rules.may_speak(it, at) or it.digests.exclude(state=DigestState.SENT).exists():
        return None
    quiet = rules.is_quiet(it, at)
    if quiet and not it.urgent_breaks_quiet:
        return None
    about = {
        "destination": it.pk, "at": at, "severities": list(it.severities), "channels": list(it.channels),
        "urgent_only": quiet, "urgent": list(rules.URGENT), "own": rules.NOT_DELIVERED, "subject": rules.subject(it.pk),
    }  # fmt: skip
    content: dict[str, list[list[Any]]] = {"resolved": [], "reminders": []}
    if not quiet:
        over = _rows(sql.rows(_RESOLVED, about))
        content["resolved"] = over if it.tells_resolved else []
        if it.remind_after:
            before = {**about, "before": at - timedelta(hours=it.remind_after)}
            content["reminders"] = _rows(sql.rows(_REMINDERS, before))
    content["news"] = _rows(sql.rows(_NEWS, about))
    if not any(content.values()):
        return None
    Destination.objects.filter(pk=it.pk).update(last_at=at)
    Digest.objects.filter(destination=it, state=DigestState.SENT, made_at__lt=at - KEPT).delete()
    return Digest.objects.create(destination=it, content=content, made_at=at, next_at=at).pk


def _rows(found: Iterable[sql.Row]) -> list[list[Any]]:
    order = list(Severity)
    return sorted((list(row) for row in found), key=lambda row: (-order.index(Severity(row[0])), row[1], row[2] or 0))


# -- delivering --------------------------------------------------------------------------------------------------------


def due(at: datetime) -> list[int]:
    """Messages to deliver now. One whose call was under way when its worker died is among them: it cannot be asked after."""
    rows = Digest.objects.exclude(state=DigestState.SENT).filter(next_at__lte=at, destination__is_on=True)
    return list(rows.order_by("id").values_list("pk", flat=True))


def call(digest: int, *, at: datetime) -> tuple[str, Message] | None:
    """Note that the call begins, in a transaction of its own; where it goes and what it says. None: no longer wanted."""
    it = Digest.objects.select_for_update().select_related("destination").filter(pk=digest).first()
    if it is None or it.state == DigestState.SENT:
        return None
    message = worded(it, is_repeat=it.state == DigestState.CALLED)
    it.tries += 1
    Digest.objects.filter(pk=digest).update(
        state=DigestState.CALLED, tries=it.tries, next_at=rules.try_again_at(it, at)
    )
    return address(it.destination), message


def became(digest: int, answer: Answer, *, at: datetime) -> Destination | None:
    """Note what became of it; the destination with its failures, or None where the message is gone."""
    it = Digest.objects.select_related("destination").filter(pk=digest).first()
    if it is None:
        return None
    place = it.destination
    if answer.fate is Fate.SENT:
        Digest.objects.filter(pk=digest).update(state=DigestState.SENT, sent_at=at)
        place.failures, place.failure = 0, ""
    else:
        if answer.fate is Fate.REFUSED:  # surely not taken: telling it later is no repeat
            Digest.objects.filter(pk=digest).update(state=DigestState.WANTED)
        place.failures, place.failure = place.failures + 1, answer.said or "no answer in time"
    place.save(update_fields=["failures", "failure"])
    return place


def address(destination: Destination) -> str:
    """Where it goes, secrets included: for a messenger only."""
    return str(box().open(destination.sealed)["url"])


# -- words -------------------------------------------------------------------------------------------------------------


def worded(digest: Digest, *, is_repeat: bool = False) -> Message:
    """The message in its reader's language. Its number lets a reader see that two are one."""
    with translation.override(digest.destination.language):
        content = digest.content
        rows = [row for part in ("news", "reminders", "resolved") for row in content[part]]
        facts = dict(Finding.objects.filter(pk__in=[row[4] for row in rows]).values_list("pk", "facts"))
        names = dict(Channel.objects.exclude(kind=HUB).values_list("pk", "name"))
        parts = [f"{_('Perhaps you have this message already.')}\n"] if is_repeat else []
        for title, name in ((_("New"), "news"), (_("Still open"), "reminders"), (_("Resolved"), "resolved")):
            if content[name]:
                parts.append(f"{title}\n" + "\n".join(_lines(content[name], facts, names, with_cure=name == "news")))
        if base := settings().public_url.rstrip("/"):
            parts.append(f"{base}/findings/")
        parts.append(_("Alert %(n)d of Comptoir") % {"n": digest.pk})
        return Message(_title(content, digest.pk), "\n\n".join(parts), _kind(content))


def _title(content: Mapping[str, list[list[Any]]], number: int) -> str:
    told = sum(row[3] for name in ("news", "reminders") for row in content[name])
    over = sum(row[3] for row in content["resolved"])
    parts = []
    if told:
        parts.append(ngettext("%(n)d finding is open", "%(n)d findings are open", told) % {"n": told})
    if over:
        parts.append(ngettext("%(n)d is resolved", "%(n)d are resolved", over) % {"n": over})
    return f"Comptoir: {', '.join(parts)} (#{number})"


def _kind(content: Mapping[str, list[list[Any]]]) -> str:
    open_ = [row for name in ("news", "reminders") for row in content[name]]
    if not open_:
        return "success"
    return "failure" if any(row[0] == Severity.ERROR for row in open_) else "warning"


def _lines(
    rows: list[list[Any]], facts: Mapping[int, Mapping[str, Any]], names: Mapping[int, str], *, with_cure: bool
) -> Iterable[str]:
    for _severity, code, channel, number, finding in rows[:MOST_NAMED]:
        what, cure = _words(code, facts.get(finding, {}) if number == 1 else {})
        where = names.get(channel or 0, "Comptoir")
        yield f"- {where}: {f'{number} × ' if number > 1 else ''}{what}"
        if with_cure and cure:
            yield f"  {cure}"
    if len(rows) > MOST_NAMED:
        rest = len(rows) - MOST_NAMED
        yield "- " + ngettext("and %(n)d kind more", "and %(n)d kinds more", rest) % {"n": rest}
