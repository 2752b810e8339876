"""The pictures of the docs, taken of a running house so that they show what there is. `make pictures` keeps them in docs/images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from house_world import furnish
from playwright.sync_api import Browser
from shop_world import World

from comptoir.commerce.inventory.models import Reservation
from comptoir.commerce.orders.models import Order

from .conftest import PICTURES, sign_in, window

pytestmark = pytest.mark.browser

FOLDER = Path(os.environ.get("COMPTOIR_TEST_DOCS_PICTURES") or PICTURES / "docs")
LARGEST = 150_000  # bytes: a page of the docs is read on a train, too


def test_the_docs_have_their_pictures(chromium: Browser, live_server: Any, house: World) -> None:
    furnish(house)
    promise = Reservation.objects.order_by("-quantity", "id").first()
    assert promise is not None
    order = Order.objects.get(pk=promise.order)
    shown = {
        "home": "/",
        "findings": "/findings/",
        "order": f"/orders/{order.number}/",
        "variant": f"/products/{promise.variant_id}/",
        "going-live": "/channels/second/live/",
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    sizes = {}
    with window(chromium, live_server.url) as page:
        page.set_viewport_size({"width": 1200, "height": 700})
        sign_in(page)
        for name, address in shown.items():
            page.goto(address)
            path = FOLDER / f"{name}.png"
            page.screenshot(path=path)
            sizes[name] = path.stat().st_size

    assert {name: size for name, size in sizes.items() if not 10_000 < size < LARGEST} == {}
