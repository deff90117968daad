from __future__ import annotations

from django.apps import AppConfig


class SegmentsConfig(AppConfig):
    name = "segments"
    verbose_name = "Segments"

    def ready(self) -> None:
        from crm.ports.facts import register_facts
        from crm.ports.personal_data import register_holder
        from crm.ports.sheets import register_groups
        from crm.ports.timeline import register_timeline
        from segments.personal_data import SegmentHolder
        from segments.rules.membership import SegmentSource
        from segments.sheets import SegmentGroups
        from segments.timeline import SegmentTimeline

        register_facts(SegmentSource())
        register_holder(SegmentHolder())
        register_groups(SegmentGroups())
        register_timeline(SegmentTimeline())
