from __future__ import annotations

from django.apps import AppConfig


class SegmentsConfig(AppConfig):
    name = "segments"
    verbose_name = "Segments"

    def ready(self) -> None:
        from crm.ports.facts import register_facts
        from segments.rules.membership import SegmentSource

        register_facts(SegmentSource())
