"""`write_reference`: brings docs/reference.md up to date with the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from notifications.reference import write_reference


class Command(BaseCommand):
    help = "Writes docs/reference.md from the code."

    def handle(self, *args: Any, **options: Any) -> None:
        source = settings.BASE_DIR / "crm" / "settings.py"
        target: Path = settings.BASE_DIR / "docs" / "reference.md"
        text = write_reference(source.read_text(encoding="utf-8"))
        target.write_text(text, encoding="utf-8")
        self.stdout.write(f"Wrote {target.relative_to(settings.BASE_DIR)}.")
