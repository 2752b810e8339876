"""A customer handed over and erased from the command line; two machines that upgrade one database at the same time."""

from __future__ import annotations

import json
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from command_line import comptoir, ground
from comptoir_hub import Hub, database

EMAIL = "Wanda@Mail.example"
_ORDER = """
INSERT INTO orders_order (number, external_number, external_status, status, preparation, is_history, is_blocked,
    is_cancelled_there, accepted_as, meaning_there, hold_reason, invoice_wanted, currency, rate, total, carrier,
    carrier_name, payment_name, buyer, billing, shipping, pickup_point, note, warehouses, search, placed_at, accepted_at,
    changed_at)
VALUES (%s, '', '', %s, 'shipped', true, false, false, '', '', '', false, 'EUR', 1, 10, '', '', '', %s, %s, NULL, '', 'ring twice',
    '{}', lower(%s), now(), now(), now())
"""


def order(hub: Hub, number: str, status: str) -> None:
    buyer = json.dumps({"name": "Wanda Zyx", "email": EMAIL})
    billing = json.dumps({"name": "Wanda Zyx", "lines": ["17 Quokka Crescent"], "country": "GB"})
    hub.rows(_ORDER, number, status, buyer, billing, f"{number} | {EMAIL}")


def test_a_customer_is_exported_and_erased(hub: Hub, tmp_path: Path) -> None:
    order(hub, "700001", "complete")
    order(hub, "700002", "processing")
    file = tmp_path / "wanda.zip"

    def customer(*words: object) -> tuple[int, str]:
        said = comptoir("customer", *words, **hub.settings)
        assert "Traceback" not in said.err
        return said.code, said.out + said.err

    code, said = customer("export", "nobody@mail.example", file)
    assert code == 2
    assert "nobody is known by that" in said
    assert not file.exists()

    assert customer("export", EMAIL.lower(), file)[0] == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "17 Quokka Crescent" in zipfile.ZipFile(file).read("summary.txt").decode()
    assert customer("export", EMAIL, file)[0] == 2, "a file that is there stays"

    code, said = customer("erase", EMAIL)
    assert (code, "700002" in said) == (0, True)
    code, said = customer("erase", EMAIL, "--yes")
    assert code == 2
    assert "700002" in said
    hub.rows("UPDATE orders_order SET status = 'complete' WHERE number = '700002'")
    code, said = customer("erase", EMAIL, "--yes", "--json")
    assert code == 0
    assert json.loads(said)["orders"] == 2
    assert hub.rows("SELECT buyer, billing, note FROM orders_order WHERE number = '700001'") == [
        ({}, {"country": "GB"}, "")
    ]
    assert customer("erase", EMAIL, "--yes")[0] == 2, "nobody is known by that any more"
    assert "nothing was left" in customer("erase", "700001", "--yes")[1]


def test_two_machines_may_upgrade_one_empty_database_at_the_same_time() -> None:
    with ground() as folder, database("twice") as url:
        made = Hub(url, folder)
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda _: comptoir("migrate", **made.settings), range(2)))
        assert [one.code for one in both] == [0, 0], [one.err for one in both]
        assert made.rows("SELECT count(*) FROM channels_channel WHERE kind = 'hub'") == [(1,)]
