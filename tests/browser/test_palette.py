"""The palette by keyboard alone: it opens, what is typed is found, arrows choose, Enter goes there, Esc closes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from shop_world import World

from comptoir.commerce.catalog.models import Variant
from comptoir.engine.models import Run

pytestmark = pytest.mark.browser


def test_the_palette_needs_no_mouse(signed_in: Page, house: World) -> None:
    palette = signed_in.get_by_role("dialog", name="Search and commands")
    text = palette.get_by_role("combobox")
    signed_in.keyboard.press("Control+k")
    expect(text).to_be_focused()
    first = palette.get_by_role("option").first
    expect(first).to_have_attribute("aria-selected", "true")
    signed_in.keyboard.press("ArrowDown")
    expect(palette.get_by_role("option").nth(1)).to_have_attribute("aria-selected", "true")
    expect(text).to_have_attribute("aria-activedescendant", re.compile("palette-"))
    signed_in.keyboard.press("ArrowUp")
    signed_in.keyboard.press("ArrowUp")
    expect(palette.get_by_role("option").last).to_have_attribute("aria-selected", "true")
    signed_in.keyboard.press("Escape")
    expect(palette).to_be_hidden()

    variant = Variant.objects.exclude(sku="").order_by("id").first()
    assert variant is not None
    signed_in.keyboard.press("Control+k")
    signed_in.keyboard.type(variant.sku)
    signed_in.keyboard.press("Enter")  # at once: what was typed counts, not what was shown
    expect(signed_in).to_have_url(re.compile(f"/products/{variant.pk}/$"))

    signed_in.keyboard.press("Control+k")
    signed_in.keyboard.type("preview stock levels")
    expect(palette.get_by_role("option").first).to_have_text(re.compile("Preview “Stock levels”"))
    signed_in.keyboard.press("Enter")
    expect(signed_in).to_have_url(re.compile(r"/runs/\d+/$"))
    assert Run.objects.filter(is_preview=True, flow__kind="push_stock").exists()

    signed_in.keyboard.press("Control+k")
    signed_in.keyboard.type("nothing is called like this")
    expect(palette.get_by_role("status")).to_have_text("Nothing is called so")
    signed_in.keyboard.press("Enter")
    expect(signed_in).to_have_url(re.compile(r"/search\?q=nothing"))
