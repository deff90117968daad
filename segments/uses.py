"""Who uses a segment or a trait: segments by their rules, and what downstream tells."""

from __future__ import annotations

from django.urls import reverse

from crm.ports import audiences
from crm.ports.audiences import Use
from segments.models import Lifecycle, Segment


def list_uses(segment: Segment) -> list[Use]:
    """Segments that name it, then campaigns; one query and each provider's."""
    naming = Segment.objects.depending_on(segment.slug).order_by("name")
    segments = [
        Use(
            "segment",
            one.name,
            one.get_state_display(),
            reverse("admin:segments_segment_overview", args=[one.pk]),
            is_live=True,
        )
        for one in naming
    ]
    return [*segments, *audiences.list_uses(segment.pk)]


def list_trait_uses(key: str) -> list[Use]:
    """For the port `audiences`: segments and stages whose rule asks for this trait."""
    segments = [
        Use(
            "segment",
            one.name,
            one.get_state_display(),
            reverse("admin:segments_segment_overview", args=[one.pk]),
            is_live=one.kind == Segment.Kind.DYNAMIC,
        )
        for one in Segment.objects.asking_for(key).order_by("name")
    ]
    version = Lifecycle.objects.current()
    page = reverse("admin:segments_lifecycle_changelist")
    stages = [
        Use("stage", stage.label, "Live", page, is_live=True)
        for stage in (version.parsed() if version else ())
        if key in stage.rule.mentions().traits
    ]
    return [*segments, *stages]
