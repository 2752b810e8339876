"""`make new-connector`: what it makes passes the contract on its first day, and a bad name changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = ("src", "tests", "scripts", "docs", "pyproject.toml", "Makefile", "README.md", "CONTRIBUTING.md")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout, to be changed."""
    without = shutil.ignore_patterns("__pycache__", ".*", "*.mo")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=without)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def call(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def files(checkout: Path) -> dict[str, bytes]:
    return {
        path.relative_to(checkout).as_posix(): path.read_bytes()
        for path in checkout.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_a_new_connector_passes_the_contract_on_its_first_day(checkout: Path) -> None:
    made = call(checkout, "scripts/new_connector.py", "corner_shop")
    assert made.returncode == 0, made.stderr
    card = (checkout / "src/comptoir/connectors/corner_shop/connector.py").read_text()
    assert "class CornerShopProbe:" in card
    assert "acme" not in card.lower()
    known = call(
        checkout, "-c", "from comptoir import connectors; print(*sorted(connectors.find('corner_shop').abilities))"
    )
    assert known.stdout.split() == ["levels", "products", "sales", "stock", "tracking"], known.stderr
    ran = call(
        checkout, "-m", "pytest", "-q", "-k", "corner_shop", "tests/connectors/contract", "tests/connectors/corner_shop"
    )
    assert ran.returncode == 0, ran.stdout
    assert "skipped" not in ran.stdout
    tidy = call(checkout, "-m", "ruff", "check", "src/comptoir/connectors", "tests/connectors/corner_shop")
    assert tidy.returncode == 0, tidy.stdout
    shaped = call(
        checkout, "-m", "ruff", "format", "--check", "src/comptoir/connectors", "tests/connectors/corner_shop"
    )
    assert shaped.returncode == 0, shaped.stdout


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "cannot be a name"),
        ("Corner", "cannot be a name"),
        ("9lives", "cannot be a name"),
        ("../up", "cannot be a name"),
        ("class", "cannot be a name"),
        ("shop_", "cannot be a name"),
        ("prestashop", "there is a connector called prestashop already"),
        ("contract", "there is a connector called contract already"),
    ],
)
def test_a_bad_or_taken_name_is_refused_with_a_sentence_and_nothing_is_changed(
    checkout: Path, name: str, reason: str
) -> None:
    before = files(checkout)
    done = call(checkout, "scripts/new_connector.py", name)
    assert done.returncode == 2
    assert reason in done.stderr
    assert files(checkout) == before


def test_a_name_that_is_not_given_is_asked_for(checkout: Path) -> None:
    done = call(checkout, "scripts/new_connector.py")
    assert done.returncode == 2
    assert "NAME=acme" in done.stderr
