"""People who sign in, their roles, and API tokens."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models


class Role(models.TextChoices):
    """What a person does here."""

    OWNER = "owner"  #: everything, people and tokens included
    MANAGER = "manager"  #: the daily business and the channels
    PICKER = "picker"  #: picks, packs and ships
    BUYER = "buyer"  #: suppliers and purchases
    ACCOUNTANT = "accountant"  #: documents and figures
    SERVICE = "service"  #: orders and customers
    READER = "reader"  #: looks, changes nothing


class User(AbstractUser):
    """Somebody who signs in with an e-mail address."""

    role = models.CharField(max_length=12, choices=Role.choices, default=Role.READER)
    language = models.CharField(max_length=8, blank=True)
    timezone = models.CharField(max_length=48, blank=True)
    objects: ClassVar[UserManager["User"]] = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(models.functions.Lower("email"), name="user_email_unique")]


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
