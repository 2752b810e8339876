"""A real Chromium on the pages of a running house. Without Chromium these tests are skipped with one line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from house_world import running
from playwright.sync_api import Browser, Page, sync_playwright
from shop_world import World

from comptoir.accounts.models import Role, User

PASSWORD = "correct horse battery"
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


@pytest.fixture
def page(chromium: Browser, live_server: Any, house: World) -> Iterator[Page]:
    """A fresh window at the sign-in of the house; a page that logs an error fails its test."""
    context = chromium.new_context(base_url=live_server.url, locale="en-GB", viewport={"width": 1440, "height": 900})
    window = context.new_page()
    problems: list[str] = []
    window.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    window.on("pageerror", lambda error: problems.append(str(error)))
    yield window
    context.close()
    assert problems == []


@pytest.fixture
def signed_in(page: Page) -> Page:
    """The owner, in front of the first page."""
    page.goto("/")
    page.get_by_label("E-mail").fill("owner@hub.test")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Needs you").wait_for()
    return page
