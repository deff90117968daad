"""Profiles become one, and two again.

A journal says of each column and trait that a merge changed what it was and what
the merge left: `{"columns": {name: [was, left]}, "traits": {key: [was, left]}}`.
A trait is there as its word: its time, and its value unless it was removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from crm.events.traits import TraitWord, merge_traits
from crm.models import Contact

COLUMNS = ("external_id", "email", "phone", "locale", "time_zone", "known_since")
Described = dict[str, dict[str, Any]]
Journal = dict[str, Any]


def join_profiles(
    source: Contact, target: Contact, *, keeps_words: bool = False
) -> Journal:
    """The newest word per trait, the oldest acquaintance, the latest activity; with
    `keeps_words`, a trait that the target has stays.

    The source gives its external id away and points at the target; the rest of its
    row stays as it was, for the undo.
    """
    external_id, active_at = source.external_id, target.last_active_at
    before = describe_profile(target)
    source.canonical, source.external_id = target, None
    source.save(update_fields=["canonical", "external_id", "updated_at"])
    target.external_id = target.external_id or external_id
    for key, at in source.traits_at.items():
        if keeps_words and target.traits.get(key) is not None:
            continue
        said = {key: source.traits.get(key)}
        word = TraitWord(target.pk, said, datetime.fromtimestamp(at, UTC))
        merge_traits(target, word)
    for column in ("email", "phone", "locale", "time_zone"):
        if not getattr(target, column):
            setattr(target, column, getattr(source, column))
    target.known_since = min(source.known_since, target.known_since)
    active = [at for at in (source.last_active_at, active_at) if at]
    target.last_active_at = max(active, default=None)
    target.save()
    return {
        "external_id": external_id,
        "last_active_at": active_at.isoformat() if active_at else None,
        "changed": compare_profiles(before, describe_profile(target)),
    }


def describe_profile(contact: Contact) -> Described:
    columns = {name: getattr(contact, name) for name in COLUMNS}
    columns["known_since"] = contact.known_since.isoformat()
    words = {}
    for key, at in contact.traits_at.items():
        words[key] = {"at": at}
        if key in contact.traits:
            words[key]["value"] = contact.traits[key]
    return {"columns": columns, "traits": words}


def compare_profiles(before: Described, after: Described) -> Journal:
    """[was, left] of everything that differs; None where nothing was said."""
    return {
        part: {
            key: [before[part].get(key), left]
            for key, left in after[part].items()
            if before[part].get(key) != left
        }
        for part in before
    }


def part_profiles(target: Contact, changed: Mapping[str, Any]) -> None:
    """Give up what a merge brought, where it is still as the merge left it."""
    now = describe_profile(target)
    for name, (was, left) in changed["columns"].items():
        if now["columns"][name] == left:
            value = datetime.fromisoformat(was) if name == "known_since" else was
            setattr(target, name, value)
    for key, (was, left) in changed["traits"].items():
        if now["traits"].get(key) == left:
            put_word(target, key, was)


def put_word(contact: Contact, key: str, word: Mapping[str, Any] | None) -> None:
    contact.traits.pop(key, None)
    contact.traits_at.pop(key, None)
    if word is not None:
        contact.traits_at[key] = word["at"]
        if "value" in word:
            contact.traits[key] = word["value"]


def forget_words(later: Mapping[str, Any], undone: Mapping[str, Any]) -> Journal:
    """The journal of a later merge into the same contact, as if the undone one had
    never been: what it found there from that merge, it did not find."""
    return {
        part: {
            key: [replace_word(was, undone[part].get(key)), left]
            for key, (was, left) in later[part].items()
        }
        for part in later
    }


def replace_word(was: Any, undone: Any) -> Any:
    return undone[0] if undone and was == undone[1] else was
