"""Pages of an empty house, and what people can type into any of them."""

from __future__ import annotations

import re

import pytest
from django.test import Client

EMPTY = ["/", "/orders/", "/staging/", "/products/", "/inventory/", "/inventory/movements/", "/inventory/receive/",
         "/inventory/adjust/", "/channels/", "/runs/", "/findings/", "/findings/all/", "/settings/tokens/",
         "/settings/people/", "/me/", "/search?q=abc", "/frame/bar"]  # fmt: skip


@pytest.mark.parametrize("address", EMPTY)
def test_a_page_opens_in_an_empty_house(owner: Client, address: str) -> None:
    answer = owner.get(address)

    assert answer.status_code == 200
    assert "<h1>" in answer.content.decode() or address == "/frame/bar"


@pytest.mark.parametrize("place", ["x", "!!!", "WyJ4IiwgInkiXQ", "WzEsMiwzXQ", "W251bGwsIG51bGxd"])
def test_a_made_up_place_in_a_list_gives_its_first_page(owner: Client, place: str) -> None:
    assert owner.get(f"/orders/?tab=all&after={place}").status_code == 200


@pytest.mark.parametrize("text", ["%00abc", "'; DROP TABLE x; --", "%25%25%25", "a" * 500, "ab"])
def test_any_text_can_be_searched_for(owner: Client, text: str) -> None:
    for address in ("/orders/?tab=all&q=", "/products/?q=", "/search?q=", "/staging/?q=", "/findings/all/?q="):
        assert owner.get(address + text).status_code == 200, address


def test_a_new_token_shows_its_secret_once(owner: Client) -> None:
    page = owner.post("/settings/tokens/", {"name": "Till", "scopes": ["stock.read"]}).content.decode()
    found = re.search(r"cmt_[\w-]+", page)

    assert found is not None
    assert found[0] not in owner.get("/settings/tokens/").content.decode()


def test_a_page_speaks_the_language_and_wears_the_theme_that_was_chosen(owner: Client) -> None:
    owner.post("/me/theme", {"theme": "dark"})
    owner.post("/me/language", {"language": "fr"})
    page = owner.get("/").content.decode()

    assert 'data-theme="dark"' in page
    assert 'lang="fr"' in page
