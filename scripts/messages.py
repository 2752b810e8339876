"""Collects every text of the pages and merges it into the catalogues: `make messages`, or ARGS=fr for one language.

What is new is added without a translation (never a guess), what is gone is dropped and printed, in the order of the
files. It needs no tools of gettext. `comptoir.kit.catalogues` makes what Django reads.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import django
from django.conf import settings
from django.utils.translation.template import templatize

from comptoir.kit import catalogues
from comptoir.kit.catalogues import Message

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "comptoir"
LOCALE = SOURCE / "locale"
LANGUAGES = ("fr", "es")

HEADERS = {
    "fr": "nplurals=2; plural=(n > 1);",
    "es": "nplurals=2; plural=(n != 1);",
}

#: Functions that mark a text, with the places of context, singular and plural among their arguments.
MARKS: dict[str, tuple[int | None, int, int | None]] = {
    **dict.fromkeys(("_", "__", "gettext", "gettext_lazy", "gettext_noop"), (None, 0, None)),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (None, 0, 1)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), (0, 1, None)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), (0, 1, 2)),
}
#: Parts whose refusals a page shows: what they say is translated by the page (`web.answers.words`).
REFUSING = (
    "accounts",
    "alerts",
    "channels",
    "commerce",
    "engine",
    "feeds",
    "flows",
    "kit/paging.py",
    "offers",
    "staging",
)
REFUSALS_NOT_SHOWN = ("channels/http.py", "channels/pace.py")  # these become findings with words of their own

_STRING = r"""(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
_CALL = re.compile(rf"\b(n?p?gettext|_)\(u?({_STRING}(?:,\s*u?{_STRING})*)(?:,\s*count)?\)")


@dataclass
class Text:
    """A text of the program and the files that show it."""

    singular: str
    plural: str = ""
    context: str = ""
    files: list[str] = field(default_factory=list)


def collect() -> dict[tuple[str, str], Text]:
    """Every text, in the order of the files."""
    if not settings.configured:
        settings.configure(USE_I18N=True)
        django.setup()
    found: dict[tuple[str, str], Text] = {}
    errors = _errors()
    for path in sorted([*SOURCE.rglob("*.py"), *SOURCE.rglob("templates/**/*.html")]):
        name = path.relative_to(SOURCE).as_posix()
        content = path.read_text(encoding="utf-8")
        texts = _of_template(content, name) if path.suffix == ".html" else _of_module(content, name, errors)
        for context, singular, plural in texts:
            text = found.setdefault((context, singular), Text(singular, context=context))
            text.plural = text.plural or plural
            if name not in text.files:
                text.files.append(name)
    return found


def _of_template(content: str, name: str) -> Iterator[tuple[str, str, str]]:
    for call in _CALL.finditer(templatize(content, origin=name)):
        yield _marked(call[1], list(ast.literal_eval(f"({call[2]},)")))


def _of_module(content: str, name: str, errors: set[str]) -> Iterator[tuple[str, str, str]]:
    refuses = name.startswith(REFUSING) and name not in REFUSALS_NOT_SHOWN
    calls = [node for node in ast.walk(ast.parse(content)) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        called = _name(call.func)
        words = [word.value if isinstance(word, ast.Constant) else None for word in call.args]
        if called in MARKS and words:
            context, singular, plural = MARKS[called]
            if all(isinstance(words[at], str) for at in (context, singular, plural) if at is not None):
                yield _marked(called, [str(word) for word in words])
        elif refuses and called in errors:
            said = [
                *words[:1],
                *(k.value.value for k in call.keywords if k.arg == "cure" and isinstance(k.value, ast.Constant)),
            ]
            yield from (
                ("", word, "") for word in said if isinstance(word, str) and re.search(r"[a-z]{2} ?[a-z]", word)
            )


def _marked(called: str, words: list[str]) -> tuple[str, str, str]:
    context, singular, plural = MARKS[called]
    return ("" if context is None else words[context], words[singular], "" if plural is None else words[plural])


def _errors() -> set[str]:
    """Names of all classes of errors of ours."""
    bases: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases.setdefault(node.name, set()).update(_name(base) for base in node.bases)
    known, size = {"ComptoirError"}, 0
    while len(known) > size:
        size = len(known)
        known |= {name for name, above in bases.items() if above & known}
    return known


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def catalogue(language: str, folder: Path = LOCALE) -> Path:
    """Where a language's texts are."""
    return folder / language / "LC_MESSAGES" / "django.po"


def merge(
    language: str, texts: dict[tuple[str, str], Text], folder: Path = LOCALE
) -> tuple[list[Message], list[Message]]:
    """Write the catalogue with exactly these texts; gives the messages that lack a translation and those that went."""
    path = catalogue(language, folder)
    there = {message.key: message for message in catalogues.read(path)} if path.exists() else {}
    there.pop(("", ""), None)
    blocks, missing = [_header(language)], []
    for key, text in texts.items():
        message = there.pop(key, None) or Message(text.singular, context=text.context)
        if bool(message.plural) != bool(text.plural):
            message.texts = {}
        message.plural = text.plural
        if not message.texts:
            message.texts = {0: "", 1: ""} if text.plural else {0: ""}
        if not message.is_translated:
            missing.append(message)
        blocks.append(_block(message, text.files))
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "\n".join(blocks)
    if not path.exists() or path.read_text(encoding="utf-8") != content:
        path.write_text(content, encoding="utf-8")
    return missing, [message for message in there.values() if message.is_translated]


def _header(language: str) -> str:
    lines = (f"Language: {language}", "MIME-Version: 1.0", "Content-Type: text/plain; charset=UTF-8",
             "Content-Transfer-Encoding: 8bit", f"Plural-Forms: {HEADERS[language]}")  # fmt: skip
    return 'msgid ""\nmsgstr ""\n' + "".join(f"{_quoted(line + chr(10))}\n" for line in lines)


def _block(message: Message, files: list[str]) -> str:
    lines = [*message.notes, *(f"#: {name}" for name in files)]
    flags = ["fuzzy"] * message.is_fuzzy + ["python-format"] * ("%(" in message.singular + message.plural)
    if flags:
        lines.append(f"#, {', '.join(flags)}")
    if message.context:
        lines.append(f"msgctxt {_quoted(message.context)}")
    lines.append(f"msgid {_quoted(message.singular)}")
    if message.plural:
        lines.append(f"msgid_plural {_quoted(message.plural)}")
        lines += [f"msgstr[{form}] {_quoted(text)}" for form, text in sorted(message.texts.items())]
    else:
        lines.append(f"msgstr {_quoted(message.texts[0])}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n")
    return f'"{escaped}"'


def main(wanted: list[str]) -> int:
    if unknown := sorted(set(wanted) - set(LANGUAGES)):
        print(f"There is no language {', '.join(unknown)}; there are {', '.join(LANGUAGES)}.", file=sys.stderr)
        return 2
    texts = collect()
    for language in wanted or LANGUAGES:
        missing, gone = merge(language, texts)
        print(f"{language}: {len(texts)} texts, {len(missing)} to translate")
        for message in missing:
            print(f"  to translate: {message.singular}")
        for message in gone:
            print(f"  gone: {message.singular} → {message.texts[0]}")
    catalogues.make(LOCALE)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
