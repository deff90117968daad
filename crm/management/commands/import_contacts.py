"""`import_contacts FILE`: people from a CSV or XLSX file."""

from __future__ import annotations

from crm.management.imports import ImportCommand


class Command(ImportCommand):
    help = "Import contacts from a CSV or XLSX file; refused rows end it with 1."
    kind = "contacts"
