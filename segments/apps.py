from __future__ import annotations

from django.apps import AppConfig


class SegmentsConfig(AppConfig):
    name = "segments"
    verbose_name = "Segments"

    def ready(self) -> None:
        from crm.ports.audiences import register_trait_uses
        from crm.ports.facts import register_facts
        from crm.ports.personal_data import register_holder
        from crm.ports.purposes import register_purposes
        from crm.ports.sheets import register_groups
        from crm.ports.timeline import register_timeline
        from segments.personal_data import SegmentHolder
        from segments.purposes import SegmentPurposes
        from segments.rules.membership import SegmentSource
        from segments.rules.stages import StageSource
        from segments.sheets import SegmentGroups
        from segments.stage_data import StageHolder, StageTimeline
        from segments.timeline import SegmentTimeline
        from segments.uses import list_trait_uses

        register_facts(SegmentSource())
        register_facts(StageSource())
        register_holder(StageHolder())
        register_timeline(StageTimeline())
        register_holder(SegmentHolder())
        register_groups(SegmentGroups())
        register_purposes(SegmentPurposes())
        register_timeline(SegmentTimeline())
        register_trait_uses(list_trait_uses)
