"""Who is meant: identifiers → contacts, made, linked and merged in any order.

Rules:
- an external id leads; an anonymous id leads where there is no external id
- identify with both links them: an anonymous contact takes the external id; where
  both exist, the anonymous contact is merged into the known one
- a device shared by two known people is left with the first: known people are
  merged only by an explicit alias
- merges follow canonical pointers, so that a loop is impossible
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeGuard

from django.db import connection, transaction

from crm.events.merge import merge_contacts
from crm.events.schema import Item
from crm.models import Contact, Identifier

# One key that leads to a contact: (kind, value).
Key = tuple[str, str]
EXTERNAL = Identifier.Kind.EXTERNAL_ID.value
ANONYMOUS = Identifier.Kind.ANONYMOUS_ID.value
# How often a batch is resolved again because another one was quicker.
MAX_RACES = 10


class IdentityRaceLost(Exception):
    """Others changed the same identifiers meanwhile; look again."""


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


def attach_contacts(items: Sequence[Item], *, received_at: datetime) -> dict[int, int]:
    """Find, make, link and merge the contacts of these items, and lock them.

    Answers item index → contact id. Runs inside the caller's transaction.
    Identifiers are unique, so whoever inserts one first wins; the loser rolls back
    to here and looks again.
    """
    for _ in range(MAX_RACES):
        try:
            with transaction.atomic():
                plan = plan_identities(items)
                return apply_plan(plan, items, received_at=received_at)
        except IdentityRaceLost:
            continue
    raise IdentityRaceLost(f"{MAX_RACES} rounds were not enough")


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


def find_owners(keys: Iterable[Key]) -> dict[Key, tuple[int, str]]:
    """Key → (canonical contact, its external id or '')."""
    wanted = sorted(keys)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.kind, i.value, k.id, coalesce(k.external_id, '') "
            "FROM unnest(%s::text[], %s::text[]) AS w(kind, value) "
            "JOIN crm_identifier i ON i.kind = w.kind AND i.value = w.value "
            "JOIN crm_contact c ON c.id = i.contact_id "
            "JOIN crm_contact k ON k.id = coalesce(c.canonical_id, c.id)",
            [[kind for kind, _ in wanted], [value for _, value in wanted]],
        )
        return {(kind, value): (pk, ext) for kind, value, pk, ext in cursor.fetchall()}


def reserve_contact_ids(count: int) -> list[int]:
    """Ids of contacts to be: identifiers are inserted first, and decide."""
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('crm_contact', 'id')) "
            "FROM generate_series(1, %s)",
            [count],
        )
        return [row[0] for row in cursor.fetchall()]


def plan_identities(items: Sequence[Item]) -> IdentityPlan:
    keys = list_keys(items)
    found = find_owners(keys)
    plan = IdentityPlan(
        owners={key: contact for key, (contact, _) in found.items()},
        external_of=dict(found.values()),
    )
    unknown = len(keys) - len(found)
    fresh = iter(reserve_contact_ids(unknown))
    for item in items:
        plan.contact_of[item.index] = plan_item(plan, item, fresh)
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
    owner = plan.owners.get(known)
    visitor = plan.owners.get(guest) if guest else None
    if owner is None:
        owner = plan_known(plan, item, known, visitor, fresh)
    if guest and visitor is None:
        plan_key(plan, guest, owner)
    # A known visitor is somebody else on the same device: left alone.
    elif item.kind == "identify" and is_nameless(plan, visitor) and visitor != owner:
        plan_merge(plan, visitor, owner)
    return owner


def plan_known(
    plan: IdentityPlan,
    item: Item,
    known: Key,
    visitor: int | None,
    fresh: Iterator[int],
) -> int:
    """The contact of an unseen external id: the visitor who just said it, or new."""
    if item.kind == "identify" and is_nameless(plan, visitor):
        plan_key(plan, known, visitor)
        return visitor
    return plan_contact(plan, known, fresh)


def plan_alias(plan: IdentityPlan, item: Item, fresh: Iterator[int]) -> int:
    """previousId, anonymous or external, leads to userId from now on."""
    known = (EXTERNAL, item.user_id)
    before = (ANONYMOUS, item.previous_id)
    if (EXTERNAL, item.previous_id) in plan.owners:
        before = (EXTERNAL, item.previous_id)
    owner = plan.owners.get(known)
    previous = plan.owners.get(before)
    if owner is None and is_nameless(plan, previous):
        plan_key(plan, known, previous)
        return previous
    if owner is None:
        owner = plan_contact(plan, known, fresh)
    if previous is None:
        plan_key(plan, before, owner)
    elif previous != owner:
        plan_merge(plan, previous, owner)
    return owner


def is_nameless(plan: IdentityPlan, contact: int | None) -> TypeGuard[int]:
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


def apply_plan(
    plan: IdentityPlan, items: Sequence[Item], *, received_at: datetime
) -> dict[int, int]:
    """Write the plan; raises IdentityRaceLost where another was quicker."""
    insert_identifiers(plan.new_keys)
    insert_contacts(plan, items, received_at)
    involved = {*plan.contact_of.values(), *plan.named}
    for pair in plan.merges:
        involved.update(pair)
    check_locked(plan, lock_contacts(involved), involved)
    for pk, external_id in plan.named.items():
        Contact.objects.filter(pk=pk).update(
            external_id=external_id, updated_at=received_at
        )
    for source_id, target_id in plan.merges:
        merge_contacts(source_id=source_id, target_id=target_id, actor="rule")
    return plan.contact_of


def insert_identifiers(keys: dict[Key, int]) -> None:
    """Claim these keys, sorted so that two batches wait instead of deadlocking."""
    if not keys:
        return
    ordered = sorted(keys)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO crm_identifier (kind, value, contact_id, created_at) "
            "SELECT kind, value, contact_id, clock_timestamp() "
            "FROM unnest(%s::text[], %s::text[], %s::bigint[]) "
            "AS k(kind, value, contact_id) ON CONFLICT DO NOTHING",
            [
                [kind for kind, _ in ordered],
                [value for _, value in ordered],
                [keys[key] for key in ordered],
            ],
        )
        if cursor.rowcount != len(ordered):
            raise IdentityRaceLost


def insert_contacts(
    plan: IdentityPlan, items: Sequence[Item], received_at: datetime
) -> None:
    """Contacts whose identifiers we just won; a back-dated event makes them older."""
    if not plan.created:
        return
    since = dict.fromkeys(plan.created, received_at)
    for item in items:
        contact = plan.contact_of[item.index]
        if contact in since and item.occurred_at < since[contact]:
            since[contact] = item.occurred_at
    Contact.objects.bulk_create(
        Contact(
            pk=contact,
            external_id=plan.named.pop(contact, None),
            known_since=since[contact],
        )
        for contact in sorted(since)
    )


def lock_contacts(ids: Iterable[int]) -> dict[int, tuple[str | None, bool]]:
    """Lock in id order; id → (external id, is it still there to be used)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, external_id, canonical_id IS NULL AND erased_at IS NULL "
            "FROM crm_contact WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            [list(ids)],
        )
        return {pk: (external, usable) for pk, external, usable in cursor.fetchall()}


def check_locked(
    plan: IdentityPlan,
    locked: dict[int, tuple[str | None, bool]],
    involved: Iterable[int],
) -> None:
    """What was read before the lock must still hold under it."""
    for pk in involved:
        external_id, usable = locked.get(pk, (None, False))
        if not usable or (pk in plan.named and external_id):
            raise IdentityRaceLost
