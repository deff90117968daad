"""`lay_foundation`: what an empty installation needs before its first campaign."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from notifications.demo.foundation import lay_foundation


class Command(BaseCommand):
    help = "Makes a brand, its preference center and a sender where there is none."

    def handle(self, *args: Any, **options: Any) -> None:
        brand = lay_foundation(name="My brand", slug="my-brand")
        self.stderr.write(f"{brand} has a preference center and a sender.")
