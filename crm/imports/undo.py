"""An import taken back, from its last row to its first, unless others built on it.

- A contact that the import made is removed, unless something came since: a word about
  them, an event, a device, a message, a choice, a merge.
- A trait that it changed goes back, unless somebody said something newer.
- Its events are removed, and their ids forgotten, so that the file may come again.
- An item of a catalog goes back, unless somebody changed it since.

What stays is counted by its reason. What others drew from it meanwhile (a message that
was sent, a conversion that was counted) is not undone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.apps import apps
from django.db import connection, models
from django.utils import timezone

from crm.catalog.items import archive_items, lock_catalog, save_items
from crm.events.bulk import leave_pending
from crm.events.sources import OURS
from crm.events.traits import COLUMNS, clean_column, write_addresses, write_profiles
from crm.imports.items import read_stands
from crm.models import Catalog, Contact, ImportJob, ImportTouch
from crm.ports.personal_data import personal_data_holders
from crm.purchases.keeping import forget_events

CHUNK: Final = 1_000
DELETE_EVENTS: Final = """
WITH gone AS (
    DELETE FROM crm_event WHERE contact_id = ANY(%(ids)s::bigint[])
        AND source = 'import' AND context ->> 'import' = %(mark)s
    RETURNING id, message_id
), waiting AS (
    DELETE FROM crm_pendingevent p USING gone
    WHERE p.event_id = gone.id AND p.contact_id = ANY(%(ids)s::bigint[])
), keys AS (
    DELETE FROM crm_messagekey k USING gone WHERE k.message_id = gone.message_id
)
SELECT coalesce(array_agg(id), '{}') FROM gone
"""
# From what is left; the age of a profile stays, since nobody wrote down the older one.
REDATE: Final = """
UPDATE crm_contact c SET last_active_at = (
    SELECT max(e.occurred_at) FROM crm_event e
    WHERE e.contact_id = c.id AND e.source <> ALL(%(ours)s))
WHERE c.id = ANY(%(ids)s::bigint[])
"""


def undo_chunk(job: ImportJob) -> bool:
    """Take the next touches back inside the caller's transaction; False where none is
    left. Counts go to `job.undone`."""
    touches = list(job.touches.order_by("-pk")[:CHUNK])
    if not touches:
        return False
    counts: Counter[str] = Counter(job.undone)
    if job.kind == ImportJob.Kind.ITEMS:
        undo_items(job, touches, counts)
    else:
        undo_people(job, touches, counts)
    ImportTouch.objects.filter(pk__in=[touch.pk for touch in touches]).delete()
    job.undone = {words: count for words, count in counts.items() if count}
    return True


def undo_people(
    job: ImportJob, touches: Sequence[ImportTouch], counts: Counter[str]
) -> None:
    ids = sorted({t.contact_id for t in touches if t.contact_id})
    people = {c.pk: c for c in Contact.objects.lock_in_order(ids)}
    usable = {pk for pk, c in people.items() if not c.canonical_id and not c.erased_at}
    counts["erased or merged since, left alone"] += len(ids) - len(usable)
    if job.kind == ImportJob.Kind.EVENTS:
        counts["events removed"] += delete_events(sorted(usable), mark=str(job.pk))
    said_at = job.created_at.timestamp()
    changed = {
        touch.contact_id
        for touch in touches
        if touch.contact_id in usable
        and not touch.made
        and restore_traits(people[touch.contact_id], touch.before, said_at, counts)
    }
    write_back([people[pk] for pk in sorted(changed)])
    counts["contacts put back"] += len(changed)
    made = {t.contact_id for t in touches if t.made and t.contact_id in usable}
    gone = remove_untouched([people[pk] for pk in sorted(made)], said_at, counts)
    leave_pending(sorted(usable - gone), at=timezone.now())


def delete_events(ids: list[int], *, mark: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(DELETE_EVENTS, {"ids": ids, "mark": mark})
        gone = cursor.fetchone()[0]
        cursor.execute(REDATE, {"ids": ids, "ours": list(OURS)})
    forget_events(gone)
    return len(gone)


def restore_traits(
    contact: Contact, before: dict[str, Any], said_at: float, counts: Counter[str]
) -> bool:
    """Each trait as it was, where the import's word still stands."""
    is_changed = False
    for key, (value, at) in before.items():
        if contact.traits_at.get(key) != said_at:
            counts["traits with a newer word, kept"] += 1
            continue
        is_changed = True
        if at is None:
            del contact.traits_at[key]
        else:
            contact.traits_at[key] = at
        if value is None:
            contact.traits.pop(key, None)
        else:
            contact.traits[key] = value
        if key in COLUMNS:
            setattr(contact, COLUMNS[key], clean_column(COLUMNS[key], value) or "")
    return is_changed


def write_back(contacts: Sequence[Contact]) -> None:
    if contacts:
        write_profiles(contacts)
        write_addresses(contacts)


def remove_untouched(
    made: Sequence[Contact], said_at: float, counts: Counter[str]
) -> set[int]:
    """The contacts that nothing came to since; each of the others is counted by why
    it stays."""
    gone = {contact.pk for contact in made}
    for contact in made:
        if any(at != said_at for at in contact.traits_at.values()):
            gone.discard(contact.pk)
            counts["contacts kept: told more since"] += 1
    derived = {label for holder in personal_data_holders() for label in holder.derived}
    for model in list_models():
        label = model._meta.label_lower
        if label in derived or model is Contact:
            continue
        with_rows = find_with_rows(model, gone)
        gone -= with_rows
        words = str(model._meta.verbose_name_plural)
        counts[f"contacts kept: have {words}"] += len(with_rows)
    for label in derived:
        for name in list_keys(apps.get_model(label)):
            apps.get_model(label)._base_manager.filter(**{f"{name}__in": gone}).delete()
    Contact.objects.filter(pk__in=gone).delete()
    counts["contacts removed"] += len(gone)
    return gone


def list_models() -> Iterable[type[models.Model]]:
    """Everything that is kept about people, by the holders of all apps."""
    for holder in personal_data_holders():
        for label in holder.models:
            yield apps.get_model(label)


def list_keys(model: type[models.Model]) -> list[str]:
    return [
        field.attname
        for field in model._meta.concrete_fields
        if field.related_model is Contact
    ]


def find_with_rows(model: type[models.Model], ids: set[int]) -> set[int]:
    found: set[int] = set()
    for name in list_keys(model):
        rows = model._base_manager.filter(**{f"{name}__in": ids})
        found.update(rows.values_list(name, flat=True).distinct())
    return found


def undo_items(
    job: ImportJob, touches: Sequence[ImportTouch], counts: Counter[str]
) -> None:
    """Nobody is told of a price that goes back."""
    catalog = Catalog.objects.get(pk=job.catalog)
    lock_catalog(catalog)
    stands = read_stands(catalog, [touch.code for touch in touches])
    back: dict[str, Any] = {}
    made: set[str] = set()
    for touch in touches:
        if stands.get(touch.code) != touch.before["after"]:
            counts["items changed since, kept"] += 1
            continue
        # A later touch of the same item goes first.
        stands[touch.code] = back[touch.code] = touch.before["before"]
        if touch.made:
            made.add(touch.code)
    rows = [row for code, row in back.items() if code not in made]
    now = timezone.now()
    save_items(catalog, rows, source="undo", at=now, quiet=True)
    counts["items put back"] += len(rows)
    archive_items(catalog, made, source="undo", at=now)
    counts["items taken off the shelf"] += len(made)
