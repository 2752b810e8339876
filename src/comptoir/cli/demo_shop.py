"""The demo merchant: an owner, one stock sold on simulated shops of every kind, all in production. Run as a child of
`comptoir demo`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from comptoir.cli import starting
from comptoir.kit import clock, ids
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import ComptoirError
from comptoir.kit.settings import settings

if TYPE_CHECKING:
    from comptoir.channels.models import Channel

CALLS_PER_MINUTE = 6000  # a simulated shop bears it


def main() -> int:
    """`python -m comptoir.cli.demo_shop`, what the shops say of themselves as JSON on standard input: migrates, and prints the
    login as JSON."""
    shops = json.load(sys.stdin)
    try:
        with starting.ready(migrated=False):
            starting.migrate()
            login = _owner()
            connect_all(shops, progress=lambda text: print(text, file=sys.stderr, flush=True))  # noqa: T201
    except ComptoirError as error:
        print(f"comptoir: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(json.dumps(login))  # noqa: T201 - the answer
    return 0


def _owner() -> dict[str, str]:
    from django.db import transaction

    from comptoir.accounts import actions
    from comptoir.accounts.models import User
    from comptoir.cli.demo import EMAIL

    kept = settings().data_folder / "demo-login"
    owner = User.objects.filter(email=EMAIL).first()
    if owner is None or not kept.exists():
        password = ids.token(9)
        kept.touch(mode=0o600)
        kept.write_text(password)
        if owner is None:
            with transaction.atomic():
                actions.make_owner(EMAIL, password, actor=SYSTEM, at=clock.now())
        else:  # a demo's owner whose note was lost
            owner.set_password(password)
            owner.save(update_fields=["password"])
    return {"email": EMAIL, "password": kept.read_text()}


def connect_all(shops: Sequence[Mapping[str, Any]], *, progress: starting.Say) -> list[Channel]:
    """Connect every shop, read it, count stock and go live; one that is known already only gets its new address.

    The first shop's figures are counted; the others sell the same goods, and are told what is left of them.
    """
    from comptoir.channels.models import Mode
    from comptoir.engine import inline

    _take_over()
    rows = []
    for shop in shops:
        row = _known_or_new(shop)
        progress(f"Looking around in {shop['title']}")
        _look_around(row)
        rows.append(row)
    new = [row for row in rows if row.mode != Mode.PRODUCTION]
    for row in new:
        progress(f"Reading products, orders and stock of {row.name}, in test mode")
        inline.drain(clock.now(), kinds=["pull_products", "pull_sales"], channels=[row.pk])
        run_now(row, "pull_stock_once")
    if new:
        progress("Fetching pictures")
        inline.drain(clock.now(), kinds=["pull_images", "accept_sales"], channels=[row.pk for row in new])
    for row in new:
        _go_live(row)
    return rows


def _take_over() -> None:
    """Runs that an interrupted start has left under way are put back as soon as they give no sign of life: nobody else works in
    a demo that is being set up."""
    from comptoir.engine import tick
    from comptoir.engine.models import Run, RunStatus

    while Run.objects.filter(status=RunStatus.RUNNING).exists():
        if not tick.rescue(clock.now()):
            time.sleep(0.5)  # its last sign of life is younger than what counts as dead


def _known_or_new(shop: Mapping[str, Any]) -> Channel:
    from django.db import transaction

    from comptoir.channels import channel as channels
    from comptoir.channels.models import Channel
    from comptoir.cli import demo_simulated
    from comptoir.flows import connecting

    at, kind, config = clock.now(), shop["kind"], demo_simulated.credentials(shop["kind"], shop)
    with transaction.atomic():
        row = Channel.objects.filter(code=kind).first()
        if row is not None:
            if row.config.get("url") != config["url"]:
                channels.correct(row, config, actor=SYSTEM, at=at)
            return row
        row = connecting.connect(kind=kind, name=f"{shop['title']} demo", code=kind, config=config, actor=SYSTEM, at=at)
        Channel.objects.filter(pk=row.pk).update(calls_per_minute=CALLS_PER_MINUTE)
        row.refresh_from_db()
    return row


def _look_around(row: Channel) -> None:
    from django.db import transaction

    from comptoir.channels.channel import note_health
    from comptoir.flows import connecting

    at, seen = clock.now(), connecting.ask_around(row)
    with transaction.atomic():
        connecting.keep_surroundings(row, seen, actor=SYSTEM, at=at)
        note_health(row.pk, None, at=at)
    row.refresh_from_db()


def _go_live(row: Channel) -> None:
    from django.db import transaction

    from comptoir.flows import connecting

    with transaction.atomic():
        row.refresh_from_db()
        connecting.go_live(row, actor=SYSTEM, at=clock.now(), accept_open_errors=True, undecided="here")


def run_now(row: Channel, kind: str, *, preview: bool = False) -> int:
    """Run one flow in this process; its run. Raises where it did not come to its end."""
    from comptoir.engine import runs
    from comptoir.engine.models import Flow, Run, RunStatus, Trigger
    from comptoir.kit.errors import Conflict

    flow = Flow.objects.get(channel=row, kind=kind)
    run_id = runs.request(flow.pk, Trigger.PERSON, SYSTEM, preview=preview, at=clock.now())
    if runs.execute(run_id, "demo") != RunStatus.DONE:
        run = Run.objects.get(pk=run_id)
        raise Conflict(f"{kind} did not come to its end", run=run_id, status=run.status, error=run.error)
    return run_id


if __name__ == "__main__":
    sys.exit(main())
