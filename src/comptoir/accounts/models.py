"""People who sign in, their roles, and API tokens."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from comptoir.kit.actor import Actor, ActorKind


class Role(models.TextChoices):
    """What a person does here; `rights.py` says what that allows."""

    OWNER = "owner", _("Owner")  #: everything, people and tokens included
    MANAGER = "manager", _("Manager")  #: the daily business and the channels
    PICKER = "picker", _("Picker")  #: picks, packs and ships
    BUYER = "buyer", _("Buyer")  #: suppliers and purchases
    ACCOUNTANT = "accountant", _("Accountant")  #: documents and figures
    SERVICE = "service", _("Customer service")  #: orders and customers
    READER = "reader", _("Read only")  #: looks, changes nothing


class Theme(models.TextChoices):
    """How pages look to a person."""

    AUTO = "auto", _("As the system")  #: light or dark as the machine says
    LIGHT = "light", _("Light")  #: always light
    DARK = "dark", _("Dark")  #: always dark


class People(BaseUserManager["User"]):
    """Makes people; e-mail addresses are kept in lower case, so that nobody exists twice."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """A person who may sign in; without a password only another way of signing in works."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """Somebody who signs in with an e-mail address."""

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120, blank=True)
    role = models.CharField(max_length=12, choices=Role.choices, default=Role.READER)
    language = models.CharField(max_length=8, blank=True)
    timezone = models.CharField(max_length=48, blank=True)
    theme = models.CharField(max_length=5, choices=Theme.choices, default=Theme.AUTO)
    is_active = models.BooleanField(default=True)
    made_at = models.DateTimeField(db_default=Now())
    sign_outs = models.PositiveIntegerField(default=0, db_default=0)  # raised to end all sessions at once

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[People] = People()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_unique")]

    def __str__(self) -> str:
        return self.name or self.email

    def as_actor(self) -> Actor:
        """The person as histories name them."""
        return Actor(ActorKind.PERSON, str(self.pk), str(self)[:120])

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session must hold to go on: another after a new password, and after all were ended."""
        base: str = super()._get_session_auth_hash(secret)  # type: ignore[misc]  # Django's stubs leave it out
        return f"{base}-{self.sign_outs}" if self.sign_outs else base


class StrictRole(models.Model):
    """A role whose people need a second factor before anything else."""

    role = models.CharField(max_length=12, choices=Role.choices, primary_key=True)


class Invitation(models.Model):
    """A one-time link that lets somebody join; only its hash is kept, so that nobody who reads the table can use it."""

    email = models.EmailField(max_length=254)  # in lower case
    role = models.CharField(max_length=12, choices=Role.choices)
    sha256 = models.CharField(max_length=64, unique=True)
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["email"],
                condition=models.Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="invitation_open_once",
            )
        ]


class Counted(models.Model):
    """What all web processes count together, such as how often somebody tried to sign in: the table of Django's cache."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)


class Welcome(models.Model):
    """The one-time address where the first person makes themself the owner; kept as a hash, gone with the first owner."""

    sha256 = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()


class Token(models.Model):
    """An API token, named for its use; shown once, kept as a hash."""

    name = models.CharField(max_length=80)
    sha256 = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=8)  # its last letters, to tell tokens apart
    scopes = models.JSONField(default=list)
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)


class TokenUse(models.Model):
    """What a token was used by, as programs name themselves: who revokes it learns what will stop."""

    token = models.ForeignKey(Token, on_delete=models.CASCADE, related_name="uses")
    program = models.CharField(max_length=120)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "program"], name="token_use_unique")]
