"""What the pages for people tell them to type exists: commands, options, settings, files, links, rights of the units."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from comptoir.cli.main import parser
from comptoir.kit.settings import Settings

#: Read by the tests or the environment of tests, and said so.
NOT_SETTINGS = re.compile(r"COMPTOIR_(TEST_\w+|SHARED)$")


def pages(root: Path) -> list[Path]:
    found = [
        root / "README.md",
        root / "CONTRIBUTING.md",
        *(root / "docs").rglob("*.md"),
        *(root / "deploy").rglob("*.*"),
    ]
    return [path for path in found if "real-year" not in path.name]


def commands(text: str) -> Iterator[str]:
    """Each `comptoir …` in a block of code, in the text or in a unit, without what a shell does around it."""
    text = text.replace("\\\n", " ")
    blocks = re.findall(r"^```(?:sh|console)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", text)
    units = re.findall(r"^Exec\w+=(.*)$", text, re.MULTILINE)
    for line in (line for block in [*blocks, *spans, *units] for line in block.splitlines()):
        for part in re.split(r"&&|\|\||;|'", line.partition(" #")[0]):
            if found := re.search(r"(?:^|(?:exec|uv run)\s+|[/\s])(?:\S*/)?comptoir (\S.*)$", f" {part}".strip()):
                yield found.group(1)


def known(command: str) -> str:
    """What is wrong with a command; empty where it could be typed."""
    try:
        words = shlex.split(command)
    except ValueError:
        return ""
    at: argparse.ArgumentParser = parser()
    while words and not words[0].startswith("-"):
        subparsers = next((one for one in at._actions if isinstance(one, argparse._SubParsersAction)), None)
        if subparsers is None:
            break
        options = words[0].split("|")
        wrong = [one for one in options if one not in subparsers.choices]
        if wrong:
            return f"no command {wrong[0]!r}"
        at = subparsers.choices[options[0]]
        words = words[1:]
    unknown = [word for word in words if re.fullmatch(r"--[a-z-]+", word) and word not in at._option_string_actions]
    return f"no option {unknown[0]}" if unknown else ""


def test_every_command_that_is_written_can_be_typed(root: Path) -> None:
    met, wrong = 0, []
    for path in pages(root):
        for command in commands(path.read_text()):
            if not re.match(r"[a-z]", command):
                continue
            met += 1
            if said := known(command):
                wrong.append(f"{path.relative_to(root)}: comptoir {command}: {said}")
    assert wrong == []
    assert met > 40


def test_every_setting_that_is_written_exists(root: Path) -> None:
    real = {f"COMPTOIR_{one.name.upper()}" for one in fields(Settings)}
    real |= {f"{name}_FILE" for name in real}
    wrong = []
    for path in pages(root):
        for name in set(re.findall(r"COMPTOIR_[A-Z][A-Z_]*[A-Z]", path.read_text())):
            is_family = any(one.startswith(f"{name}_") for one in real) and f"{name}_…" in path.read_text()
            if name not in real and not NOT_SETTINGS.match(name) and not is_family:
                wrong.append(f"{path.relative_to(root)}: {name}")
    assert wrong == []


def test_every_link_leads_somewhere(root: Path) -> None:
    wrong = []
    for path in pages(root):
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
            if target.startswith(("http://", "https://", "mailto:")):
                continue
            file, _, heading = target.partition("#")
            there = (path.parent / file).resolve() if file else path
            if not there.exists() or (heading and heading not in headings(there.read_text())):
                wrong.append(f"{path.relative_to(root)}: {target}")
    assert wrong == []


def headings(text: str) -> set[str]:
    """The anchors of a page, as forges make them."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_can_be_found_from_the_index(root: Path) -> None:
    index = (root / "docs/index.md").read_text()
    missing = [path.name for path in (root / "docs/howto").glob("*.md") if f"howto/{path.name}" not in index]
    assert missing == []


def test_files_that_pages_name_are_there(root: Path) -> None:
    wrong = []
    for path in pages(root):
        named = re.findall(r"`?\b((?:deploy|scripts|requirements)/[\w./-]+\w)", path.read_text())
        wrong += [f"{path.relative_to(root)}: {name}" for name in named if not list(root.glob(f"{name}*"))]
    assert wrong == []


def test_units_run_as_nobody_who_matters(root: Path) -> None:
    units = sorted((root / "deploy/systemd").glob("*.service"))
    assert units
    for unit in units:
        text = unit.read_text()
        for line in (
            "User=comptoir",
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            "CapabilityBoundingSet=\n",
            "UMask=0077",
        ):
            assert line in text, (unit.name, line)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_systemd_understands_the_units(root: Path, tmp_path: Path) -> None:
    names = []
    for unit in (root / "deploy/systemd").iterdir():
        text = unit.read_text().replace("/opt/comptoir/.venv/bin/comptoir", "/bin/true")  # verify looks for the program
        name = unit.name.replace("@", "@1")
        (tmp_path / name).write_text(text)
        names.append(str(tmp_path / name))
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(names)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert [line for line in told.stderr.splitlines() if str(tmp_path) in line or "comptoir" in line] == []
