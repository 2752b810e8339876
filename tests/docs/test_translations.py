"""French and Spanish say all that English says: nothing missing, guessed, left in English, or without its numbers."""

from __future__ import annotations

import gettext
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import translations

from comptoir.kit import catalogues
from comptoir.kit.catalogues import Message

# %(name)s and what a text of str.format holds; %% is a percent sign.
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|\{\w*\}|%[sd]")

pytestmark = pytest.mark.parametrize("language", translations.LANGUAGES)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel of this checkout, built as an installer does."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(translations.ROOT)], check=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built).namelist()


def placeholders(text: str) -> list[str]:
    return sorted(PLACEHOLDER.findall(text.replace("%%", "")))


def of_the_program(language: str) -> list[Message]:
    """The language's messages of texts that the program has; those it lacks have a test of their own."""
    there = translations.translated(language)
    return [there[key] for key in translations.texts() if key in there]


def test_nothing_is_missing_and_nothing_is_guessed(language: str) -> None:
    there = translations.translated(language)
    lacking = [key[1] for key in translations.texts() if key not in there or not there[key].is_translated]
    assert lacking == [], "run `make messages`, then translate these"


def test_nothing_is_left_over(language: str) -> None:
    left = [key[1] for key in translations.translated(language) if key != ("", "") and key not in translations.texts()]
    assert left == [], "no page says this any more: run `make messages`"


def test_nothing_is_left_in_english(language: str) -> None:
    alike = {m.singular for m in of_the_program(language) if m.singular in m.texts.values()}
    allowed = translations.may_be_same(language)
    assert sorted(alike - allowed) == [], "translate these, or list them with a reason in same_in_translation.txt"
    assert sorted(allowed - alike) == [], "on the list and not alike: take them off it"


def test_no_placeholder_is_lost_or_invented(language: str) -> None:
    wrong = []
    for message in of_the_program(language):
        wanted = placeholders(message.plural or message.singular)
        for form, text in message.texts.items():
            # “every hour” has no number in English either.
            may_be = [wanted] + ([placeholders(message.singular)] if message.plural and form == 0 else [])
            if text and placeholders(text) not in may_be:
                wrong.append(text)
    assert wrong == []


def test_every_number_has_its_form(language: str) -> None:
    header = translations.translated(language)[("", "")].texts[0]
    found = re.search(r"Plural-Forms: nplurals=(\d+); plural=(.+);", header)
    assert found is not None
    forms = set(range(int(found[1])))
    choose = gettext.c2py(found[2])  # type: ignore[attr-defined]
    assert {choose(n) for n in range(200)} == forms
    for message in of_the_program(language):
        assert bool(message.plural) == bool(translations.texts()[message.key].plural), message.singular
        assert set(message.texts) == (forms if message.plural else {0}), message.singular


def test_a_text_begins_and_ends_as_in_english(language: str) -> None:
    wrong = []
    for message in of_the_program(language):
        for text in message.texts.values():
            is_sentence, was_sentence = text.endswith("."), (message.plural or message.singular).endswith(".")
            if text and (text != text.strip() or is_sentence != was_sentence):
                wrong.append(text)
    assert wrong == []


def test_what_is_made_is_read_by_gettext_as_it_was_written(language: str, tmp_path: Path) -> None:
    messages = catalogues.read(translations.collector().catalogue(language))
    made = tmp_path / "django.mo"
    made.write_bytes(catalogues.compiled(messages))
    with made.open("rb") as file:
        read = gettext.GNUTranslations(file)
    assert struct.unpack("<I", made.read_bytes()[8:12])[0] == len([m for m in messages if m.is_translated])
    for message in messages[1:]:
        if message.is_translated and message.plural:
            assert read.ngettext(message.singular, message.plural, 5) == message.texts[1]
        elif message.is_translated and message.context:
            assert read.pgettext(message.context, message.singular) == message.texts[0]
        elif message.is_translated:
            assert read.gettext(message.singular) == message.texts[0]


def test_what_was_changed_is_made_again(language: str, tmp_path: Path) -> None:
    folder = tmp_path / language / "LC_MESSAGES"
    folder.mkdir(parents=True)
    source = folder / "django.po"
    source.write_text('msgid "Home"\nmsgstr "A"\n')
    assert catalogues.make(tmp_path) == [folder / "django.mo"]
    assert catalogues.make(tmp_path) == []
    source.write_text('msgid "Home"\nmsgstr "B"\n')
    assert catalogues.make(tmp_path) == [folder / "django.mo"]
    with (folder / "django.mo").open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("Home") == "B"


def test_a_guess_is_not_shown(language: str, tmp_path: Path) -> None:
    source = tmp_path / f"{language}.po"
    source.write_text('#, fuzzy\nmsgid "Home"\nmsgstr "Guess"\n\n#~ msgid "Gone"\n#~ msgstr "Old"\n')
    (message,) = catalogues.read(source)
    assert not message.is_translated
    assert b"Guess" not in catalogues.compiled([message])


def test_merging_adds_without_a_guess_keeps_what_is_said_and_drops_what_is_gone(language: str, tmp_path: Path) -> None:
    collector = translations.collector()

    def texts(*english: str) -> dict[tuple[str, str], Any]:
        return {("", one): collector.Text(one, files=["web/home.py"]) for one in english}

    missing, gone = collector.merge(language, texts("Home", "Orders"), tmp_path)
    assert ([m.singular for m in missing], gone) == (["Home", "Orders"], [])

    path = collector.catalogue(language, tmp_path)
    written = path.read_text().replace('msgid "Home"\nmsgstr ""', '# a note\nmsgid "Home"\nmsgstr "A \\"q\\" \\\\ b"')
    path.write_text(written)
    missing, gone = collector.merge(language, texts("Home", "Order"), tmp_path)
    assert ([m.singular for m in missing], gone) == (["Order"], [])
    assert 'msgstr "A \\"q\\" \\\\ b"' in path.read_text()
    assert path.read_text().startswith('msgid ""')

    missing, gone = collector.merge(language, texts("Order"), tmp_path)
    assert [m.texts[0] for m in gone] == ['A "q" \\ b']


def test_a_wheel_holds_what_was_made_and_no_sources(language: str, wheel: list[str]) -> None:
    assert f"comptoir/locale/{language}/LC_MESSAGES/django.mo" in wheel
    assert [name for name in wheel if name.endswith(".po")] == []
