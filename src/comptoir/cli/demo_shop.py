"""The demo merchant: an owner, one simulated shop, its stock counted, in production. Run as a child of `comptoir demo`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from comptoir.cli import starting
from comptoir.kit import clock, ids
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import ComptoirError
from comptoir.kit.settings import settings

if TYPE_CHECKING:
    from comptoir.channels.models import Channel

CODE = "demo"
CALLS_PER_MINUTE = 6000  # the simulated shop bears it


def main() -> int:
    """`python -m comptoir.cli.demo_shop ADDRESS KEY`: migrates, and prints the login as JSON."""
    url, key = sys.argv[1:]
    try:
        with starting.ready(migrated=False):
            starting.migrate()
            login = _owner()
            connect(url, key, progress=lambda text: print(text, file=sys.stderr, flush=True))  # noqa: T201
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


def connect(url: str, key: str, *, progress: starting.Say) -> Channel:
    """Connect the shop, read it, count its stock and go live; a shop known already only gets its new address."""
    from django.db import transaction

    from comptoir.channels import channel as channels
    from comptoir.channels.channel import note_health
    from comptoir.channels.models import Channel, Mode
    from comptoir.engine import inline
    from comptoir.flows import connecting

    at = clock.now()
    row = Channel.objects.filter(code=CODE).first()
    if row is None:
        with transaction.atomic():
            row = connecting.connect(
                kind="prestashop", name="Demo shop", code=CODE, config={"url": url, "key": key}, actor=SYSTEM, at=at
            )
            Channel.objects.filter(pk=row.pk).update(calls_per_minute=CALLS_PER_MINUTE)
            row.refresh_from_db()
    elif row.config.get("url") != url:
        with transaction.atomic():
            channels.correct(row, {"url": url, "key": key}, actor=SYSTEM, at=at)
    progress("Looking around in the shop")
    seen = connecting.ask_around(row)
    with transaction.atomic():
        connecting.keep_surroundings(row, seen, actor=SYSTEM, at=at)
        note_health(row.pk, None, at=at)
    row.refresh_from_db()
    if row.mode == Mode.PRODUCTION:
        return row
    progress("Reading products and orders, in test mode")
    inline.drain(clock.now(), kinds=["pull_products", "pull_sales"], channels=[row.pk])
    progress("Counting stock")
    run_now(row, "pull_stock_once")
    progress("Fetching pictures")
    inline.drain(clock.now(), kinds=["pull_images", "accept_sales"], channels=[row.pk])
    with transaction.atomic():
        row.refresh_from_db()
        connecting.go_live(row, actor=SYSTEM, at=clock.now(), accept_open_errors=True, undecided="here")
    return row


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
