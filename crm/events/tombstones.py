"""Erased people stay erased: a late call of theirs makes nobody.

A tombstone keeps a keyed hash of each identifier. It is asked for keys that lead
nowhere, and for nothing else: a call of somebody known costs no query. An e-mail is one
word whether it comes as an address, as an id, or as the only key of a person.
"""

from __future__ import annotations

import functools
import hmac
import itertools
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, Final

import msgspec
from django.conf import settings

from crm.events.identity import ANONYMOUS, EXTERNAL, Key, Owners, lead_key, list_keys
from crm.events.naming import EMAIL, EMAIL_KEY
from crm.events.schema import Item
from crm.events.statements import open_cursor
from crm.events.traits import clean_column
from crm.models import Identifier, Tombstone

SALT: Final = b"crm.tombstone"
# Reads the unique index.
FIND_MARKS: Final = "SELECT mark FROM crm_tombstone WHERE mark = ANY(%s::bytea[])"
ADDRESSES: Final = (Identifier.Kind.EMAIL.value, Identifier.Kind.PHONE.value)


@functools.lru_cache(maxsize=4)
def derive_keys(secrets: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(hmac.digest(secret.encode(), SALT, "sha256") for secret in secrets)


def read_keys() -> tuple[bytes, ...]:
    """Of each encryption key, newest first: what an older one marked still counts."""
    return derive_keys(tuple(settings.ENCRYPTION_KEYS))


def write_words(key: Key) -> list[str]:
    """What a key is hashed as; an id that is an e-mail stands for both."""
    kind, value = key
    if kind == ANONYMOUS and value.startswith(EMAIL_KEY):
        return [f"email:{value.removeprefix(EMAIL_KEY)}"]
    if kind == ADDRESSES[0]:
        return [f"email:{value.strip().lower()}"]
    if kind == EXTERNAL and EMAIL.fullmatch(value):
        return [f"{kind}:{value}", f"email:{value.lower()}"]
    return [f"{kind}:{value}"]


def make_marks(key: Key, secret: bytes) -> list[bytes]:
    return [
        hmac.digest(secret, word.encode("utf-8", "replace"), "sha256")
        for word in write_words(key)
    ]


def lay_tombstones(contact_ids: Sequence[int], *, heir: int, at: datetime) -> int:
    """Before the identifiers go, in the transaction that erases; how many."""
    newest = read_keys()[0]
    rows = Identifier.objects.filter(contact__in=contact_ids)
    marks = {mark for row in rows for mark in make_marks((row.kind, row.value), newest)}
    stones = [Tombstone(mark=mark, contact_id=heir, laid_at=at) for mark in marks]
    Tombstone.objects.bulk_create(stones, ignore_conflicts=True)
    return len(stones)


def has_tombstones() -> bool:
    """Whether anybody was ever erased; spares a file of newcomers all the hashing."""
    return Tombstone.objects.exists()


def find_erased(keys: Iterable[Key]) -> set[Key]:
    """Those of these keys that were an erased person's; at most one query."""
    # An e-mail is one mark for several keys.
    keys_of: dict[bytes, set[Key]] = {}
    for key, secret in itertools.product(set(keys), read_keys()):
        for mark in make_marks(key, secret):
            keys_of.setdefault(mark, set()).add(key)
    if not keys_of:
        return set()
    with open_cursor() as cursor:
        cursor.execute(FIND_MARKS, [list(keys_of)])
        return {key for (mark,) in cursor.fetchall() for key in keys_of[bytes(mark)]}


def find_graves(text: str) -> list[int]:
    """Contacts that were erased with this as one of their identifiers; one query."""
    said = text.strip()
    keys = [(kind, said) for kind in Identifier.Kind.values]
    marks = [
        m for key in keys for secret in read_keys() for m in make_marks(key, secret)
    ]
    found = Tombstone.objects.filter(mark__in=marks)
    return list(found.values_list("contact_id", flat=True))


def leave_out_erased(items: Sequence[Item], owners: Owners) -> list[Item]:
    """The items that may be taken in; one query, where a key leads nowhere.

    A call is left out where the key that leads it was an erased person's, where it
    would alias one, or where it would make somebody anew of their e-mail or phone. A
    living person's call on the same device stays, without the erased device's id.
    """
    unknown = list_keys(items) - owners.found.keys()
    if not unknown:
        return list(items)
    newcomers = [item for item in items if lead_key(item) in unknown]
    said = {key for item in newcomers for key in list_said(item.traits)}
    erased = find_erased(unknown | said)
    if not erased:
        return list(items)
    kept = [item for item in items if not is_erased(item, owners.found, erased)]
    return [drop_visitor(item, erased) for item in kept]


def list_said(traits: Mapping[str, Any]) -> list[Key]:
    """E-mail and phone as keys, where valid ones are said."""
    said = [(kind, clean_column(kind, traits.get(kind))) for kind in ADDRESSES]
    return [(kind, word) for kind, word in said if word]


def is_erased(item: Item, found: Mapping[Key, Any], erased: Set[Key]) -> bool:
    lead = lead_key(item)
    if lead in erased or (EXTERNAL, item.previous_id) in erased:
        return True
    if (ANONYMOUS, item.previous_id) in erased:
        return True
    return lead not in found and not erased.isdisjoint(list_said(item.traits))


def drop_visitor(item: Item, erased: Set[Key]) -> Item:
    if (ANONYMOUS, item.anonymous_id) not in erased:
        return item
    return msgspec.structs.replace(item, anonymous_id="")


def list_suppressed(items: Sequence[Item], kept: Sequence[Item]) -> tuple[int, ...]:
    if len(items) == len(kept):
        return ()
    stays = {item.index for item in kept}
    return tuple(item.index for item in items if item.index not in stays)
