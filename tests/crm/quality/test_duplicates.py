"""Contacts that may be one person: found, merged, told apart, erased."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from crm.events.merge import merge_contacts
from crm.models import AuditEntry, Contact, DuplicateSuspect
from crm.privacy import erase_contact
from crm.quality.duplicates import MAX_SHARING, dismiss_duplicate, find_duplicates
from tests.factories import NOON, make_contact, make_device

pytestmark = pytest.mark.django_db


def make_pair(**fields: Any) -> tuple[Contact, Contact]:
    """Two contacts with these columns."""
    return tuple(
        Contact.objects.create(external_id=name, **fields) for name in ("a", "b")
    )  # type: ignore[return-value]


def read_pairs() -> list[tuple[int, int, str]]:
    rows = DuplicateSuspect.objects.open().order_by("first_id", "second_id")
    return list(rows.values_list("first_id", "second_id", "reason"))


def test_an_email_is_compared_without_case_and_a_phone_by_its_digits() -> None:
    ada = Contact.objects.create(email="Ada@Example.com", phone="+49 170 1234567")
    mail = Contact.objects.create(email="ada@example.com", phone="+491701234567")
    phone = Contact.objects.create(phone="+49-170-123-4567")
    Contact.objects.create(phone="110")
    Contact.objects.create(phone="110")

    assert find_duplicates() == 2
    # The surer reason counts where there are two.
    assert read_pairs() == [(ada.pk, mail.pk, "email"), (ada.pk, phone.pk, "phone")]


def test_a_name_counts_together_with_a_device_alone() -> None:
    first = make_contact(traits={"first_name": "Ada", "last_name": "Byron"})
    second = make_contact(traits={"name": "ADA BYRON"})
    other = make_contact(traits={"name": "Ada Byron"})
    lone = make_contact(traits={"name": "Ada"})
    make_device(first, name="Ada's phone")
    make_device(second, name="ada's phone")
    make_device(other, name="Till 4")
    make_device(lone, name="Ada's phone")

    find_duplicates()

    assert read_pairs() == [(first.pk, second.pk, "name_device")]


def test_an_address_that_many_share_names_nobody() -> None:
    for number in range(MAX_SHARING + 1):
        make_contact(f"u{number}", traits={})
    Contact.objects.update(email="info@example.com")

    assert find_duplicates() == 0
    Contact.objects.filter(external_id="u0").update(email="")
    assert find_duplicates() == MAX_SHARING - 1


def test_looking_again_keeps_what_stands_and_drops_what_does_not() -> None:
    first, second = make_pair(email="ada@example.com")
    find_duplicates()
    row = DuplicateSuspect.objects.get()
    find_duplicates()
    assert DuplicateSuspect.objects.get().pk == row.pk

    Contact.objects.filter(pk=second.pk).update(email="new@example.com")
    assert find_duplicates() == 0
    assert not DuplicateSuspect.objects.exists()


def test_told_apart_they_are_not_suspected_again() -> None:
    make_pair(email="ada@example.com")
    find_duplicates()
    row = DuplicateSuspect.objects.get()
    staff = User.objects.create(username="ada", is_staff=True)

    assert dismiss_duplicate(row, actor=staff, at=NOON)
    assert not dismiss_duplicate(row, actor=staff, at=NOON)
    assert find_duplicates() == 0
    assert DuplicateSuspect.objects.get().dismissed_by == staff
    assert [e.action for e in AuditEntry.objects.all()] == ["told apart"]


@pytest.mark.parametrize("end", ["merge", "erase"])
def test_a_merge_or_an_erasure_ends_the_suspicion(end: str) -> None:
    first, second = make_pair(email="ada@example.com")
    find_duplicates()
    if end == "merge":
        merge_contacts(source_id=second.pk, target_id=first.pk, actor="rule")
    else:
        erase_contact(first, actor="rule")

    assert not DuplicateSuspect.objects.exists()
    assert find_duplicates() == 0
