"""Twenty orders reach for the last piece at the same instant, many times over; and what would happen without the lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection, transaction

from comptoir.commerce.inventory import actions, checks, ledger
from comptoir.commerce.inventory.records import Demand, LevelFigures
from comptoir.kit import sql
from comptoir.kit.actor import SYSTEM

from .builders import NOON, number, receive, variant, warehouse

CONNECTIONS = 20
ROUNDS = 200

Reserve = Callable[[list[Demand], threading.Barrier], dict[int, Decimal]]


def with_the_lock(demands: list[Demand], barrier: threading.Barrier) -> dict[int, Decimal]:
    barrier.wait()
    return actions.reserve(demands, at=NOON, actor=SYSTEM)


def without_the_lock(demands: list[Demand], barrier: threading.Barrier) -> dict[int, Decimal]:
    """The same steps on levels that were only read."""
    statement = ledger.LOCK_LEVELS.replace("FOR UPDATE", "")
    assert statement != ledger.LOCK_LEVELS
    barrier.wait()
    read = [LevelFigures(*row) for row in sql.rows(statement, [[d.variant for d in demands]])]
    page = ledger.Page({(f.variant, f.warehouse): f for f in read})
    return actions.allot(page, demands, (), at=NOON, actor=SYSTEM)


def race(rounds: int, reserve: Reserve) -> list[list[dict[int, Decimal] | Exception]]:
    """Per round, what each connection was given: one line for each of two variants of which there is one piece, asked for
    in opposite order by every second connection."""
    paris = warehouse()
    stock = [(variant(), variant()) for _ in range(rounds)]
    for pair in stock:
        for one in pair:
            receive(one, paris, 1)
    barrier = threading.Barrier(CONNECTIONS, timeout=60)
    outcomes: list[list[dict[int, Decimal] | Exception]] = [[] for _ in range(rounds)]

    def run(place: int) -> None:
        try:
            connection.ensure_connection()
            for outcome, pair in zip(outcomes, stock, strict=True):
                wanted = [
                    Demand(number(), place, one, Decimal(1), (paris,), NOON) for one in pair[:: 1 if place % 2 else -1]
                ]
                try:
                    with transaction.atomic():
                        given = reserve(wanted, barrier)
                    outcome.append({d.variant: given[d.line] for d in wanted})
                except Exception as error:  # noqa: BLE001  an outcome like any other: the test looks at it
                    outcome.append(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for future in [threads.submit(run, place) for place in range(CONNECTIONS)]:
            future.result()
    return outcomes


def oversold(outcome: list[dict[int, Decimal] | Exception]) -> bool:
    """Whether a round ended otherwise than: each piece reserved for exactly one, everybody else waits, no error."""
    answers = [answer for answer in outcome if isinstance(answer, dict)]
    if len(answers) < CONNECTIONS:
        return True
    return any(
        sorted(answer[variant] for answer in answers) != [Decimal(0)] * (CONNECTIONS - 1) + [Decimal(1)]
        for variant in answers[0]
    )


@pytest.mark.django_db(transaction=True)
def test_the_last_piece_is_reserved_once_and_everybody_else_waits() -> None:
    outcomes = race(ROUNDS, with_the_lock)
    assert [outcome for outcome in outcomes if oversold(outcome)] == []
    assert sql.value("SELECT sum(quantity) FROM inventory_reservation") == 2 * ROUNDS
    assert sql.value("SELECT sum(quantity) FROM inventory_backorder") == 2 * ROUNDS * (CONNECTIONS - 1)
    assert checks.check_books() == []


@pytest.mark.django_db(transaction=True)
def test_without_the_row_lock_the_race_is_lost() -> None:
    assert any(oversold(outcome) for outcome in race(20, without_the_lock))
