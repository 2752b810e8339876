"""Every page opens, for an empty house."""

from __future__ import annotations

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
