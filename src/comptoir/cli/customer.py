"""`comptoir customer`: what is kept about one customer, as a file for them, and its erasure."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING

from comptoir.cli import starting
from comptoir.cli.screen import out
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput

if TYPE_CHECKING:
    from comptoir.flows.personal import Customer


def export(given: argparse.Namespace) -> int:
    """`comptoir customer export CUSTOMER FILE`."""
    with starting.ready():
        from django.db import transaction

        from comptoir.flows import personal

        found = _found(given.customer)
        try:
            handle = os.open(given.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise BadInput("the file cannot be made", place=str(given.file), value=error.strerror or "") from error
        with os.fdopen(handle, "w+b") as file, transaction.atomic():
            personal.export(found, file, actor=SYSTEM, at=clock.now())
    out(f"{len(found.orders)} orders and {len(found.sales)} sales are in {given.file}")
    return 0


def erase(given: argparse.Namespace) -> int:
    """`comptoir customer erase CUSTOMER`: without `--yes` it only says what would go."""
    with starting.ready():
        from django.db import transaction

        from comptoir.flows import personal

        found = _found(given.customer)
        if not given.yes:
            out(f"{len(found.orders)} orders and {len(found.sales)} sales would lose their customer; --yes does it")
            for number in [*found.open_orders, *found.open_sales]:
                out(f"still open: {number}")
            return 0
        with transaction.atomic():
            changed = personal.erase(found, actor=SYSTEM, at=clock.now())
    if given.json:
        out(json.dumps(changed.rows))
    else:
        out(", ".join(f"{table}: {rows}" for table, rows in changed.rows.items()) or "nothing was left to erase")
    return 0


def _found(asked: str) -> Customer:
    from comptoir.flows import personal

    found = personal.find(asked)
    if not found:
        raise BadInput("nobody is known by that", place="customer", cure="an e-mail, a phone, or an order number")
    return found
