"""Prometheus gets its figures with a token that may read runs, and nobody gets them without."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client

from comptoir.accounts import actions as accounts
from comptoir.accounts.models import Role, User
from comptoir.channels.models import Channel
from comptoir.engine import findings
from comptoir.engine.flow import ensure_flows
from comptoir.engine.models import Run, Severity
from comptoir.flows import house
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM

LINE = re.compile(r'comptoir_[a-z_]+(\{[a-z]+="(?:[^"\\\n]|\\.)*"(,[a-z]+="(?:[^"\\\n]|\\.)*")*\})? -?[0-9.e+-]+')


def token(*scopes: str) -> str:
    return accounts.make_token("Prometheus", scopes, actor=SYSTEM, at=clock.now())[1]


def ask(secret: str) -> dict[str, float]:
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {secret}"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    text = answer.content.decode()
    assert text.endswith("\n")
    lines = [line for line in text.splitlines() if not line.startswith("# ")]
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    names = [line.rsplit(" ", 1)[0] for line in lines]
    assert len(names) == len(set(names))
    return {name: float(line.rsplit(" ", 1)[1]) for name, line in zip(names, lines, strict=True)}


@pytest.mark.django_db
def test_nobody_without_the_right_token_is_answered() -> None:
    owner = Client()
    owner.force_login(User.objects.create_user("o@hub.test", "a long password", role=Role.OWNER))
    revoked = token("runs.read")
    accounts.revoke(accounts.check_token(revoked, at=clock.now()), actor=SYSTEM, at=clock.now())  # type: ignore[arg-type]
    answers = [
        owner.get("/metrics"),
        *(
            Client().get("/metrics", headers={"Authorization": text})
            for text in ("", "Bearer", "Bearer cmt_wrong", "Basic eDp5", f"Bearer {revoked}")
        ),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert Client().get("/metrics", headers={"Authorization": f"Bearer {token('orders.read')}"}).status_code == 403


@pytest.mark.django_db
def test_figures_are_those_of_the_hub() -> None:
    at = clock.now()
    hub = house.ensure_hub(at=at)
    shop = Channel.objects.create(
        name='A "shop"', code="shop", kind="prestashop", webhook_token="t", created_at=at, health="locked_out"
    )
    (flow,) = ensure_flows(hub.pk, ["check_books"])
    for days, status in ((0, "done"), (0, "failed"), (3, "done")):
        then = at - timedelta(days=days)
        Run.objects.create(
            flow=flow, trigger="person", status=status, outcome="good", queued_at=then, finished_at=then,
            calls={"read": 3, "write": 2, "problems": 1},
        )  # fmt: skip
    Run.objects.create(flow=flow, trigger="person", queued_at=at - timedelta(seconds=90))
    reports = [findings.Report(shop.pk, "a", str(n), Severity.ERROR) for n in range(3)]
    findings.report([*reports, findings.Report(None, "b", "x", Severity.INFO)], at=at)

    told = ask(token("runs.read"))
    assert told['comptoir_runs_last_day{kind="check_books",status="done",outcome="good"}'] == 1
    assert told['comptoir_runs_last_day{kind="check_books",status="failed",outcome="good"}'] == 1
    assert told['comptoir_calls_reads_last_day{kind="check_books"}'] == 6
    assert told['comptoir_runs_open{status="queued"}'] == 1
    assert 90 <= told["comptoir_queue_oldest_seconds"] < 900
    assert told['comptoir_findings_open{severity="error"}'] == 3
    assert told['comptoir_findings_open{severity="info"}'] == 1
    assert told['comptoir_channel_good{channel="shop",mode="test"}'] == 0
    assert (told["comptoir_worker_lanes"], told["comptoir_leader"]) == (0, 0)
    assert told["comptoir_database_bytes"] > 1_000_000
    assert "comptoir_backup_age_seconds" not in told
