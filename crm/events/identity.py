"""Who is meant: identifiers → contacts, made, linked and merged in any order.

Rules (docs/identity.md has examples):
- an external id leads; an anonymous id leads where there is no external id
- a call with both links them: an anonymous contact takes the external id; where
  both exist, the anonymous contact is merged into the known one
- a device shared by two known people is left with the first: known people are
  merged only by an explicit alias or by staff
- an alias claims the previous id as both kinds, so that it may come first
- merges follow canonical pointers, so that a loop is impossible
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeGuard

from crm.events.activity import Moments, lock_contacts, measure_moments
from crm.events.merge import merge_contacts
from crm.events.schema import Item
from crm.events.statements import open_cursor
from crm.models import Contact, Identifier
from crm.models.ids import make_uuid7s

# One key that leads to a contact: (kind, value).
Key = tuple[str, str]
EXTERNAL = Identifier.Kind.EXTERNAL_ID.value
ANONYMOUS = Identifier.Kind.ANONYMOUS_ID.value
# Identifiers are unique, so whoever inserts one first wins. The contacts are made
# only where all of their identifiers were won.
MAKE_CONTACTS = """
WITH claimed AS (
    INSERT INTO crm_identifier (kind, value, contact_id, created_at)
    SELECT kind, value, contact_id, clock_timestamp()
    FROM unnest(%(kinds)s::text[], %(values)s::text[], %(owners)s::bigint[])
        AS k(kind, value, contact_id)
    ON CONFLICT DO NOTHING RETURNING id
), made AS (
    INSERT INTO crm_contact (id, uuid, external_id, email, phone, traits, traits_at,
        locale, time_zone, known_since, last_active_at, created_at, updated_at)
    SELECT id, uuid, external_id, '', '', '{}', '{}', '', '', known_since, active_at,
        clock_timestamp(), clock_timestamp()
    FROM unnest(%(ids)s::bigint[], %(uuids)s::uuid[], %(names)s::text[],
            %(since)s::timestamptz[], %(active)s::timestamptz[])
        AS c(id, uuid, external_id, known_since, active_at)
    WHERE (SELECT count(*) FROM claimed) = cardinality(%(kinds)s::text[])
)
SELECT count(*) FROM claimed
"""


class IdentityRaceLost(Exception):
    """Others changed the same identifiers meanwhile: roll back and look again."""


@dataclass(frozen=True, slots=True)
class Owners:
    """Key → (canonical contact, its external id or ''), and ids for new contacts."""

    found: Mapping[Key, tuple[int, str]]
    reserved: Sequence[int]
    # Key → the contact it led to first, where a merge moved it.
    origins: Mapping[Key, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attached:
    """Item index → contact; and the contact it came to first, where a merge gave
    its identifier to another."""

    contact_of: Mapping[int, int]
    origin_of: Mapping[int, int]


@dataclass(slots=True)
class IdentityPlan:
    """What must be written so that each claim has its contact."""

    # Current owner of each key, as far as this batch knows.
    owners: dict[Key, int]
    # External id of each contact met; '' for an anonymous one.
    external_of: dict[int, str]
    created: list[int] = field(default_factory=list)
    new_keys: dict[Key, int] = field(default_factory=dict)
    # Anonymous contacts that take an external id.
    named: dict[int, str] = field(default_factory=dict)
    # (from, into), in the order they were said.
    merges: list[tuple[int, int]] = field(default_factory=list)
    contact_of: dict[int, int] = field(default_factory=dict)
    # Item index → the contact its leading key led to when it was said.
    came_to: dict[int, int] = field(default_factory=dict)

    def find_origins(self) -> dict[int, int]:
        return {
            index: first
            for index, first in self.came_to.items()
            if first != self.contact_of[index]
        }


def attach_contacts(
    items: Sequence[Item], owners: Owners, *, received_at: datetime, source: str
) -> Attached:
    """Make, link and merge the contacts of these items, lock and date them.

    Runs inside the caller's transaction, which is to be rolled back and tried again
    on IdentityRaceLost.
    """
    plan = plan_identities(items, owners)
    moments = measure_moments(items, plan.contact_of, source=source)
    make_contacts(plan, moments, received_at=received_at)
    involved = {*plan.contact_of.values(), *plan.named}
    for pair in plan.merges:
        involved.update(pair)
    # Nobody else can see the contacts made just now, nor lock them.
    known = involved.difference(plan.created)
    check_locked(plan, known, lock_contacts(known, moments))
    origin_of = plan.find_origins()
    check_origins(items, owners, origin_of)
    for pk, external_id in plan.named.items():
        Contact.objects.filter(pk=pk).update(
            external_id=external_id, updated_at=received_at
        )
    for source_id, target_id in plan.merges:
        merge_contacts(source_id=source_id, target_id=target_id, actor="rule")
    return Attached(plan.contact_of, origin_of)


def lead_key(item: Item) -> Key:
    """The one of its keys that says whose call it is."""
    if item.user_id:
        return EXTERNAL, item.user_id
    return ANONYMOUS, item.anonymous_id


def list_keys(items: Iterable[Item]) -> set[Key]:
    keys: set[Key] = set()
    for item in items:
        if item.user_id:
            keys.add((EXTERNAL, item.user_id))
        if item.anonymous_id:
            keys.add((ANONYMOUS, item.anonymous_id))
        if item.previous_id:
            keys.add((EXTERNAL, item.previous_id))
            keys.add((ANONYMOUS, item.previous_id))
    return keys


def plan_identities(items: Sequence[Item], owners: Owners) -> IdentityPlan:
    plan = IdentityPlan(
        owners={key: contact for key, (contact, _) in owners.found.items()},
        external_of=dict(owners.found.values()),
    )
    fresh = iter(owners.reserved)
    for item in items:
        contact = plan_item(plan, item, fresh)
        plan.contact_of[item.index] = contact
        plan.came_to[item.index] = owners.origins.get(lead_key(item), contact)
    return plan


def plan_item(plan: IdentityPlan, item: Item, fresh: Iterator[int]) -> int:
    """The contact of one item, noting what must be written for it."""
    if item.kind == "alias":
        return plan_alias(plan, item, fresh)
    known = (EXTERNAL, item.user_id) if item.user_id else None
    guest = (ANONYMOUS, item.anonymous_id) if item.anonymous_id else None
    if known is None:
        assert guest is not None  # the schema refuses items without ids
        return plan.owners.get(guest) or plan_contact(plan, guest, fresh)
    visitor = plan.owners.get(guest) if guest else None
    owner = plan.owners.get(known) or plan_known(plan, known, visitor, fresh)
    if guest and visitor is None:
        plan_key(plan, guest, owner)
    # A known visitor is somebody else on the same device: left alone.
    elif is_nameless(visitor, plan) and visitor != owner:
        plan_merge(plan, visitor, owner)
    return owner


def plan_known(
    plan: IdentityPlan, known: Key, visitor: int | None, fresh: Iterator[int]
) -> int:
    """The contact of an unseen external id: the visitor who just said it, or new."""
    if is_nameless(visitor, plan):
        plan_key(plan, known, visitor)
        return visitor
    return plan_contact(plan, known, fresh)


def plan_alias(plan: IdentityPlan, item: Item, fresh: Iterator[int]) -> int:
    """previousId, anonymous or external, leads to userId from now on.

    It is claimed as both kinds: the alias may come before the first call that
    shows which kind it is.
    """
    known = (EXTERNAL, item.user_id)
    previous = ((EXTERNAL, item.previous_id), (ANONYMOUS, item.previous_id))
    visitor = plan.owners.get(previous[1])
    owner = plan.owners.get(known) or plan_known(plan, known, visitor, fresh)
    for key in previous:
        holder = plan.owners.get(key)
        if holder is None:
            plan_key(plan, key, owner)
        elif holder != owner:
            plan_merge(plan, holder, owner)
    return owner


def is_nameless(contact: int | None, plan: IdentityPlan) -> TypeGuard[int]:
    """Whether this is a contact without an external id, as far as we know."""
    return contact is not None and not plan.external_of.get(contact)


def plan_contact(plan: IdentityPlan, key: Key, fresh: Iterator[int]) -> int:
    contact = next(fresh)
    plan.created.append(contact)
    plan_key(plan, key, contact)
    return contact


def plan_key(plan: IdentityPlan, key: Key, contact: int) -> None:
    plan.owners[key] = contact
    plan.new_keys[key] = contact
    if key[0] == EXTERNAL and not plan.external_of.get(contact):
        plan.external_of[contact] = key[1]
        plan.named[contact] = key[1]


def plan_merge(plan: IdentityPlan, source: int, target: int) -> None:
    plan.merges.append((source, target))
    for key, owner in plan.owners.items():
        if owner == source:
            plan.owners[key] = target
    for index, owner in plan.contact_of.items():
        if owner == source:
            plan.contact_of[index] = target


def make_contacts(
    plan: IdentityPlan, moments: Moments, *, received_at: datetime
) -> None:
    """New identifiers, sorted so that two batches wait instead of deadlocking, and
    the contacts whose first ones they are; a back-dated event makes them older."""
    if not plan.new_keys:
        return
    keys = sorted(plan.new_keys)
    ids = sorted(plan.created)
    heard = [moments.get(pk, (received_at, None)) for pk in ids]
    with open_cursor() as cursor:
        cursor.execute(
            MAKE_CONTACTS,
            {
                "kinds": [kind for kind, _ in keys],
                "values": [value for _, value in keys],
                "owners": [plan.new_keys[key] for key in keys],
                "ids": ids,
                "uuids": make_uuid7s(len(ids)),
                "names": [plan.named.pop(pk, None) for pk in ids],
                "since": [min(first, received_at) for first, _ in heard],
                "active": [last for _, last in heard],
            },
        )
        if cursor.fetchone()[0] != len(keys):
            raise IdentityRaceLost


def check_locked(
    plan: IdentityPlan, known: set[int], locked: Mapping[int, tuple[str | None, bool]]
) -> None:
    """What was read before the lock must still hold under it."""
    for pk in known:
        external_id, usable = locked.get(pk, (None, False))
        if not usable or (pk in plan.named and external_id):
            raise IdentityRaceLost


def check_origins(
    items: Sequence[Item], owners: Owners, origin_of: Mapping[int, int]
) -> None:
    """An undo may have taken a leading key back before the lock; one query, only
    where a merge had moved one."""
    leads = {lead_key(item) for item in items if item.index in origin_of}
    moved = leads.intersection(owners.origins)
    if not moved:
        return
    rows = Identifier.objects.filter(value__in={value for _, value in moved})
    now = {(row.kind, row.value): row.contact_id for row in rows}
    if any(now.get(key) != owners.found[key][0] for key in moved):
        raise IdentityRaceLost
