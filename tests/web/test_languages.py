"""Every page that needs no data, in every language: no text that gettext never saw, and none left in English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import translations
from django.test import Client, override_settings
from django.urls import NoReverseMatch, reverse
from django.utils import translation

from comptoir.accounts.models import Role, User
from comptoir.kit import catalogues
from comptoir.kit.catalogues import Message
from comptoir.web import findings_words, urls

MARKED = "zz"  # a language of the tests: each text stands between ⟦ and ⟧
#: Names, and words of formats, that are the same in every language.
NAMES = {
    "Comptoir",
    "SKU",
    "CSV",
    "Ctrl",
    "Ada",
    "ada",
    "hub",
    "test",
    "ZZ",
    "PrestaShop",
    "Shopify",
    "WooCommerce",
    "Magento",
}
SPOKEN = ("aria-label", "title", "placeholder", "alt", "data-ask", "data-done")
#: Said by Django, which has catalogues of its own.
BY_DJANGO = {"Old password", "New password", "New password confirmation"}
EXAMPLES = {"0 3 * * *", "mailto://… slack://… ntfy://…", "EUR"}  # of what is typed
UNSPOKEN_TAGS = ("script", "style", "bdi", "time", "pre", "code", "kbd")


class Texts(HTMLParser):
    """What a page says: its text and the attributes that are read out, without what people or machines named."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._quiet: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        is_example = tag == "input" and given.get("placeholder", "") in EXAMPLES
        if not is_example and tag not in UNSPOKEN_TAGS:
            self.said += [text for name, text in attributes if name in SPOKEN and text]
        is_name = ("lang" in given and tag != "html") or (
            given.get("name") in ("timezone", "language") and tag == "select"
        )
        if tag in UNSPOKEN_TAGS or is_name or (self._quiet and tag == self._quiet[-1]):
            self._quiet.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._quiet and self._quiet[-1] == tag:
            self._quiet.pop()

    def handle_data(self, data: str) -> None:
        if not self._quiet and data.strip():
            self.said.append(" ".join(data.split()))


def said(page: bytes) -> list[str]:
    texts = Texts()
    texts.feed(page.decode())
    return texts.said


def pages() -> list[str]:
    """Addresses of all pages that need nothing but a person."""
    found = ["/search?q=abc", "/orders/?tab=all", "/orders/?tab=unpaid", "/staging/?tab=all", "/no-such-page"]
    for pattern in urls.urlpatterns:
        try:
            found.append(reverse(str(pattern.name)))
        except NoReverseMatch:
            continue
    return sorted(set(found) - {"/healthz", "/readyz"})


@pytest.fixture
def ada(db: None) -> Client:
    """The browser of an owner whose name is no word of the pages."""
    client = Client()
    client.force_login(User.objects.create_user("ada@hub.test", role=Role.OWNER, name="Ada"))
    return client


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[None]:
    """A language in which every text of the program is itself, marked."""
    messages = [
        Message("", texts={0: "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"})
    ]
    for text in translations.texts().values():
        forms = [text.singular, text.plural] if text.plural else [text.singular]
        shown = {form: f"⟦{words}⟧" for form, words in enumerate(forms)}
        messages.append(Message(text.singular, text.plural, text.context, shown))
    folder = tmp_path / MARKED / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.mo").write_bytes(catalogues.compiled(messages))
    with override_settings(LOCALE_PATHS=[tmp_path], LANGUAGES=[("en", "English"), (MARKED, "Marked")]):
        yield
    translation.activate("en")


def opened(client: Client, address: str, language: str) -> list[str] | None:
    answer: Any = client.get(address, headers={"accept-language": language}, follow=True)
    if answer.status_code == 405:  # not a page: something to post to
        return None
    assert answer.status_code in (200, 404), address
    if not answer.headers["Content-Type"].startswith("text/html"):  # a file that programs read
        return None
    return said(answer.content)


def test_no_page_says_what_no_catalogue_could_translate(ada: Client, stranger: Client, marked: None) -> None:
    unmarked: dict[str, list[str]] = {}
    for client, addresses in ((ada, pages()), (stranger, ["/account/login/"])):
        for address in addresses:
            texts = opened(client, address, MARKED) or []
            assert not texts or any("⟦" in text for text in texts), f"{address} is not marked at all"
            for text in texts:
                if text.rstrip(":") in BY_DJANGO:
                    continue
                left = re.sub(r"⟦[^⟧]*⟧", " ", text)
                if words := set(re.findall(r"[^\W\d_]{2,}", left)) - NAMES:
                    unmarked.setdefault(" ".join(sorted(words)), []).append(address)
    told = "\n".join(f"{words} on {addresses[0]}" for words, addresses in unmarked.items())
    assert not told, f"mark these with gettext:\n{told}"


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_no_page_is_left_in_english(ada: Client, stranger: Client, language: str) -> None:
    english = {text.singular for text in translations.texts().values()} - translations.may_be_same(language)
    for client, addresses in ((ada, pages()), (stranger, ["/account/login/"])):
        for address in addresses:
            texts = opened(client, address, language) or []
            assert [text for text in texts if text in english] == [], address


def test_every_finding_whose_sentence_needs_facts_has_a_name_without_them() -> None:
    nameless = [code for code, words in findings_words.every().items() if "%(" in str(words.what) and not words.name]
    assert [code for code in nameless if code not in findings_words.KINDS] == []
