"""The second factor: codes of an authenticator app, recovery codes, and the roles that must have them.

allauth keeps and checks the codes; here is what this house adds: secrets sealed at rest, a code that works once, and
events of all that changes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal import flows as recovery
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal import flows as totp
from django.conf import settings as django
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from comptoir.accounts import sessions
from comptoir.accounts.models import Role, StrictRole, User
from comptoir.events.record import record
from comptoir.kit import clock, ids, sql
from comptoir.kit.actor import Actor
from comptoir.kit.errors import BadInput, ConfigError
from comptoir.kit.secrets import Box
from comptoir.kit.settings import secret_keys, settings

CODE_LASTS = 120  # seconds: longer than any code is accepted, see MFA_TOTP_TOLERANCE


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """How allauth keeps secrets here: as credentials of channels are kept."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "cannot_delete_authenticator": _("Your role must have a second factor."),
        "incorrect_code": _("This code is wrong, or has been used."),
    }

    def encrypt(self, text: str) -> str:
        """Sealed with the key of this hub."""
        return _box().close({"secret": text}).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Opened with it, or with one of the older keys."""
        return str(_box().open(encrypted_text.encode())["secret"])

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Not where the role must have one."""
        return not is_required(authenticator.user.role)

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """None: what changes is in the audit trail, and on the person's page."""


def _box() -> Box:
    return Box(secret_keys(settings()))


class _Once:
    """A code works once, also in the half minutes around its own; what is refused is written down."""

    user: User
    cleaned_data: dict[str, Any]

    def clean_code(self) -> str:
        code = str(self.cleaned_data["code"])
        try:
            found = str(super().clean_code())  # type: ignore[misc]  # the form beside this in the class below
            key = "second-factor:" + ids.fingerprint(str(self.user.pk), "".join(filter(str.isalnum, code)))
            if not cache.add(key, "used", timeout=CODE_LASTS):
                raise Adapter().validation_error("incorrect_code")
        except ConfigError as error:  # restored without its key: said where it is met, and cured by an owner
            raise ValidationError(
                _("The secret key of this hub has changed, so codes cannot be checked. Ask who runs it.")
            ) from error
        except ValidationError:
            facts, about = {"person": self.user.pk}, f"person:{self.user.pk}"
            actor = self.user.as_actor()
            record("accounts.second_factor.refused", facts, actor=actor, at=clock.now(), subject=about)
            raise
        return found


class SignInForm(_Once, AuthenticateForm):  # type: ignore[misc]  # allauth ships no types
    """The code after the password."""


class AgainForm(_Once, ReauthenticateForm):  # type: ignore[misc]  # allauth ships no types
    """The code again before something that matters, for people without a password."""


def is_on(user: User) -> bool:
    """Whether somebody has a second factor."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).exists())


def people_with_one(people: Collection[int]) -> set[int]:
    """Those of these who have a second factor."""
    found = Authenticator.objects.filter(user_id__in=people, type=Authenticator.Type.TOTP)
    return set(found.values_list("user_id", flat=True))


def codes_left(user: User) -> int:
    """How many recovery codes were not used yet."""
    kept = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.RECOVERY_CODES).first()
    return len(kept.wrap().get_unused_codes()) if kept else 0


def strict_roles() -> list[str]:
    """The roles that must have one."""
    return list(StrictRole.objects.values_list("role", flat=True))


def is_required(role: str) -> bool:
    """Whether people of this role must have one."""
    return StrictRole.objects.filter(role=role).exists()


def is_missing(user: User) -> bool:
    """Whether somebody must get a second factor before anything else. Asked by every page, so in one statement."""
    return bool(
        sql.value(
            "SELECT EXISTS (SELECT FROM accounts_strictrole WHERE role = %s)"
            " AND NOT EXISTS (SELECT FROM mfa_authenticator WHERE user_id = %s AND type = 'totp')",
            [user.role, user.pk],
        )
    )


def require(roles: Sequence[str], *, actor: Actor, at: datetime) -> None:
    """Say which roles must have one, from the next page on that their people open."""
    if unknown := set(roles) - set(Role.values):
        raise BadInput("no such role", place="roles", value=min(unknown), cure=", ".join(Role.values))
    before, after = sorted(strict_roles()), sorted(set(roles))
    if before == after:
        return
    StrictRole.objects.exclude(role__in=after).delete()
    StrictRole.objects.bulk_create([StrictRole(role=role) for role in after if role not in before])
    record("accounts.second_factor.required", {"before": before, "after": after}, actor=actor, at=at)


def turn_on(request: HttpRequest, form: ActivateTOTPForm, *, actor: Actor, at: datetime) -> None:
    """From now on the app of the form is asked for a code; ten recovery codes are made with it."""
    user = request.user
    made, _codes = totp.activate_totp(request, form)
    post_authentication(request, made, reauthenticated=True)  # the recovery codes come next, without the password again
    record("accounts.second_factor.turned_on", {"person": user.pk}, actor=actor, at=at, subject=f"person:{user.pk}")


def turn_off(request: HttpRequest, *, actor: Actor, at: datetime) -> None:
    """The password alone lets this person in again; not where the role must have a second factor."""
    user = request.user
    kept = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).first()
    if kept is None:
        return
    if not Adapter().can_delete_authenticator(kept):
        raise BadInput("your role must have a second factor", place="role", value=str(user), cure="ask the owner")
    totp.deactivate_totp(request, kept)
    record("accounts.second_factor.turned_off", {"person": user.pk}, actor=actor, at=at, subject=f"person:{user.pk}")


def make_codes(request: HttpRequest, *, actor: Actor, at: datetime) -> None:
    """Ten new recovery codes; the old ones are worth nothing."""
    user = request.user
    if not recovery.can_generate_recovery_codes(user):
        raise BadInput("there is no second factor yet", place="second factor", value=str(user), cure="turn it on first")
    recovery.generate_recovery_codes(request)
    record("accounts.second_factor.codes_made", {"person": user.pk}, actor=actor, at=at, subject=f"person:{user.pk}")


def take_away(user: User, *, actor: Actor, at: datetime) -> None:
    """For somebody who lost telephone and codes: the owner takes the second factor away, and all their sessions end."""
    removed, _rows = Authenticator.objects.filter(user_id=user.pk).delete()
    if removed:
        facts = {"person": user.pk}
        record("accounts.second_factor.taken_away", facts, actor=actor, at=at, subject=f"person:{user.pk}")
        sessions.end_all(user, actor=actor, at=at)


def signed_in_just_now(request: HttpRequest) -> bool:
    """Whether the password was typed minutes ago, so that setting up a first second factor need not ask again."""
    since = clock.now().timestamp() - django.ACCOUNT_REAUTHENTICATION_TIMEOUT
    return any(found["at"] > since for found in get_authentication_records(request, request.user))
