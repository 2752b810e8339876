"""People come by invitation and go at once: links that work once, sessions that end, and what others see of it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.core import mail
from django.db import connections, transaction
from django.test import Client
from mail_server import listening

from comptoir.accounts import invitations
from comptoir.accounts.models import Invitation, Role, User
from comptoir.events.models import Event
from comptoir.kit import clock
from comptoir.kit.actor import SYSTEM
from comptoir.kit.errors import BadInput

PASSWORD = "correct horse battery"
NEW = {"name": "Zoë", "password": PASSWORD, "again": PASSWORD}


def invite(owner: Client, email: str = "zoe@hub.test", role: str = "buyer") -> str:
    """The path of the link that the page shows this once."""
    return link(owner.post("/settings/people/", {"email": email, "role": role}))


def link(page: Any) -> str:
    found = re.search(r'id="link">([^<]+)<', page.content.decode())
    assert found is not None, page.content.decode()
    return found[1].removeprefix("http://testserver")


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_an_invitation_is_a_link_that_is_shown_once_and_works_once(owner: Client, client: Client) -> None:
    path = invite(owner, "Zoe@Hub.test")
    assert path not in owner.get("/settings/people/").content.decode()
    secret = path.removeprefix("/join/")
    kept = str(Invitation.objects.values().get()) + str(list(Event.objects.values_list("facts", flat=True)))
    assert secret not in kept

    page = client.get(path).content.decode()
    assert "zoe@hub.test" in page
    assert "Buyer" in page
    answer = client.post(path, NEW)

    user = User.objects.get(email="zoe@hub.test")
    assert (answer.status_code, is_in(client)) == (302, True)
    assert (user.name, user.role, user.check_password(PASSWORD)) == ("Zoë", Role.BUYER, True)
    assert client.get("/inventory/receive/").status_code == 200
    other = Client()
    assert (other.get(path).status_code, other.post(path, NEW).status_code) == (404, 404)
    assert User.objects.filter(email__startswith="zoe").count() == 1
    assert Event.objects.filter(name="accounts.invitation.accepted", actor_label="zoe@hub.test").count() == 1


def test_a_link_ends_when_it_is_renewed_taken_back_or_old(owner: Client, client: Client) -> None:
    first = invite(owner)
    row = Invitation.objects.get()
    second = link(owner.post(f"/settings/invitations/{row.pk}/renew"))
    assert client.get(first).status_code == 404
    assert client.get(second).status_code == 200

    Invitation.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert client.post(second, NEW).status_code == 404
    assert "Expired" in owner.get("/settings/people/").content.decode()
    third = link(owner.post(f"/settings/invitations/{row.pk}/renew"))
    owner.post(f"/settings/invitations/{row.pk}/revoke")

    assert client.post(third, NEW).status_code == 404
    assert "over" in owner.post(f"/settings/invitations/{row.pk}/renew", follow=True).content.decode()
    assert not User.objects.filter(email="zoe@hub.test").exists()


def test_inviting_the_same_address_again_leaves_one_link_that_works(owner: Client, client: Client) -> None:
    first, second = invite(owner, role="buyer"), invite(owner, "ZOE@hub.test", role="picker")

    assert client.get(first).status_code == 404
    client.post(second, NEW)
    assert User.objects.get(email="zoe@hub.test").role == Role.PICKER


def test_a_weak_or_mistyped_password_keeps_the_link_alive(owner: Client, client: Client) -> None:
    path = invite(owner)
    for wrong in ({"password": "short", "again": "short"}, {"again": "another one again"}):
        assert client.post(path, {**NEW, **wrong}).status_code == 422
    assert client.post(path, NEW).status_code == 302


def test_who_exists_is_not_invited_and_nobody_is_by_a_name_that_is_no_address(owner: Client) -> None:
    before = Invitation.objects.count()
    for email in ("owner@hub.test", "nobody", "a@hub.test\r\nBcc: b@elsewhere.test", "a@hub.test,b@elsewhere.test"):
        page = owner.post("/settings/people/", {"email": email, "role": "reader"}).content.decode()
        assert 'id="link"' not in page, email
    with pytest.raises(BadInput):
        invitations.invite("a@hub.test\nBcc: b@x.test", Role.READER, actor=SYSTEM, at=clock.now())
    assert Invitation.objects.count() == before


def test_a_mail_takes_the_link_to_the_address_alone(owner: Client, settings: Any) -> None:
    User.objects.filter(role=Role.OWNER).update(name="Eve\r\nBcc: everybody@elsewhere.test")
    assert not mail.outbox
    with listening() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        path = invite(owner)

    (sent,) = server.mails
    assert sent.recipients == ["zoe@hub.test"]
    head, _blank, body = sent.text.partition("\n\n")
    assert "Bcc" not in head
    assert path in body


def test_a_mail_server_that_is_away_is_said_and_the_link_is_there(owner: Client, settings: Any) -> None:
    with listening() as server:
        port = server.port
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port

    page = owner.post("/settings/people/", {"email": "zoe@hub.test", "role": "buyer"})

    assert link(page)
    assert "could not be sent" in owner.get("/settings/people/").content.decode() + page.content.decode()


def test_sessions_are_listed_and_ended_one_by_one_or_all(person: Callable[[Role], User]) -> None:
    user = person(Role.BUYER)
    browsers = [Client(headers={"User-Agent": f"Mozilla/5.0 (X11; Linux) Firefox/{n}"}) for n in range(4)]
    for browser in browsers:
        browser.force_login(user)
        browser.get("/me/sessions/")
    here, there, *others = browsers
    page = here.get("/me/sessions/").content.decode()
    assert page.count("Firefox, Linux</bdi>") == 4
    assert page.count("this one") == 1

    row = UserSession.objects.get(session_key=there.session.session_key)
    here.post(f"/me/sessions/{row.pk}/end")
    assert there.get("/me/").status_code == 302
    assert all(browser.get("/me/").status_code == 200 for browser in others)
    here.post("/me/sessions/end-others")
    assert all(browser.get("/me/").status_code == 302 for browser in others)
    assert here.get("/me/").status_code == 200
    ended = Event.objects.filter(name="accounts.sessions.ended").order_by("id")
    assert [event.facts["sessions"] for event in ended] == [1, 2]


def test_nobody_ends_a_session_of_somebody_else(person: Callable[[Role], User], owner: Client) -> None:
    victim, other = Client(), Client()
    victim.force_login(person(Role.BUYER))
    other.force_login(person(Role.READER))
    victim.get("/me/")
    row = UserSession.objects.get(session_key=victim.session.session_key)

    for attacker in (other, owner):
        attacker.post(f"/me/sessions/{row.pk}/end")
    assert victim.get("/me/").status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        ("", {"role": "reader", "is_active": "yes"}),
        ("", {"role": "buyer"}),
        ("/sign-out", {}),
    ],
)
def test_another_role_a_shut_door_or_the_owner_s_word_end_all_sessions_at_once(
    person: Callable[[Role], User], owner: Client, change: tuple[str, dict[str, str]]
) -> None:
    user = person(Role.BUYER)
    listed, never_listed = Client(), Client()
    for browser in (listed, never_listed):
        browser.force_login(user)
    listed.get("/me/")

    owner.post(f"/settings/people/{user.pk}{change[0]}", change[1])

    assert listed.get("/me/").status_code == 302
    assert never_listed.get("/me/").status_code == 302
    assert owner.get("/me/").status_code == 200


def test_saving_a_person_as_they_are_ends_nothing(person: Callable[[Role], User], owner: Client) -> None:
    browser = Client()
    browser.force_login(user := person(Role.BUYER))
    owner.post(f"/settings/people/{user.pk}", {"role": "buyer", "is_active": "yes"})

    assert browser.get("/me/").status_code == 200
    assert not Event.objects.filter(name="accounts.person.changed").exists()


def test_another_password_ends_the_other_sessions_and_keeps_this_one(person: Callable[[Role], User]) -> None:
    user = person(Role.BUYER)
    here, there = Client(), Client()
    for browser in (here, there):
        browser.force_login(user)
        browser.get("/me/")
    old = {"old_password": PASSWORD}

    here.post("/me/", {**old, "new_password1": "another horse battery", "new_password2": "another horse battery"})

    assert here.get("/me/").status_code == 200
    assert there.get("/me/").status_code == 302
    assert Client().login(email=user.email, password="another horse battery")
    assert Event.objects.filter(name="accounts.person.password_changed").count() == 1


def test_a_name_of_many_lines_becomes_one_and_its_change_is_written_down(
    person: Callable[[Role], User], owner: Client
) -> None:
    browser = Client()
    browser.force_login(user := person(Role.BUYER))
    browser.post("/me/", {"name": " Ada \r\n <b>Lovelace</b> ", "timezone": "UTC"})

    user.refresh_from_db()
    assert user.name == "Ada <b>Lovelace</b>"
    assert "<b>Lovelace" not in owner.get("/settings/people/").content.decode()
    assert Event.objects.get(name="accounts.person.renamed").facts["after"] == user.name


@pytest.mark.django_db(transaction=True)
def test_two_who_follow_one_link_at_the_same_moment_are_one_person() -> None:
    with transaction.atomic():
        _row, secret = invitations.invite("zoe@hub.test", Role.BUYER, actor=SYSTEM, at=clock.now())
    barrier, made = threading.Barrier(4), []

    def join() -> None:
        try:
            barrier.wait()
            with transaction.atomic():
                made.append(invitations.accept(secret, name="Z", password=PASSWORD, at=clock.now()))
        except BadInput as refusal:
            made.append(refusal)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=join) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [type(one) for one in made if one is not None] == [User]
    assert len(made) == 4
