import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

ROLES = [
    ("owner", "Owner"),
    ("manager", "Manager"),
    ("picker", "Picker"),
    ("buyer", "Buyer"),
    ("accountant", "Accountant"),
    ("service", "Customer service"),
    ("reader", "Read only"),
]


class Migration(migrations.Migration):
    """People are invited by a link; sessions end together; some roles need a second factor."""

    dependencies = [("accounts", "0003_welcome")]

    operations = [
        migrations.AddField("User", "sign_outs", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.CreateModel(
            "StrictRole",
            [("role", models.CharField(choices=ROLES, max_length=12, primary_key=True, serialize=False))],
        ),
        migrations.CreateModel(
            "Invitation",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("email", models.EmailField(max_length=254)),
                ("role", models.CharField(choices=ROLES, max_length=12)),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("made_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("accepted_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("accepted_at__isnull", True), ("revoked_at__isnull", True)),
                        fields=("email",),
                        name="invitation_open_once",
                    )
                ]
            },
        ),
        migrations.CreateModel(
            "TokenUse",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("program", models.CharField(max_length=120)),
                ("last_at", models.DateTimeField()),
                (
                    "token",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="uses", to="accounts.token"
                    ),
                ),
            ],
            options={"constraints": [models.UniqueConstraint(fields=("token", "program"), name="token_use_unique")]},
        ),
    ]
