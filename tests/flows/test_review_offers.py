"""Levels of what has parts that no shelf holds."""

from __future__ import annotations

import pytest
from offer_world import channel, level, offer, point, stock, variant, warehouse

from comptoir.commerce.catalog.models import Kind, Variant


@pytest.mark.parametrize("mixes", [False, True])
def test_a_download_in_a_kit_never_runs_short(db: None, mixes: bool) -> None:
    cup, guide, paris = variant("CUP"), variant("GUIDE"), warehouse("paris")
    Variant.objects.filter(pk=guide.pk).update(is_stocked=False)
    kit = variant("SET", kind=Kind.KIT, parts={cup: 2, guide: 1})
    Variant.objects.filter(pk=kit.pk).update(mixes_warehouses=mixes)
    stock(cup, paris, 5)
    assert level(offer(kit, point(channel("a"), paris))) == 2
