from __future__ import annotations

from django.apps import AppConfig


class CrmConfig(AppConfig):
    name = "crm"
    verbose_name = "Customers"

    def ready(self) -> None:
        # Web processes publish too: the application must be the current one.
        import crm.celery  # noqa: F401
