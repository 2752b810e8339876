"""`make new-connector NAME=acme`: a connector for an invented JSON service, whole and tested, as a place to start.

Copies scripts/templates/connector with the name put in, and adds it to the tuple that names the connectors. The
templates are a connector themselves, called acme.
"""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEMPLATES = Path(__file__).parent / "templates" / "connector"
NAMES = re.compile(r"^NAMES = \((.*)\)$", re.MULTILINE)


class NotThisName(Exception):
    """Why a connector cannot be called so, in a sentence."""


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("Say what the connector is called: make new-connector NAME=acme", file=sys.stderr)
        return 2
    try:
        made = make(arguments[0], ROOT)
    except NotThisName as error:
        print(f"make new-connector: {error}", file=sys.stderr)
        return 2
    ruff = Path(sys.executable).parent / "ruff"  # names of another length break lines elsewhere
    for step in (["check", "--quiet", "--select", "I", "--fix"], ["format", "--quiet"]):
        subprocess.run([str(ruff), *step, *map(str, made)], cwd=ROOT, check=True)
    for path in made:
        print(path.relative_to(ROOT))
    print(f'Its tests: make test ARGS="tests/connectors tests/flows/every_kind -k {arguments[0]}"')
    print(f"Where to begin: src/comptoir/connectors/{arguments[0]}/README.md and docs/howto/connector.md")
    return 0


def make(name: str, root: Path) -> list[Path]:
    """Write the two folders and the tuple; what was made or changed. Raises NotThisName before anything is touched."""
    tuple_of_names = root / "src" / "comptoir" / "connectors" / "__init__.py"
    source, tests = tuple_of_names.parent / name, root / "tests" / "connectors" / name
    text = tuple_of_names.read_text(encoding="utf-8")
    found = NAMES.search(text)
    if found is None:
        raise NotThisName(f"{tuple_of_names.relative_to(root)} has no line NAMES = (…) to add it to")
    names = re.findall(r'"(\w+)"', found[1])
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,29}", name) or keyword.iskeyword(name) or name.endswith("_"):
        raise NotThisName(
            f"{name!r} cannot be a name: 2 to 30 small letters, digits or _, a letter first, no Python word"
        )
    if name in names or source.exists() or tests.exists():
        raise NotThisName(f"there is a connector called {name} already")
    for template, folder in ((TEMPLATES / "source", source), (TEMPLATES / "tests", tests)):
        folder.mkdir(parents=True)
        for path in sorted(template.iterdir()):
            if path.is_file():
                (folder / path.name).write_text(_named(path.read_text(encoding="utf-8"), name), encoding="utf-8")
    listed = ", ".join(f'"{one}"' for one in (*names, name))
    tuple_of_names.write_text(NAMES.sub(f"NAMES = ({listed})", text), encoding="utf-8")
    return [source, tests, tuple_of_names]


def _named(text: str, name: str) -> str:
    title = "".join(part.capitalize() for part in name.split("_"))
    return text.replace("acme", name).replace("Acme", title)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
