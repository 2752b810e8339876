"""How pages of a channel become counts and findings of a run: the same words in every flow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from comptoir.channels.records import Odd, Page
from comptoir.engine.models import Severity
from comptoir.engine.runs import RunContext
from comptoir.staging.actions import Staged


def report_odd(run: RunContext, odd: Iterable[Odd]) -> None:
    """What was untidy in a page, as findings."""
    for one in odd:
        run.found(one.code, one.subject, Severity(one.severity), **one.facts)


def count_unread(run: RunContext, page: Page[Any], read: Iterable[str]) -> None:
    """Ids that were on the wire but became no record: failed where a finding says so, else left out by a rule (a product's
    sum row, a shop that was not chosen)."""
    missing = set(page.seen) - set(read)
    failed = missing & {odd.subject.partition(":")[2] for odd in page.odd if odd.severity != "info"}
    run.count(seen=len(missing), failed=len(failed), skipped=len(missing - failed))


def report_staged(run: RunContext, staged: Staged) -> None:
    """What staging found: findings open and close with the checkpoint."""
    run.resolved(staged.resolved)
    for one in staged.findings:
        run.found(one.code, one.subject, Severity(one.severity), **one.facts)
