"""Port `personal_data`: what consent keeps about a contact.

The ledger outlives merge and erasure: it holds no name, e-mail or phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone

from crm.models import Contact
from preferences.consent import Evidence, clear_choices, merge_choices
from preferences.models import (
    ConsentRecord,
    PreferenceLink,
    Subscription,
    Suppression,
)


class ConsentHolder:
    """Merge takes the strictest; erase keeps proof, drops the rest."""

    models: Sequence[str] = (
        "preferences.consentrecord",
        "preferences.preferencelink",
        "preferences.subscription",
        "preferences.suppression",
    )

    def merge(self, *, source_id: int, target_id: int) -> Mapping[str, Any]:
        """Suppressions move with the address; a live one that is there stays."""
        source = Contact.objects.get(pk=source_id)
        target = Contact.objects.get(pk=target_id)
        before = Subscription.objects.of_contacts([source_id, target_id])
        journal = list(
            before.values("contact_id", "center_id", "channel", "topic_id", "state")
        )
        taken = merge_choices(source, target, at=timezone.now())
        moved = Suppression.objects.move_live(source_id, target_id)
        PreferenceLink.objects.revoke(source_id)
        return {"subscriptions": journal, "taken": taken, "suppressions": moved}

    def export(self, contact_id: int) -> Mapping[str, Any]:
        contact = Contact.objects.get(pk=contact_id)
        uuids = [contact.uuid, *contact.merged.values_list("uuid", flat=True)]
        ledger = ConsentRecord.objects.of_person(uuids).select_related("topic")
        suppressions = Suppression.objects.of_contacts([contact_id])
        return {
            "consent": [export_record(row) for row in ledger],
            "suppressions": [
                {
                    "channel": row.channel,
                    "reason": row.reason,
                    "at": row.at.isoformat(),
                    "lifted_at": row.lifted_at.isoformat() if row.lifted_at else None,
                }
                for row in suppressions
            ],
        }

    def erase(self, contact_id: int) -> Mapping[str, int]:
        contact = Contact.objects.get(pk=contact_id)
        evidence = Evidence(timezone.now(), "rule", "erasure")
        cleared = clear_choices(contact, evidence=evidence)
        noted = Suppression.objects.of_contacts([contact_id]).update(note="")
        PreferenceLink.objects.revoke(contact_id)
        return {"preferences.subscription": cleared, "preferences.suppression": noted}


def export_record(row: ConsentRecord) -> dict[str, Any]:
    return {
        "number": row.number,
        "at": row.at.isoformat(),
        "about": row.subject,
        "purpose": row.purpose,
        "action": row.action,
        "actor": row.actor,
        "source": row.source,
        "wording_version": row.wording_version,
        "locale": row.locale,
        "address": row.address,
        "proof": row.proof,
        "hash": row.hash,
    }
