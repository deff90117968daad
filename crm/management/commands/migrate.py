"""`migrate`, which also lays the broker's schema where the broker is this database,
and the partitions of the coming months."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.commands import migrate
from django.db import connections
from django.utils import timezone

from crm.embedded.broker import SCHEME, lay_queue_schema
from crm.events.retention import prepare_months


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        inspects_only = options["plan"] or options["check_unapplied"]
        if not inspects_only:
            # The first event must find its month: the tick comes only hourly.
            prepare_months(now=timezone.now())
        if settings.CELERY_BROKER_URL.startswith(SCHEME) and not inspects_only:
            connection = connections[options["database"]]
            connection.ensure_connection()
            lay_queue_schema(connection.connection)
