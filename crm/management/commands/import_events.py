"""`import_events FILE`: what people did, from a CSV or XLSX file."""

from __future__ import annotations

from django.core.management.base import CommandParser

from crm.management.imports import ImportCommand


class Command(ImportCommand):
    help = "Import events from a CSV or XLSX file; refused rows end it with 1."
    kind = "events"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--event", help="the name of all events of the file")
