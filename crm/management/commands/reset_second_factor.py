"""`reset_second_factor <user>`: for whoever lost the phone and the codes."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm.second_factor.factors import reset_factor


class Command(BaseCommand):
    help = "Take a person's second factor away: the password alone opens again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="their login")
        parser.add_argument("--reason", default="", help="kept in the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        person = User.objects.filter(username=options["user"]).first()
        if person is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        if not reset_factor(person, by="command", reason=options["reason"]):
            self.stdout.write(f"{person} had no second factor.")
            return
        self.stdout.write(
            f"{person} has no second factor any more. Where it is required, they set "
            "up a new one before they may send."
        )
