"""The reference is what the code says now, and everything in the code that has a name is explained there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest
from django.utils import translation

from comptoir import connectors
from comptoir.config import bootstrap
from comptoir.kit.settings import Settings

PAGES = ("settings", "errors", "events", "flows", "findings", "abilities", "roles", "cli", "conformance")


@pytest.fixture(autouse=True)
def as_the_reference_is_written() -> Iterator[None]:
    """With the connectors, which have findings of their own, and in English, whatever a test before has chosen."""
    bootstrap.set_up()
    with translation.override("en"):
        yield


def test_every_page_has_its_writer(reference: ModuleType) -> None:
    assert sorted(f"{name}.md" for name in PAGES) == sorted(reference.WRITERS)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_gives(name: str, reference: ModuleType, root: Path) -> None:
    committed = (root / "docs" / "reference" / f"{name}.md").read_text()
    assert committed == reference.WRITERS[f"{name}.md"](), "run `make reference` and commit what it wrote"


def test_every_setting_is_explained(root: Path) -> None:
    page = (root / "docs/reference/settings.md").read_text()
    assert [one.name for one in fields(Settings) if f"COMPTOIR_{one.name.upper()}`" not in page] == []
    assert [one.name for one in fields(Settings) if not one.metadata.get("text", "").endswith(".")] == []


def test_every_error_says_what_it_means(reference: ModuleType) -> None:
    assert [kind.__qualname__ for kind in reference.errors() if not reference.meaning_of(kind)] == []


def test_no_two_errors_have_one_code(reference: ModuleType) -> None:
    codes = [reference.code_of(kind) for kind in reference.errors()]
    assert sorted(code for code in set(codes) if codes.count(code) > 1) == []


def test_every_flow_says_what_it_does(reference: ModuleType) -> None:
    flows = reference.declared_flows()
    assert flows
    assert [one.kind for one in flows if not (one.recipe.__doc__ or "").strip()] == []


def test_every_finding_has_its_words(reference: ModuleType) -> None:
    """A finding without words shows a merchant a code and nothing to do."""
    from comptoir.web.findings_words import every

    assert {"unknown_sku", "run_gave_up"} <= set(reference.finding_codes())
    without = {code: sorted(where) for code, where in reference.finding_codes().items() if code not in every()}
    assert without == {}


def test_no_words_are_kept_for_a_finding_that_nothing_raises(reference: ModuleType) -> None:
    from comptoir.web.findings_words import every

    texts = "\n".join(text for module, _, text in reference.sources() if not module.startswith("web."))
    stated = reference.finding_codes()
    stale = [code for code in every() if code not in stated and f'"{code}"' not in texts]
    assert stale == []


def test_every_connector_has_its_page_and_names_its_limits(root: Path) -> None:
    for name in connectors.NAMES:
        page = root / "src/comptoir/connectors" / name / "README.md"
        assert page.is_file(), f"connectors/{name}/README.md says keys, limits, quirks, links"


def test_every_link_in_the_docs_leads_somewhere(root: Path) -> None:
    pages = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("src/**/*.md")]
    assert len(pages) > 10
    broken = [
        f"{page.relative_to(root)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
        if not target.startswith(("http://", "https://", "mailto:")) and not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_page_of_the_docs_is_reached_from_its_index(root: Path) -> None:
    index = (root / "docs/index.md").read_text()
    decisions = (root / "docs/decisions/index.md").read_text()
    for page in sorted(root.glob("docs/**/*.md")):
        name = page.relative_to(root / "docs").as_posix()
        listed = f"({page.name})" in decisions if page.parent.name == "decisions" else f"({name})" in index
        assert listed or name in ("index.md", "decisions/index.md"), f"{name} is in no index"


def test_pins_hold_names_versions_and_hashes_only(root: Path) -> None:
    """A resolver can leave addresses of mirrors or paths of a machine behind."""
    line = re.compile(r"[a-z0-9.-]+(\[[a-z0-9,-]+\])?==[^\s\\]+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    for name in ("run", "dev"):
        text = (root / "requirements" / f"{name}.txt").read_text()
        assert text.strip()
        assert [one for one in text.splitlines() if not line.fullmatch(one)] == []
