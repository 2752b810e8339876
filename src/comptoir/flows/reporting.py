"""How pages of a channel become counts and findings of a run: the same words in every flow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from comptoir.channels import registry
from comptoir.channels.models import Channel
from comptoir.channels.records import Odd, Page
from comptoir.engine.models import Severity
from comptoir.engine.runs import RunContext
from comptoir.staging.actions import Staged

#: What a connector says about a thing that it cannot read, or only in part: over when it is read without that complaint.
#: What staging finds besides about a sale stays until staging is content.
SALE_CODES = ("malformed_row", "malformed_sale", "unreadable_answer")
PRODUCT_CODES = (
    "malformed_row",
    "unreadable_answer",
    "unsaved_draft",
    "product_without_sku",
    "negative_price",
)
FIGURE_CODES = ("malformed_row", "unreadable_answer", "stock_computed_by_shop", "advanced_stock_management")


def report_odd(
    run: RunContext, channel: Channel, odd: Iterable[Odd], read: Iterable[str], codes: Iterable[str]
) -> None:
    """What was untidy in a page, as findings; what was said before about these subjects, which were read, is over."""
    run.resolved(read, codes=(*codes, *registry.find(channel.kind).says))
    for one in odd:
        run.found(one.code, one.subject, Severity(one.severity), **one.facts)


def clock_is_right(run: RunContext, word: str) -> None:
    """At the first page of a list of changes, which is where a wrong clock is noticed: what was said of it before is over
    unless it is said again."""
    run.resolved([f"clock:{word}"], codes=("clock_ahead",))


def count_unread(run: RunContext, page: Page[Any], read: Iterable[str]) -> None:
    """Ids that were on the wire but became no record: failed where a finding says so, else left out by a rule (a product's
    sum row, a shop that was not chosen)."""
    read = tuple(read)
    if read == page.seen:
        return
    missing = set(page.seen) - set(read)
    failed = missing & {odd.subject.partition(":")[2] for odd in page.odd if odd.severity != "info"}
    run.count(seen=len(missing), failed=len(failed), skipped=len(missing - failed))


def report_staged(run: RunContext, staged: Staged) -> None:
    """What staging found: findings open and close with the checkpoint."""
    run.resolved(staged.resolved)
    for one in staged.findings:
        run.found(one.code, one.subject, Severity(one.severity), **one.facts)
