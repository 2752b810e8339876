"""Taking over from whatever shipped for a shop until now: count once more, close what has left, and show the first push."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from comptoir.channels.channel import OpenChannel
from comptoir.channels.models import Mode
from comptoir.commerce.orders import takeover
from comptoir.engine.flow import IN, flow
from comptoir.engine.runs import RunContext
from comptoir.flows import levels
from comptoir.flows.stock import count_from_shop
from comptoir.kit.errors import Conflict


@flow("take_over", direction=IN, title=_("Taking over"), needs=("stock", "sales", "levels"), on_by_default=False)
def take_over(run: RunContext, channel: OpenChannel | None) -> None:
    """Read the shop's sales and figures for the last time: orders that have left are closed without a movement, stock is
    re-based by its differences, and what the first push would write is kept with this run. Nothing is written there."""
    assert channel is not None  # noqa: S101 - the engine opens it for IN and OUT
    if channel.row.mode == Mode.PRODUCTION:
        raise Conflict("this channel is in production already", channel=channel.ref)
    if undecided := takeover.counted(channel.ref).undecided:
        raise Conflict(
            "say of each open order whether it is shipped here or has left", channel=channel.ref, orders=undecided
        )
    count_from_shop(run, channel)
    levels.spread(run)
    levels.plan(run, channel.ref, counted=False)
