"""Writing computed traits: of those who did something, and of those whom time moves.

Callers hold the contacts they touch locked, in id order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from crm.computed.definition import Definition, read_definition
from crm.models import ComputedTrait, Contact
from crm.ports.facts import Scope, Sql
from crm.wakes import Clocks

CLOCKS: Final = Clocks("crm_computedclock", "trait_id")
# Definitions read once a process; a row's version never changes what it says.
KEPT_MAX: Final = 1_000

ASKED: Final = """
SELECT a.contact_id, %s::text AS key, v.value
FROM unnest(%s::bigint[]) AS a (contact_id)
LEFT JOIN ({values}) v ON v.contact_id = a.contact_id
"""
# One statement for all definitions, so that a contact's row is written once a batch.
WRITE: Final = """
WITH wanted AS MATERIALIZED ({asked}),
moved AS MATERIALIZED (
  SELECT w.contact_id, w.key, w.value FROM wanted w
  JOIN crm_contact c ON c.id = w.contact_id
  WHERE c.canonical_id IS NULL AND c.erased_at IS NULL
    AND c.computed -> w.key IS DISTINCT FROM w.value),
kept AS (
  UPDATE crm_contact c SET computed = (c.computed - p.cut) || p.put
  FROM (
    SELECT contact_id,
      coalesce(jsonb_object_agg(key, value) FILTER (WHERE value IS NOT NULL), '{{}}')
        AS put,
      coalesce(array_agg(key) FILTER (WHERE value IS NULL), '{{}}') AS cut
    FROM moved GROUP BY contact_id) p
  WHERE c.id = p.contact_id)
SELECT key, array_agg(contact_id ORDER BY contact_id) FROM moved GROUP BY key
"""
NO_VALUE: Final = Sql("SELECT NULL::bigint AS contact_id, NULL::jsonb AS value")
# Key → contacts whose value became another.
Moved = dict[str, list[int]]
Asked = Mapping[int, Collection[int]]

_definitions: dict[tuple[int, int, datetime], Definition] = {}


def load_definition(trait: ComputedTrait) -> Definition:
    key = (trait.pk, trait.version, trait.updated_at)
    if key not in _definitions:
        if len(_definitions) >= KEPT_MAX:
            _definitions.clear()
        _definitions[key] = read_definition(trait.spec)
    return _definitions[key]


def touch_computed(
    did: Mapping[str, Collection[int]], *, profiles: Collection[int], at: datetime
) -> Moved:
    """Compute again what events may have moved: event name → contacts.

    `profiles` are contacts whose profile or identity changed: a merge brings events
    of somebody else, so all their traits are asked.
    """
    asked: dict[int, set[int]] = defaultdict(set)
    traits = {trait.pk: trait for trait in ComputedTrait.objects.moved_by(did)}
    for trait in traits.values():
        for name in trait.event_names:
            asked[trait.pk].update(did.get(name, ()))
    if profiles:
        for trait in ComputedTrait.objects.kept_live():
            traits[trait.pk] = trait
            asked[trait.pk].update(profiles)
    return compute(list(traits.values()), asked, at=at)


def compute(traits: Sequence[ComputedTrait], asked: Asked, *, at: datetime) -> Moved:
    """Write these traits of these contacts (by the trait's id), and set their clocks.

    First those made of events, then tiers of a trait that moved with them.
    """
    first = [trait for trait in traits if not trait.trait_names]
    tiers = [trait for trait in traits if trait.trait_names]
    moved = _write(first, asked, at=at)
    return moved | _write_tiers(tiers, asked, moved, at=at)


def _write_tiers(
    tiers: Sequence[ComputedTrait], asked: Asked, moved: Moved, *, at: datetime
) -> Moved:
    """Those asked for, and every one of a trait that moved."""
    followers = {trait.pk: trait for trait in tiers}
    later = {trait.pk: set(asked.get(trait.pk, ())) for trait in tiers}
    if moved:
        for trait in ComputedTrait.objects.reading_traits():
            followers[trait.pk] = trait
            told = (moved.get(key, ()) for key in trait.trait_names)
            later.setdefault(trait.pk, set()).update(*told)
    return _write(list(followers.values()), later, at=at)


def _write(traits: Sequence[ComputedTrait], asked: Asked, *, at: datetime) -> Moved:
    wanted = [(trait, sorted(asked.get(trait.pk, ()))) for trait in traits]
    wanted = [(trait, contacts) for trait, contacts in wanted if contacts]
    if not wanted:
        return {}
    parts = []
    for trait, contacts in wanted:
        scope = Scope(at, tuple(contacts))
        definition = load_definition(trait)
        parts.append(_ask(trait.key, contacts, definition.select_values(scope)))
        if trait.event_names:
            CLOCKS.note(trait.pk, _find_wakes(definition, scope))
    return _run(parts)


def _find_wakes(definition: Definition, scope: Scope) -> Sql | None:
    """Once per contact, as clocks are kept; moments that passed are no news."""
    wakes = definition.wake(scope)
    if wakes is None:
        return None
    return Sql(
        "SELECT w.contact_id, min(w.wake_at) AS wake_at "
        f"FROM ({wakes.text}) w WHERE w.wake_at > %s GROUP BY w.contact_id",
        (*wakes.params, scope.at),
    )


def clear(trait: ComputedTrait, contacts: Sequence[int], *, at: datetime) -> Moved:
    """Take a trait off these contacts; tiers made of it follow."""
    moved = write_value(trait.key, contacts, NO_VALUE)
    return moved | _write_tiers([], {}, moved, at=at)


def write_value(key: str, contacts: Sequence[int], values: Sql) -> Moved:
    """Write one key of these contacts: `SELECT contact_id, value`, JSON; who has no
    row there loses it."""
    return _run([_ask(key, contacts, values)])


def _ask(key: str, contacts: Sequence[int], values: Sql) -> Sql:
    return Sql(ASKED.format(values=values.text), (key, list(contacts), *values.params))


def _run(parts: Sequence[Sql]) -> Moved:
    asked = " UNION ALL ".join(part.text for part in parts)
    params = [param for part in parts for param in part.params]
    with connection.cursor() as cursor:
        cursor.execute(WRITE.format(asked=asked), params)
        return dict(cursor.fetchall())


def expire_computed(at: datetime, *, limit: int) -> tuple[int, Moved]:
    """What time alone changes: how many were looked at, and whose value moved.

    1. Read who is due, without locks.
    2. Lock their contacts in id order, as every other writer does.
    3. Take the due clocks; what another worker took meanwhile is gone.
    4. Compute again, which sets the next clock.
    """
    with transaction.atomic():
        pairs = CLOCKS.find_due(at, limit=limit)
        if not pairs:
            return 0, {}
        Contact.objects.lock_in_order(sorted({contact for _, contact in pairs}))
        asked: dict[int, set[int]] = defaultdict(set)
        for trait_id, contact_id in CLOCKS.take(pairs, at=at):
            asked[trait_id].add(contact_id)
        traits = ComputedTrait.objects.kept_live().filter(pk__in=list(asked))
        return len(pairs), compute(list(traits), asked, at=at)
