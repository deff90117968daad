"""Port `timeline`: consent on the contact page and its timeline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.urls import reverse

from crm.models import Contact
from crm.ports.timeline import Entry, Panel
from preferences.models import ConsentRecord, Subscription, Suppression

TONES = {"subscribed": "good", "unsubscribed": "bad", "pending": "neutral"}


class ConsentTimeline:
    """Ledger rows as entries; what stands now as a panel."""

    def entries(
        self, contact_id: int, *, before: datetime, limit: int
    ) -> Sequence[Entry]:
        uuid = Contact.objects.values_list("uuid", flat=True).get(pk=contact_id)
        rows = ConsentRecord.objects.said_before([uuid], before)[:limit]
        return [
            Entry(
                at=row.at,
                kind="consent",
                title=f"{row.subject}: {row.get_action_display().lower()}",
                detail=f"by {row.actor} through {row.source}",
                url=reverse("admin:preferences_consentrecord_change", args=[row.pk]),
                tone=TONES.get(row.action, "neutral"),
            )
            for row in rows
        ]

    def panels(self, contact_id: int) -> Sequence[Panel]:
        said = Subscription.objects.of_contacts([contact_id]).widest_first()
        stops = Suppression.objects.live().of_contacts([contact_id])
        rows = [
            (
                "Suppressed",
                str(stop),
                reverse("admin:preferences_suppression_change", args=[stop.pk]),
            )
            for stop in stops
        ]
        rows += [(row.subject, str(row.get_state_display()), "") for row in said]
        return [Panel("Consent", rows, empty="Nothing was said about messages yet.")]
