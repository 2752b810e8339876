"""The business alone: what other parts do when something happens is theirs to test."""

from __future__ import annotations

import pytest

from comptoir.events import record


@pytest.fixture(autouse=True)
def nobody_reacts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reactions are registered once per process, by whichever test first needs the whole hub; here there are none,
    whatever ran before."""
    monkeypatch.setattr(record, "_handlers", {})
