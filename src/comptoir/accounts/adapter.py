"""How allauth behaves here: nobody signs up alone; the owner is made at first start and invites others."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Closed to strangers."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never."""
        return False
