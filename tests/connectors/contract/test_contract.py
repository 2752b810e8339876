"""What every connector must do, whichever shop is behind it. It runs over every card against its simulator."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from comptoir import connectors
from comptoir.channels import connector as cards
from comptoir.channels.errors import NotLetIn, NotUnderstood, TryLater, WritesRefused
from comptoir.channels.records import Fate, Page, PriceToTell

READINGS = ("sales", "products", "stock", "suppliers", "supplier_links")
MOST_PAGES = 500


def start_reading(client: cards.OpenedClient, what: str, cursor: dict[str, Any]) -> Iterator[Page[Any]]:
    if what == "sales":
        return client.sales.changed_since(cursor, start=None)
    if what == "stock":
        return client.stock.figures(cursor)
    return getattr(client, what).everything(cursor)  # type: ignore[no-any-return]


def read_all(pages: Iterator[Page[Any]]) -> list[Page[Any]]:
    found: list[Page[Any]] = []
    for page in pages:
        found.append(page)
        assert len(found) < MOST_PAGES, "the paging does not end"
    return found


def items_of(pages: list[Page[Any]]) -> dict[str, Any]:
    return {getattr(item, "external_id", None) or item.ref: item for page in pages for item in page.items}


def fill(bench: Any, what: str) -> None:
    if what == "sales":
        bench.sell(120)
    elif what in ("suppliers", "supplier_links"):
        bench.add_suppliers(260 if what == "suppliers" else 3, links=700 if what == "supplier_links" else 0)
    else:
        bench.add_products(120 if what == "products" else 1100)


def test_a_card_fills_exactly_the_abilities_that_it_names(bench: Any) -> None:
    card = connectors.find(bench.kind)
    assert card is not None
    client = bench.open()
    filled = {name for name in client.__dataclass_fields__ if getattr(client, name) is not None} - {"probe"}
    assert filled == card.abilities
    assert any(field.secret for field in card.fields)
    if "subscriptions" in card.abilities:
        assert card.webhooks is not None


@pytest.mark.survives("pages that shift while they are read")
@pytest.mark.parametrize("what", READINGS)
def test_paging_ends_and_what_is_seen_is_what_was_on_the_wire(bench: Any, what: str) -> None:
    fill(bench, what)
    client = bench.open()
    bench.forget_served()
    pages = read_all(start_reading(client, what, {}))
    seen = [one for page in pages for one in page.seen]
    assert len(pages) > 1
    assert len(seen) == len(set(seen))
    assert set(seen) == bench.served(what)
    assert set(items_of(pages)) <= set(seen)


@pytest.mark.survives("a process killed at any moment")
@pytest.mark.parametrize("what", READINGS)
def test_a_reading_resumes_from_the_cursor_of_every_page(bench: Any, what: str) -> None:
    fill(bench, what)
    whole = read_all(start_reading(bench.open(), what, {}))
    kept: list[Page[Any]] = []
    cursor: dict[str, Any] = {}
    for _ in range(MOST_PAGES):  # killed after each page: a new client starts from the cursor kept with it
        page = next(start_reading(bench.open(), what, cursor), None)
        if page is None or page.cursor == cursor:
            break
        kept.append(page)
        cursor = msgspec.json.decode(msgspec.json.encode(page.cursor))
        if len(kept) >= len(whole):
            break
    assert items_of(kept) == items_of(whole)


@pytest.mark.parametrize("what", READINGS)
def test_a_crash_before_a_page_is_kept_reads_it_again(bench: Any, what: str) -> None:
    fill(bench, what)
    first = next(start_reading(bench.open(), what, {}))
    again = next(start_reading(bench.open(), what, {}))
    assert items_of([first]) == items_of([again])
    assert first.cursor == again.cursor


@pytest.mark.needs("sales")
@pytest.mark.survives("pages that shift while they are read")
def test_sales_placed_and_changed_while_we_read_are_not_missed(bench: Any) -> None:
    expected = set(bench.sell(120))
    client = bench.open()
    found: set[str] = set()
    cursor: dict[str, Any] = {}
    for page in client.sales.changed_since({}, start=None):
        found |= {sale.external_id for sale in page.items}
        cursor = page.cursor
        expected |= set(bench.sell(3))
    for page in client.sales.changed_since(cursor, start=None):
        found |= {sale.external_id for sale in page.items}
    assert expected <= found


@pytest.mark.needs("sales")
def test_a_reading_after_the_end_gives_nothing_new_twice_as_different(bench: Any) -> None:
    client = bench.open()
    before = read_all(client.sales.changed_since({}, start=None))
    after = read_all(client.sales.changed_since(before[-1].cursor, start=None))
    known = items_of(before)
    assert all(known[key] == sale for key, sale in items_of(after).items())
    (new,) = bench.sell(1)
    assert new in items_of(read_all(client.sales.changed_since((after or before)[-1].cursor, start=None)))


@pytest.mark.survives("throttling")
@pytest.mark.parametrize("what", READINGS)
def test_a_throttle_waits_as_long_as_they_ask_and_the_reading_goes_on_afterwards(bench: Any, what: str) -> None:
    client = bench.open()
    bench.throttle(7)
    with pytest.raises(TryLater) as caught:
        read_all(start_reading(client, what, {}))
    assert caught.value.wait == 7
    assert read_all(start_reading(client, what, {}))


@pytest.mark.survives("a revoked key")
@pytest.mark.parametrize("what", READINGS)
def test_a_revoked_key_is_not_let_in(bench: Any, what: str) -> None:
    client = bench.open()
    bench.revoke()
    with pytest.raises(NotLetIn):
        read_all(start_reading(client, what, {}))
    with pytest.raises(NotLetIn):
        client.probe.look_around()


@pytest.mark.survives("HTML instead of an answer")
@pytest.mark.parametrize("what", READINGS)
def test_an_html_page_with_status_200_is_not_understood_and_kept(bench: Any, what: str) -> None:
    client = bench.open()
    bench.answer_with_html()
    with pytest.raises(NotUnderstood) as caught:
        read_all(start_reading(client, what, {}))
    assert "html" in str(caught.value.facts["answer"]).lower()


@pytest.mark.survives("fields that nobody knows")
@pytest.mark.parametrize("what", READINGS)
def test_unknown_fields_pass(bench: Any, what: str) -> None:
    plain = items_of(read_all(start_reading(bench.open(), what, {})))
    bench.add_unknown_fields()
    assert items_of(read_all(start_reading(bench.open(), what, {}))) == plain


def writes_of(bench: Any, client: cards.OpenedClient) -> dict[str, Callable[[], Any]]:
    """Every call of every ability that writes."""
    sale = bench.sell(1)[0]
    found: dict[str, Callable[[], Any]] = {}
    if client.levels is not None:
        figure = next(iter(client.stock.figures({}))).items[0]
        found["levels"] = lambda: client.levels.set_levels([bench.a_level(figure)])
    if client.tracking is not None:
        found["tracking"] = lambda: client.tracking.confirm(bench.a_parcel(sale))
    if client.cancelling is not None:
        found["cancelling"] = lambda: client.cancelling.cancel(bench.sell(1)[0])
    if client.subscriptions is not None:
        topic = client.subscriptions.topics[0]
        found["subscriptions"] = lambda: client.subscriptions.subscribe(
            topic, "https://hub.test/hooks/x", "s3cret-of-it"
        )
    if client.prices is not None:
        bench.let_price()
        found["prices"] = lambda: client.prices.set_prices([bench.a_price(client)])
    return found


@pytest.mark.needs("stock", "levels")
@pytest.mark.survives("a batch of which one item is refused")
def test_a_level_that_is_refused_is_named_and_leaves_the_others_done(bench: Any) -> None:
    client = bench.open()
    figures = next(iter(client.stock.figures({}))).items[:3]
    first, second, third = (
        msgspec.structs.replace(bench.a_level(figure), offer=number) for number, figure in enumerate(figures, 1)
    )
    gone = msgspec.structs.replace(second, listing=nobody(second.listing), ref=nobody(second.ref))
    answers = client.levels.set_levels([first, gone, third])
    assert {one.item: one.fate for one in answers} == {1: Fate.DONE, 2: Fate.REFUSED, 3: Fate.DONE}
    there = {one.ref: one.quantity for one in client.stock.fetch([figure.ref for figure in figures]).items}
    assert there == {first.ref: first.level, second.ref: figures[1].quantity, third.ref: third.level}


def nobody(name: str) -> str:
    """A name of this form that nothing has."""
    return re.sub(r"\d+(?=\D*$)", "99999999", name)


@pytest.mark.needs("prices")
@pytest.mark.survives("a price read and written back a little different")
def test_prices_read_are_told_back_without_a_write(bench: Any) -> None:
    client = bench.open()
    bench.let_price()
    pairs = bench.priced(client)
    figures = client.prices.figures(pairs)
    assert {(one.listing, one.selling_point) for one in figures} == set(pairs)
    told = [
        PriceToTell(offer=number, listing=one.listing, selling_point=one.selling_point, amount=one.amount)
        for number, one in enumerate(figures)
    ]
    answers = client.prices.set_prices(told)
    assert [(one.item, one.fate) for one in answers] == [(one.offer, Fate.DONE) for one in told]
    assert bench.writes_received() == 0
    changed = [msgspec.structs.replace(one, amount=one.amount + bench.price_step) for one in told]
    assert {one.fate for one in client.prices.set_prices(changed)} == {Fate.DONE}
    assert {one.listing: one.amount for one in client.prices.figures(pairs)} == {
        one.listing: one.amount for one in changed
    }
    assert client.prices.figures([("no such listing", pairs[0][1])]) == []


@pytest.mark.survives("a click while the channel is in test mode")
def test_test_mode_reads_everything_and_writes_nothing(bench: Any) -> None:
    bench.production = False
    client = bench.open()
    client.probe.look_around()
    for what in bench.card.abilities & set(READINGS):
        read_all(start_reading(client, what, {}))
    writes = writes_of(bench, client)
    assert set(writes) == {"levels", "tracking", "cancelling", "prices", "subscriptions"} & bench.card.abilities
    for write in writes.values():
        with pytest.raises(WritesRefused):
            write()
    assert bench.writes_received() == 0
    assert not any(call.writes for call in bench.calls)


def test_in_production_every_writing_ability_reaches_the_shop(bench: Any) -> None:
    for write in writes_of(bench, bench.open()).values():
        before = bench.writes_received()
        write()
        assert bench.writes_received() > before


@pytest.mark.needs("sales")
@pytest.mark.survives("a key in a log")
def test_no_call_shows_the_secrets(bench: Any) -> None:
    door = bench.door()
    client = bench.open(door)
    client.probe.look_around()
    read_all(client.sales.changed_since({}, start=None))
    assert bench.calls
    shown = f"{bench.calls!r} {door!r} {client!r}"
    assert bench.secrets
    assert not [secret for secret in bench.secrets if secret in shown]


@pytest.mark.needs("sales")
@pytest.mark.survives("a sale that no list of changes has")
def test_what_was_placed_between_two_instants_is_listed_by_ids_whatever_became_of_it(bench: Any) -> None:
    client = bench.open()
    clock = bench.simulator.clock
    start = (clock.now() + timedelta(hours=1)).replace(microsecond=0)
    clock.set(start - timedelta(seconds=1))
    bench.sell(2)
    clock.set(start)
    (paid,) = bench.sell(1)
    cancelled, *others = bench.sell(130)
    bench.simulator.cancel(cancelled)
    clock.set(start + timedelta(minutes=10))
    bench.sell(1)
    listed = [one for ids in client.sales.placed_between(start, start + timedelta(minutes=10)) for one in ids]
    assert sorted(listed) == sorted([paid, cancelled, *others])


@pytest.mark.needs("subscriptions")
def test_a_subscription_is_listed_where_it_was_asked_for_and_ends_once(bench: Any) -> None:
    client = bench.open()
    target, address = client.subscriptions, "https://hub.test/hooks/token"
    assert target.listed(address) == []
    for topic in target.topics:
        target.subscribe(topic, address, "s3cret-of-it")
    there = target.listed(address)
    assert sorted(one.topic for one in there) == sorted(target.topics)
    assert all(one.active for one in there)
    assert target.listed("https://other.test/hooks/token") == []
    target.unsubscribe(there[0].external_id)
    target.unsubscribe(there[0].external_id)
    assert len(target.listed(address)) == len(target.topics) - 1
