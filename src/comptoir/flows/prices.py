"""Prices go out where the hub owns them: compared with what stands there, previewed, guarded against large mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from comptoir.channels.channel import OpenChannel
from comptoir.channels.models import Channel, Mode
from comptoir.channels.records import Answer, Named, PriceFigure, PriceToTell
from comptoir.commerce.catalog import events as catalog
from comptoir.engine import findings
from comptoir.engine.errors import Fenced
from comptoir.engine.flow import OUT, flow
from comptoir.engine.models import Finding, Severity
from comptoir.engine.runs import PlanLine, RunContext, start_after_commit
from comptoir.events.record import Happened, on
from comptoir.flows import taxes
from comptoir.flows.levels import HELD
from comptoir.kit import clock
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput
from comptoir.offers import actions as offers
from comptoir.offers import prices
from comptoir.offers.models import Mapping, SellingPoint
from comptoir.offers.prices import Change, Wanted

PREVIEW = 1_000  # lines of a preview in one step
FEWEST_SUSPICIOUS = 3
LOOK_AGAIN = timedelta(hours=1)
UNTIL_LOOKED = timedelta(days=3650)  # what waits for a person alone
RULE_CODES = ("price_rate_missing", "price_tax_missing")
LOOK_CODES = ("suspicious_prices", "prices_held")


def set_up() -> None:
    """Register what makes prices wait; called once per process."""
    on(catalog.PRICED, want)
    on(catalog.IMPORTED, want)
    on("offers.told.forgotten", doubt)
    on(prices.RULED, ruled)


def want(happened: Happened) -> None:
    """Prices changed: wherever the hub owns them they wait, and channels in production are told."""
    start_after_commit("push_prices", prices.mark_variants(happened.facts["variants"], at=happened.at))


def doubt(happened: Happened) -> None:
    """What was told to a channel is no longer believed: back in test, or after a restore."""
    prices.forget_told(int(happened.facts["channel"]), at=happened.at)


def ruled(happened: Happened) -> None:
    """The rules of a point changed: what was said of the old ones is over, unless the next run says it again."""
    channel = int(happened.facts["channel"])
    codes = (*RULE_CODES, *LOOK_CODES)
    findings.close(channel, _open(channel, codes), codes, at=happened.at)
    start_after_commit("push_prices", [channel])


def _open(channel: int, codes: Sequence[str]) -> list[str]:
    rows = Finding.objects.filter(channel=channel, code__in=codes, closed_at__isnull=True)
    return list(rows.values_list("subject", flat=True))


def with_prices_to_tell(channels: Sequence[int]) -> set[int]:
    """Which of these channels have prices that wait."""
    return prices.channels_waiting(channels, clock.now())


@flow(
    "push_prices",
    direction=OUT,
    title=_("Prices"),
    needs=("prices",),
    facts=with_prices_to_tell,
    writes=True,
    previews=True,
    replays=True,
)
def push_prices(run: RunContext, channel: OpenChannel | None) -> None:
    """Tell a channel the prices that the hub owns there: waiting ones only, and only those that differ from what it shows."""
    assert channel is not None  # noqa: S101 - the engine opens it for IN and OUT
    if not run.is_preview:
        with run.checkpoint():
            prices.gather(channel.ref, at=run.at)
    compared = _compare(run, channel)
    if run.is_preview:
        _plan(run, channel.ref, compared)
        return
    _send(run, channel, _set_suspicious_aside(run, channel.ref, compared))


# -- comparing -------------------------------------------------------------------------------------------------------------


@dataclass
class _Compared:
    """What differs, over the whole of a run."""

    changes: list[Change] = field(default_factory=list)
    suspicious: list[Change] = field(default_factory=list)  # among them: much, by the rules of their point
    zeroed: list[Change] = field(default_factory=list)
    share: int = 100  # percent of all that may change much: the strictest of the points met


def _compare(run: RunContext, channel: OpenChannel) -> _Compared:
    """Hold every waiting price against what stands at the channel, a batch a step."""
    found = _Compared()
    after = 0
    size = channel.client.prices.batch_size
    while ids := prices.waiting_ids(channel.ref, after=after, size=size, at=run.at, put_off_too=run.is_preview):
        after = ids[-1]
        waiting = prices.wanted(ids)
        asked = [one for one in waiting if one.amount is not None]
        figures = {
            (figure.listing, figure.selling_point): figure
            for figure in channel.client.prices.figures([(one.listing, one.point) for one in asked])
        }
        with run.checkpoint():
            _sort(run, channel, waiting, figures, found)
    return found


def _sort(
    run: RunContext,
    channel: OpenChannel,
    waiting: Sequence[Wanted],
    figures: dict[tuple[str, str], PriceFigure],
    found: _Compared,
) -> None:
    rates, classes = prices.tax_rates(channel.ref), taxes.names(channel.ref)
    same: list[tuple[Wanted, PriceFigure]] = []
    differing: list[Change] = []
    absent: list[Wanted] = []
    unsaid: list[int] = []
    said: set[str] = set()
    for one in waiting:
        if one.amount is None:
            continue
        figure = figures.get((one.listing, one.point))
        if figure is None:
            absent.append(one)
            continue
        try:
            amount = prices.convert(one, figure, rates)
        except prices.RateMissing as missing:
            unsaid.append(one.offer)
            run.found("price_rate_missing", prices.rate_subject(one, figure), Severity.ERROR, **missing.facts)
            continue
        except prices.TaxRateMissing as missing:
            unsaid.append(one.offer)
            named = {**missing.facts, "tax": classes.get(figure.tax_class, figure.tax_class)}
            run.found("price_tax_missing", prices.tax_subject(figure), Severity.ERROR, **named)
            continue
        said |= {prices.rate_subject(one, figure), prices.tax_subject(figure)}
        if amount == figure.amount:
            same.append((one, figure))
            continue
        change = Change(
            one.offer, one.listing, one.point, one.variant, one.sku, one.touched, one.refusals, figure.amount, amount,
            figure.currency, figure.tax_included,
        )  # fmt: skip
        differing.append(change)
        found.share = min(found.share, one.most_share)
        if prices.is_zeroed(figure.amount, amount):
            found.zeroed.append(change)
        elif prices.is_much(figure.amount, amount, one.most_change):
            found.suspicious.append(change)
    run.resolved(sorted(said), codes=RULE_CODES)  # whatever of a kind could be said, all of it can
    nothing = [one for one in waiting if one.amount is None]
    run.count(
        seen=len(waiting) - len(differing),
        skipped=len(nothing),
        failed=len(absent),
        parked=len(unsaid),
        unchanged=len(same),
    )
    _see_taxes(channel.ref, figures.values(), run)
    found.changes += differing
    if run.is_preview:
        return
    prices.settle(run.id, same, at=run.at)
    prices.without_price(nothing)
    prices.put_off(unsaid, until=run.at + LOOK_AGAIN)
    prices.failures([one.offer for one in absent], at=run.at)
    for one in absent:
        run.found("price_refused", f"listing:{one.listing}", Severity.ERROR, price=str(one.amount), reason=NOT_THERE)
    again = [f"listing:{one.listing}" for one, _ in same if one.refusals]
    run.resolved(again, codes=("price_refused",))


NOT_THERE = "the channel has no such listing"


def _see_taxes(channel: int, figures: Iterable[PriceFigure], run: RunContext) -> None:
    """Tax classes are met in prices, and may be given a rate by a person."""
    classes = sorted({figure.tax_class for figure in figures if figure.tax_class})
    offers.see(channel, "tax", [Named(external_id=one, name="") for one in classes], at=run.at)


def _plan(run: RunContext, channel: int, compared: _Compared) -> None:
    """What would be told, and apart from it what would wait for a person."""
    held = _suspicious(run, channel, compared)
    for start in range(0, len(compared.changes), PREVIEW):
        part = compared.changes[start : start + PREVIEW]
        waits = sum(one.offer in held for one in part)
        with run.checkpoint():
            run.count(seen=len(part), changed=len(part) - waits, parked=waits)
            run.plan(
                PlanLine(
                    kind=HELD if one.offer in held else "price",
                    subject=f"offer:{one.offer}",
                    label=f"{one.sku} · {one.listing}",
                    field="price",
                    old=shown(one.before, one.currency),
                    new=shown(one.after, one.currency),
                    facts={"listing": one.listing, "point": one.point, "variant": one.variant},
                )
                for one in part
            )


def shown(amount: Decimal, currency: str) -> str:
    """An amount with the decimals that say something, two at least, and its currency."""
    plain = format(amount.normalize(), "f")
    whole, _point, decimals = plain.partition(".")
    return f"{whole}.{decimals.ljust(2, '0')} {currency}".strip()


# -- a large change is suspicious ------------------------------------------------------------------------------------------


def _suspicious(run: RunContext, channel: int, compared: _Compared) -> set[int]:
    """Offers whose price would become nothing, and, where they are more than a share, all that would change much; none
    while a person lets them through."""
    if prices.is_approved(channel, at=run.at):
        return set()
    found = {one.offer for one in compared.zeroed}
    much = len(compared.suspicious) + len(compared.zeroed)
    if much >= FEWEST_SUSPICIOUS and much * 100 > compared.share * prices.count(channel):
        found |= {one.offer for one in compared.suspicious}
    return found


def _set_suspicious_aside(run: RunContext, channel: int, compared: _Compared) -> list[Change]:
    """Prices that would become nothing wait for a person, and so do those that would change much, when they are more than a
    share of all. The others come back, to be sent."""
    subject = f"channel:{channel}"
    with run.checkpoint():
        aside = _suspicious(run, channel, compared)
        if aside:
            first = next(one for one in compared.changes if one.offer in aside)
            prices.put_off(sorted(aside), until=run.at + LOOK_AGAIN, aside=True)
            run.count(seen=len(aside), parked=len(aside))
            run.found(
                "suspicious_prices", subject, Severity.ERROR, prices=len(aside), of=prices.count(channel), sku=first.sku,
                before=shown(first.before, first.currency), after=shown(first.after, first.currency),
            )  # fmt: skip
        if not aside and not prices.are_aside(channel):
            run.resolved([subject], codes=LOOK_CODES)
    return [one for one in compared.changes if one.offer not in aside]


# -- sending ---------------------------------------------------------------------------------------------------------------


def _send(run: RunContext, channel: OpenChannel, changes: Sequence[Change]) -> None:
    """Tell these, a batch a call, with no transaction open. What was touched since it was compared is left to the next run."""
    size = channel.client.prices.batch_size
    for start in range(0, len(changes), size):
        batch = changes[start : start + size]
        with run.checkpoint():
            left = prices.take(batch)
            run.count(seen=len(batch) - len(left), parked=len(batch) - len(left))
        if not left:
            continue
        with _doubted_if_fenced(channel.ref, left):
            answers = channel.client.prices.set_prices([_to_tell(one) for one in left])
            with run.checkpoint():
                _book(run, left, answers)


def _to_tell(one: Change) -> PriceToTell:
    return PriceToTell(offer=one.offer, listing=one.listing, selling_point=one.point, amount=one.after)


def _book(run: RunContext, sent: Sequence[Change], answers: Sequence[Answer]) -> None:
    told = prices.told(run.id, sent, answers, at=run.at)
    run.count(seen=len(sent), changed=told.done, failed=len(told.refused), parked=told.unsure)
    refused = {one.offer for one, _ in told.refused}
    again = [one for one in sent if one.refusals and one.offer not in refused]
    run.resolved([f"listing:{one.listing}" for one in again], codes=("price_refused",))
    for one, reason in told.refused:
        price = shown(one.after, one.currency)
        run.found("price_refused", f"listing:{one.listing}", Severity.ERROR, price=price, reason=reason)


@contextmanager
def _doubted_if_fenced(channel: int, batch: Sequence[Change]) -> Iterator[None]:
    """A worker that was stopped just before it sent sends when it wakes, over the prices of whoever has its run by then. It may
    book nothing any more, but it says that these prices are to be compared again."""
    try:
        yield
    except Fenced:
        with transaction.atomic():
            prices.forget_told(channel, [one.listing for one in batch], at=clock.now())
        raise


def look_first(channel: int, point: int, *, at: datetime) -> None:
    """Other rules hold at a point of a live channel: nothing is told by them before a person has seen the difference."""
    if waiting := prices.hold(point, until=at + UNTIL_LOOKED):
        about = {"prices": waiting}
        findings.report([findings.Report(channel, "prices_held", f"channel:{channel}", Severity.ERROR, about)], at=at)


def state_tax(row: Channel, tax: str, rate: Decimal | None, *, at: datetime, actor: Actor) -> list[int]:
    """A person states the rate of one of a channel's tax classes; None: as the channel says. The points whose prices are
    compared again; those of a live channel tell nothing before a person has seen the difference."""
    known = Mapping.objects.filter(channel=row, kind="tax", external_id=tax).first()
    if known is None:
        raise BadInput("no such tax class", place="tax", value=tax)
    if rate is not None and not 0 <= rate <= 100:
        raise BadInput("a tax rate is 0 to 100 percent", place="tax rate", value=str(rate), cure="20")
    text = "" if rate is None else format(rate.normalize(), "f")
    if text == known.ours:
        return []
    offers.map_to(row.pk, "tax", tax, text, at=at, actor=actor)
    points = compare_again(row.pk, at=at)
    if row.mode == Mode.PRODUCTION:
        for point in points:
            look_first(row.pk, point, at=at)
    return points


def compare_again(channel: int, *, at: datetime) -> list[int]:
    """A rate of tax changed: every price that the hub owns at a channel is compared again. Its points."""
    points = list(
        SellingPoint.objects.filter(channel=channel, owns_price=False).order_by("id").values_list("pk", flat=True)
    )
    for point in points:
        prices.mark_point(point, at=at)
    if points:
        start_after_commit("push_prices", [channel])
    return points


def let_through(channel: int) -> None:
    """A person has looked: what waited for that is told, and so are large changes, for a while."""
    at = clock.now()
    prices.approve(channel, until=at + LOOK_AGAIN)
    findings.close(channel, [f"channel:{channel}"], LOOK_CODES, at=at)
    start_after_commit("push_prices", [channel])
