"""Computed traits on the contact page: each value with the facts it follows from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.urls import reverse

from crm.clock import read_clock
from crm.computed.definition import Definition
from crm.computed.values import load_definition
from crm.models import ComputedTrait, Contact
from crm.ports.facts import Scope, Sql
from crm.ports.timeline import Entry, Panel

SAMPLE = 20
COUNT_VALUES = """
SELECT value, count(*) FROM (
  SELECT v.value FROM (
    SELECT id FROM crm_contact WHERE canonical_id IS NULL AND erased_at IS NULL
    ORDER BY id DESC LIMIT %s) c
  LEFT JOIN ({values}) v ON v.contact_id = c.id) q
GROUP BY value ORDER BY count(*) DESC, value LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Told:
    """One trait of one contact: what it is, and why."""

    trait: ComputedTrait
    value: str
    facts: str


def explain_traits(contact: Contact, *, at: datetime) -> list[Told]:
    """Every trait that is on; one query each for its facts."""
    scope = Scope(at, (contact.pk,))
    return [
        Told(trait, show(contact.computed.get(trait.key)), read_facts(trait, scope))
        for trait in ComputedTrait.objects.kept_live().order_by("label")
    ]


def show(value: Any) -> str:
    if value is None:
        return "no value"
    return value if isinstance(value, str) else json.dumps(value)


def read_facts(trait: ComputedTrait, scope: Scope) -> str:
    evidence = load_definition(trait).evidence(scope)
    with connection.cursor() as cursor:
        cursor.execute(evidence.sql.text, evidence.sql.params)
        return evidence.wording(cursor.fetchone())


class ComputedTimeline:
    """Provider of the port `timeline`: a panel, no entries."""

    def entries(
        self, contact_id: int, *, before: datetime, limit: int
    ) -> Sequence[Entry]:
        return ()

    def panels(self, contact_id: int) -> Sequence[Panel]:
        contact = Contact.objects.get(pk=contact_id)
        rows = [
            (
                one.trait.label,
                f"{one.value} · {one.facts}",
                reverse("admin:crm_computedtrait_change", args=[one.trait.pk]),
            )
            for one in explain_traits(contact, at=read_clock())
        ]
        return [Panel("Computed traits", rows, "No trait is computed yet.")]


@dataclass(frozen=True, slots=True)
class Preview:
    """What the newest contacts would have; a value of None is no value."""

    looked: int
    values: Sequence[tuple[str, int]]


def preview_values(definition: Definition, *, at: datetime, people: int) -> Preview:
    """The most common values among the newest contacts; one bounded query."""
    newest = Contact.objects.canonical().order_by("-pk")
    ids = tuple(newest.values_list("pk", flat=True)[:people])
    values: Sql = definition.select_values(Scope(at, ids))
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT_VALUES.format(values=values.text),
            (people, *values.params, SAMPLE),
        )
        rows = [(json.loads(v) if v else None, n) for v, n in cursor.fetchall()]
    return Preview(len(ids), [(show(value), count) for value, count in rows])
