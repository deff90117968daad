"""Port `personal_data`: what consent keeps about a contact.

The ledger outlives merge and erasure: it holds no name, e-mail or phone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from crm.models import Contact
from preferences import levels
from preferences.consent import (
    Evidence,
    clear_choices,
    merge_choices,
    replace_choices,
)
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
    derived: Sequence[str] = ()

    def merge(self, *, source_id: int, target_id: int) -> Mapping[str, Any]:
        """Suppressions move with the address; a live one that is there stays."""
        source = Contact.objects.get(pk=source_id)
        target = Contact.objects.get(pk=target_id)
        before = Subscription.objects.of_contacts([source_id, target_id])
        journal = list(
            before.values("contact_id", "center_id", "channel", "topic_id", "state")
        )
        at = timezone.now()
        taken = merge_choices(source, target, at=at)
        moved = Suppression.objects.move_live(source_id, target_id)
        PreferenceLink.objects.revoke(source_id)
        return {
            "at": at.isoformat(),
            "subscriptions": journal,
            "taken": taken,
            "suppressions": moved,
        }

    def undo_merge(
        self, *, source_id: int, target_id: int, journal: Mapping[str, Any]
    ) -> None:
        """Each says again what it said; a no or a stop since then holds for both."""
        people = Contact.objects.in_bulk([source_id, target_id])
        source, target = people[source_id], people[target_id]
        mine, theirs, now = (
            read_words(journal["subscriptions"], source_id),
            read_words(journal["subscriptions"], target_id),
            read_standing(target_id),
        )
        evidence = Evidence(timezone.now(), "rule", "merge undone")
        first, second = part_all(mine, theirs, now)
        if first:
            proof = f"contact:{target.uuid}"
            replace_choices(source, first, evidence=replace(evidence, proof=proof))
        if second != now:
            proof = f"contact:{source.uuid}"
            replace_choices(target, second, evidence=replace(evidence, proof=proof))
        stops = Suppression.objects
        stops.move_back(journal["suppressions"], source_id, target_id)
        since = datetime.fromisoformat(journal["at"])
        stops.copy_live(source_id, target_id, since=since)

    def count(self, contact_id: int) -> Mapping[str, int]:
        said = Subscription.objects.of_contacts([contact_id])
        stops = Suppression.objects.live().of_contacts([contact_id])
        return {"choices of consent": said.count(), "suppressions": stops.count()}

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


Words = dict[tuple[int, levels.Level], str]


def read_words(rows: Iterable[Mapping[str, Any]], contact_id: int) -> Words:
    """What a journal says that this contact had said."""
    return {
        (row["center_id"], (row["channel"], row["topic_id"])): row["state"]
        for row in rows
        if row["contact_id"] == contact_id
    }


def read_standing(contact_id: int) -> Words:
    standing = Subscription.objects.of_contacts([contact_id]).as_projection()
    return {key: word.state for key, word in standing.items()}


def part_all(mine: Words, theirs: Words, now: Words) -> tuple[Words, Words]:
    """`levels.part_words` for every level that anybody spoke about."""
    first, second = Words(), Words()
    for key in {**mine, **theirs, **now}:
        parted = levels.part_words(mine.get(key), theirs.get(key), now.get(key))
        for words, word in zip((first, second), parted, strict=True):
            if word is not None:
                words[key] = word
    return first, second


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
