"""Migrations: complete, named, on one line, and forward only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

APPS = ("crm", "preferences", "segments", "notifications")


@pytest.mark.django_db
def test_the_migrations_say_everything_that_the_models_say() -> None:
    out = StringIO()

    call_command("makemigrations", *APPS, check=True, dry_run=True, stdout=out)

    assert "No changes detected" in out.getvalue()


def test_every_migration_has_a_name_that_says_what_it_does() -> None:
    named = re.compile(r"\d{4}_[a-z0-9]+(_[a-z0-9]+)+")
    faults = [
        f"{app}.{name}"
        for app, name, _ in list_migrations()
        if not named.fullmatch(name) or "_auto_" in name
    ]

    assert faults == []


def test_the_migrations_of_an_app_stand_in_one_line() -> None:
    for app in APPS:
        rows = sorted((name, found) for a, name, found in list_migrations() if a == app)
        numbers = [int(name[:4]) for name, _ in rows]
        parents = [
            [parent for label, parent in found.dependencies if label == app]
            for _, found in rows
        ]

        assert numbers == list(range(1, len(rows) + 1)), app
        assert parents == [[], *([name] for name, _ in rows[:-1])], app


def list_migrations() -> Iterator[tuple[str, str, Migration]]:
    loader = MigrationLoader(connection, load=False)
    loader.load_disk()
    for (app, name), found in loader.disk_migrations.items():
        if app in APPS:
            yield app, name, found
