"""`load_sample`: the made-up shop that a first start shows."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from crm.models import Contact
from notifications.demo.shop import load_shop


class Command(BaseCommand):
    help = "Fills an empty database with a made-up shop, labelled as such."

    def handle(self, *args: Any, **options: Any) -> None:
        if Contact.objects.exists():
            raise CommandError("There are contacts already: the sample is for a start.")
        people = load_shop()
        self.stderr.write(f"A made-up shop with {people} people is ready to look at.")
