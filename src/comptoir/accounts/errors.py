"""What accounts refuse."""

from comptoir.kit.errors import Conflict


class OwnerExists(Conflict):
    """The first start is over."""


class TooManyTokens(Conflict):
    """As many tokens are live as the setting allows."""
