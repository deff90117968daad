"""Who uses a segment or a trait: segments by their rules, and what downstream tells."""

from __future__ import annotations

from collections.abc import Collection

from django.urls import reverse

from crm.ports import audiences
from crm.ports.audiences import Use
from segments.models import Lifecycle, Segment, SegmentVersion
from segments.rules.stages import STAGE_TRAIT, InStage


def list_uses(segment: Segment) -> list[Use]:
    """Segments that name it, then campaigns; one query and each provider's."""
    naming = Segment.objects.naming(segment.slug).order_by("name")
    segments = [tell_segment(one) for one in naming]
    return [*segments, *audiences.list_uses(segment.pk)]


def tell_segment(segment: Segment) -> Use:
    return Use(
        "segment",
        segment.name,
        segment.get_state_display(),
        reverse("admin:segments_segment_overview", args=[segment.pk]),
        is_live=segment.kind == Segment.Kind.DYNAMIC,
    )


def list_stage_uses(keys: Collection[str]) -> list[Use]:
    """Segments whose rule asks for one of these stages."""
    asking = Segment.objects.asking_for(STAGE_TRAIT).select_related("current_version")
    return [
        tell_segment(one)
        for one in asking.order_by("name")
        if one.current_version and list_asked_stages(one.current_version) & set(keys)
    ]


def list_asked_stages(version: SegmentVersion) -> set[str]:
    asked = (leaf.condition for leaf in version.parsed().leaves())
    return {key for one in asked if isinstance(one, InStage) for key in one.keys}


def list_trait_uses(key: str) -> list[Use]:
    """For the port `audiences`: segments and stages whose rule asks for this trait."""
    asking = Segment.objects.asking_for(key).order_by("name")
    segments = [tell_segment(one) for one in asking]
    version = Lifecycle.objects.current()
    page = reverse("admin:segments_lifecycle_changelist")
    stages = [
        Use("stage", stage.label, "Live", page, is_live=True)
        for stage in (version.parsed() if version else ())
        if key in stage.rule.mentions().traits
    ]
    return [*segments, *stages]
