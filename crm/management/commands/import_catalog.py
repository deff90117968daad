"""`import_catalog FILE`: items of a catalog from a CSV or XLSX file."""

from __future__ import annotations

from django.core.management.base import CommandParser

from crm.management.imports import ImportCommand
from crm.models.catalog import PRODUCTS


class Command(ImportCommand):
    help = "Import items of a catalog (CSV or XLSX); refused rows end it with 1."
    kind = "items"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--catalog", default=PRODUCTS, help="its slug")
