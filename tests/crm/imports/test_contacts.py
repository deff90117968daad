"""A file of people: good rows are kept, bad ones told with their line and column."""

from __future__ import annotations

import io
from typing import Any

import pytest

from crm.events.identity import IdentityRaceLost
from crm.events.lines import Said, write_lines
from crm.imports import contacts
from crm.imports.contacts import leave_out_erased
from crm.imports.files import FileRefused, Row
from crm.imports.jobs import start_import
from crm.imports.problems import list_problem_lines
from crm.models import AuditEntry, Contact, ImportJob, PendingEvent
from crm.privacy import erase_contact
from tests.crm.imports.files import (
    SENT,
    check_file,
    count_rows,
    list_problems,
    make_csv,
    make_xlsx,
    run_file,
)
from tests.factories import make_contact

pytestmark = pytest.mark.django_db
HEADING = "id,email,phone,first_name,plan,visits"


def test_good_rows_become_contacts_and_bad_ones_are_told() -> None:
    job = run_file(
        make_csv(
            HEADING,
            "u1,ada@example.com,+44 20 7946 0000,Ada,pro,3",
            "u2,no address,123,Bob,pro,3",
            ",,,Nobody,pro,4",
            "u4,dan@example.com,,D\x00n,pro,4",
            f"{'u' * 256},,,Eve,pro,5",
            "u6,,,Fay,,",
            "u7,,,Gus,pro",
        )
    )
    assert job.state == ImportJob.State.DONE
    assert count_rows(job) == (2, 0, 0, 5)
    assert list_problems(job) == [
        (3, "email", "invalid_email"),
        (3, "phone", "invalid_phone"),
        (4, "", "nobody"),
        (5, "first_name", "null_character"),
        (6, "", "too_long"),
        (8, "", "too_few_cells"),
    ]
    ada, fay = Contact.objects.order_by("external_id")
    assert (ada.email, ada.phone) == ("ada@example.com", "+442079460000")
    assert ada.traits["visits"] == 3
    # An empty cell says nothing.
    assert fay.traits == {"first_name": "Fay"}
    assert PendingEvent.objects.count() == 2
    deeds = AuditEntry.objects.filter(object_type="crm.importjob").order_by("pk")
    assert [row.action for row in deeds] == ["uploaded", "imported"]


def test_the_same_file_twice_changes_nothing_and_a_newer_one_what_it_says() -> None:
    first = make_csv("id,plan", "u1,free", "u2,free")
    assert count_rows(run_file(first)) == (2, 0, 0, 0)
    assert count_rows(run_file(first)) == (0, 0, 2, 0)
    second = make_csv("id,plan", "u1,pro", "u2,free", "u3,free", "u3,free", "u3,pro")
    assert count_rows(run_file(second)) == (1, 2, 2, 0)


def test_a_check_counts_the_same_and_writes_nothing() -> None:
    run_file(make_csv("id,plan", "u1,free", "u2,free"))
    PendingEvent.objects.all().delete()
    content = make_csv("id,plan", "u1,pro", "u2,free", "u3,pro", "u3,pro", ",x")
    job = check_file(content)
    assert job.state == ImportJob.State.CHECKED
    assert count_rows(job) == (1, 1, 2, 1)
    assert Contact.objects.count() == 2
    assert Contact.objects.get(external_id="u1").traits == {"plan": "free"}
    assert not PendingEvent.objects.exists()
    assert not job.touches.exists()


def test_latin_1_utf_16_and_a_workbook_become_the_same_people() -> None:
    text = "id;city\nu1;Köln\n"
    for content in (text.encode("utf-16"), make_xlsx(["id", "city"], ["u1", "Köln"])):
        run_file(content, name="misnamed.txt")
        assert Contact.objects.get().traits == {"city": "Köln"}
        Contact.objects.all().delete()


def test_the_file_of_problems_holds_the_rows_and_no_formula() -> None:
    job = run_file(make_csv("id,email,=note", "u1,=1+1,@x", "u2,b@example.com,-5"))
    assert list(list_problem_lines(job)) == [
        ["line", "column", "code", "message", "id", "email", "'=note"],
        [2, "email", "invalid_email", "Not an e-mail address.", "u1", "'=1+1", "'@x"],
    ]


def test_columns_about_consent_write_no_consent() -> None:
    run_file(make_csv("id,Newsletter,unsubscribed", "u1,yes,no"))
    assert Contact.objects.get().traits == {}


def test_a_file_larger_than_allowed_is_refused(settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = 10
    file = io.BytesIO(b"x" * 11)
    with pytest.raises(FileRefused, match="larger than"):
        start_import(file, kind="contacts", name="a", actor="ada", at=SENT)
    assert not ImportJob.objects.exists()


def test_a_file_brings_no_erased_person_back() -> None:
    ada = make_contact("ada", email="ada@example.com")
    erase_contact(ada, actor="test")
    content = make_csv(
        "id,email", "ada,", "ada2,Ada@Example.com", ",ada@example.com", "bob,b@x.io"
    )
    for job in (check_file(content), run_file(content)):
        assert count_rows(job) == (1, 0, 0, 3)
        assert list_problems(job) == [(n, "", "erased") for n in (2, 3, 4)]
        # Where, and not who: what is kept of them would be all there is in clear.
        assert [row.cells for row in job.problems.all()] == [[], [], []]
    assert Contact.objects.canonical().get().external_id == "bob"


def test_somebody_erased_while_a_file_is_judged_is_not_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ada = make_contact("ada", email="ada@example.com")
    make_contact("bob")

    def look_then_erase(people: contacts.People) -> contacts.People:
        left = leave_out_erased(people)
        erase_contact(ada, actor="test")
        return left

    monkeypatch.setattr(contacts, "leave_out_erased", look_then_erase)
    said = [Said("ada", "", {}), Said("bob", "", {"plan": "pro"})]
    people = contacts.People(write_lines(said), [Row(2, []), Row(3, [])])
    with pytest.raises(IdentityRaceLost):
        contacts.take_contacts(people, at=SENT, dry=False)
