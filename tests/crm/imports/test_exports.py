"""Rows leave for their owner alone, with a reason, for a day, and run in no sheet."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from crm.imports.exports import (
    ExportRefused,
    find_people,
    forget_links,
    make_link,
    read_lines,
    stream_csv,
)
from crm.models import AuditEntry, Contact, ExportLink
from segments.editing import save_segment
from segments.membership import refresh_segment
from tests.edges.world import make_world
from tests.factories import make_contact, make_event
from tests.staff import log_in, make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return make_staff("grace", role="Administrator")


def ask(owner: User, sheet: str = "contacts", **said: str) -> ExportLink:
    return make_link(
        owner=owner,
        sheet=sheet,
        form=said.get("form", "csv"),
        segment=said.get("segment", ""),
        reason=said.get("reason", "for the auditor"),
    )


def read(link: ExportLink) -> list[dict[str, Any]]:
    heading, *lines = read_lines(link)
    return [dict(zip(heading, line, strict=True)) for line in lines]


def test_contacts_are_told_whole_and_no_cell_runs(owner: User) -> None:
    make_contact("=cmd()", traits={"first_name": "@SUM", "n": -5}, phone="+4420")
    make_contact("gone", erased_at=timezone.now())
    [row] = read(ask(owner))
    assert row["external_id"] == "'=cmd()"
    assert (row["first_name"], row["phone"]) == ("'@SUM", "+4420")
    assert json.loads(row["traits"]) == {"first_name": "@SUM", "n": -5}


def test_the_members_of_a_segment_and_nobody_else(owner: User) -> None:
    make_contact("pro", traits={"plan": "pro"})
    free = make_contact("free", traits={"plan": "free"})
    make_event(free, "Seen")
    leaf = {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}
    rule = {"version": 1, "root": leaf}
    segment = save_segment(name="Pro", rule=rule, actor=owner)
    refresh_segment(segment, at=timezone.now())
    found = read(ask(owner, segment=segment.slug))
    assert [row["external_id"] for row in found] == ["pro"]
    assert read(ask(owner, "events", segment=segment.slug)) == []
    assert len(read(ask(owner, "events"))) == 1
    # A segment that went away since has nobody.
    link = ask(owner, segment=segment.slug)
    link.segment = "gone"
    assert find_people(link) is not None
    assert read(link) == []


def test_messages_are_told_with_what_became_of_them(owner: User) -> None:
    world = make_world()
    [row] = read(ask(owner, "messages"))
    assert row["external_id"] == world.contact.external_id
    assert (row["state"], row["campaign"]) == ("sent", world.campaign.name)


def fetch(client: Client, link: ExportLink) -> Any:
    return client.get(f"/admin/crm/exportlink/{link.token}/fetch/")


def test_the_owner_fetches_a_csv_and_a_workbook(owner: User) -> None:
    make_contact("u1", traits={"name": "Zoë\x0b"})
    client = log_in(owner)
    answer = fetch(client, ask(owner))
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["external_id"], row["name"]) == ("u1", "Zoë\x0b")
    answer = fetch(client, ask(owner, form="xlsx"))
    book = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content)))
    _, line = book.worksheets[0].iter_rows(values_only=True)
    assert "Zoë" in line
    assert "attachment" in answer["Content-Disposition"]


def test_nobody_else_fetches_it_and_nobody_after_a_day(owner: User) -> None:
    link = ask(owner)
    other = make_staff("eve", role="Administrator")
    assert fetch(log_in(other), link).status_code == 404
    assert fetch(log_in(make_staff("bob", role="Support")), link).status_code == 403
    assert fetch(Client(), link).status_code == 302
    ExportLink.objects.update(expires_at=timezone.now())
    assert fetch(log_in(owner), link).status_code == 404
    link.refresh_from_db()
    assert link.fetched_at is None


def test_a_right_that_was_taken_away_closes_the_link(owner: User) -> None:
    link = ask(owner)
    client = log_in(owner)
    owner.groups.clear()
    assert fetch(client, link).status_code == 403


def test_asking_and_fetching_stand_in_the_trail_with_the_reason(owner: User) -> None:
    link = ask(owner)
    fetch(log_in(owner), link)
    deeds = AuditEntry.objects.about("crm.exportlink", str(link.pk)).order_by("pk")
    told = [(row.action, row.actor_name, row.reason) for row in deeds]
    assert told == [
        ("exported", "grace", "for the auditor"),
        ("fetched", "grace", "for the auditor"),
    ]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"sheet": "secrets"}, "Choose what"),
        ({"form": "exe"}, "Choose what"),
        ({"segment": "nowhere"}, "no such segment"),
        ({"segment": "\x00"}, "no such segment"),
        ({"reason": " "}, "Say why"),
    ],
)
def test_what_can_not_be_is_refused(
    said: dict[str, str], words: str, owner: User
) -> None:
    with pytest.raises(ExportRefused, match=words):
        ask(owner, **said)
    assert not ExportLink.objects.exists()


def test_a_role_that_may_not_see_rows_may_not_take_them(owner: User) -> None:
    with pytest.raises(ExportRefused, match="may not see"):
        ask(make_staff("bob"))


def test_the_pages_lead_from_the_question_to_the_rows(owner: User) -> None:
    client = log_in(owner)
    address = "/admin/crm/exportlink/add/"
    assert "Messages" in client.get(address).content.decode()
    said = {"sheet": "contacts", "format": "csv", "segment": "", "reason": ""}
    assert "Say why" in client.post(address, said).content.decode()
    answer = client.post(address, said | {"reason": "audit"}, follow=True)
    link = ExportLink.objects.get()
    assert f"{link.token}/fetch/" in answer.content.decode()
    other = log_in(make_staff("eve", role="Administrator"))
    page = other.get(f"/admin/crm/exportlink/{link.pk}/change/").content.decode()
    assert link.token not in page


def test_rows_are_streamed_by_few_queries_whatever_their_number(
    owner: User, django_assert_max_num_queries: Any
) -> None:
    Contact.objects.bulk_create(Contact(external_id=f"u{n}") for n in range(1_200))
    with django_assert_max_num_queries(3):
        pieces = list(stream_csv(ask_quietly(owner)))
    assert len(pieces) > 3
    assert "".join(pieces).count("\n") == 1_201


def ask_quietly(owner: User) -> ExportLink:
    return ExportLink(owner=owner, sheet="contacts", format="csv", reason="x")


def test_links_that_ended_long_ago_are_deleted(owner: User) -> None:
    link = ask(owner)
    assert forget_links(now=link.expires_at + timedelta(days=29)) == 0
    assert forget_links(now=link.expires_at + timedelta(days=31)) == 1
