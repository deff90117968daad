"""What crm itself stores about a contact: moved, shown and removed.

The holder of the port `personal_data` for events, devices, identifiers and merges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Coalesce
from django.utils import timezone

from crm.events.tombstones import lay_tombstones
from crm.models import (
    Contact,
    Device,
    DuplicateSuspect,
    Event,
    Identifier,
    ImportProblem,
    ImportTouch,
    Merge,
    MergeJournal,
    PendingEvent,
    Tombstone,
)
from crm.models.audit import record_audit
from crm.ports.personal_data import personal_data_holders


class CrmHolder:
    """Runs inside the caller's transaction, contacts locked."""

    models: Sequence[str] = (
        "crm.contact",
        "crm.identifier",
        "crm.device",
        "crm.event",
        "crm.pendingevent",
        "crm.merge",
        "crm.duplicatesuspect",
        "crm.importtouch",
        "crm.tombstone",
    )
    derived: Sequence[str] = (
        "crm.identifier",
        "crm.pendingevent",
        "crm.importtouch",
        "crm.duplicatesuspect",
    )

    def merge(self, *, source_id: int, target_id: int) -> Mapping[str, Any]:
        """Everything moves. Events and identifiers remember where they came from, so
        that the journal names only what is few."""
        source = {"contact_id": source_id}
        origin = Coalesce(F("origin_id"), F("contact_id"))
        devices = Device.objects.filter(**source)
        followers = Contact.objects.filter(canonical=source_id)
        journal = {
            "devices": list(devices.values_list("pk", flat=True)),
            "followers": list(followers.values_list("pk", flat=True)),
        }
        touches = ImportTouch.objects.filter(**source)
        journal["touches"] = list(touches.values_list("pk", flat=True))
        touches.update(contact=target_id)
        devices.update(contact=target_id)
        followers.update(canonical=target_id)
        PendingEvent.objects.filter(**source).update(contact=target_id)
        # What still looks alike is found again, by the survivor or after an undo.
        DuplicateSuspect.objects.of_contact(source_id).delete()
        for model in (Identifier, Event):
            rows = model._default_manager.filter(**source)
            rows.update(contact=target_id, origin_id=origin)
        return journal

    def undo_merge(
        self, *, source_id: int, target_id: int, journal: Mapping[str, Any]
    ) -> None:
        """What came by an identifier that goes back, goes back with it."""
        origins = [source_id, *journal["followers"]]
        target = {"contact_id": target_id}
        for model in (Identifier, Event):
            rows = model._default_manager.filter(**target, origin_id__in=origins)
            rows.update(contact=source_id)
        devices = Device.objects.filter(**target, pk__in=journal["devices"])
        devices.update(contact=source_id)
        touches = ImportTouch.objects.filter(pk__in=journal.get("touches", []))
        touches.filter(**target).update(contact=source_id)
        followers = Contact.objects.filter(pk__in=journal["followers"])
        followers.filter(canonical=target_id).update(canonical=source_id)
        events = Event.objects.filter(
            pk=OuterRef("event_id"),
            occurred_at=OuterRef("occurred_at"),
            contact=source_id,
        )
        waiting = PendingEvent.objects.filter(Exists(events), **target)
        waiting.update(contact=source_id)

    def count(self, contact_id: int) -> Mapping[str, int]:
        of_contact = {"contact_id": contact_id}
        return {
            "identifiers": Identifier.objects.filter(**of_contact).count(),
            "devices": Device.objects.filter(**of_contact).count(),
            "events": Event.objects.filter(**of_contact).count(),
        }

    def export(self, contact_id: int) -> Mapping[str, Any]:
        contact = Contact.objects.get(pk=contact_id)
        return {
            "profile": {
                "uuid": str(contact.uuid),
                "external_id": contact.external_id,
                "email": contact.email,
                "phone": contact.phone,
                "locale": contact.locale,
                "time_zone": contact.time_zone,
                "traits": contact.traits,
                "computed_traits": contact.computed,
                "known_since": contact.known_since.isoformat(),
            },
            "identifiers": [str(row) for row in contact.identifiers.all()],
            # The token itself is a key to the device: its end is enough to tell.
            "devices": [
                {"platform": d.platform, "token": f"…{d.address[-6:]}", "name": d.name}
                for d in contact.devices.all()
            ],
            "merges": list_merges(contact_id),
            "events": [
                {
                    "name": event.name,
                    "at": event.occurred_at.isoformat(),
                    "properties": event.properties,
                }
                for event in Event.objects.for_contact(contact).iterator()
            ],
        }

    def erase(self, contact_id: int) -> Mapping[str, int]:
        """Rows go; the contact's own row stays, emptied, so that reports add up."""
        of_contact = {"contact_id": contact_id}
        forget_rows_of(contact_id)
        counts = {
            "crm.event": Event.objects.filter(**of_contact).delete()[0],
            "crm.pendingevent": PendingEvent.objects.filter(**of_contact).delete()[0],
            "crm.device": Device.objects.filter(**of_contact).delete()[0],
            "crm.identifier": Identifier.objects.filter(**of_contact).delete()[0],
        }
        DuplicateSuspect.objects.of_contact(contact_id).delete()
        MergeJournal.objects.of_contact(contact_id).delete()
        Merge.objects.of_contact(contact_id).update(reason="")
        now = timezone.now()
        counts["crm.contact"] = Contact.objects.filter(pk=contact_id).update(
            external_id=None,
            email="",
            phone="",
            locale="",
            time_zone="",
            traits={},
            traits_at={},
            computed={},
            erased_at=now,
            updated_at=now,
        )
        return counts


def list_merges(contact_id: int) -> list[dict[str, Any]]:
    """Whom this contact became, and who became it."""
    return [
        {
            "from": str(row.source.uuid),
            "into": str(row.target.uuid),
            "at": row.made_at.isoformat(),
            "undone_at": row.undone_at.isoformat() if row.undone_at else None,
        }
        for row in Merge.objects.of_contact(contact_id)
    ]


def forget_rows_of(contact_id: int) -> None:
    """What an import's undo needs of this contact, and refused rows of files that name
    one of their identifiers."""
    ImportTouch.objects.filter(contact=contact_id).delete()
    values = Identifier.objects.filter(contact=contact_id)
    rows = ImportProblem.objects.naming(list(values.values_list("value", flat=True)))
    rows.delete()


@transaction.atomic
def erase_contact(
    contact: Contact, *, actor: Any, reason: str = "", may_return: bool = False
) -> dict[str, int]:
    """Remove or unname all that is kept about a contact and those merged into it.

    A tombstone stays for each of their identifiers, so that a late call or a file
    makes nobody, unless they `may_return`.

    Every holder erases its part; the contact's row stays, emptied, so that reports
    add up. Messages that wait are cancelled. Answers counts by model; the same twice
    erases nothing and writes nothing.
    """
    cluster = Contact.objects.filter(canonical=contact).values_list("pk", flat=True)
    ids = sorted([contact.pk, *cluster])
    locked = {row.pk: row for row in Contact.objects.lock_in_order(ids)}
    if contact.pk not in locked or locked[contact.pk].erased_at is not None:
        return {}
    if not may_return:
        lay_tombstones(ids, heir=contact.pk, at=timezone.now())
    counts: Counter[str] = Counter()
    for pk in ids:
        for holder in personal_data_holders():
            counts.update(holder.erase(pk))
    # Read again: the trail must not keep the name.
    contact.refresh_from_db()
    record_audit(
        actor=actor, action="erased", on=contact, changes=dict(counts), reason=reason
    )
    return dict(counts)


@transaction.atomic
def lift_tombstones(contact_id: int, *, actor: Any, reason: str = "") -> int:
    """Let an erased person come back: by a call, a file or a page; how many marks."""
    stones = Tombstone.objects.filter(contact=contact_id)
    lifted, _ = stones.delete()
    if lifted:
        contact = Contact.objects.get(pk=contact_id)
        changes = {"marks": lifted}
        record_audit(
            actor=actor, action="unerased", on=contact, changes=changes, reason=reason
        )
    return lifted
