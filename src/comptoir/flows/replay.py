"""An old run gone through again: today's connector before the answers of then, and what it makes of them beside what was
made then. Nothing is called and nothing is written but that difference, as the plan of the replay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest
from typing import Any

import msgspec

from comptoir.channels import channel as channels
from comptoir.channels.channel import OpenChannel
from comptoir.channels.errors import ChannelError
from comptoir.channels.exchanges import Exchange, Playback, key
from comptoir.channels.models import Channel
from comptoir.channels.records import LevelToTell, Parcel, PriceToTell
from comptoir.engine import inputs
from comptoir.engine.inputs import Made
from comptoir.engine.runs import PlanLine, RunContext
from comptoir.kit.masking import Masker
from comptoir.kit.settings import secret_keys, settings

STEP = 1_000  # lines of the difference in one step
LONGEST = 2_000  # characters of a value in the difference

#: What abilities are asked with that is more than plain values.
ASKED_WITH: dict[tuple[str, str], Any] = {
    ("levels", "set_levels"): list[LevelToTell],
    ("prices", "figures"): list[tuple[str, str]],
    ("prices", "set_prices"): list[PriceToTell],
    ("tracking", "confirm"): Parcel,
    ("tracking", "is_confirmed"): Parcel,
}
#: By ability: what one item is called, what it is known by, what people know it by.
ITEMS = {
    "sales": ("sale", "external_id", "number"),
    "products": ("product", "external_id", "name"),
    "stock": ("figure", "ref", "listing"),
    "suppliers": ("supplier", "external_id", "name"),
    "supplier_links": ("supplier", "external_id", "reference"),
    "levels": ("answer", "item", "item"),
    "prices": ("answer", "item", "item"),
}
#: Fields of a sale that are about whoever bought.
OF_A_PERSON = frozenset({"billing", "shipping", "buyer", "note", "pickup_point", "payments", "tracking"})
#: What is odd only as long as the clock of then runs.
OF_THE_CLOCK = frozenset({"clock_ahead"})


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of a question, then or now: an essence, an end, or a problem."""

    result: Any = None
    is_end: bool = False
    problem: str = ""


def replay(run: RunContext) -> None:
    """Ask today's connector what the run asked, and keep what differs."""
    assert run.replays is not None  # noqa: S101 - asked for as a replay
    heard, made = inputs.read(run.replays)
    said: list[Exchange] = []
    masker = Masker(secret_keys(settings())[0])
    with channels.played_back(Channel.objects.get(pk=run.channel_id), heard, said.append) as (channel, playback):
        lines = _differences(run, channel, playback, made, masker)
        gathered: list[PlanLine] = []
        for line in lines:
            gathered.append(line)
            if len(gathered) >= STEP:
                _keep(run, gathered)
                gathered = []
        gathered += _writes([one for one in heard if one.writes], [one for one in said if one.writes], masker)
        if any(one.is_cut for one in heard):
            number = sum(one.is_cut for one in heard)
            gathered.append(PlanLine("inputs", f"run:{run.replays}", str(number), "left_out", str(number), None))
        _keep(run, gathered)


def _keep(run: RunContext, lines: Sequence[PlanLine]) -> None:
    with run.checkpoint():
        run.plan(lines)


def _differences(
    run: RunContext, channel: OpenChannel, playback: Playback, made: Sequence[Made], masker: Masker
) -> Iterator[PlanLine]:
    for (ability, method, _call), group in groupby(made, key=lambda one: (one.ability, one.method, one.call)):
        then = list(group)
        for before, after in zip(then, _asked_now(channel, then), strict=False):
            run.stop_if_asked()
            old = _Answer(before.result, before.is_end, before.problem)
            yield from _compared(run, ability, method, old, after, masker)
            for missed in playback.missed:
                yield PlanLine(
                    "call", f"{ability}.{method}", masker.url(missed.partition(" ")[2]), "asked", None, missed[:4]
                )
            is_lost = bool(playback.missed)
            playback.missed.clear()
            if is_lost or after.problem != old.problem:
                break  # what comes after it in this reading stands on it


def _asked_now(channel: OpenChannel, then: Sequence[Made]) -> Iterator[_Answer]:
    """The same question to today's connector, answer by answer."""
    first = then[0]
    try:
        call = getattr(getattr(channel.client, first.ability), first.method)
    except AttributeError:
        yield _Answer(problem="no_such_ability")
        return
    args = list(first.args)
    if (kind := ASKED_WITH.get((first.ability, first.method))) is not None:
        args[0] = msgspec.convert(args[0], kind, strict=False)
    try:
        result = call(*args, **first.kwargs)
        if not first.is_page:
            yield _Answer(inputs.plain(inputs.essence(result)))
            return
        for page in result:
            yield _Answer(inputs.plain(inputs.essence(page)))
        yield _Answer(is_end=True)
    except ChannelError as error:
        yield _Answer(problem=error.code)


def _compared(
    run: RunContext, ability: str, method: str, then: _Answer, now: _Answer, masker: Masker
) -> Iterator[PlanLine]:
    if then.problem != now.problem:
        yield PlanLine(
            "call", f"{ability}.{method}", f"{ability} · {method}", "outcome", then.problem or "ok", now.problem or "ok"
        )
    kind, identity, title = ITEMS.get(ability, (ability, "", ""))
    before, after = _items(then.result, identity, method), _items(now.result, identity, method)
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        subject, label = f"{kind}:{name}", str((new if new is not None else old or {}).get(title) or name)
        run.count(seen=1)
        if old is None or new is None:
            run.count(created=int(old is None), skipped=int(new is None))
            was, becomes = (None, name) if old is None else (name, None)
            yield PlanLine(kind, subject, label, "there", was, becomes)
            continue
        changes = list(_changes(old, new))
        run.count(changed=int(bool(changes)), unchanged=int(not changes))
        for path, was, becomes in changes:
            yield PlanLine(
                kind,
                subject,
                label,
                _field(path),
                _shown(path, was, masker),
                _shown(path, becomes, masker),
                {"path": ".".join(path)},
            )
    yield from _odd(then.result, now.result, masker)


def _items(result: Any, identity: str, method: str) -> dict[str, dict[str, Any]]:
    """The things that an answer is about, by what they are known by."""
    if isinstance(result, Mapping) and "items" in result:
        return {str(one[identity]): dict(one) for one in result["items"]}
    if isinstance(result, list):
        return {_named(one, identity, place): dict(one) for place, one in enumerate(result) if isinstance(one, Mapping)}
    if result is None:
        return {}
    return {method: dict(result) if isinstance(result, Mapping) else {"answer": result}}


def _named(one: Mapping[str, Any], identity: str, place: int) -> str:
    if identity in one:
        return str(one[identity])
    return f"{one['listing']}@{one['selling_point']}" if "selling_point" in one else str(place)


def _odd(then: Any, now: Any, masker: Masker) -> Iterator[PlanLine]:
    """What was found untidy then, and what is now."""
    before, after = _complaints(then), _complaints(now)
    for code, subject in sorted(before ^ after):
        was, becomes = (code, None) if (code, subject) in before else (None, code)
        yield PlanLine("finding", subject, masker.text(subject), "finding", was, becomes)


def _complaints(result: Any) -> set[tuple[str, str]]:
    odd = result.get("odd", ()) if isinstance(result, Mapping) else ()
    return {(one["code"], one["subject"]) for one in odd if one["code"] not in OF_THE_CLOCK}


def _changes(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Each place where two trees differ; the shorter of two lists lacks its last places."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in {**old, **new}:
            yield from _changes(old.get(name), new.get(name), (*path, str(name)))
    elif isinstance(old, list) and isinstance(new, list):
        for place, (one, other) in enumerate(zip_longest(old, new), start=1):
            yield from _changes(one, other, (*path, str(place)))
    elif old != new:
        yield path, old, new


def _field(path: Sequence[str]) -> str:
    """A place by its names alone, so that the same place of many things is one group."""
    return ".".join(name for name in path if not name.isdigit())[:40]


def _shown(path: Sequence[str], value: Any, masker: Masker) -> str | None:
    """A value as the difference shows it: what is about a person only says whether it is the same."""
    if value is None:
        return None
    names = tuple(name for name in path if not name.isdigit())
    if isinstance(value, Mapping | list):
        return msgspec.json.encode(masker.tree(value, names), enc_hook=str).decode()[:LONGEST]
    is_of_a_person = names[-1] == "email" or names[0] in OF_A_PERSON
    return (str(masker.leaf(names, value)) if is_of_a_person else str(value))[:LONGEST]


def _writes(then: Sequence[Exchange], now: Sequence[Exchange], masker: Masker) -> Iterator[PlanLine]:
    """What was sent then beside what would be sent now for the same reasons."""
    before, after = _by_place(then), _by_place(now)
    for place in {**before, **after}:
        for one, other in zip_longest(before.get(place, ()), after.get(place, ())):
            old, new = _body(one, masker), _body(other, masker)
            if one is None or other is None or one.body != other.body:
                called = one or other
                label = f"{called.method} {masker.url(called.url)}"
                yield PlanLine("call", f"{called.method}:{place[1]}", label, "sent", old, new)


def _by_place(exchanges: Sequence[Exchange]) -> dict[Any, list[Exchange]]:
    places = defaultdict(list)
    for one in exchanges:
        if not one.is_cut:
            places[key(one.method, one.url, one.body, writes=True)].append(one)
    return dict(places)


def _body(one: Exchange | None, masker: Masker) -> str | None:
    if one is None:
        return None
    if not one.body:
        return ""
    masked = masker.body(one.body)
    return f"{len(one.body)} bytes" if masked is None else masked.decode("utf-8", "replace")[:LONGEST]
