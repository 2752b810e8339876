"""Translations: reads gettext's .po files and makes the .mo files that Django looks for.

The .po files are what people write and what is committed. A .mo is made where it is missing or older, without gettext's
tools: at the start of a process in a checkout, and by the build hook for a wheel, which holds no .po.
"""

from __future__ import annotations

import ast
import logging
import os
import re
import struct
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

logger = logging.getLogger(__name__)

CONTEXT_ENDS = "\x04"
FORM_ENDS = "\x00"
_LINE = re.compile(r'(?:(msgctxt|msgid_plural|msgid|msgstr(?:\[(\d+)\])?)\s*)?(".*")$')


class BadCatalogue(ValueError):
    """A .po file that cannot be read: says where."""


@dataclass
class Message:
    """One text of the program and what it is in a language; `texts` holds a form for each plural of the language."""

    singular: str
    plural: str = ""
    context: str = ""
    texts: dict[int, str] = field(default_factory=dict)
    is_fuzzy: bool = False
    notes: list[str] = field(default_factory=list)  # the translator's own comment lines

    @property
    def key(self) -> tuple[str, str]:
        """What makes it one message and no other."""
        return self.context, self.singular

    @property
    def is_translated(self) -> bool:
        """Whether there is a text of which somebody is sure."""
        return bool(self.texts) and all(self.texts.values()) and not self.is_fuzzy


def read(path: Path) -> list[Message]:
    """All messages of a .po file in its order, the header first (it has no English); messages put aside are left out."""
    messages: list[Message] = []
    now, at, is_fuzzy, notes = Message(""), "", False, list[str]()

    def add(text: str) -> None:
        if at == "msgctxt":
            now.context += text
        elif at == "msgid":
            now.singular += text
        elif at == "msgid_plural":
            now.plural += text
        else:
            now.texts[int(at)] = now.texts.get(int(at), "") + text

    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = raw.strip()
        if line.startswith("#"):
            is_fuzzy |= line.startswith("#,") and "fuzzy" in line
            if line == "#" or line.startswith("# "):
                notes.append(line)
            continue
        if not line:
            continue
        found = _LINE.match(line)
        if found is None or not (found[1] or at):
            raise BadCatalogue(f"{path.name}, line {number}: {line}")
        word, form, quoted = found.groups()
        if word in ("msgctxt", "msgid") and at != "msgctxt":
            now = Message("", is_fuzzy=is_fuzzy, notes=notes)
            messages.append(now)
            is_fuzzy, notes = False, []
        if word:
            at = word if word.startswith(("msgc", "msgi")) else form or "0"
        add(ast.literal_eval(quoted))
    return messages


def compiled(messages: list[Message]) -> bytes:
    """The .mo file: a head, two tables of (length, place) sorted by the English, and the texts."""
    pairs = []
    for message in messages:
        if message.is_translated:
            english = f"{message.context}{CONTEXT_ENDS}" if message.context else ""
            english += message.singular + (FORM_ENDS + message.plural if message.plural else "")
            text = FORM_ENDS.join(message.texts[form] for form in sorted(message.texts))
            pairs.append((english.encode(), text.encode()))
    pairs.sort()
    head, count = 28, len(pairs)
    place = head + 16 * count
    tables, body = [b"", b""], b""
    for column in (0, 1):
        for pair in pairs:
            tables[column] += struct.pack("<II", len(pair[column]), place + len(body))
            body += pair[column] + b"\x00"
    # magic, revision, how many, where the two tables are, and no hash table
    return struct.pack("<7I", 0x950412DE, 0, count, head, head + 8 * count, 0, place) + b"".join(tables) + body


def make(folder: Path) -> list[Path]:
    """Make each .mo that is missing or older than its .po; gives those made. Several processes may do it at once."""
    made = []
    for source in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        content = compiled(read(source))
        # Beside it, and a .mo for git to ignore should the process be killed before it takes its place.
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".mo", delete=False) as beside:
            beside.write(content)
        Path(beside.name).chmod(0o644)
        os.replace(beside.name, target)
        made.append(target)
    return made


def make_if_possible(folder: Path) -> None:
    """The same at the start of a process. A checkout that it cannot write to (no right, no room) keeps what it has: English
    where that is nothing."""
    try:
        make(folder)
    except OSError as error:
        logger.warning("translations could not be compiled: pages may speak English: %s", error)
