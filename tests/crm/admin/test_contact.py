"""The contact pages: search, the story of one person, traits by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from crm.models import AuditEntry, Contact, PendingEvent
from crm.ports import timeline
from crm.ports.timeline import Entry, Panel
from tests.factories import NOON, make_contact, make_device, make_event

pytestmark = pytest.mark.django_db

LIST = "/admin/crm/contact/"


@pytest.fixture
def page(contact: Contact) -> str:
    return f"{LIST}{contact.pk}/change/"


@pytest.fixture
def contact() -> Contact:
    return make_contact(
        "u1",
        email="Ann@Example.com",
        traits={"first_name": "Ann", "last_name": "Lee"},
        traits_at={"first_name": 1.0, "last_name": 1.0},
    )


@pytest.mark.parametrize(
    "text", ["u1", "ann@ex", "ANN@example.com", "ann", "Lee", "  lee "]
)
def test_a_contact_is_found_by_the_beginning_of_what_is_known(
    text: str, contact: Contact, admin_client: Client
) -> None:
    make_contact("other", traits={"name": "Bob"}, email="bob@example.com")
    response = admin_client.get(LIST, {"q": text})
    assert [row.pk for row in response.context["cl"].result_list] == [contact.pk]


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", "nn@example", "x" * 5_000])
def test_signs_of_patterns_are_plain_text(
    text: str, contact: Contact, admin_client: Client
) -> None:
    response = admin_client.get(LIST, {"q": text})
    assert list(response.context["cl"].result_list) == []


def test_the_list_takes_few_queries_and_counts_nothing(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    for n in range(60):
        make_contact(f"c{n}")
    with django_assert_max_num_queries(10) as captured:
        response = admin_client.get(LIST)
    assert len(response.context["cl"].result_list) == 50
    assert not [q for q in captured.captured_queries if "COUNT(" in q["sql"]]


class _Provider:
    def entries(
        self, contact_id: int, *, before: datetime, limit: int
    ) -> Sequence[Entry]:
        at = NOON + timedelta(minutes=90)
        return [Entry(at, "message", "Push sent", tone="good")] if at < before else []

    def panels(self, contact_id: int) -> Sequence[Panel]:
        return [Panel("Segments", [("Loyal", "since May", "/admin/")])]


def test_the_page_tells_the_whole_story(
    contact: Contact, page: str, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "_providers", [_Provider()])
    make_device(contact, name="Pixel 9")
    for hours in range(3):
        make_event(
            contact,
            name=f"Step {hours}",
            occurred_at=NOON + timedelta(hours=hours),
            properties={"sku": "a1"},
            value=5,
            currency="GBP",
        )
    content = admin_client.get(page).content.decode()
    order = [content.index(text) for text in ("Step 2", "Push sent", "Step 1")]
    assert order == sorted(order)
    for text in ("Ann Lee", "Pixel 9", "Loyal", "since May", "5 GBP · sku: a1"):
        assert text in content


def test_the_page_takes_few_queries(
    contact: Contact,
    page: str,
    admin_client: Client,
    django_assert_max_num_queries: Any,
) -> None:
    for n in range(40):
        make_event(contact, occurred_at=NOON + timedelta(minutes=n))
        make_device(contact)
    with django_assert_max_num_queries(30):
        assert admin_client.get(page).status_code == 200


def test_older_pages_follow_with_and_without_javascript(
    contact: Contact, page: str, admin_client: Client
) -> None:
    for n in range(70):
        make_event(contact, name=f"E{n:02}", occurred_at=NOON + timedelta(minutes=n))
    seen: list[str] = []
    before = None
    for _ in range(3):
        query = {"before": before} if before else {}
        fragment = admin_client.get(page, query, headers={"HX-Request": "true"})
        assert b"<html" not in fragment.content
        shown = fragment.context["timeline"]
        seen += [entry.title for entry in shown.entries]
        before = shown.next_before and shown.next_before.isoformat()
        whole = admin_client.get(page, query)
        assert b"<html" in whole.content
        assert whole.context["timeline"] == shown
    assert before is None
    assert seen == [f"E{n:02}" for n in range(69, -1, -1)]


def test_entries_of_one_moment_are_never_cut_apart(
    contact: Contact, page: str, admin_client: Client
) -> None:
    for n in range(40):
        make_event(contact, occurred_at=NOON + timedelta(minutes=n // 4))
    first = admin_client.get(page).context["timeline"]
    assert len(first.entries) == 28
    query = {"before": first.next_before.isoformat()}
    second = admin_client.get(page, query).context["timeline"]
    assert (len(second.entries), second.next_before) == (12, None)


def test_staff_change_traits_through_the_one_door(
    contact: Contact, page: str, admin_client: Client
) -> None:
    said = {"first_name": "Anna", "phone": "+442079460958"}
    response = admin_client.post(page, {"traits": json.dumps(said)})
    assert response.status_code == 302
    contact.refresh_from_db()
    assert contact.traits == said
    assert contact.phone == "+442079460958"
    assert PendingEvent.objects.get().name == "$identify"
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_name) == ("edited", "admin")
    assert entry.changes == {"traits": ["first_name", "last_name", "phone"]}


def test_staff_add_a_contact_once(admin_client: Client) -> None:
    body = {"external_id": "new", "traits": '{"plan": "pro"}'}
    assert admin_client.post(f"{LIST}add/", body).status_code == 302
    assert Contact.objects.get().traits == {"plan": "pro"}
    again = admin_client.post(f"{LIST}add/", body)
    assert b"A contact with this id exists." in again.content
    assert Contact.objects.count() == 1


@pytest.mark.parametrize(
    ("_case", "traits", "message"),
    [
        ("null", r'{"k": "\u0000"}', "k: Null characters"),
        ("raw null", '{"k": "\x00"}', "Not JSON"),
        ("surrogate", r'{"k": "\ud800"}', "k: Half of a surrogate"),
        ("NaN", '{"k": NaN}', "k: NaN and Infinity"),
        ("1e400", '{"k": 1e400}', "k: The number is out of range"),
        ("big integer", '{"k": %s}' % ("9" * 4_000), "k: Whole numbers"),
        ("deep", '{"k": %s}' % ("[" * 990 + "]" * 990), "Nested deeper"),
        ("very deep", '{"k": %s' % ("[" * 9_000), "Nested deeper"),
        ("text", '"x"', "Must be an object"),
        ("large", '{"k": "%s"}' % ("x" * 40_000), "Larger than"),
        ("no JSON", "{", "Not JSON"),
    ],
)
def test_bad_traits_are_refused_with_their_path_and_nothing_changes(
    _case: str,
    traits: str,
    message: str,
    contact: Contact,
    page: str,
    admin_client: Any,
) -> None:
    response = admin_client.post(page, {"traits": traits})
    assert response.status_code == 200
    assert message in str(response.context["errors"])
    before = contact.traits
    contact.refresh_from_db()
    assert contact.traits == before


LIST_QUERIES = (
    "?q=%00",
    "?p=99999999999999999999",
    "?p=x",
    "?o=99.x",
    "?email__exact=%00",
    "?known_since__year=99999999",
    "?id__exact=" + "9" * 30,
    "?traits__nothing=1",
    "?e=1",
    "?all=",
    "?q=%ff%fe",
)
PAGE_QUERIES = (
    "?before=x",
    "?before=%00",
    "?before=9999-12-31T23:59:59-14:00",
    "?before=0001-01-01T00:00:00%2B14:00",
    "?e=1",
)


def test_odd_parameters_and_ids_are_never_a_500(
    page: str, admin_client: Client
) -> None:
    addresses = [LIST + query for query in LIST_QUERIES]
    addresses += [page + query for query in PAGE_QUERIES]
    names = ("9" * 30, "9" * 19, "0", "x", "%ff", "1_5F", "-1")
    addresses += [f"{LIST}{name}/change/" for name in names]
    for address in addresses:
        response = admin_client.get(address)
        assert response.status_code in (200, 302, 400, 404), address


POLYGLOT = "\"'><img src=x onerror=alert(1)>{{7*7}}<script>alert(1)</script>"


def test_no_text_of_a_contact_becomes_markup(admin_client: Client) -> None:
    contact = make_contact(
        "<script>alert(1)</script>",
        traits={"name": POLYGLOT, POLYGLOT: POLYGLOT},
    )
    make_device(contact, name=POLYGLOT)
    make_event(contact, name=POLYGLOT, properties={POLYGLOT: POLYGLOT})
    for path in (LIST, f"{LIST}{contact.pk}/change/", "/admin/crm/event/"):
        content = admin_client.get(path).content
        assert b"<img src=x" not in content
        assert b"<script>alert" not in content


def test_rights_are_asked_for() -> None:
    contact = make_contact()
    user = User.objects.create_user("clerk", is_staff=True)
    client = Client()
    client.force_login(user)
    page = f"{LIST}{contact.pk}/change/"
    assert client.get(page).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_contact"))
    assert client.get(page).status_code == 200
    assert client.post(page, {"traits": '{"a": 1}'}).status_code == 403


def test_the_page_of_a_merged_contact_leads_to_the_one_that_stayed(
    admin_client: Client,
) -> None:
    stayed, gone = make_contact("ada"), make_contact("ada-2")
    gone.canonical = stayed
    gone.save(update_fields=["canonical"])
    answer = admin_client.get(f"/admin/crm/contact/{gone.pk}/change/")
    assert answer.status_code == 302
    assert answer["Location"] == f"/admin/crm/contact/{stayed.pk}/change/"


def test_a_contact_that_is_not_there_leads_back_with_a_word(
    admin_client: Client,
) -> None:
    answer = admin_client.get("/admin/crm/contact/999999/change/", follow=True)
    assert answer.redirect_chain == [("/admin/", 302)]
    assert "999999" in str(next(iter(answer.context["messages"])))
