from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from crm.events.merge import merge_contacts
from crm.imports.files import FileRefused
from crm.models import Contact
from crm.models.audit import AuditEntry
from crm.privacy import erase_contact
from segments import filling, membership
from segments.editing import save_segment
from segments.filling import Entry, find_listed, read_list, read_pasted
from segments.models import Membership, MembershipChange, Segment
from tests.factories import make_contact
from tests.segments.admin.forms import read_fields
from tests.segments.test_api import make_client

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
NOBODY = {"type": "attribute", "trait": "nothing", "op": "exists"}


def make_list(name: str = "Guests", *, built: bool = True) -> Segment:
    rule = {"version": 1, "root": NOBODY}
    segment = save_segment(name=name, rule=rule, actor="x", kind=Segment.Kind.STATIC)
    if built:
        membership.refresh_segment(segment, at=AT)
    segment.refresh_from_db()
    return segment


def make_sheet(rows: list[list[Any]]) -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def members(segment: Segment) -> list[int]:
    rows = Membership.objects.of_segment(segment).order_by("contact_id")
    return list(rows.values_list("contact_id", flat=True))


@pytest.mark.parametrize(
    "content",
    [
        b"u1\nu2\n",
        b"external_id\r\nu1\r\n\r\nu2\r\n",
        b"\xef\xbb\xbfName;Customer ID;Mail\nAda;u1;a@x.io\nBob;;u2\n",
        "E-Mail\nu1\nu2".encode("utf-16"),
        make_sheet([["Email"], ["u1"], ["u2"]]),
        make_sheet([["u1"], ["u2"]]),
    ],
    ids=["bare", "heading", "columns", "utf-16", "xlsx", "xlsx bare"],
)
def test_a_list_is_read_from_each_kind_of_file(content: bytes) -> None:
    found = read_list(io.BytesIO(content))
    assert [one.text for one in found if isinstance(one, Entry)] == ["u1", "u2"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n", "names nobody"),
        (b"email\n", "names nobody"),
        (b"Ada,London\nBob,Paris\n", "call one of them external_id or email"),
        (b"caf\xe9\n", "Save it as UTF-8"),
        (b"PK\x03\x04 no workbook", "damaged"),
        (b"\xd0\xcf\x11\xe0", "old Excel"),
        (b"u\n" * 100_001, "longer than 100,000 lines"),
        (b"u" * (filling.BYTES_MAX + 1), "larger than 10 MB"),
    ],
)
def test_what_is_no_list_is_refused_in_words(content: bytes, words: str) -> None:
    with pytest.raises(FileRefused, match=words):
        read_list(io.BytesIO(content))


def test_people_are_found_by_id_address_and_uuid_and_the_rest_by_line() -> None:
    ada = make_contact("ada")
    bob = make_contact("bob", email="Bob@X.io")
    make_contact("twin 1", email="twin@x.io")
    Contact.objects.filter(pk=make_contact("twin 2").pk).update(email="TWIN@x.io")
    gone, old = make_contact("gone"), make_contact("old")
    merge_contacts(source_id=old.pk, target_id=ada.pk, actor="test")
    erase_contact(gone, actor="test")
    lines = ["id", "ada", "bob@x.IO", str(ada.uuid), "old", "gone", "twin@x.io"]
    lines += ["zed", "x" * 300]

    listed = find_listed(read_pasted("\n".join(lines)))

    assert listed.people == (ada.pk, bob.pk)
    assert [(one.line, one.code) for one in listed.refused] == [
        (6, "unknown"),
        (7, "ambiguous"),
        (8, "unknown"),
        (9, "unreadable"),
    ]
    assert listed.repeated == 2


def test_an_id_that_looks_like_an_address_is_an_id_first() -> None:
    by_id = make_contact("ada@x.io")
    make_contact("other", email="ada@x.io")
    assert find_listed([Entry(1, "ada@x.io")]).people == (by_id.pk,)


def press(client: Client, url: str, said: dict[str, Any]) -> Any:
    """Check, then take in what was checked."""
    for one in said.values():
        if hasattr(one, "seek"):
            one.seek(0)
    page = client.post(url, {**said, "do": "check"}).content.decode()
    checked = read_fields(page).fields["checked"][0]
    for one in said.values():
        if hasattr(one, "seek"):
            one.seek(0)
    return client.post(url, {**said, "do": "fill", "checked": checked})


@pytest.mark.parametrize(
    ("how", "after", "moved"),
    [
        ("add", ["ada", "bob", "cleo"], {("cleo", "entered")}),
        ("replace", ["bob", "cleo"], {("ada", "left"), ("cleo", "entered")}),
        ("remove", ["ada"], {("bob", "left")}),
    ],
)
def test_a_list_adds_replaces_or_removes_and_each_move_is_a_row(
    admin_client: Client, how: str, after: list[str], moved: set[tuple[str, str]]
) -> None:
    people = {name: make_contact(name).pk for name in ("ada", "bob", "cleo")}
    segment = make_list()
    follows = {"version": 1, "root": {"type": "segment", "segment": segment.slug}}
    behind = save_segment(name="Behind", rule=follows, actor="x")
    membership.refresh_segment(behind, at=AT)
    url = f"/admin/segments/segment/{segment.pk}/fill/"
    press(admin_client, url, {"pasted": "ada\nbob", "how": "add"})
    assert members(segment) == members(behind) == [people["ada"], people["bob"]]
    last = MembershipChange.objects.latest("pk").pk

    file = SimpleUploadedFile("vips.csv", b"bob\nzed\ncleo\n")
    seen = admin_client.post(url, {"file": file, "how": how, "do": "check"})
    assert "zed" in seen.content.decode()
    assert "Nobody is known by this." in seen.content.decode()
    assert not MembershipChange.objects.filter(pk__gt=last).exists()

    assert press(admin_client, url, {"file": file, "how": how}).status_code == 302
    expected = sorted(people[name] for name in after)
    assert members(segment) == members(behind) == expected
    rows = MembershipChange.objects.filter(pk__gt=last, segment=segment)
    names = dict(Contact.objects.values_list("pk", "external_id"))
    assert {(names[row.contact_id], row.action) for row in rows} == moved
    assert {row.reason for row in rows} == {"by hand: the file vips.csv"}
    assert {row.handled_at for row in rows} == {None}
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.changes["how"]) == ("filled", how)
    segment.refresh_from_db()
    assert segment.size == len(after)


def test_the_page_is_for_static_segments_and_who_may_change_them(
    admin_client: Client,
) -> None:
    dynamic = save_segment(name="D", rule={"version": 1, "root": NOBODY}, actor="x")
    url = f"/admin/segments/segment/{dynamic.pk}"
    assert admin_client.get(f"{url}/fill/").status_code == 404
    assert b"Fill by list" not in admin_client.get(f"{url}/overview/").content
    waiting = make_list(built=False)
    url = f"/admin/segments/segment/{waiting.pk}"
    assert b"Fill by list" in admin_client.get(f"{url}/overview/").content
    make_contact("ada")
    page = press(admin_client, f"{url}/fill/", {"pasted": "ada", "how": "add"})
    assert b"still being built" in page.content
    for said in ({"pasted": " "}, {"pasted": "zed", "do": "fill"}, {"pasted": "a,b"}):
        assert admin_client.post(f"{url}/fill/", said).status_code == 200
    assert members(waiting) == []


def test_what_is_not_what_was_checked_is_checked_anew(admin_client: Client) -> None:
    make_contact("ada")
    segment = make_list()
    url = f"/admin/segments/segment/{segment.pk}/fill/"
    page = admin_client.post(url, {"pasted": "ada", "how": "add"}).content.decode()
    checked = read_fields(page).fields["checked"][0]
    for said in (
        {"pasted": "ada", "how": "replace", "checked": checked},
        {"pasted": "ada", "how": "add"},
    ):
        answer = admin_client.post(url, {**said, "do": "fill"})
        assert b"not what was checked before" in answer.content
    assert members(segment) == []


def test_the_api_fills_a_list_and_names_the_path_of_who_is_nobody() -> None:
    client, segment = make_client("admin"), make_list()
    ada, bob = make_contact("ada"), make_contact("bob", email="b@x.io")
    url = f"/api/segments/{segment.pk}/members/"
    said = {"contacts": ["ada", "zed", "b@x.io"]}
    dry = client.post(url, {**said, "dry_run": True}, format="json").json()
    assert members(segment) == []
    done = client.post(url, said, format="json").json()
    assert dry == {**done, "dry_run": True}
    assert (done["entered"], done["left"]) == (2, 0)
    assert [(one["path"], one["code"]) for one in done["refused"]] == [
        ("contacts[1]", "unknown")
    ]
    assert members(segment) == [ada.pk, bob.pk]
    empty = client.post(url, {"contacts": [], "how": "replace"}, format="json").json()
    assert (empty["left"], members(segment)) == (2, [])


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, 400),
        ({"contacts": "ada"}, 400),
        ({"contacts": [""]}, 400),
        ({"contacts": ["a\x00"]}, 400),
        ({"contacts": ["x" * 256]}, 400),
        ({"contacts": ["a"] * 10_001}, 400),
        ({"contacts": ["a"], "how": "burn"}, 400),
    ],
)
def test_a_wrong_list_is_refused_by_the_api(said: Any, status: int) -> None:
    url = f"/api/segments/{make_list().pk}/members/"
    assert make_client("admin").post(url, said, format="json").status_code == status


def test_the_api_fills_no_segment_that_follows_a_rule_and_asks_for_the_right() -> None:
    dynamic = save_segment(name="D", rule={"version": 1, "root": NOBODY}, actor="x")
    url = f"/api/segments/{dynamic.pk}/members/"
    for dry in (True, False):
        said = {"contacts": [], "dry_run": dry}
        answer = make_client("admin").post(url, said, format="json")
        assert answer.status_code == 409
        assert "not_fillable" in str(answer.json())
    answer = make_client("read").post(url, {"contacts": []}, format="json")
    assert answer.status_code == 403
