"""Two contacts become one: rows move to the target, the source points at it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from crm.events.traits import TraitWord, merge_traits
from crm.models import Contact
from crm.models.audit import record_audit
from crm.ports.personal_data import personal_data_holders


class MergeRefused(ValueError):
    """The two can not be one: the same contact, or one is merged or erased."""


@transaction.atomic
def merge_contacts(*, source_id: int, target_id: int, actor: Any) -> Contact:
    """Fold `source` into `target`; answers the target.

    1. lock both in id order  2. join what the two rows say
    3. every holder re-points its rows  4. the source points at the target, and so
       does whatever pointed at the source: one hop always leads home
    """
    if source_id == target_id:
        raise MergeRefused("A contact can not be merged into itself.")
    rows = Contact.objects.lock_in_order([source_id, target_id])
    found = {row.pk: row for row in rows}
    source, target = found.get(source_id), found.get(target_id)
    for contact in (source, target):
        if contact is None or contact.canonical_id or contact.erased_at:
            raise MergeRefused("Only contacts that are neither merged nor erased.")
    assert source is not None
    assert target is not None
    external_id = source.external_id
    source.canonical = target
    source.external_id = None
    source.save(update_fields=["canonical", "external_id", "updated_at"])
    Contact.objects.filter(canonical=source).update(canonical=target)
    join_profiles(source, target, external_id)
    journal = {
        type(holder).__name__: dict(
            holder.merge(source_id=source_id, target_id=target_id)
        )
        for holder in personal_data_holders()
    }
    record_audit(
        actor=actor,
        action="merged",
        on=target,
        changes={"from": str(source.uuid), "journal": journal},
    )
    return target


def join_profiles(source: Contact, target: Contact, external_id: str | None) -> None:
    """The newest word per trait, the oldest acquaintance, the latest activity."""
    target.external_id = target.external_id or external_id
    for key, at in source.traits_at.items():
        said = {key: source.traits.get(key)}
        merge_traits(
            target, TraitWord(target.pk, said, datetime.fromtimestamp(at, UTC))
        )
    for column in ("email", "phone", "locale", "time_zone"):
        if not getattr(target, column):
            setattr(target, column, getattr(source, column))
    target.known_since = min(source.known_since, target.known_since)
    active = [at for at in (source.last_active_at, target.last_active_at) if at]
    target.last_active_at = max(active, default=None)
    target.save()
