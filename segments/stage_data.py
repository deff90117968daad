"""Stages on the contact page, and as personal data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.urls import reverse

from crm.ports.timeline import Entry, Panel
from segments.lifecycle import load_stages
from segments.models import ContactStage, Lifecycle, StageChange, StageClock

HISTORY = 5
# Whatever the order in which the other holders move their facts: the next tick
# judges the contact.
JUDGE_SOON = """
INSERT INTO segments_stageclock (version_id, contact_id, next_change_at)
SELECT l.id, %s, clock_timestamp() FROM segments_lifecycle l
ORDER BY l.number DESC LIMIT 1
ON CONFLICT (version_id, contact_id)
  DO UPDATE SET next_change_at = excluded.next_change_at
"""


def list_labels() -> dict[str, str]:
    version = Lifecycle.objects.current()
    stages = load_stages(version) if version else ()
    return {"": "none"} | {stage.key: stage.label for stage in stages}


class StageTimeline:
    """Provider of the port `timeline`."""

    def entries(
        self, contact_id: int, *, before: datetime, limit: int
    ) -> Sequence[Entry]:
        labels = list_labels()
        rows = StageChange.objects.of_contact(contact_id, before=before)[:limit]
        return [
            Entry(
                at=row.at,
                kind="segment",
                title=f"Lifecycle: {labels.get(row.was, row.was)} → "
                f"{labels.get(row.now, row.now)}",
                detail=row.reason,
                url=reverse("admin:segments_lifecycle_changelist"),
            )
            for row in rows
        ]

    def panels(self, contact_id: int) -> Sequence[Panel]:
        held = ContactStage.objects.filter(contact_id=contact_id).first()
        if held is None:
            return [Panel("Lifecycle", (), "In no stage yet.")]
        labels = list_labels()
        words = f"since {held.since:%-d %b %Y, %H:%M} UTC · {held.reason}"
        url = reverse("admin:segments_lifecycle_changelist")
        return [Panel("Lifecycle", [(labels.get(held.stage, held.stage), words, url)])]


class StageHolder:
    """Holder of the port `personal_data`."""

    models: Sequence[str] = (
        "segments.contactstage",
        "segments.stagechange",
        "segments.stageclock",
    )
    # They follow from facts, by rules.
    derived: Sequence[str] = models

    def merge(self, *, source_id: int, target_id: int) -> Mapping[str, Any]:
        """The target's stage stands until it is judged; the history moves along."""
        held = ContactStage.objects.filter(contact_id=source_id)
        before = [[row.stage, row.since.isoformat(), row.reason] for row in held]
        held.delete()
        StageClock.objects.filter(contact_id=source_id).delete()
        changes = StageChange.objects.filter(contact_id=source_id)
        moved = list(changes.values_list("pk", flat=True))
        changes.update(contact_id=target_id)
        judge_soon(target_id)
        return {"stage": before, "changes": moved}

    def undo_merge(
        self, *, source_id: int, target_id: int, journal: Mapping[str, Any]
    ) -> None:
        rows = StageChange.objects.filter(pk__in=journal["changes"])
        rows.filter(contact_id=target_id).update(contact_id=source_id)
        ContactStage.objects.bulk_create(
            (
                ContactStage(
                    contact_id=source_id, stage=stage, since=since, reason=reason
                )
                for stage, since, reason in journal["stage"]
            ),
            ignore_conflicts=True,
        )
        for contact_id in (source_id, target_id):
            judge_soon(contact_id)

    def count(self, contact_id: int) -> Mapping[str, int]:
        return {}

    def export(self, contact_id: int) -> Mapping[str, Any]:
        rows = StageChange.objects.filter(contact_id=contact_id).order_by("pk")
        return {
            "lifecycle": [
                {
                    "from": row.was,
                    "to": row.now,
                    "at": row.at.isoformat(),
                    "reason": row.reason,
                }
                for row in rows
            ]
        }

    def erase(self, contact_id: int) -> Mapping[str, int]:
        held, _ = ContactStage.objects.filter(contact_id=contact_id).delete()
        changes, _ = StageChange.objects.filter(contact_id=contact_id).delete()
        StageClock.objects.filter(contact_id=contact_id).delete()
        return {"segments.contactstage": held, "segments.stagechange": changes}


def judge_soon(contact_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(JUDGE_SOON, [contact_id])
