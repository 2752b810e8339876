"""A real Chromium on the pages of a running house. Without Chromium these tests are skipped with one line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext
from house_world import running
from playwright.sync_api import Browser, Page, sync_playwright
from shop_world import World

from comptoir.accounts.models import Role, User

PASSWORD = "correct horse battery"
SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
#: Where pictures of pages are kept, for people to look at.
PICTURES = Path(os.environ.get("COMPTOIR_TEST_PICTURES") or Path(__file__).parents[2] / "build" / "pictures")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a module: its event loop in this thread must end before other tests make theirs."""
    if CHROMIUM is None and os.environ.get("COMPTOIR_TEST_BROWSER") == "required":
        pytest.fail("no Chromium on this machine, and COMPTOIR_TEST_BROWSER says that browser tests are required")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: browser tests are skipped")
    # Playwright's loop runs in this thread; the ORM is used between its calls, never inside one.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def house(transactional_db: None) -> Iterator[World]:
    """The demo shop in production, everything told."""
    with running() as world:
        User.objects.create_user("owner@hub.test", PASSWORD, role=Role.OWNER, name="Odile Owner")
        yield world


@contextmanager
def window(chromium: Browser, address: str, *, size: str = "wide", language: str = "en") -> Iterator[Page]:
    """A fresh window that speaks a language; a page in it that logs an error fails the test."""
    width, height = SIZES[size]
    context = chromium.new_context(
        base_url=address, locale=language, viewport={"width": width, "height": height}, reduced_motion="reduce"
    )
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


def speak(page: Page, language: str) -> None:
    """From the next page on."""
    page.context.add_cookies(
        [{"name": settings.LANGUAGE_COOKIE_NAME, "value": language, "url": urljoin(page.url, "/")}]
    )


def sign_in(page: Page, language: str = "en") -> None:
    """The owner, in front of the first page."""
    with translation.override(language):
        page.goto("/")
        page.get_by_label(gettext("E-mail")).fill("owner@hub.test")
        page.get_by_label(gettext("Password")).fill(PASSWORD)
        page.get_by_role("button", name=gettext("Sign in"), exact=True).click()
        page.get_by_role("heading", name=gettext("Needs you")).wait_for()


def wrong_with(page: Page) -> list[str]:
    """What axe finds, and whether the page is wider than its window."""
    found = [str(one) for one in page.evaluate(_AXE)]
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*found, *([f"{width} px too wide"] if width > 0 else [])]


# Rows of a table are alike: the first few are looked at, which takes a third of the time.
_AXE = (
    AXE_SCRIPT
    + """;axe.run({exclude: ["tbody tr:nth-child(n+9)"]}, {resultTypes: ["violations"]}).then(found => found.violations.flatMap(rule =>
    rule.nodes.map(node => `${rule.id}: ${node.target} ${node.html.slice(0, 200)} ${node.failureSummary}`)))"""
)


def keep_picture(page: Page, name: str) -> None:
    """A picture of the whole page, among those of this run."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


@pytest.fixture
def page(chromium: Browser, live_server: Any, house: World) -> Iterator[Page]:
    """A fresh window at the sign-in of the house."""
    with window(chromium, live_server.url) as fresh:
        yield fresh


@pytest.fixture
def signed_in(page: Page) -> Page:
    """The owner, in front of the first page."""
    sign_in(page)
    return page
