"""`comptoir import`: a user's own file, judged whole before anything is written."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from comptoir.cli import starting
from comptoir.cli.channels import pair
from comptoir.cli.screen import out
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput

if TYPE_CHECKING:
    from comptoir.flows.imports import Imported


def sales(given: argparse.Namespace) -> int:
    """`comptoir import sales FILE`."""
    with starting.ready():
        from django.db import transaction

        from comptoir.flows import imports

        with transaction.atomic():
            result = imports.import_sales(
                given.file,
                mapped=dict(pair(text, "--map") for text in given.map),
                timezone=given.timezone,
                currency=_currency(given.currency),
                actor=SYSTEM,
                at=clock.now(),
            )
            if given.dry_run or result.faults:
                transaction.set_rollback(True)
    return _tell(given, result)


def products(given: argparse.Namespace) -> int:
    """`comptoir import products FILE`."""
    with starting.ready():
        from django.db import transaction

        from comptoir.flows import imports

        with transaction.atomic():
            result = imports.import_products(
                given.file,
                mapped=dict(pair(text, "--map") for text in given.map),
                currency=_currency(given.currency),
                actor=SYSTEM,
                at=clock.now(),
            )
            if given.dry_run or result.faults:
                transaction.set_rollback(True)
    return _tell(given, result)


def _currency(text: str) -> str:
    if not re.fullmatch("[A-Z]{3}", text):
        raise BadInput("this is no currency", place="--currency", value=text, cure="three letters, such as EUR")
    return text


def _tell(given: argparse.Namespace, result: Imported) -> int:
    waiting_for = dict(Counter(one.code for one in result.findings))
    report = {
        "rows": result.rows, "created": result.created, "changed": result.changed, "unchanged": result.unchanged,
        "waiting": result.waiting, "waiting_for": waiting_for, "dry_run": given.dry_run,
        "written": not given.dry_run and not result.faults, "faults": [asdict(one) for one in result.faults],
    }  # fmt: skip
    if given.json:
        out(json.dumps(report))
    else:
        for one in result.faults:
            out(f"row {one.row}, {one.column}: {one.value!r} {one.text}")
        out(
            f"{result.rows} rows: {result.created} new, {result.changed} changed, {result.unchanged} unchanged,"
            f" {result.waiting} waiting for a person"
        )
        for code, count in waiting_for.items():
            out(f"  {code}: {count}")
        if result.faults:
            out("Nothing was written. Repair these rows and try again.")
        elif given.dry_run:
            out("Nothing was written: this was a dry run.")
    return 1 if result.faults else 0
