"""Commands for whoever runs the hub: migrations, the books, the first person, tokens."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from dataclasses import asdict

from comptoir.cli import starting
from comptoir.cli.screen import out
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput


def migrate(given: argparse.Namespace) -> int:
    """`comptoir migrate`."""
    with starting.ready(migrated=False):
        starting.migrate()
        if given.welcome:
            from django.db import transaction

            from comptoir.accounts import actions

            with transaction.atomic():
                secret = actions.expect_owner(actor=SYSTEM, at=clock.now())
            if secret is not None:
                out(f"/welcome/{secret}")
    return 0


def check(given: argparse.Namespace) -> int:
    """`comptoir check`: 0 where everything holds, 1 where something does not, named."""
    with starting.ready():
        from comptoir.flows import house

        found = house.check_all()
    if given.json:
        out(json.dumps({part: [asdict(one) for one in breaches] for part, breaches in found.items()}, default=str))
    else:
        for part, breaches in found.items():
            out(f"{part}: {'in order' if not breaches else f'{len(breaches)} broken'}")
            for one in breaches:
                out(f"  {one.code} {one.subject} {json.dumps(one.facts, default=str)}")
    return 1 if any(found.values()) else 0


def owner(given: argparse.Namespace) -> int:
    """`comptoir owner EMAIL`."""
    password = sys.stdin.readline().rstrip("\n") if given.password_stdin else getpass.getpass("Password: ")
    with starting.ready():
        from django.db import transaction

        from comptoir.accounts import actions

        with transaction.atomic():
            actions.make_owner(given.email, password, actor=SYSTEM, at=clock.now())
    out(f"{given.email} owns this hub.")
    return 0


def make_token(given: argparse.Namespace) -> int:
    """`comptoir token create`."""
    with starting.ready():
        from django.db import transaction

        from comptoir.accounts import actions

        with transaction.atomic():
            _token, secret = actions.make_token(given.name, given.scope, actor=SYSTEM, at=clock.now())
    out(secret)
    return 0


def list_tokens(given: argparse.Namespace) -> int:
    """`comptoir token list`."""
    with starting.ready():
        from comptoir.accounts.models import Token

        for one in Token.objects.order_by("id"):
            state = "revoked" if one.revoked_at else "live"
            out(f"{one.pk}\t{state}\t{one.name}\t…{one.hint}\t{', '.join(one.scopes)}")
    return 0


def revoke_token(given: argparse.Namespace) -> int:
    """`comptoir token revoke`."""
    with starting.ready():
        from django.db import transaction

        from comptoir.accounts import actions
        from comptoir.accounts.models import Token

        with transaction.atomic():
            token = Token.objects.filter(pk=given.id).first()
            if token is None:
                raise BadInput("there is no such token", place="id", value=str(given.id), cure="comptoir token list")
            actions.revoke(token, actor=SYSTEM, at=clock.now())
    return 0


def take_second_factor(given: argparse.Namespace) -> int:
    """`comptoir person take-second-factor`."""
    with starting.ready():
        from django.db import transaction

        from comptoir.accounts import second_factor
        from comptoir.accounts.models import User

        with transaction.atomic():
            person = User.objects.filter(email=given.email.strip().lower()).first()
            if person is None:
                raise BadInput("nobody signs in with this address", place="email", value=given.email, cure="look it up")
            second_factor.take_away(person, actor=SYSTEM, at=clock.now())
    out(f"{given.email} signs in without a second factor; every session of theirs has ended.")
    return 0
