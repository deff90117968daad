"""Keep orders and subscriptions of events that came before they were kept."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from crm.purchases.catching_up import keep_old_purchases


class Command(BaseCommand):
    help = __doc__ or ""

    def handle(self, *args: Any, **options: Any) -> None:
        print(f"{keep_old_purchases():,} entries of orders and subscriptions are new.")
