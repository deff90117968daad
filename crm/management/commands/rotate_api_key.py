"""`rotate_api_key apr_Ab3dE6`: prints the new secret alone on the last line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm.keys import MAX_OVERLAP, OVERLAP, KeyEndedError, rotate_api_key
from crm.models import ApiKey

HOUR = timedelta(hours=1)


class Command(BaseCommand):
    help = "Give an API key a new secret; the old one works on for some hours."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prefix", help="the key's first letters, as the list shows")
        parser.add_argument(
            "--overlap-hours",
            type=int,
            default=OVERLAP // HOUR,
            choices=range(MAX_OVERLAP // HOUR + 1),
            metavar="HOURS",
            help="how long the old secret works on (default %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = ApiKey.objects.filter(prefix=options["prefix"][:10])
        if len(found) != 1:
            raise CommandError(f"{len(found)} keys begin with {options['prefix']}")
        overlap = options["overlap_hours"] * HOUR
        try:
            row, secret = rotate_api_key(found[0], actor="command", overlap=overlap)
        except KeyEndedError as error:
            raise CommandError(str(error)) from error
        self.stderr.write(
            f"{row.name}: the old secret ends at {row.old_key_ends_at:%Y-%m-%d %H:%M} "
            "UTC; the new one is shown only now."
        )
        self.stdout.write(secret)
