"""Findings: what someone should read, and until when it stood."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from comptoir.accounts.rights import Scope
from comptoir.api.callers import caller, needs
from comptoir.api.pages import Asked, Moment, Page, page
from comptoir.engine.models import Finding, Severity
from comptoir.flows import personal

router = Router(tags=["findings"], auth=needs(Scope.RUNS_READ))


class FindingOut(Schema):
    """One per channel, code and subject, however often it was met."""

    id: int
    channel: int | None
    code: str
    subject: str
    severity: str
    facts: dict[str, Any]
    count: int
    first_at: Moment
    last_at: Moment
    closed_at: Moment | None
    run: int | None


@router.get("/findings", response=Page[FindingOut], summary="Findings, latest first; open ones unless asked otherwise")
def findings(
    request: HttpRequest,
    place: Asked,
    open: bool = True,
    channel: int | None = None,
    severity: Severity | None = None,
) -> dict[str, Any]:
    rows = Finding.objects.filter(closed_at__isnull=open)
    if channel is not None:
        rows = rows.filter(channel_id=channel)
    if severity is not None:
        rows = rows.filter(severity=severity)
    found = page(rows, ("-last_at", "-id"), place, _shown)
    if not caller(request).sees_buyers:  # a change of a sale tells both addresses
        found["items"] = [{**one, "facts": personal.without_people(one["facts"])} for one in found["items"]]
    return found


def _shown(row: Finding) -> dict[str, Any]:
    plain = set(FindingOut.model_fields) - {"channel", "run"}
    return {**{name: getattr(row, name) for name in plain}, "channel": row.channel_id, "run": row.run_id}
