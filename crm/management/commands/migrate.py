"""`migrate`, which also lays the broker's schema where the broker is this database."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.commands import migrate
from django.db import connections

from crm.embedded.broker import SCHEME, lay_queue_schema


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        inspects_only = options["plan"] or options["check_unapplied"]
        if settings.CELERY_BROKER_URL.startswith(SCHEME) and not inspects_only:
            connection = connections[options["database"]]
            connection.ensure_connection()
            lay_queue_schema(connection.connection)
