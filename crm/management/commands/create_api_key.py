"""`create_api_key --scope track`: prints a new key alone on the last line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from crm.keys import issue_api_key
from crm.models import ApiKey


class Command(BaseCommand):
    help = "Make an API key and print it: it can not be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            choices=ApiKey.Scope.values,
            help="what the key may do; may be given several times",
        )
        parser.add_argument("--name", default="", help="who uses it")
        parser.add_argument(
            "--days",
            type=int,
            choices=range(1, 3651),
            metavar="DAYS",
            help="ends by itself after so many",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = sorted(set(options["scope"]))
        name = options["name"] or f"{', '.join(scopes)} key"
        days = options["days"]
        row, secret = issue_api_key(
            name=name,
            scopes=scopes,
            expires_at=timezone.now() + timedelta(days=days) if days else None,
            actor="command",
        )
        self.stderr.write(f"{row.name}: keep it safe, it is shown only now.")
        self.stdout.write(secret)
