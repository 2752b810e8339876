"""Models and migrations: foreign keys run downwards, and the migrations make exactly the models' schema.

An import contract cannot see `ForeignKey("app.Model")` or what a migration depends on.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader
from psycopg import conninfo

from comptoir.kit import postgres

OURS = {config.label: config.name for config in apps.get_app_configs() if config.name.startswith("comptoir.")}

# Apps of other packages that ours may point at.
FOREIGN = {"auth", "contenttypes"}

# Makes the schema from the models alone, as if no app had migrations.
FROM_MODELS = """
import django
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from comptoir.config import settings as ours
settings.MIGRATION_MODULES = {name.rsplit(".", 1)[-1]: None for name in ours.INSTALLED_APPS}
django.setup()
settings.MIGRATION_MODULES |= {config.label: None for config in apps.get_app_configs()}
call_command("migrate", run_syncdb=True, verbosity=0)
"""


def fields_that_point() -> list[tuple[str, str, str]]:
    """(model, field, target) of every relation that our models declare."""
    return [
        (model._meta.label, field.name, field.related_model._meta.label)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in OURS
        for field in [*model._meta.local_fields, *model._meta.local_many_to_many]
        if isinstance(field.related_model, type) and issubclass(field.related_model, models.Model)
    ]


def test_every_part_that_stores_something_is_installed(root: Path) -> None:
    folders = {".".join(path.parent.relative_to(root / "src").parts) for path in root.glob("src/**/models.py")}
    assert folders
    assert folders <= set(OURS.values())


def test_foreign_keys_run_downwards(picture: Any) -> None:
    pointing = fields_that_point()
    assert ("inventory.Movement", "variant", "catalog.Variant") in pointing
    wrong = []
    for model, field, target in pointing:
        label, target_label = model.split(".")[0], target.split(".")[0]
        allowed = (
            target_label in FOREIGN if target_label not in OURS else picture.allows(OURS[label], OURS[target_label])
        )
        if not allowed:
            wrong.append(f"{model}.{field} points at {target}")
    assert wrong == []


def test_migrations_depend_downwards(picture: Any) -> None:
    wrong = []
    loader = MigrationLoader(None)
    for (label, name), migration in loader.disk_migrations.items():
        if label not in OURS:
            continue
        if migration.run_before:
            wrong.append(f"{label}.{name} wants to run before {migration.run_before}")
        for other, _ in migration.dependencies:
            if other == "__setting__":
                other = "accounts"  # the only model that a setting names is the user
            allowed = other in FOREIGN if other not in OURS else picture.allows(OURS[label], OURS[other])
            if not allowed:
                wrong.append(f"{label}.{name} depends on {other}")
    assert wrong == []


def test_a_migration_is_named_by_its_purpose() -> None:
    names = [key for key in MigrationLoader(None).disk_migrations if key[0] in OURS]
    assert names
    assert [f"{label}.{name}" for label, name in names if re.match(r"\d{4}_(auto|alter|rename)_", name)] == []


@pytest.mark.django_db
def test_no_migration_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        call_command("makemigrations", check=True, dry_run=True)
    except SystemExit:
        pytest.fail(f"models have changed without a migration:\n{capsys.readouterr().out}")


@pytest.fixture
def database_from_models(db: None) -> Iterator[str]:
    """A database whose tables were made from the models, without any migration but those for extensions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'")
        extensions = [row[0] for row in cursor.fetchall()]
    url = os.environ["COMPTOIR_DATABASE_URL"]
    name = f"comptoir_models_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            made = conninfo.make_conninfo(url, dbname=name)
            with psycopg.connect(made, autocommit=True) as fresh:
                for extension in extensions:
                    fresh.execute(f"CREATE EXTENSION {extension}")
            environment = os.environ | {
                "COMPTOIR_DATABASE_URL": made,
                "DJANGO_SETTINGS_MODULE": "comptoir.config.settings",
            }
            subprocess.run([sys.executable, "-c", FROM_MODELS], env=environment, check=True, timeout=120)
            yield made
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def schema_of(address: str) -> set[str]:
    """Every statement that makes our tables, one line each, whatever the order of columns.

    Left out is what a model cannot say and a migration says in SQL: triggers.
    """
    tables = [
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in OURS and model._meta.managed
    ]
    # A pg_dump of the server's own version: a newer one says more than was asked.
    programs = postgres.debian(connection.pg_version // 10000) or postgres.find_binaries()
    dumped = subprocess.run(
        [
            str(programs / "pg_dump"),
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            *(f"--table=public.{table}" for table in tables),
            address,
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    lines = "\n".join(line for line in dumped.splitlines() if line and not line.startswith(("--", "\\", "SET ")))
    statements = set()
    for statement in re.split(r";\n", lines + "\n"):
        if statement.startswith(("CREATE TRIGGER", "SELECT pg_catalog")) or not statement.strip():
            continue
        if statement.startswith("CREATE TABLE"):
            table, *columns, _ = statement.splitlines()
            statement = " ".join([table, *sorted(column.strip().rstrip(",") for column in columns)])
        statements.add(re.sub(r"\s+", " ", statement))
    return statements


@pytest.mark.django_db
def test_models_and_migrations_make_the_same_schema(database_from_models: str) -> None:
    migrated = conninfo.make_conninfo(os.environ["COMPTOIR_DATABASE_URL"], dbname=str(connection.settings_dict["NAME"]))
    from_migrations, from_models = schema_of(migrated), schema_of(database_from_models)
    assert any(statement.startswith("CREATE TABLE public.inventory_movement") for statement in from_models)
    assert sorted(from_migrations - from_models) == []
    assert sorted(from_models - from_migrations) == []


def test_the_picture_says_no_where_it_should(picture: Any) -> None:
    assert picture.allows("comptoir.commerce.orders", "comptoir.commerce.inventory")
    assert not picture.allows("comptoir.commerce.inventory", "comptoir.commerce.orders")
    assert not picture.allows("comptoir.commerce.orders", "comptoir.channels")
    assert not picture.allows("comptoir.engine", "comptoir.offers")
    assert not picture.allows("comptoir.staging", "comptoir.webhooks")
