from __future__ import annotations

import sys

from django.apps import AppConfig
from django.conf import settings
from django.contrib import admin


def import_openpyxl_alone() -> None:
    """openpyxl imports numpy, where it is installed, only to know its numbers: 10 MB
    and 0.14 s in each process, for types that we never write to a sheet."""
    if "numpy" in sys.modules:
        return
    sys.modules["numpy"] = None  # type: ignore[assignment]
    try:
        import openpyxl.compat.numbers  # noqa: F401
    finally:
        del sys.modules["numpy"]


class CrmConfig(AppConfig):
    name = "crm"
    verbose_name = "Customers"

    def ready(self) -> None:
        from django.core.checks import register

        # Web processes publish too: the application must be the current one.
        import crm.celery  # noqa: F401
        from crm.ports.personal_data import register_holder
        from crm.privacy import CrmHolder
        from crm.purchases.personal_data import PurchaseHolder
        from crm.second_factor.checks import check_second_factor

        register(check_second_factor)
        register_holder(PurchaseHolder())
        register_holder(CrmHolder())

        if settings.LOAD_ADMIN:
            import_openpyxl_alone()
            admin.autodiscover()

        # --- What shop events teach ---
        from crm.catalog.learning import ProductEffects
        from crm.ports.effects import register_effects

        register_effects(ProductEffects())

        # --- What follows from events ---
        from crm.computed.personal_data import ComputedHolder

        register_holder(ComputedHolder())
        register_own()


def register_own() -> None:
    """What crm itself answers of the ports `facts`, `sheets` and `timeline`."""
    from crm.clock import list_database_zones
    from crm.computed.telling import ComputedTimeline
    from crm.facts import spoken as spoken_facts
    from crm.facts.attributes import AttributeSource
    from crm.facts.cohorts import CohortSource
    from crm.facts.devices import DeviceSource
    from crm.facts.events import EventSource
    from crm.facts.figures import AggregateSource
    from crm.facts.occurrences import OccurrenceSource
    from crm.facts.sequences import SequenceSource
    from crm.imports.tables import SHEETS
    from crm.ports.facts import register_facts, register_spoken, register_zones
    from crm.ports.sheets import register_sheet
    from crm.ports.timeline import register_timeline
    from crm.purchases import spoken as spoken_orders
    from crm.purchases.facts import OrderSource
    from crm.purchases.timeline import PurchaseTimeline

    done = (EventSource, OccurrenceSource, AggregateSource, SequenceSource)
    known = (AttributeSource, DeviceSource, OrderSource, CohortSource)
    for source in (*done, *known):
        register_facts(source())
    for reader in (spoken_facts, spoken_orders):
        register_spoken(reader.SPOKEN)
    register_zones(list_database_zones)
    for sheet in SHEETS:
        register_sheet(sheet)
    for timeline in (ComputedTimeline(), PurchaseTimeline()):
        register_timeline(timeline)
