"""The command `comptoir`. Each command's module is imported when it is asked for, so that none waits for another's parts."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from comptoir import __version__
from comptoir.kit.errors import ComptoirError

LONGEST_FACT = 160


def parser() -> argparse.ArgumentParser:
    """Every command with its options; `docs/reference/cli.md` is made from it."""
    root = argparse.ArgumentParser(prog="comptoir", description="A self-hosted commerce hub.")
    root.add_argument("--version", action="version", version=__version__)
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="a hub with a simulated shop, to look around in")
    demo.set_defaults(run="demo:run")
    demo.add_argument("--fresh", action="store_true", help="start over: forget what an earlier demo kept")
    demo.add_argument("--once", action="store_true", help="do one whole round without a browser, report, and end")
    demo.add_argument("--json", action="store_true", help="the report as one JSON object on standard output")
    demo.add_argument(
        "--history", type=Path, metavar="FOLDER", help="with --once: play the sales-*.csv.gz of this folder"
    )
    demo.add_argument("--until", metavar="YYYY-MM-DD", help="with --history: stop after this day")
    demo.add_argument("--folder", type=Path, help="where the demo keeps its data")
    demo.add_argument("--port", type=int, help="the port of the pages; another is taken where it is busy")

    serve = commands.add_parser(
        "serve", help="everything: embedded PostgreSQL where none is given, web, door and workers"
    )
    serve.set_defaults(run="serve:run")
    web = commands.add_parser("web", help="only the pages, the API and the door")
    web.set_defaults(run="serve:web")
    door = commands.add_parser("door", help="only the door for webhooks")
    door.set_defaults(run="serve:door")
    worker = commands.add_parser("worker", help="only a worker, as many as you like on as many machines as you like")
    worker.set_defaults(run="serve:worker")
    worker.add_argument("--concurrency", type=int, help="runs at once; the setting's number where it is left out")

    migrate = commands.add_parser("migrate", help="bring the database to this version")
    migrate.set_defaults(run="manage:migrate")
    migrate.add_argument(
        "--welcome", action="store_true", help="where there is no owner: print a one-time path that makes one"
    )

    check = commands.add_parser("check", help="verify what must always be true; ends with 1 where something is not")
    check.set_defaults(run="manage:check")
    check.add_argument("--json", action="store_true")

    doctor = commands.add_parser("doctor", help="how the hub is, and what to do; ends with 1 where somebody must act")
    doctor.set_defaults(run="doctor:doctor")
    doctor.add_argument("--books", action="store_true", help="what `comptoir check` verifies, too; takes longer")
    doctor.add_argument("--json", action="store_true")

    saved = commands.add_parser("backup", help="the whole hub in one file, while it works")
    saved.set_defaults(run="backup:backup")
    saved.add_argument("file", type=Path)
    saved.add_argument("--force", action="store_true", help="put it in the place of a file that is there")
    saved.add_argument(
        "--with-key",
        action="store_true",
        help="the secret key too, readable: whoever has the file can then read every credential",
    )
    saved.add_argument(
        "--key-passphrase-file",
        type=Path,
        metavar="PATH",
        help="the secret key too, encrypted with what this file holds",
    )
    saved.add_argument("--json", action="store_true")

    restored = commands.add_parser("restore", help="bring a hub back from a backup; every channel is paused afterwards")
    restored.set_defaults(run="backup:restore")
    restored.add_argument("file", type=Path)
    restored.add_argument(
        "--check", action="store_true", help="only say whether the file is whole and fits this version"
    )
    restored.add_argument(
        "--replace", metavar="DATABASE", default="", help="the name of a database that is not empty, to take its place"
    )
    restored.add_argument("--drop-replaced", action="store_true", help="do not keep the database that was there before")
    restored.add_argument("--key-passphrase-file", type=Path, metavar="PATH", help="what opens the key in the backup")
    restored.add_argument("--json", action="store_true")

    dropped = commands.add_parser("drop-replaced", help="drop a database that a restore has put aside")
    dropped.set_defaults(run="backup:drop_replaced")
    dropped.add_argument("name")

    owner = commands.add_parser("owner", help="make the first person, who may do everything")
    owner.set_defaults(run="manage:owner")
    owner.add_argument("email")
    owner.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    person = commands.add_parser("person", help="people who sign in").add_subparsers(dest="what", required=True)
    taken = person.add_parser(
        "take-second-factor", help="for who lost telephone and codes, or after a restore without the key"
    )
    taken.set_defaults(run="manage:take_second_factor")
    taken.add_argument("email")
    token = commands.add_parser("token", help="API tokens").add_subparsers(dest="what", required=True)
    made = token.add_parser("create", help="make a token; its secret is shown once")
    made.set_defaults(run="manage:make_token")
    made.add_argument("name")
    made.add_argument("--scope", action="append", required=True, help="may be given several times")
    listed = token.add_parser("list", help="the tokens, without their secrets")
    listed.set_defaults(run="manage:list_tokens")
    revoked = token.add_parser("revoke", help="end a token at once")
    revoked.set_defaults(run="manage:revoke_token")
    revoked.add_argument("id", type=int)

    channels = commands.add_parser("channels", help="shops, tills and marketplaces").add_subparsers(
        dest="what", required=True
    )
    shown = channels.add_parser("list", help="every channel with mode and health")
    shown.set_defaults(run="channels:show")
    shown.add_argument("--json", action="store_true")
    connect = channels.add_parser("connect", help="connect a channel, in test mode, and look around")
    connect.set_defaults(run="channels:connect")
    connect.add_argument("kind")
    connect.add_argument("code", help="a short name of yours")
    connect.add_argument("--name")
    connect.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="what the channel wants to know"
    )
    connect.add_argument(
        "--secret-file", action="append", default=[], metavar="FIELD=FILE", help="a secret, read from a file"
    )
    look = channels.add_parser("look", help="test a connection and see what is there")
    look.set_defaults(run="channels:look")
    look.add_argument("code")
    live = channels.add_parser("live", help="let writes through; says what stands against it")
    live.set_defaults(run="channels:live")
    live.add_argument("code")
    live.add_argument("--despite-errors", action="store_true", help="although Errors are open")
    live.add_argument(
        "--ship-here", action="store_true", help="open orders of which nothing was said are shipped here from now on"
    )
    back = channels.add_parser("test", help="back to test mode: nothing is written any more")
    back.set_defaults(run="channels:back_to_test")
    back.add_argument("code")
    for name, text in (("pause", "stop every write to a channel at once"), ("resume", "let writes go on")):
        one = channels.add_parser(name, help=text)
        one.set_defaults(run=f"channels:{name}")
        one.add_argument("code")

    sales = channels.add_parser(
        "sales", help="whether every sale of a stretch of time is here, by ids; 1 where one is not"
    )
    sales.set_defaults(run="channels:sales")
    sales.add_argument("code")
    sales.add_argument("--since", required=True, metavar="TIME", help="2026-03-01, or 2026-03-01T09:30+01:00; UTC")
    sales.add_argument("--until", metavar="TIME", help="before then; now, where it is left out")
    sales.add_argument("--json", action="store_true")

    flows = commands.add_parser("flows", help="arrows between channels and the hub").add_subparsers(
        dest="what", required=True
    )
    flow_list = flows.add_parser("list", help="every flow with schedule and last run")
    flow_list.set_defaults(run="channels:show_flows")
    flow_list.add_argument("--json", action="store_true")
    for name, text in (("run", "run a flow now, here"), ("preview", "say what a flow would do")):
        one = flows.add_parser(name, help=text)
        one.set_defaults(run=f"channels:{name}_flow")
        one.add_argument("channel")
        one.add_argument("kind")
        one.add_argument("--json", action="store_true")

    customer = commands.add_parser("customer", help="what is kept about one customer").add_subparsers(
        dest="what", required=True
    )
    handed = customer.add_parser("export", help="everything that is kept about a customer, as one ZIP file for them")
    handed.set_defaults(run="customer:export")
    handed.add_argument("customer", help="an e-mail address, a phone number, or the number of an order")
    handed.add_argument("file", type=Path)
    gone = customer.add_parser("erase", help="take a customer out of everything; figures stay, and the books hold")
    gone.set_defaults(run="customer:erase")
    gone.add_argument("customer", help="an e-mail address, a phone number, or the number of an order")
    gone.add_argument("--yes", action="store_true", help="do it; else only say what would go")
    gone.add_argument("--json", action="store_true")

    imports = commands.add_parser("import", help="a file of your own").add_subparsers(dest="what", required=True)
    for name, text in (("sales", "orders from a CSV file"), ("products", "products from a CSV or XLSX file")):
        one = imports.add_parser(name, help=text)
        one.set_defaults(run=f"importing:{name}")
        one.add_argument("file", type=Path)
        one.add_argument("--map", action="append", default=[], metavar="FIELD=COLUMN", help="which column holds what")
        one.add_argument("--dry-run", action="store_true", help="say what would happen, change nothing")
        one.add_argument("--json", action="store_true")
        one.add_argument("--currency", default="EUR", help="of amounts without one")
        if name == "sales":
            one.add_argument("--timezone", default="UTC", help="of times without a zone")
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. What is wrong is said in one sentence, with place, value and cure where there are."""
    given = parser().parse_args(arguments)
    module, _, name = str(given.run).partition(":")
    try:
        code: int = getattr(import_module(f"comptoir.cli.{module}"), name)(given)
    except ComptoirError as error:
        _complain(error, as_json=bool(getattr(given, "json", False)))
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _complain(error: ComptoirError, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"error": error.code, "text": str(error), "facts": error.facts}, default=str))  # noqa: T201 - the answer
        return
    details = ", ".join(f"{key}: {_short(item)}" for key, item in error.facts.items() if item not in ("", None))
    print(f"comptoir: {error}" + (f" ({details})" if details else ""), file=sys.stderr)  # noqa: T201


def _short(fact: object) -> str:
    """A fact on one line: some are whole answers of a shop."""
    return textwrap.shorten(str(fact), LONGEST_FACT, placeholder=" …")


if __name__ == "__main__":
    sys.exit(main())
