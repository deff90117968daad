"""Rows put into the words of a COPY: any text comes back, and knots are told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.validators import validate_email
from hypothesis import given, settings
from hypothesis import strategies as some

from crm.events.bulk import save_people
from crm.events.lines import Said, write_lines
from crm.events.traits import PLAIN_EMAIL
from crm.models import Contact

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@settings(max_examples=300, deadline=None)
@given(some.from_regex(PLAIN_EMAIL, fullmatch=True))
def test_what_looks_like_a_plain_address_is_one_to_django(text: str) -> None:
    validate_email(text)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", ["\\N", "a\tb", "line\nbreak\r", "\\.", 'quo"te\\', "ü😀\u202e", "\x7f"]
)
def test_a_text_of_any_letters_comes_back_as_it_was(text: str) -> None:
    said = [Said(text, "", {"note": text, text: 1}), Said("", f"{text}@", {})]
    save_people(write_lines(said), at=NOON)
    by_id, by_mail = Contact.objects.order_by("pk")
    assert (by_id.external_id, by_id.traits) == (text, {"note": text, text: 1})
    assert by_mail.identifiers.get().value == f"email:{text.lower()}@"


@pytest.mark.parametrize(
    ("rows", "knots"),
    [
        ([("u1", {"plan": "pro"}), ("u2", {"plan": "pro"})], set()),
        ([("u1", {}), ("u2", {}), ("u1", {})], {0, 2}),
        ([("u1", {"email": "a@x.io"}), ("u2", {"email": "A@X.io"})], {0, 1}),
        ([("u1", {"phone": "+442079460000"}), ("", {"email": "a@x.io"})], set()),
        ([("u1", {"email": "a@x.io"}), ("", {"email": "a@x.io"})], {0, 1}),
        ([("u1", {"plan": None}), ("u2", {"language": "en"})], {0, 1}),
    ],
)
def test_rows_that_say_the_same_key_are_judged_one_by_one(
    rows: list[tuple[str, dict[str, Any]]], knots: set[int]
) -> None:
    said = [
        Said(name, "" if name else str(traits["email"]), traits)
        for name, traits in rows
    ]
    assert write_lines(said).knots == knots
