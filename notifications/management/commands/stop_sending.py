from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifications.delivery.switches import resume_sending, stop_sending
from notifications.models import Switch


class Command(BaseCommand):
    help = "Stop all sending, one channel or one sender, at once; or resume it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--scope", default=Switch.ALL, help="all, channel:push or sender:3"
        )
        parser.add_argument("--resume", action="store_true", help="turn it on again")
        parser.add_argument("--reason", default="", help="kept in the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        scope, reason = options["scope"], options["reason"]
        try:
            if options["resume"]:
                self._resume(scope, reason)
            else:
                stop_sending(scope, by="command", reason=reason)
                self.stdout.write(f"Stopped: {scope}. Resume it with --resume.")
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error

    def _resume(self, scope: str, reason: str) -> None:
        done = resume_sending(scope, by="command", reason=reason)
        if not done.was_off:
            self.stdout.write(f"{scope} was not stopped.")
            return
        self.stdout.write(
            f"Resumed: {scope}. {done.waiting} messages wait and go out now; "
            f"{done.too_late} expired meanwhile and stay unsent."
        )
