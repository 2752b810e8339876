"""Every page there is, wide and narrow, in three languages, light and dark: axe finds nothing, nothing is wider than its window,
no script complains; and a picture of each is kept for people to look at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from house_world import addresses, furnish, furnished_addresses
from playwright.sync_api import Browser, Page
from shop_world import World

from comptoir.channels.models import Channel
from comptoir.commerce.catalog.models import Product
from comptoir.commerce.inventory.models import Warehouse

from .conftest import keep_picture, sign_in, speak, window, wrong_with

pytestmark = pytest.mark.browser

LANGUAGES = ("en", "fr", "es")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


LONG = "Hand-made stoneware serving bowl with lid, olive wood spoon and gift wrapping, glazed in the colour of the sea at dusk"
FROM_THE_RIGHT = "فانوس معدني أبيض معلق مع شمعة ووعاء زجاجي 24×10 سم (أزرق)"


@pytest.fixture
def furnished(house: World) -> World:
    """A house with something on every page, and names that are long or read from the right among the others."""
    furnish(house)
    Channel.objects.filter(code="second").update(name=FROM_THE_RIGHT)
    for number, product in enumerate(Product.objects.order_by("id")[:12]):
        if number % 3:
            Product.objects.filter(pk=product.pk).update(name=(LONG, FROM_THE_RIGHT)[number % 3 - 1])
    Warehouse.objects.update(name=LONG)
    return house


@pytest.fixture
def owner(chromium: Browser, live_server: Any, furnished: World) -> Iterator[Page]:
    """The owner's window, wide."""
    with window(chromium, live_server.url) as page:
        sign_in(page)
        yield page


def pages() -> list[str]:
    """One address of every page; what only narrows a list is the same page."""
    return [
        *dict.fromkeys(one for one in addresses() if "?" not in one and "999999" not in one),
        *furnished_addresses(),
    ]


def name(address: str, *parts: str) -> str:
    """What a picture is called."""
    return "-".join([re.sub(r"[^a-z0-9]+", "-", address.lower()).strip("-") or "home", *parts])


@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_every_page_is_sound(chromium: Browser, live_server: Any, furnished: World, size: str) -> None:
    """A wide visit and a narrow one differ in language and colours; a third, narrow, brings the language that is left."""
    wrong: dict[str, list[str]] = {}
    with window(chromium, live_server.url, size=size) as page:
        sign_in(page)
        for number, address in enumerate(pages()):
            turn = number + (size == "narrow")
            language, scheme = LANGUAGES[turn % 3], SCHEMES[turn % 2]
            speak(page, language)
            page.emulate_media(color_scheme=scheme)
            page.goto(address)
            found = wrong_with(page)
            keep_picture(page, name(address, size, language, scheme))
            if size == "narrow":
                speak(page, LANGUAGES[(turn + 1) % 3])
                page.goto(address)
                if page.evaluate("document.documentElement.scrollWidth") > 390:
                    found.append("too wide in another language")
            if found:
                wrong[f"{address} {size} {language} {scheme}"] = found

    assert not wrong, "\n".join(f"{where}\n  " + "\n  ".join(found) for where, found in wrong.items())
