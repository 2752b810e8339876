"""The collector of texts, imported from scripts/ as the module it is, for the tests that hold catalogues to the program."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

from comptoir.kit import catalogues
from comptoir.kit.catalogues import Message

ROOT = Path(__file__).parents[2]
LANGUAGES = ("fr", "es")


@cache
def collector() -> Any:
    """`scripts/messages.py`."""
    spec = importlib.util.spec_from_file_location("messages", ROOT / "scripts" / "messages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["messages"] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


@cache
def texts() -> dict[tuple[str, str], Any]:
    """Every text of the program."""
    found: dict[tuple[str, str], Any] = collector().collect()
    return found


def translated(language: str) -> dict[tuple[str, str], Message]:
    """A language's messages, by context and English; the header is among them."""
    path = collector().catalogue(language)
    return {message.key: message for message in catalogues.read(path)} if path.exists() else {}


def may_be_same(language: str) -> set[str]:
    """English that a language writes alike, of the table in tests/docs."""
    allowed = set()
    for line in (ROOT / "tests" / "docs" / "same_in_translation.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            languages, english, reason = (part.strip() for part in line.split("|"))
            assert reason, f"“{english}” is on the list without a reason"
            if language in languages.split():
                allowed.add(english)
    return allowed
