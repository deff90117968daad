"""Staff send a file, map its columns, check, import and undo it; each by a button."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from crm.imports.run import run_imports
from crm.models import Contact, ImportJob
from tests.crm.imports.files import count_rows, make_csv, run_file
from tests.staff import log_in, make_staff

pytestmark = pytest.mark.django_db
State = ImportJob.State
PEOPLE = make_csv("id,email,Plan,Newsletter", "u1,a@example.com,pro,yes", "u2,bad,,")


@pytest.fixture
def staff() -> Client:
    return log_in(make_staff(role="Marketer"))


def send(client: Client, content: bytes, holds: str = "contacts") -> Any:
    file = SimpleUploadedFile("people.csv", content)
    return client.post("/admin/crm/importjob/add/", {"holds": holds, "file": file})


def act(client: Client, deed: str, **said: Any) -> Any:
    job = ImportJob.objects.get()
    return client.post(f"/admin/crm/importjob/{job.pk}/{deed}/", said)


def show(client: Client, **headers: str) -> str:
    job = ImportJob.objects.get()
    address = f"/admin/crm/importjob/{job.pk}/change/"
    return client.get(address, headers=headers).content.decode()


def read_form() -> dict[str, str]:
    """What a browser sends back of the columns as they are shown."""
    said = {}
    for number, column in enumerate(ImportJob.objects.get().mapping):
        said |= {
            f"to_{number}": column["to"],
            f"name_{number}": column["name"],
            f"kind_{number}": column["kind"],
        }
    return said


def test_from_the_file_to_the_people_and_back(staff: Client) -> None:
    assert send(staff, PEOPLE).status_code == 302
    page = show(staff)
    assert "a@example.com" in page
    assert "A file is no proof that somebody said yes: Newsletter is left out" in page

    act(staff, "columns", dates="iso", **read_form() | {"name_2": "tier"})
    assert 'http-equiv="refresh"' in show(staff)
    assert 'hx-trigger="every 2s"' in show(staff, hx_request="true")
    run_imports(budget_s=60)
    page = show(staff)
    assert "What an import would do" in page
    assert "Not an e-mail address." in page
    assert Contact.objects.count() == 0

    act(staff, "start")
    run_imports(budget_s=60)
    assert Contact.objects.get().traits == {"email": "a@example.com", "tier": "pro"}
    assert count_rows(ImportJob.objects.get()) == (1, 0, 0, 1)

    act(staff, "undo")
    run_imports(budget_s=60)
    assert "Contacts removed" in show(staff)
    assert Contact.objects.count() == 0


def test_when_it_ends_htmx_is_told_to_load_the_page(staff: Client) -> None:
    job = run_file(make_csv("id", "u1"))
    answer = staff.get(
        f"/admin/crm/importjob/{job.pk}/change/", headers={"hx-request": "true"}
    )
    assert answer["HX-Refresh"] == "true"


def test_a_mapping_that_can_not_be_keeps_what_was_typed(staff: Client) -> None:
    send(staff, PEOPLE)
    form = read_form() | {"to_0": "", "to_1": "", "name_2": "my tier"}
    page = act(staff, "columns", dates="iso", **form).content.decode()
    assert "No column says who it is" in page
    assert 'value="my tier"' in page
    assert ImportJob.objects.get().state == State.UPLOADED


@pytest.mark.parametrize(
    ("content", "holds", "words"),
    [
        (b"", "contacts", "The file is empty."),
        (b"\xd0\xcf\x11\xe0", "contacts", "old Excel file"),
        (b"PK\x03\x04", "contacts", "damaged archive"),
        (b"id\nu1", "secrets", "Choose what the file holds."),
        (b"id\nu1", "items:nowhere", "Choose what the file holds."),
        (b"id\nu1", "items:\x00", "Choose what the file holds."),
    ],
)
def test_a_file_that_is_none_is_told_in_words(
    content: bytes, holds: str, words: str, staff: Client
) -> None:
    answer = send(staff, content, holds)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not ImportJob.objects.exists()


def test_what_is_no_utf_8_is_asked_for(staff: Client) -> None:
    send(staff, "id,city\nu1,Köln".encode("latin-1"))
    assert "Line 2, byte 13 of the file is not UTF-8." in show(staff)
    act(staff, "start")
    assert "Say first what the file" in show(staff)
    act(staff, "encoding", encoding="nonsense")
    assert "Choose one of the encodings." in show(staff)
    act(staff, "encoding", encoding="latin-1")
    assert "Köln" in show(staff)


def test_the_refused_rows_come_as_a_file(staff: Client) -> None:
    job = run_file(make_csv("id,email", "u1,=1+1"))
    answer = staff.get(f"/admin/crm/importjob/{job.pk}/problems/")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert answer["Content-Disposition"].startswith("attachment")
    assert text.splitlines()[1] == (
        "2,email,invalid_email,Not an e-mail address.,u1,'=1+1"
    )


def test_stop_ends_it_and_a_second_press_is_told(staff: Client) -> None:
    send(staff, PEOPLE)
    act(staff, "columns", dates="iso", **read_form())
    act(staff, "cancel")
    assert ImportJob.objects.get().state == State.UPLOADED
    act(staff, "cancel")
    assert "“waits for its columns” now" in show(staff)


def test_only_who_may_import_does(client: Client) -> None:
    job = run_file(make_csv("id", "u1"))
    reader = User.objects.create(username="reader", is_staff=True)
    client.force_login(reader, "django.contrib.auth.backends.ModelBackend")
    assert send(client, PEOPLE).status_code == 403
    for deed in ("encoding", "columns", "start", "cancel", "undo"):
        assert act(client, deed).status_code == 403
    job.refresh_from_db()
    assert job.state == State.DONE
    assert client.get(f"/admin/crm/importjob/{job.pk}/problems/").status_code == 403
    assert client.get(f"/admin/crm/importjob/{job.pk}/change/").status_code == 403
