"""Every command the good way and the bad way: bad input is answered with place, value and cure, never with a traceback."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from command_line import Said, comptoir, environment
from comptoir_hub import Hub, database

from comptoir.connectors.prestashop.simulator import PrestaShopSimulator
from comptoir.simulators import server as simulators

# Forks once per command, since most of a command's time goes into importing Django.
DESK = """
import io, json, os, sys, tempfile
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "comptoir.config.settings"
django.setup()
from comptoir.cli.main import main
import comptoir.config.bootstrap, comptoir.flows.imports, comptoir.flows.connecting, comptoir.accounts.actions
from django.db.migrations.loader import MigrationLoader
MigrationLoader(None)
for line in sys.stdin:
    wanted = json.loads(line)
    files = [tempfile.TemporaryFile() for _ in range(3)]
    files[0].write(wanted["given"].encode()), files[0].seek(0)
    child = os.fork()
    if not child:
        for number, file in enumerate(files):
            os.dup2(file.fileno(), number)
        sys.stdin = open(0, closefd=False)
        sys.exit(main(wanted["arguments"]))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said = [(file.seek(0), file.read().decode())[1] for file in files[1:]]
    print(json.dumps([code, *said]), flush=True)
"""

Command = Callable[..., Said]


@pytest.fixture(scope="module")
def command(hub: Hub) -> Iterator[Command]:
    """Give a command to the hub."""
    with subprocess.Popen(
        [sys.executable, "-c", DESK],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(**hub.settings), cwd="/",
    ) as desk:  # fmt: skip
        assert desk.stdin is not None
        assert desk.stdout is not None

        def ask(*arguments: object, given: str = "") -> Said:
            print(
                json.dumps({"arguments": [str(one) for one in arguments], "given": given}), file=desk.stdin, flush=True
            )
            return Said(*json.loads(desk.stdout.readline()))

        yield ask
        desk.stdin.close()


@pytest.fixture(scope="module")
def shop(hub: Hub, command: Command) -> str:
    """The code of a channel that is connected, with products, sales and stock."""
    done = command(
        "channels", "connect", "prestashop", "shop", "--set", f"url={hub.address}", "--set", f"key={hub.shop.key}"
    )
    assert done.code == 0, done.err
    hub.quicken()
    for kind in ("pull_products", "pull_sales", "pull_stock_once", "accept_sales"):
        done = command("flows", "run", "shop", kind, "--json")
        assert (done.code, done.json["status"], done.json["failed"]) == (0, "done", 0), done
    return "shop"


def refused(said: Said, *parts: object) -> None:
    """One sentence on standard error, and nothing else."""
    assert (said.code, said.out) == (2, ""), said
    assert len(said.err.splitlines()) == 1, said.err
    assert said.err.startswith("comptoir: ")
    for part in parts:
        assert str(part) in said.err


# Channels and flows -----------------------------------------------------------------------------------------------------


def test_a_connected_channel_is_listed_and_looked_at_and_its_flows_run(hub: Hub, command: Command, shop: str) -> None:
    listed = command("channels", "list", "--json").json
    assert [one for one in listed if one["code"] == shop] == [
        {"code": shop, "name": shop, "kind": "prestashop", "mode": "test", "health": "good"}
    ]
    assert f"{shop}\t" in command("channels", "list").out
    seen = command("channels", "look", shop)
    assert (seen.code, "version 8.2" in seen.out) == (0, True)

    kinds = {one["kind"] for one in command("flows", "list", "--json").json if one["channel"] == shop}
    assert kinds >= {"pull_products", "pull_sales", "push_stock", "check_stock"}
    assert f"{shop}\tpull_sales\ton\tevery " in command("flows", "list").out

    again = command("flows", "run", shop, "pull_sales", "--json").json
    assert (again["status"], again["created"]) == ("done", 0)
    assert "status: done" in command("flows", "run", shop, "pull_sales").out


def test_a_preview_says_what_would_be_sent_and_live_sends_just_that(hub: Hub, command: Command, shop: str) -> None:
    told = command("channels", "sales", shop, "--since", "2000-01-01", "--json")
    assert (told.code, told.json["missing"], told.json["only_here"]) == (0, [], [])
    assert told.json["there"] == len(hub.shop.sold())
    refused(command("channels", "sales", shop, "--since", "soon"), "place: --since", "value: soon")
    assert command("channels", "live", shop, "--despite-errors", "--ship-here").out == f"{shop} is in production.\n"
    assert command("flows", "run", shop, "push_stock").code == 0
    assert command("flows", "preview", shop, "push_stock", "--json").json["plan"] == []
    writes = len(hub.shop.counters.log)
    # What we believe to have told is wrong by one, so there is one level to tell.
    ((told,),) = hub.rows(
        "UPDATE offers_offer SET told = told + 1, is_waiting = true"
        " WHERE id = (SELECT min(id) FROM offers_offer WHERE told > 3 AND is_active) RETURNING told"
    )
    plan = command("flows", "preview", shop, "push_stock", "--json").json["plan"]
    assert [(Decimal(one["old"]), Decimal(one["new"])) for one in plan] == [(told, told - 1)]
    assert f"{plan[0]['label']}: " in command("flows", "preview", shop, "push_stock").out
    assert len(hub.shop.counters.log) == writes

    assert command("flows", "run", shop, "push_stock").code == 0
    assert len(hub.shop.counters.log) == writes + 1
    assert command("channels", "test", shop).out == f"{shop} is in test mode.\n"
    assert command("flows", "run", shop, "push_stock").code == 0
    assert len(hub.shop.counters.log) == writes + 1


def test_a_channel_is_not_taken_live_before_its_stock_was_counted(command: Command) -> None:
    other = PrestaShopSimulator(version="1.7", world="demo")
    with simulators.serve(other) as address:
        done = command(
            "channels", "connect", "prestashop", "new", "--set", f"url={address}", "--set", f"key={other.key}"
        )
        assert done.code == 0, done.err
        refused(command("channels", "live", "new"), "not yet: ", "stock_not_initialised")


def test_a_channel_that_was_mistyped_is_corrected_by_the_same_command(hub: Hub, command: Command) -> None:
    connect = ["channels", "connect", "prestashop", "typo"]
    nobody = command(*connect, "--set", "url=http://127.0.0.1:9", "--set", "key=WRONG")
    refused(nobody)
    wrong = command(*connect, "--set", f"url={hub.address}", "--set", "key=WRONG")
    refused(wrong, "The key has not the right format", "status: 401")
    states = {one["code"]: one["health"] for one in command("channels", "list", "--json").json}
    assert states["typo"] == "locked_out"
    assert len(hub.rows("SELECT FROM channels_channel WHERE code = 'typo'")) == 1


def test_unknown_names_and_unreadable_secrets_are_said(command: Command, shop: str, tmp_path: Path) -> None:
    refused(command("channels", "look", "nosuch"), "place: channel", "value: nosuch", "cure: hub, ")
    refused(
        command("channels", "connect", "nosuch", "x"), "place: kind", "value: nosuch", "cure: magento, prestashop, "
    )
    refused(command("channels", "connect", "prestashop", "x", "--set", "url"), "place: --set", "value: url")
    refused(command("channels", "connect", "prestashop", "x"), "is missing", "place: ")
    refused(
        command("channels", "connect", "prestashop", "x", "--secret-file", f"key={tmp_path}"),
        "place: --secret-file", f"value: {tmp_path}",
    )  # fmt: skip
    refused(command("flows", "run", shop, "nosuch"), "place: kind", "value: nosuch", "cure: comptoir flows list")
    refused(command("flows", "preview", "nosuch", "push_stock"), "place: channel")


# The books --------------------------------------------------------------------------------------------------------------


def test_check_ends_with_0_and_with_1_where_a_row_is_broken_which_it_names(
    hub: Hub, command: Command, shop: str
) -> None:
    good = command("check")
    assert (good.code, good.err) == (0, "")
    assert "inventory: in order\n" in good.out
    assert not any(command("check", "--json").json.values())
    broken = "UPDATE inventory_level SET on_hand = on_hand + %s WHERE id = (SELECT min(id) FROM inventory_level)"
    hub.rows(broken, 1)
    try:
        said = command("check")
        assert (said.code, "inventory: in order" in said.out) == (1, False)
        found = command("check", "--json")
        assert found.code == 1
        assert [one["code"] for one in found.json["inventory"]]
    finally:
        hub.rows(broken, -1)


# People and tokens ------------------------------------------------------------------------------------------------------


def test_a_hub_without_an_owner_says_once_where_to_become_it(hub: Hub, command: Command) -> None:
    first, second = command("migrate", "--welcome"), command("migrate", "--welcome")
    assert (first.code, second.code) == (0, 0)
    assert re.fullmatch(r"/welcome/[\w-]{32}\n", first.out)
    assert first.out != second.out
    assert hub.rows("SELECT count(*) FROM accounts_welcome") == [(1,)]
    assert command("migrate").out == ""


def test_an_owner_is_made_once_and_a_weak_password_or_odd_address_refused(hub: Hub, command: Command) -> None:
    refused(command("owner", "nobody", "--password-stdin", given="correct horse battery\n"), "place: email")
    refused(command("owner", "a@hub.test", "--password-stdin", given="short\n"), "place: password")
    made = command("owner", "a@hub.test", "--password-stdin", given="correct horse battery\n")
    assert (made.code, made.out) == (0, "a@hub.test owns this hub.\n")
    refused(command("owner", "a@hub.test", "--password-stdin", given="correct horse battery\n"))
    assert hub.rows("SELECT email, role FROM accounts_user") == [("a@hub.test", "owner")]
    assert command("migrate", "--welcome").out == ""


def test_a_second_factor_is_taken_away_from_who_lost_it(hub: Hub, command: Command) -> None:
    command("owner", "a@hub.test", "--password-stdin", given="correct horse battery\n")
    hub.rows(
        "INSERT INTO mfa_authenticator (user_id, type, data, created_at) SELECT id, 'totp', '{}', now() FROM accounts_user"
    )
    said = command("person", "take-second-factor", "A@hub.test")
    assert (said.code, "signs in without a second factor" in said.out) == (0, True)
    assert hub.rows("SELECT count(*) FROM mfa_authenticator") == [(0,)]
    refused(command("person", "take-second-factor", "b@hub.test"), "place: email", "value: b@hub.test")


def test_a_token_is_shown_once_listed_without_its_secret_and_revoked(hub: Hub, command: Command) -> None:
    made = command("token", "create", "shelves", "--scope", "stock.read")
    secret = made.out.strip()
    assert (made.code, len(secret) > 30) == (0, True)
    listed = command("token", "list").out
    assert "live\tshelves" in listed
    assert secret not in listed
    number = listed.split("\t")[0]
    assert command("token", "revoke", number).code == 0
    assert "revoked\tshelves" in command("token", "list").out
    refused(command("token", "revoke", "4711"), "place: id", "value: 4711", "cure: comptoir token list")
    refused(command("token", "create", "x", "--scope", "all"), "place: scopes", "value: all", "cure: ")


# Files ------------------------------------------------------------------------------------------------------------------

PRODUCTS = "sku,name,price\nIMP-1,Cup,5.00\nIMP-2,Plate,7.50\n"


def test_a_file_is_tried_then_imported_then_found_unchanged(hub: Hub, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "products.csv"
    file.write_text(PRODUCTS)

    def result(*options: str) -> dict[str, Any]:
        said = command("import", "products", file, "--json", *options)
        assert said.code == 0, said
        answer: dict[str, Any] = said.json
        return answer

    def imported() -> int:
        return len(hub.rows("SELECT FROM catalog_variant WHERE sku ~ '^IMP-'"))

    tried = result("--dry-run")
    assert (tried["created"], tried["written"], imported()) == (2, False, 0)
    done = result()
    assert (done["created"], done["written"], imported()) == (2, True, 2)
    assert result()["unchanged"] == 2
    assert "2 rows: 0 new, 0 changed, 2 unchanged" in command("import", "products", file).out


def test_a_file_with_an_error_is_refused_whole_by_row_and_column(hub: Hub, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "products.csv"
    file.write_text("sku,name,price\nBAD-1,Cup,5.00\nBAD-2,Plate,cheap\n")
    said = command("import", "products", file)
    assert (said.code, said.err) == (1, "")
    assert "row 3, price: 'cheap'" in said.out
    assert "Nothing was written." in said.out
    assert command("import", "products", file, "--json").json["faults"][0]["row"] == 3
    assert hub.rows("SELECT FROM catalog_variant WHERE sku ~ '^BAD-'") == []


def test_what_cannot_be_read_as_a_file_is_said(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "products.csv"
    for content, parts in ((b"", ["empty"]), (b"\xff\xfe\x00\xd8", []), (b"PK\x03\x04junk", [])):
        file.write_bytes(content)
        refused(command("import", "products", file), f"place: {file}", *parts)
    refused(command("import", "sales", tmp_path / "none.csv"), f"place: {tmp_path / 'none.csv'}", "cure: ")
    refused(command("import", "sales", tmp_path), f"place: {tmp_path}")
    file.write_text(PRODUCTS)
    refused(command("import", "products", file, "--map", "sku"), "place: --map", "value: sku")
    refused(command("import", "products", file, "--map", "sku=shelf"), "place: --map", "value: shelf", "cure: sku")
    refused(command("import", "products", file, "--currency", "ZZZZ"), "ZZZZ")
    refused(command("import", "sales", file, "--timezone", "Mars/Base"), "Mars/Base")


# Settings ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("COMPTOIR_PORT", "x", ["COMPTOIR_PORT is 'x'", "whole number"]),
        ("COMPTOIR_PORT", "99999", ["COMPTOIR_PORT is 99999", "from 0 to 65535"]),
        ("COMPTOIR_WORKERS", "0", ["COMPTOIR_WORKERS is 0", "1 or more"]),
        ("COMPTOIR_LOG_LEVEL", "LOUD", ["COMPTOIR_LOG_LEVEL is 'LOUD'", "DEBUG, INFO, WARNING, ERROR"]),
        ("COMPTOIR_PROT", "1", ["COMPTOIR_PROT is not a setting"]),
        ("COMPTOIR_SECRET_KEY_FILE", "/nowhere", ["COMPTOIR_SECRET_KEY_FILE", "/nowhere"]),
        ("COMPTOIR_DATABASE_URL", "nonsense", ["COMPTOIR_DATABASE_URL", "postgresql://user:password@host/name"]),
        ("COMPTOIR_DATABASE_URL", "postgresql://me:hush@127.0.0.1:1/x", ["COMPTOIR_DATABASE_URL", "127.0.0.1"]),
        ("COMPTOIR_DATA_FOLDER", "/dev/null/x", ["COMPTOIR_DATA_FOLDER", "/dev/null/x"]),
    ],
)  # fmt: skip
def test_a_bad_setting_stops_the_start_with_a_sentence(name: str, value: str, parts: list[str], tmp_path: Path) -> None:
    said = comptoir("serve", **{"COMPTOIR_DATA_FOLDER": tmp_path, name: value})
    refused(said, *parts)
    assert "hush" not in said.err


def test_a_command_on_an_empty_database_names_the_command_that_fills_it(hub: Hub) -> None:
    with database("empty") as url:
        refused(comptoir("check", **{**hub.settings, "COMPTOIR_DATABASE_URL": url}), "run `comptoir migrate` first")


@pytest.mark.parametrize("role", ["web", "door", "worker"])
def test_a_role_that_runs_alone_needs_to_be_told_where_its_database_is(role: str, tmp_path: Path) -> None:
    refused(comptoir(role, COMPTOIR_DATA_FOLDER=tmp_path), "COMPTOIR_DATABASE_URL", "`comptoir serve`")
    assert list(tmp_path.iterdir()) == []
