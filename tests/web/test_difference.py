"""A difference in the browser: counts, groups, search, pages, a file, age, and the button that says how much goes to whom;
the page of a run with its replay; the bundle that holds nothing about anybody."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from decimal import Decimal

import pytest
import quick_doors
from django.db import transaction
from django.test import Client
from shop_world import NOW, World, connect

from comptoir.channels import channel as channels
from comptoir.channels import pace
from comptoir.channels.http import HttpDoor
from comptoir.commerce.inventory import actions as inventory
from comptoir.commerce.inventory.records import Fact
from comptoir.connectors.prestashop.simulator import Line, PrestaShopSimulator
from comptoir.engine import findings, inline, runs
from comptoir.engine.models import Flow, PlanRow, Run, RunStatus, Severity
from comptoir.kit import clock, sql
from comptoir.kit.actor import SYSTEM
from comptoir.offers.models import Offer


@pytest.fixture
def world(db: None) -> Iterator[World]:
    """The demo shop with its products and its stock, in production."""
    shop = PrestaShopSimulator(version="8.2", world="demo", timezone="Europe/London")
    channels.set_up_doors(quick_doors.to(shop.wsgi))
    time = clock.ManualClock(NOW)
    with clock.using(time):
        made = connect(shop, time)
        made.run("pull_products")
        made.run("pull_stock_once")
        made.go_live()
        made.drain()
        yield made
    channels.set_up_doors(HttpDoor)
    pace.close()


def move_stock(world: World, reference: str, offers: int = 7) -> None:
    waiting = Offer.objects.filter(point__channel=world.channel, is_active=True).order_by("id")[:offers]
    warehouse = inventory.default_warehouse().pk
    facts = [
        Fact(o.variant_id, warehouse, Decimal(n), "adjustment", f"{reference}:{n}") for n, o in enumerate(waiting, 1)
    ]
    with transaction.atomic():
        inventory.book(facts, at=world.at, actor=SYSTEM)


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return answer.content.decode()


def test_a_preview_says_what_goes_to_whom_and_when_it_is_no_longer_so(world: World, owner: Client) -> None:
    address = f"/channels/{world.channel.code}/preview/"
    Run.objects.filter(is_preview=True).delete()
    assert "No preview yet" in page(owner, address)
    move_stock(world, "first")
    run = Run.objects.get(pk=world.preview("push_stock"))
    assert run.planned == {"level/level": 7}
    shown = page(owner, address)
    assert f"Push 7 levels to {world.channel.name}" in shown
    assert "Facts have changed" not in shown
    variant = PlanRow.objects.filter(run=run).first()
    assert variant is not None
    assert f"/products/{variant.facts['variant']}/" in shown
    sku = variant.label.partition(" · ")[0]
    assert page(owner, f"{address}?run={run.pk}&q={sku}").count("<tr>") < shown.count("<tr>")
    # In test mode the button is there, and says why it does nothing.
    sql.execute("UPDATE channels_channel SET mode = 'test' WHERE id = %s", [world.channel.pk])
    held = page(owner, address)
    assert "<button disabled>Push 7 levels" in held
    assert "test mode or paused" in held
    sql.execute("UPDATE channels_channel SET mode = 'production' WHERE id = %s", [world.channel.pk])
    # Stock moves: the preview is stale, with the undrained mark and after it was spread.
    world.pass_time(minutes=1)
    move_stock(world, "second", offers=1)
    assert "Facts have changed" in page(owner, address)
    newer = world.preview("push_stock")
    assert "Facts have changed" not in page(owner, address)
    assert "There is a newer preview" in page(owner, f"{address}?run={run.pk}")
    # The button is pressed: what was said is what was written, and the preview knows that it is over.
    flow = Flow.objects.get(channel=world.channel, kind="push_stock")
    assert owner.post(f"/flows/{flow.pk}/run", {"how": "now"}).status_code == 302
    inline.drain(world.at)
    pushed = Run.objects.filter(flow=flow, is_preview=False).latest("pk")
    assert pushed.changed == 7
    assert "Facts have changed" in page(owner, f"{address}?run={newer}")


def test_a_long_difference_is_read_by_group_and_page_and_taken_away_as_a_file(world: World, owner: Client) -> None:
    run = Run.objects.get(pk=world.preview("push_stock"))
    sql.execute("DELETE FROM engine_planrow WHERE run_id = %s", [run.pk])
    sql.execute(
        "INSERT INTO engine_planrow (run_id, kind, subject, label, field, old, new, facts)"
        " SELECT %s, CASE n %% 3 WHEN 0 THEN 'price' ELSE 'level' END, 'offer:' || n, 'SKU-' || n || ' · name',"
        " CASE n %% 3 WHEN 0 THEN 'price' ELSE 'level' END, CASE WHEN n %% 2 = 0 THEN NULL ELSE '1' END,"
        " CASE n WHEN 7 THEN '=HYPERLINK(1)' WHEN 8 THEN '-3' ELSE n::text END, '{}' FROM generate_series(1, 3000) n",
        [run.pk],
    )
    Run.objects.filter(pk=run.pk).update(planned={"level/level": 2000, "price/price": 1000})
    address = f"/runs/{run.pk}/difference/"
    first = page(owner, address)
    assert re.findall(r"<dd>([\d,]+)</dd>", first) == ["3,000", "2,000", "1,000"]
    assert "Push 3,000 levels" in first
    seen: list[str] = []
    following = f"{address}?group=price%2Fprice"
    while following:
        text = page(owner, following)
        seen += re.findall(r"SKU-(\d+) ·", re.sub(r'title="[^"]*"', "", text))
        found = re.search(r'href="(\?[^"]*after=[^"]*)" rel="next"', text)
        following = address + found[1].replace("&amp;", "&") if found else ""
    assert [int(n) for n in seen] == list(range(3, 3001, 3))
    assert "SKU-2999 " in page(owner, f"{address}?q=sku-2999")
    answer = owner.get(f"{address}csv")
    assert answer["Content-Disposition"] == f'attachment; filename="difference-{run.pk}.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 3000
    by_subject = {row["subject"]: row for row in rows}
    assert by_subject["offer:7"]["new"] == "'=HYPERLINK(1)"
    assert (by_subject["offer:8"]["new"], by_subject["offer:8"]["old"]) == ("-3", "")
    only = list(csv.DictReader(io.StringIO(owner.get(f"{address}csv?group=price/price").content.decode("utf-8-sig"))))
    assert {row["kind"] for row in only} == {"price"}
    for odd in ("a/b", "/", "x" * 300):
        assert owner.get(f"{address}?group={odd}").status_code == 200
        assert owner.get(f"{address}csv?group={odd}").status_code == 200


def test_a_run_shows_its_calls_its_time_and_its_places_and_is_replayed_at_a_press(
    world: World, owner: Client, picker: Client
) -> None:
    world.shop.state.place_order([Line(20, quantity=1)], state="PS_OS_PAYMENT")
    world.pass_time(minutes=40)
    run = Run.objects.get(pk=world.run("pull_sales"))
    shown = page(owner, f"/runs/{run.pk}/")
    assert "GET /api/orders" in shown
    assert "waiting for the channel" in shown
    assert "Before" in shown
    assert "After" in shown
    assert f"/runs/{run.pk}/replay" in shown
    assert f"/runs/{run.pk}/bundle" in shown
    assert picker.post(f"/runs/{run.pk}/replay").status_code == 403
    assert picker.get(f"/runs/{run.pk}/bundle").status_code == 403
    answer = owner.post(f"/runs/{run.pk}/replay")
    again = Run.objects.get(replays=run)
    assert answer["Location"] == f"/runs/{again.pk}/"
    inline.drain(world.at)
    shown = page(owner, f"/runs/{again.pk}/")
    assert Run.objects.get(pk=again.pk).status == RunStatus.DONE
    assert "No difference" in shown
    assert f"A replay of run {run.pk}" in shown
    assert f"/runs/{again.pk}/" in page(owner, f"/runs/{run.pk}/")
    assert "No difference" in page(owner, f"/runs/{again.pk}/difference/")
    assert "replay" in page(owner, "/runs/")
    # A preview of the channel is not taken for a replay.
    assert f"run={again.pk}" not in page(owner, f"/channels/{world.channel.code}/preview/")
    sql.execute("DELETE FROM engine_input")
    assert "nothing is kept" in owner.post(f"/runs/{run.pk}/replay", follow=True).content.decode().lower()


#: A buyer who put something about herself everywhere a shop lets her, and a shop that repeats it.
HER = {
    "firstname": "Wilhelmina", "lastname": "O'Quackenbush-Ångström", "email": "wilhelmina.q@example-mail.test",
    "company": "Quackenbush & Töchter", "address1": "17bis rue des Hérissons", "address2": "Bâtiment Zèbre",
    "city": "Saint-Maclou-la-Brière", "postcode": "76110", "phone": "+33 6 12 34 56 78", "phone_mobile": "0698765432",
    "vat_number": "FR40303265045", "dni": "12345678Z", "other": "Digicode 4711B, ring at Żółć",
}  # fmt: skip
NOTE = "Please call Wilhelmina at 06 98 76 54 32 before Friday"


def test_nothing_personal_or_secret_is_in_a_bundle(world: World, owner: Client) -> None:
    order = world.shop.state.place_order([Line(20, quantity=1)], state="PS_OS_PAYMENT")
    spoil(world, order)
    world.pass_time(minutes=40)
    run = Run.objects.get(pk=world.run("pull_sales"))
    findings.report(
        [
            findings.Report(
                world.channel.pk, "malformed_sale", f"sale:{HER['email']}", Severity.ERROR,
                {"problem": f"cannot read “{HER['firstname']}” of {HER['city']}", "answer": f"<a>{NOTE}</a>", "buyer": HER,
                 "free": HER["phone"], "key": world.shop.key},
            )
        ],
        at=world.at, run=run.pk,
    )  # fmt: skip
    error = {"code": "x", "text": f"{HER['lastname']} said {NOTE} with {world.shop.key}", "facts": {"to": HER["email"]}}
    Run.objects.filter(pk=run.pk).update(error=error, cursor_after={"after": HER["email"], "until": "2026-01-01"})
    answer = owner.get(f"/runs/{run.pk}/bundle")
    assert answer["Content-Type"] == "application/zip"
    assert f"incident-{world.channel.code}-pull_sales-{run.pk}.zip" in answer["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert next(iter(files)) == "README.txt"
    every = "\n".join([*files, *(content.decode() for content in files.values())])
    hidden = {*HER.values(), NOTE, "Wilhelmina", "Quackenbush", "Hérissons", "Maclou", "0698765432", "4711B", "Żółć"}
    secrets = {world.shop.key, world.channel.webhook_token, *(str(v) for v in _sealed(world).values() if v)}
    leaked = {value for value in hidden | secrets if value.casefold() in every.casefold()}
    assert leaked == set()
    # What is needed to understand the run is there.
    ours = json.loads(files["run.json"])
    assert (ours["id"], ours["counts"]["seen"]) == (run.pk, run.seen)
    calls = list(csv.DictReader(io.StringIO(files["calls.csv"].decode())))
    assert len(calls) == run.calls["read"]
    assert {call["status"] for call in calls} == {"200"}
    assert json.loads(files["versions.json"])["comptoir"]
    assert any(name.startswith("answers/") for name in files)
    assert str(order).encode() in b"".join(content for name, content in files.items() if name.startswith("answers/"))
    # Equal values stay equal: the token of her name in the answers is the one in the neutral sale.
    tokens = set(re.findall(r"masked-[0-9a-f]{10}", files["made.json"].decode()))
    heard = "".join(content.decode() for name, content in files.items() if name.startswith("answers/"))
    assert tokens & set(re.findall(r"masked-[0-9a-f]{10}", heard))
    assert owner.get(f"/runs/{run.pk}/bundle").content == answer.content, "the same run gives the same bundle"


def _sealed(world: World) -> dict[str, object]:
    return channels.box().open(world.channel.sealed)


def spoil(world: World, order: int) -> None:
    """Let the buyer of this order be her, wherever the shop keeps a word of a person."""
    store = world.shop.state.store
    for table in ("addresses", "customers"):
        known = [name for name in HER if name in store.rows(f"SELECT * FROM {table} LIMIT 1")[0]]
        assert known, table
        changes = ", ".join(f"{name} = ?" for name in known)
        store.execute(f"UPDATE {table} SET {changes}", [HER[name] for name in known])
    store.execute("UPDATE orders SET gift_message = ? WHERE id = ?", [NOTE, order])


def test_a_bundle_of_a_run_of_which_nothing_is_kept_says_so(world: World, owner: Client) -> None:
    run = world.run("pull_products")
    sql.execute("DELETE FROM engine_input")
    with zipfile.ZipFile(io.BytesIO(owner.get(f"/runs/{run}/bundle").content)) as archive:
        assert b"is not kept (any more)" in archive.read("README.txt")
    assert owner.get("/runs/0/bundle").status_code == 404


def test_a_preview_that_is_begun_again_holds_each_line_once(world: World) -> None:
    move_stock(world, "again")
    run = world.preview("push_stock")
    sql.execute("UPDATE engine_run SET status = 'queued' WHERE id = %s", [run])
    runs.execute(run, "another")
    again = Run.objects.get(pk=run)
    assert (again.attempt, again.planned, again.seen) == (2, {"level/level": 7}, 7)
    assert PlanRow.objects.filter(run=run).count() == 7
