"""Many people at once: the same effects as an identify call each, by COPY.

A row says who it is (an external id, else an e-mail) and traits, all at one moment.
Rows that have nothing to do with each other are judged and written by SQL
(`crm.events.staging`). Those that mean the same person, or an address that another row
gives or takes, are knots: they are judged here, one after the other, as calls are. A
test holds both roads and the calls equal. What must take effect at once
(`crm.ports.effects`) can not come this way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from crm.events.identity import IdentityRaceLost, Key
from crm.events.lines import EMAIL, PHONE, Lines, Said, list_keys, make_addresses
from crm.events.staging import judge_lines, write_judged
from crm.events.statements import open_cursor
from crm.events.traits import TraitWord, clean_column, merge_traits, write_profiles
from crm.models import Contact, Identifier
from crm.models.ids import make_uuid7s

FIND_OWNERS = """
SELECT w.kind, w.value, coalesce(c.canonical_id, c.id)
FROM unnest(%s::text[], %s::text[]) AS w(kind, value)
JOIN crm_identifier i ON i.kind = w.kind AND i.value = w.value
JOIN crm_contact c ON c.id = i.contact_id
"""
RESERVE = """
SELECT nextval(pg_get_serial_sequence('crm_contact', 'id'))
FROM generate_series(1, %s)
"""
# In one order, so that two batches wait for each other instead of deadlocking.
INSERT_KEYS = """
INSERT INTO crm_identifier (kind, value, contact_id, created_at)
SELECT kind, value, contact_id, clock_timestamp()
FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS k(kind, value, contact_id)
ORDER BY kind, value ON CONFLICT DO NOTHING
"""
COPY_CONTACTS = """
COPY crm_contact (id, uuid, external_id, email, phone, traits, traits_at, locale,
    time_zone, known_since, created_at, updated_at) FROM STDIN
"""
COPY_PENDING = """
COPY crm_pendingevent (event_id, occurred_at, contact_id, name, attempts, last_error,
    created_at) FROM STDIN
"""


@dataclass(slots=True)
class NewPerson:
    """Somebody to be made; the columns that `merge_traits` fills."""

    key: Key
    external_id: str
    traits: dict[str, Any] = field(default_factory=dict)
    traits_at: dict[str, float] = field(default_factory=dict)
    email: str = ""
    phone: str = ""
    locale: str = ""
    time_zone: str = ""


# Who a key leads to: a contact's pk, or somebody to be made.
Owner = int | NewPerson


@dataclass(frozen=True, slots=True)
class Touch:
    """A contact that was made or changed; `before`: {trait: [value, said at]}, both
    None where nothing was ever said."""

    contact_id: int
    made: bool
    before: Mapping[str, Any]


@dataclass(slots=True)
class PeoplePlan:
    """What the rows come to. `outcomes` says per row: new, changed or same."""

    at: datetime
    outcomes: list[str] = field(default_factory=list)
    new: list[NewPerson] = field(default_factory=list)
    known: dict[int, Contact] = field(default_factory=dict)
    # What the known were before the rows: traits, and e-mail with phone.
    before: dict[int, dict[str, Any]] = field(default_factory=dict)
    addresses: dict[int, tuple[str, str]] = field(default_factory=dict)
    # Keys that lead to somebody, found or to be made.
    owners: dict[Key, Owner] = field(default_factory=dict)
    # E-mail and phone keys of those met: of a pk, or of a new person's key.
    addresses_of: dict[int | Key, list[Key]] = field(default_factory=dict)


def save_people(lines: Lines, *, at: datetime) -> tuple[list[str], list[Touch]]:
    """Make and change contacts; answers an outcome per row, and what an undo needs of
    the knots. Of all others `crm.events.staging.TOUCHED` tells it.

    Runs inside the caller's transaction, which is to be rolled back and tried again
    on IdentityRaceLost or an IntegrityError. The caller rings the bell.
    """
    outcomes, knots = judge_lines(lines, at=at, lock=True)
    write_judged(lines, at=at)
    knotted, touches = save_knots([lines.said[n] for n in knots], at=at)
    outcomes |= zip(knots, knotted, strict=True)
    return [outcomes[n] for n in range(len(lines.said))], touches


def count_people(lines: Lines, *, at: datetime) -> list[str]:
    """The outcomes that `save_people` would answer; nothing is written."""
    outcomes, knots = judge_lines(lines, at=at, lock=False)
    knotted = plan_people([lines.said[n] for n in knots], at=at).outcomes
    outcomes |= zip(knots, knotted, strict=True)
    return [outcomes[n] for n in range(len(lines.said))]


def save_knots(said: Sequence[Said], *, at: datetime) -> tuple[list[str], list[Touch]]:
    if not said:
        return [], []
    plan = plan_people(said, at=at, lock=True)
    ids = create_people(plan.new, at=at)
    write_known(plan)
    write_keys(plan, ids)
    changed = [pk for pk, before in plan.before.items() if before]
    leave_pending([*ids, *changed], at=at)
    touches = [Touch(pk, True, {}) for pk in ids]
    return plan.outcomes, touches + [
        Touch(pk, False, plan.before[pk]) for pk in changed
    ]


def plan_people(
    said: Sequence[Said], *, at: datetime, lock: bool = False
) -> PeoplePlan:
    """What `save_knots` would do; four queries, and nothing is written."""
    plan = PeoplePlan(at)
    if not said:
        return plan
    leading = find_owners({key for row in said for key in list_keys(row)})
    ids = sorted(set(leading.values()))
    everybody = Contact.objects
    rows = everybody.lock_in_order(ids) if lock else everybody.filter(pk__in=ids)
    plan.known = {contact.pk: contact for contact in rows}
    check_usable(plan, ids)
    # Others may hold an address that a row says; they keep it, and are not touched.
    plan.owners |= find_owners({key for row in said for key in list_addresses(row)})
    plan.owners |= leading
    note_addresses(plan)
    plan.outcomes = [plan_row(plan, row) for row in said]
    return plan


def check_usable(plan: PeoplePlan, ids: Sequence[int]) -> None:
    for pk in ids:
        contact = plan.known.get(pk)
        if contact is None or contact.canonical_id or contact.erased_at:
            raise IdentityRaceLost


def list_addresses(row: Said) -> list[Key]:
    """E-mail and phone as keys, where the row says valid ones."""
    clean = [clean_column(kind, row.traits.get(kind)) for kind in (EMAIL, PHONE)]
    return list(make_addresses(*clean))


def note_addresses(plan: PeoplePlan) -> None:
    """What leads to the known by e-mail and phone now; one query."""
    rows = Identifier.objects.filter(contact__in=list(plan.known))
    for row in rows.filter(kind__in=[EMAIL, PHONE]):
        plan.owners[row.kind, row.value] = row.contact_id
        plan.addresses_of.setdefault(row.contact_id, []).append((row.kind, row.value))


def find_owners(keys: Iterable[Key]) -> dict[Key, int]:
    """The canonical contacts that these keys lead to; one query."""
    ordered = sorted(keys)
    with open_cursor() as cursor:
        cursor.execute(FIND_OWNERS, [[k for k, _ in ordered], [v for _, v in ordered]])
        return {(kind, value): pk for kind, value, pk in cursor.fetchall()}


def plan_row(plan: PeoplePlan, row: Said) -> str:
    keys = list_keys(row)
    owner = next((plan.owners[key] for key in keys if key in plan.owners), None)
    outcome = "changed"
    if owner is None:
        outcome = "new"
        owner = NewPerson(keys[-1], row.external_id)
        plan.new.append(owner)
        plan.owners[keys[-1]] = owner
    person = plan.known[owner] if isinstance(owner, int) else owner
    addresses = (person.email, person.phone)
    if isinstance(owner, int):
        outcome = change_known(plan, owner, row)
    else:
        before = dict(owner.traits)
        merge_traits(owner, TraitWord(0, row.traits, plan.at))
        if outcome == "changed" and before == owner.traits:
            outcome = "same"
    if addresses != (person.email, person.phone):
        move_addresses(plan, owner, email=person.email, phone=person.phone)
    return outcome


def move_addresses(plan: PeoplePlan, owner: Owner, *, email: str, phone: str) -> None:
    """As `write_addresses` after each call: the first to have an address keeps it
    until they have another."""
    handle = owner if isinstance(owner, int) else owner.key
    for key in plan.addresses_of.pop(handle, ()):
        del plan.owners[key]
    said = [(EMAIL, email.lower()), (PHONE, phone)]
    free = [key for key in said if key[1] and key not in plan.owners]
    plan.owners.update(dict.fromkeys(free, owner))
    plan.addresses_of[handle] = free


def change_known(plan: PeoplePlan, pk: int, row: Said) -> str:
    contact = plan.known[pk]
    plan.addresses.setdefault(pk, (contact.email, contact.phone))
    was = {
        key: [contact.traits.get(key), contact.traits_at.get(key)] for key in row.traits
    }
    merge_traits(contact, TraitWord(pk, row.traits, plan.at))
    changed = {
        key: before
        for key, before in was.items()
        if contact.traits.get(key) != before[0]
    }
    kept = plan.before.setdefault(pk, {})
    for key, before in changed.items():
        kept.setdefault(key, before)
    return "changed" if changed else "same"


def create_people(people: Sequence[NewPerson], *, at: datetime) -> list[int]:
    """Contacts by COPY, after their leading keys are all won."""
    if not people:
        return []
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, [len(people)])
        ids = [pk for (pk,) in cursor.fetchall()]
    owned = list(zip(people, ids, strict=True))
    if insert_keys([(*person.key, pk) for person, pk in owned]) != len(ids):
        raise IdentityRaceLost
    copy_contacts(owned, at=at)
    return ids


def insert_keys(rows: Sequence[tuple[str, str, int]]) -> int:
    """How many were new; the first to have an address keeps it."""
    if not rows:
        return 0
    with open_cursor() as cursor:
        cursor.execute(INSERT_KEYS, [list(part) for part in zip(*rows, strict=True)])
        return cursor.rowcount


def copy_contacts(owned: Sequence[tuple[NewPerson, int]], *, at: datetime) -> None:
    encode = msgspec.json.encode
    uuids = make_uuid7s(len(owned))
    with connection.cursor() as cursor, cursor.copy(COPY_CONTACTS) as copy:
        for (person, pk), uuid in zip(owned, uuids, strict=True):
            copy.write_row(
                (
                    pk,
                    uuid,
                    person.external_id or None,
                    person.email,
                    person.phone,
                    encode(person.traits).decode(),
                    encode(person.traits_at).decode(),
                    person.locale,
                    person.time_zone,
                    at,
                    at,
                    at,
                )
            )


def write_known(plan: PeoplePlan) -> None:
    contacts = [plan.known[pk] for pk in plan.addresses]
    if contacts:
        write_profiles(contacts)


def write_keys(plan: PeoplePlan, new_ids: Sequence[int]) -> None:
    """Let e-mails and phones lead where the rows, one after the other, left them."""
    known = plan.known
    moved = [
        pk
        for pk, addresses in plan.addresses.items()
        if addresses != (known[pk].email, known[pk].phone)
    ]
    if moved:
        old = Identifier.objects.filter(contact__in=moved, kind__in=[EMAIL, PHONE])
        old.delete()
    handles: list[tuple[int | Key, int]] = [(pk, pk) for pk in moved]
    handles += [(person.key, pk) for person, pk in zip(plan.new, new_ids, strict=True)]
    insert_keys(
        [
            (kind, value, pk)
            for handle, pk in handles
            for kind, value in plan.addresses_of.get(handle, ())
        ]
    )


def leave_pending(ids: Sequence[int], *, at: datetime, name: str = "$identify") -> None:
    """One row each, that has the contact's segments judged once more."""
    if not ids:
        return
    event_ids = make_uuid7s(len(ids))
    with connection.cursor() as cursor, cursor.copy(COPY_PENDING) as copy:
        for pk, event_id in zip(ids, event_ids, strict=True):
            copy.write_row((event_id, at, pk, name, 0, "", at))
