"""What crm itself has to export: contacts and events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from crm.models import Contact, Event
from crm.ports.facts import Sql
from crm.ports.sheets import Sheet

# Rows that a cursor of the server hands over at once.
FETCH: Final = 2_000
CONTACT_COLUMNS: Final = (
    "external_id",
    "email",
    "phone",
    "locale",
    "time_zone",
    "known_since",
    "last_active_at",
)
# Traits with a column of their own; all of them stand in `traits` too.
NAMES: Final = ("first_name", "last_name", "name")


def choose(rows: QuerySet[Any], field: str, people: Sql | None) -> QuerySet[Any]:
    """The rows whose `field` is one of these people's; all where none are named."""
    if people is None:
        return rows
    return rows.filter(**{f"{field}__in": RawSQL(people.text, people.params)})


def read_contacts(people: Sql | None) -> Iterator[Sequence[Any]]:
    rows = choose(Contact.objects.canonical(), "pk", people).order_by("pk")
    found = rows.values_list("uuid", *CONTACT_COLUMNS, "traits", "computed")
    for uuid, *columns, traits, computed in found.iterator(chunk_size=FETCH):
        names = [traits.get(name, "") for name in NAMES]
        held = [json.dumps(one, ensure_ascii=False) for one in (traits, computed)]
        yield [uuid, *columns, *names, *held]


def read_events(people: Sql | None) -> Iterator[Sequence[Any]]:
    rows = choose(Event.objects.all(), "contact", people)
    found = rows.order_by("occurred_at", "pk").values_list(
        "message_id",
        "contact__external_id",
        "contact__uuid",
        "name",
        "occurred_at",
        "value",
        "currency",
        "source",
        "properties",
    )
    for *columns, properties in found.iterator(chunk_size=FETCH):
        yield [*columns, json.dumps(properties, ensure_ascii=False)]


SHEETS: Final = (
    Sheet(
        "contacts",
        "Contacts",
        "crm.view_contact",
        ("contact", *CONTACT_COLUMNS, *NAMES, "traits", "computed"),
        read_contacts,
    ),
    Sheet(
        "events",
        "Events",
        "crm.view_event",
        (
            "message_id",
            "external_id",
            "contact",
            "event",
            "occurred_at",
            "value",
            "currency",
            "source",
            "properties",
        ),
        read_events,
    ),
)
