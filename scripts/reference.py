"""Writes docs/reference/*.md from the code: settings, errors, events, flows, findings, abilities, roles, commands,
and from the suite: what each connector survives.

A test holds the committed pages to what this gives; `make reference` writes them again. docs/reference/order-status.md
comes from the table of orders itself (`python -m comptoir.commerce.orders.external`).
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
import tempfile
import tokenize
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "comptoir"
PAGES = ROOT / "docs" / "reference"

# Where a call states the code of a finding: name of what is called -> position of the code.
CODE_AT = {"found": 0, "Odd": 0, "Finding": 0, "Problem": 0, "_problem": 0, "odd": 0, "Report": 1, "Reaction": 2}
CODE_NAMES = ("code", "finding")
SUITES = ("tests/connectors", "tests/flows/every_kind")  # where tests stand for problems of the field, kind by kind
EVENT = re.compile(r"[a-z]+\.[a-z_]+\.[a-z_]+")


def set_up() -> None:
    """Django with settings of no account: no database is asked, no key is made."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "comptoir.config.settings")
    os.environ.setdefault("COMPTOIR_SECRET_KEY", "only for writing the reference")
    import django

    django.setup()


@cache
def sources() -> list[tuple[str, ast.Module, str]]:
    """(module, tree, text) of every file of ours but migrations."""
    found: list[tuple[str, ast.Module, str]] = []
    for path in sorted(SOURCE.rglob("*.py")):
        if "migrations" not in path.parts:
            name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
            text = path.read_text(encoding="utf-8")
            found.append((name, ast.parse(text), text))
    return found


# Facts of the code ---------------------------------------------------------------------------------------------------


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def texts(node: ast.expr | None) -> Iterator[str]:
    """The texts an expression may be: both ends of a condition, and `*` for what an f-string puts in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)


PROMISES = ("effects.want", "_promise")  # calls whose second argument is the kind of an effect


def finding_codes() -> dict[str, set[str]]:
    """Code of a finding or anomaly -> the modules that state it."""
    kinds = sorted(  # the engine names findings of effects by the kind of effect: tracking_refused
        kind
        for _, tree, _ in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in PROMISES and len(node.args) > 1
        for kind in set(texts(node.args[1]))
    )
    found: dict[str, set[str]] = defaultdict(set)
    for module, tree, _ in sources():
        if module.startswith("web."):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = called(node)
            stated = [word.value for word in node.keywords if word.arg in CODE_NAMES and name in CODE_AT]
            if name in CODE_AT and len(node.args) > CODE_AT[name]:
                stated.append(node.args[CODE_AT[name]])
            if name == "append" and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "warnings":
                stated.append(node.args[0])
            for one in stated:
                for text in texts(one):
                    for code in (text.replace("*", kind) for kind in (kinds if "*" in text else [""])):
                        if re.fullmatch(r"[a-z_]+", code):
                            found[code].add(module)
    from comptoir.staging.checks import ANOMALIES

    for code in ANOMALIES:
        found[code].add("staging.checks")
    return dict(found)


def rules_of_the_books() -> list[tuple[str, str, str]]:
    """(code, module, comment) of every invariant that `comptoir check` looks up."""
    found: list[tuple[str, str, str]] = []
    for module, tree, text in sources():
        comments = comments_of(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.AnnAssign) and "breach import Breach" in text and isinstance(node.value, ast.Dict):
                keys = [key for key in node.value.keys if isinstance(key, ast.Constant)]
                found.extend((str(key.value), module, comments.about(key.lineno)) for key in keys)
            elif isinstance(node, ast.Call) and called(node) == "Breach" and node.args:
                found.extend((code, module, comments.about(node.lineno)) for code in texts(node.args[0]))
    return sorted(found)


def events() -> list[tuple[str, str, str]]:
    """(name, module, facts) of every event: constants of events modules and names given to `record`."""
    found: dict[str, tuple[str, str]] = {}
    for module, tree, text in sources():
        comments = comments_of(text)
        if module.endswith(".events"):
            for node in ast.walk(tree):
                if (
                    isinstance(node, ast.Assign)
                    and isinstance(node.value, ast.Constant)
                    and EVENT.fullmatch(str(node.value.value))
                ):
                    note = comments.about(node.lineno)
                    found[str(node.value.value)] = (module, note)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called(node) == "record" and node.args:
                for name in texts(node.args[0]):
                    if EVENT.fullmatch(name):
                        given = node.args[1] if len(node.args) > 1 else None
                        keys = (
                            [ast.literal_eval(key) for key in given.keys if key] if isinstance(given, ast.Dict) else []
                        )
                        found.setdefault(name, (module, f"facts: {', '.join(keys)}" if keys else ""))
    return sorted((name, module, note) for name, (module, note) in found.items())


@dataclass(frozen=True)
class Comments:
    """The comments of a file by line: those that stand alone, and those at the end of code."""

    alone: dict[int, str]
    beside: dict[int, str]

    def about(self, line: int) -> str:
        """What is said at the end of a line, else right above it."""
        if line in self.beside:
            return self.beside[line]
        block: list[str] = []
        while (line := line - 1) in self.alone:
            block.insert(0, self.alone[line])
        return " ".join(block)


def comments_of(text: str) -> Comments:
    comments = Comments({}, {})
    lines = iter(text.splitlines(keepends=True))
    for token in tokenize.generate_tokens(lambda: next(lines, "")):
        if token.type == tokenize.COMMENT:
            kind = comments.alone if token.line.lstrip().startswith("#") else comments.beside
            kind[token.start[0]] = token.string.lstrip("#: ").strip()
    return comments


def errors() -> list[type[Any]]:
    """Every error class of ours, parents first."""
    from comptoir.kit.errors import ComptoirError

    known, defined = {ComptoirError.__name__}, 0
    while len(known) > defined:  # a class may be defined before its parent is met
        defined = len(known)
        for module, tree, _ in sources():
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef) and any(
                    ast.unparse(base).split(".")[-1] in known for base in node.bases
                ):
                    known.add(node.name)
                    importlib.import_module(f"comptoir.{module}")

    def below(kind: type[Any]) -> Iterator[type[Any]]:
        yield kind
        for child in sorted(kind.__subclasses__(), key=lambda one: one.__name__):
            if child.__module__.startswith("comptoir."):
                yield from below(child)

    return list(dict.fromkeys(below(ComptoirError)))


def cards() -> list[Any]:
    """The cards of our own connectors."""
    from comptoir import connectors

    return [card for name in connectors.NAMES if (card := connectors.find(name)) is not None]


def declared_flows() -> list[Any]:
    """Every declaration of ours, by kind: a process that also ran tests has theirs declared as well."""
    from comptoir import flows
    from comptoir.engine import flow

    for found in pkgutil.iter_modules(flows.__path__, "comptoir.flows."):
        importlib.import_module(found.name)
    return [one for _, one in sorted(flow.declared().items()) if one.recipe.__module__.startswith("comptoir.")]


# Pages ---------------------------------------------------------------------------------------------------------------


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    names = list(head)
    return "\n".join([line(names), line("---" for _ in names), *(line(row) for row in rows)]) + "\n"


def page(title: str, opening: str, *parts: str) -> str:
    note = "<!-- Written by scripts/reference.py; change the code, then run `make reference`. -->"
    return "\n\n".join([f"# {title}", note, opening.strip(), *(part.strip() for part in parts)]) + "\n"


def first_paragraph(thing: Any) -> str:
    return " ".join(inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0].split())


def settings_page() -> str:
    from comptoir.kit.secrets import Secret
    from comptoir.kit.settings import Settings

    kinds = get_type_hints(Settings)
    rows = []
    for one in fields(Settings):
        name = f"COMPTOIR_{one.name.upper()}"
        is_secret = kinds[one.name] is Secret
        default = "" if is_secret or one.default is None else one.default
        shown = {True: "yes", False: "no"}.get(default, default) if isinstance(default, bool) else default
        kind = {"Path": "folder", "bool": "yes or no", "int": "number", "str": "text", "Secret": "secret"}
        rows.append(
            (f"`{name}`", kind[kinds[one.name].__name__], f"`{shown}`" if shown != "" else "", one.metadata["text"])
        )
    return page(
        "Settings",
        "What the operator of a machine decides, as environment variables. A secret may also be given as a file: "
        "`NAME_FILE` names one that holds it. A value that makes no sense, or an unknown `COMPTOIR_` name, stops the "
        "start with a sentence. What a merchant decides is set on the pages and kept in the database.\n\n"
        "Without `COMPTOIR_DATA_FOLDER` the data of root is in `/var/lib/comptoir/data`, that of anybody else in "
        "`$XDG_DATA_HOME/comptoir`, which is `~/.local/share/comptoir` by default.",
        table(("setting", "kind", "default", "what it decides"), rows),
    )


def code_of(error: type[Any]) -> str:
    """Its stable name, without the facts that making one would ask for."""
    plain: Any = error
    return str(plain.__new__(plain).code)


def meaning_of(error: type[Any]) -> str:
    """Its docstring, else its line in the tree that its module draws."""
    drawn = re.search(rf"── {error.__name__} +(.+)", sys.modules[error.__module__].__doc__ or "")
    return first_paragraph(error) or (drawn[1] if drawn else "")


def errors_page() -> str:
    from comptoir.kit.errors import ComptoirError

    rows = []
    for kind in errors():
        parents = [one.__name__ for one in kind.__bases__ if issubclass(one, ComptoirError)]
        code = code_of(kind)
        where = kind.__module__.removeprefix("comptoir.")
        rows.append((f"`{kind.__name__}`", f"`{code}`", ", ".join(parents), f"`{where}`", meaning_of(kind)))
    return page(
        "Errors",
        "Every error that Comptoir raises on purpose. The code is what the API and the records of runs show; the facts "
        "of an error are its attributes.",
        table(("error", "code", "is a", "from", "meaning"), rows),
    )


def events_page() -> str:
    rows = [(f"`{name}`", f"`{module}`", note) for name, module, note in events()]
    return page(
        "Events",
        "What happened, written in the transaction that made it happen. Names are past tense: part, thing, what became "
        "of it. Every event also has its actor and its time.",
        table(("event", "from", "when, and with which facts"), rows),
    )


def schedule_of(one: Any) -> str:
    words = []
    if one.every:
        words.append(f"every {one.every // 60} min" if one.every % 60 == 0 else f"every {one.every} s")
    if one.cron:
        words.append(f"cron `{one.cron}`")
    if one.facts is not None:
        words.append("when there is something to do")
    return ", ".join(words) or "by hand"


def flows_page() -> str:
    direction = {"in": "channel → hub", "out": "hub → channel", "here": "within the hub"}
    rows = []
    for one in declared_flows():
        marks = [
            word
            for word, holds in (
                ("writes there", one.writes),
                ("preview", one.previews),
                ("off until turned on", not one.on_by_default),
            )
            if holds
        ]
        needs = ", ".join(one.needs)
        rows.append(
            (
                f"`{one.kind}`", str(one.title), direction[str(one.direction)], needs, str(one.lane), schedule_of(one),
                ", ".join(marks), first_paragraph(one.recipe),
            )
        )  # fmt: skip
    return page(
        "Flows",
        "What runs between a channel and the hub. A channel has the flows whose abilities its connector has; schedules "
        "are defaults, and each channel can change its own. A flow that writes does so only in production; one with a "
        "preview can say beforehand what it would write. See [how flows run](../explanation/flows.md).",
        table(("flow", "name", "direction", "needs", "lane", "starts", "", "what it does"), rows),
    )


def findings_page() -> str:
    from comptoir.config import bootstrap
    from comptoir.web import findings_words

    bootstrap.set_up()  # connectors have findings of their own
    stated = finding_codes()

    def raised_by(code: str) -> str:
        return ", ".join(f"`{module}`" for module in sorted(stated.get(code, ())))

    def plain(text: object) -> str:
        return re.sub(r"%\((\w+)\)s", r"*\1*", str(text))

    rows = [
        (f"`{code}`", plain(words.what), plain(words.cure), raised_by(code))
        for code, words in sorted(findings_words.every().items())
    ]
    books = [
        (f"`{code}`", comment or code.replace("_", " ").capitalize() + ".", f"`{module}`")
        for code, module, comment in rules_of_the_books()
    ]
    return page(
        "Findings",
        "What someone should read: one row per channel, code and subject, with a count. *Info* means that a rule was "
        "applied and nobody acts, *retry* that the hub acts by itself, *error* that a person must act. A finding closes "
        "when its subject succeeds. The same codes name what a staged sale waits for.",
        table(("code", "what", "what to do", "from"), rows),
        "## What `comptoir check` looks for",
        "Rules that hold for all data at any time. Each line is a query for the rows that break it; there should be none.",
        table(("code", "rule", "from"), books),
    )


def abilities_page() -> str:
    from comptoir.channels import abilities
    from comptoir.channels.connector import OpenedClient

    names = [one.name for one in fields(OpenedClient)]
    mine = cards()
    by_card = [
        (
            f"`{card.kind}`", card.title, *("yes" if name in card.abilities else "" for name in names if name != "probe"),
            "yes" if card.webhooks else "", str(card.figure), f"{card.pace.per_minute:g}/min",
        )
        for card in mine
    ]  # fmt: skip
    flows = [
        (f"`{one.kind}`", *("yes" if has_flow(card, one) else "" for card in mine))
        for one in declared_flows()
        if str(one.direction) != "here"
    ]
    parts = []
    for name, kind in vars(abilities).items():
        if inspect.isclass(kind) and kind.__module__ == abilities.__name__:
            parts.append(f"### `{name}`\n\n{first_paragraph(kind)}")
            parts.append(
                "\n".join(
                    f"- `{method}`: {first_paragraph(function)}"
                    for method, function in vars(kind).items()
                    if inspect.isfunction(function) and not method.startswith("_")
                )
            )
    return page(
        "Connectors and their abilities",
        "What each connector can do, read from its card, and which flows its channels have because of it. What a card "
        "leaves out, the channel cannot do.",
        table(
            ("connector", "name", *(name for name in names if name != "probe"), "webhooks", "figure", "pace"), by_card
        ),
        "## Flows by connector",
        table(("flow", *(card.title for card in mine)), flows),
        "## The abilities",
        *(part for part in parts if part),
    )


def has_flow(card: Any, one: Any) -> bool:
    abilities = card.abilities | ({"webhooks"} if card.webhooks is not None else set())
    return set(one.needs) <= abilities and one.kind not in card.feeds


def roles_page() -> str:
    from comptoir.accounts.models import Role
    from comptoir.accounts.rights import ROLES, Right, Scope

    meanings = {
        str(node.value.value): comments.about(node.lineno)
        for module, tree, text in sources()
        if module == "accounts.rights"
        for comments in [comments_of(text)]
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    rights = [
        (f"`{right}`", meanings.get(str(right), ""), *("yes" if right in ROLES[role] else "" for role in Role))
        for right in Right
    ]
    return page(
        "Roles and scopes",
        "What each role may do on the pages, and what an API token may be used for.",
        table(("right", "to do what", *(str(role.value) for role in Role)), rights),
        "## Scopes of API tokens",
        table(("scope", "gives"), ((f"`{scope}`", meanings.get(str(scope), "")) for scope in Scope)),
    )


def commands(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """(words, help, parser) of every command that does something, in the order of `--help`."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, child in action.choices.items():
                if not any(isinstance(one, argparse._SubParsersAction) for one in child._actions):
                    yield (*words, name), helps.get(name, ""), child
                yield from commands(child, (*words, name))


def cli_page() -> str:
    from comptoir.cli.main import parser

    parts = []
    for words, meaning, one in commands(parser()):
        options = [
            (f"`{', '.join(option.option_strings) or option.dest}`", option.help or "")
            for option in one._actions
            if option.dest != "help"
        ]
        sentence = meaning[:1].upper() + meaning[1:]
        parts.append(f"## `comptoir {' '.join(words)}`\n\n{sentence}.")
        if options:
            parts.append(table(("argument", "meaning"), options))
    return page(
        "Commands",
        "`comptoir COMMAND --help` says the same in a terminal. Settings come from the environment: see "
        "[settings](settings.md).",
        *parts,
    )


def collected() -> list[dict[str, Any]]:
    """What the suite says of itself: (problem, kind, applies, test) of every test that stands for a problem of the field."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "conformance.json"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", f"--conformance={found}", *SUITES],
            cwd=ROOT,
            env={**os.environ, "COMPTOIR_DATABASE_URL": "postgresql://nobody@localhost/nothing"},  # none is asked
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"the suite cannot be collected:\n{done.stdout}{done.stderr}")
        return list(json.loads(found.read_text(encoding="utf-8")))


def conformance_page() -> str:
    kinds = [card.kind for card in cards()]
    titles = [card.title for card in cards()]
    shown: dict[str, dict[str, set[bool]]] = defaultdict(lambda: defaultdict(set))
    tests: dict[str, set[str]] = defaultdict(set)
    for one in collected():
        shown[one["problem"]][one["kind"]].add(one["applies"])
        tests[one["problem"]].add(one["test"])
    cells = {frozenset(): "not shown", frozenset({False}): "does not apply"}
    rows = [
        (problem, *(cells.get(frozenset(shown[problem][kind]), "yes") for kind in kinds))
        for problem in sorted(shown, key=str.casefold)
    ]
    where = [(problem, "<br>".join(_test(one) for one in sorted(tests[problem]))) for problem, *_ in rows]
    return page(
        "What each connector survives",
        "The problems of the field, and the kinds of channel whose connector is shown to survive each, by tests that are run "
        "with every change against the kind's simulator. *Does not apply*: the card lacks the ability. *Not shown*: no test "
        "says so.",
        table(("problem", *titles), rows),
        "## Where it is shown",
        table(("problem", "tests"), where),
    )


def _test(node: str) -> str:
    """A test in words, with its file."""
    path, _, name = node.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../../{path})"


WRITERS: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "events.md": events_page,
    "flows.md": flows_page,
    "findings.md": findings_page,
    "abilities.md": abilities_page,
    "roles.md": roles_page,
    "cli.md": cli_page,
    "conformance.md": conformance_page,
}


def main() -> int:
    set_up()
    PAGES.mkdir(parents=True, exist_ok=True)
    for name, write in WRITERS.items():
        (PAGES / name).write_text(write(), encoding="utf-8")
        print(f"docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
