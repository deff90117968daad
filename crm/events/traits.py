"""What is said about a contact: per key the newest word wins, in any order.

`null` removes a trait; what is said once yields to any other word. E-mail, phone,
locale and time zone are copied to their columns where they are valid; what is not
stays a plain trait.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec
import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection

from crm.models import Contact, Identifier

# What nearly every address looks like: a part of what Django takes, found in a tenth of
# the time. Any other is left to Django.
PLAIN_EMAIL = re.compile(
    r"[a-z0-9_+-]{1,64}(\.[a-z0-9_+-]{1,64}){0,3}"
    r"@([a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?\.){1,3}[a-z]{2,24}",
    re.ASCII | re.IGNORECASE,
)
LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
# Trait → column; the later spelling wins where both are said at once.
COLUMNS = {
    "email": "email",
    "phone": "phone",
    "language": "locale",
    "locale": "locale",
    "time_zone": "time_zone",
    "timezone": "time_zone",
}
WRITE_PROFILES = """
UPDATE crm_contact c SET
    traits = v.traits, traits_at = v.traits_at, email = v.email, phone = v.phone,
    locale = v.locale, time_zone = v.time_zone, updated_at = clock_timestamp()
FROM jsonb_to_recordset(%s::jsonb) AS v(
    id bigint, traits jsonb, traits_at jsonb,
    email text, phone text, locale text, time_zone text)
WHERE c.id = v.id
"""


@dataclass(frozen=True, slots=True)
class TraitWord:
    """What one call said about one contact, and when."""

    contact_id: int
    traits: Mapping[str, Any]
    at: datetime
    # Only for traits of which nothing was ever said.
    once: bool = False


def apply_traits(words: Sequence[TraitWord]) -> None:
    """Merge the words into contacts that the caller has locked; 2 to 4 queries."""
    if not words:
        return
    ids = {word.contact_id for word in words}
    contacts = Contact.objects.in_bulk(ids)
    before = {pk: (c.email, c.phone) for pk, c in contacts.items()}
    for word in words:
        merge_traits(contacts[word.contact_id], word)
    write_profiles(list(contacts.values()))
    moved = [c for pk, c in contacts.items() if before[pk] != (c.email, c.phone)]
    if moved:
        write_addresses(moved)


class Profile(Protocol):
    """A contact's row, or one to be."""

    traits: dict[str, Any]
    traits_at: dict[str, float]


def merge_traits(contact: Profile, word: TraitWord) -> None:
    at = word.at.timestamp()
    for key, value in word.traits.items():
        if at < contact.traits_at.get(key, float("-inf")):
            continue
        if word.once and key in contact.traits_at:
            continue
        # Kept for removed traits too, so that an older word can not bring them back.
        contact.traits_at[key] = at
        if value is None:
            contact.traits.pop(key, None)
        else:
            contact.traits[key] = value
        if key in COLUMNS:
            column = COLUMNS[key]
            clean = "" if value is None else clean_column(column, value)
            if clean is not None:
                setattr(contact, column, clean)


def clean_column(column: str, value: Any) -> str | None:
    """The value as its column keeps it; None where it is not valid."""
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        return None
    return CLEANERS[column](text)


# An import asks for the same text twice: when it judges a row and when it writes it.
@functools.lru_cache(maxsize=1_024)
def clean_email(text: str) -> str | None:
    if len(text) <= 254 and PLAIN_EMAIL.fullmatch(text):
        return text
    try:
        validate_email(text)
    except ValidationError:
        return None
    return text if len(text) <= 254 else None


@functools.lru_cache(maxsize=32_768)
def clean_phone(text: str) -> str | None:
    """E.164; a number without its country code is nobody's number."""
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def clean_locale(text: str) -> str | None:
    tag = text.replace("_", "-")
    return tag if len(tag) <= 35 and LOCALE.fullmatch(tag) else None


def clean_time_zone(text: str) -> str | None:
    return text if text in list_time_zones() else None


@functools.cache
def list_time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


CLEANERS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "email": clean_email,
    "phone": clean_phone,
    "locale": clean_locale,
    "time_zone": clean_time_zone,
}


def write_profiles(contacts: Sequence[Contact]) -> None:
    rows = [
        {
            "id": c.pk,
            "traits": c.traits,
            "traits_at": c.traits_at,
            "email": c.email,
            "phone": c.phone,
            "locale": c.locale,
            "time_zone": c.time_zone,
        }
        for c in contacts
    ]
    with connection.cursor() as cursor:
        cursor.execute(WRITE_PROFILES, [msgspec.json.encode(rows).decode()])


def write_addresses(contacts: Sequence[Contact]) -> None:
    """Let e-mail and phone lead to the contact; the first to have one keeps it."""
    rows: list[Identifier] = []
    for contact in contacts:
        if contact.email:
            rows.append(
                Identifier(contact=contact, kind="email", value=contact.email.lower())
            )
        if contact.phone:
            rows.append(Identifier(contact=contact, kind="phone", value=contact.phone))
    Identifier.objects.filter(
        contact__in=contacts, kind__in=[Identifier.Kind.EMAIL, Identifier.Kind.PHONE]
    ).delete()
    rows.sort(key=lambda row: (row.kind, row.value))
    Identifier.objects.bulk_create(rows, ignore_conflicts=True)
