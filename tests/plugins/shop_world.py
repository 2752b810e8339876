"""A PrestaShop shop and the channel that it is here, for tests that go the whole way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from comptoir.channels.models import Channel
from comptoir.config import bootstrap
from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.engine import inline, runs
from comptoir.engine.models import Flow, Trigger
from comptoir.flows import connecting, house
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM

NOW = datetime.now(UTC).replace(microsecond=0)  # the demo shop's orders are of the last two weeks


@dataclass
class World:
    """A shop, the channel that it is here, and a clock that both tell time by."""

    shop: PrestaShopSimulator
    channel: Channel
    clock: clock.ManualClock

    @property
    def at(self) -> datetime:
        return self.clock.now()

    def pass_time(self, **span: float) -> None:
        self.clock.advance(timedelta(**span))
        self.shop.clock.set(self.clock.now())

    def drain(self, *kinds: str) -> list[inline.Drained]:
        """Carry out all that is due or has facts, as a worker would."""
        return inline.drain(self.at, kinds=kinds or None)

    def run(self, kind: str) -> int:
        """Run one flow now, as a person would ask; the run's id."""
        flow = Flow.objects.get(channel=self.channel, kind=kind)
        run = runs.request(flow.pk, Trigger.PERSON, SYSTEM, at=self.at)
        runs.execute(run, "test")
        return run

    def preview(self, kind: str) -> int:
        """Ask a flow what it would do; the run's id."""
        flow = Flow.objects.get(channel=self.channel, kind=kind)
        run = runs.request(flow.pk, Trigger.PERSON, SYSTEM, preview=True, at=self.at)
        runs.execute(run, "test")
        return run

    def go_live(self) -> None:
        self.channel.refresh_from_db()
        connecting.go_live(self.channel, actor=SYSTEM, at=self.at, accept_open_errors=True, undecided="here")


CALLS_PER_MINUTE = 60_000  # a simulator bears it


def connect(
    shop: PrestaShopSimulator, time: clock.ManualClock, code: str = "shop", url: str = "http://shop.test"
) -> World:
    """Connect a shop as the wizard does."""
    shop.clock.set(time.now())
    bootstrap.set_up()
    house.ensure_hub(at=time.now())
    row = connecting.connect(
        kind="prestashop",
        name="Demo shop",
        code=code,
        config={"url": url, "key": shop.key},
        actor=SYSTEM,
        at=time.now(),
    )
    Channel.objects.filter(pk=row.pk).update(calls_per_minute=CALLS_PER_MINUTE)
    row.refresh_from_db()
    connecting.keep_surroundings(row, connecting.ask_around(row), actor=SYSTEM, at=time.now())
    return World(shop, row, time)
