"""The pages of one segment beside its editor: overview, versions, deeds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from segments import editing, figures
from segments.admin import overview
from segments.deadline import TooSlow
from segments.models import Segment
from tests.factories import make_campaign, make_contact, make_device, make_sender
from tests.segments.admin.forms import read_fields
from tests.segments.admin.test_editor import ADD, PRO, make_segment, staff, url_of

__all__ = ["staff"]
pytestmark = pytest.mark.django_db
FREE = {**PRO, "value": "free"}


def page_of(segment: Segment, part: str) -> str:
    return f"/admin/segments/segment/{segment.pk}/{part}/"


def edit(segment: Segment, root: Any) -> Segment:
    rule = {"version": 1, "root": root}
    return editing.save_segment(
        name=segment.name, rule=rule, actor="x", segment=segment
    )


def read(client: Client, url: str, **said: Any) -> str:
    answer = client.get(url, said)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_overview_tells_size_days_reach_and_users(staff: Client) -> None:
    make_sender()
    people = [make_contact(traits={"plan": "pro"}) for _ in range(3)]
    make_device(people[0])
    make_device(people[1], permission="denied")
    segment = make_segment({"all": [PRO]})
    make_campaign("Win back", segment=segment)
    html = read(staff, page_of(segment, "overview"), subject="service")
    assert "<b>3</b>" in html
    assert 'data-type="line"' in html
    assert '<span class="apr-num">1 of 3</span>' in html
    assert "no device or address 1 · notifications switched off 1" in html.lower()
    assert "Win back" in html
    assert html.count("<tr>") == 2


def test_a_segment_of_a_day_without_anybody_says_what_to_do_next(
    staff: Client,
) -> None:
    rule = {"version": 1, "root": PRO}
    segment = editing.save_segment(name="Pro", rule=rule, actor="x")
    html = read(staff, page_of(segment, "overview"))
    assert "waits to be built" in html
    assert "Nobody is in it until then." in html
    assert "from the first build on" in html
    assert "Write a campaign" in html
    assert "There is no other segment to compare it with." in html


def test_an_overlap_is_drawn_and_told(staff: Client) -> None:
    for plan in ("pro", "pro", "free"):
        make_contact(traits={"plan": plan})
    segment = make_segment({"all": [PRO]})
    other = make_segment({"type": "everyone"}, "All & sundry")
    html = read(staff, page_of(segment, "overview"), **{"with": other.slug})
    assert 'aria-label="2 in both, 0 only here, 1 only in All &amp; sundry"' in html
    for said in ("nobody", "%"):
        told = read(staff, page_of(segment, "overview"), **{"with": said})
        assert "Choose a segment to see who is in both." in told


def test_what_takes_too_long_is_said(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise TooSlow

    for name in ("count_size", "measure_overlap"):
        monkeypatch.setattr(overview, name, stop)
    monkeypatch.setattr(overview, "stop_after", stop)
    segment = make_segment({"all": [PRO]})
    other = make_segment({"type": "everyone"}, "All")
    html = read(staff, page_of(segment, "overview"), **{"with": other.slug})
    assert html.count("took longer than 5 seconds") == 3


def test_a_build_is_shown_while_the_old_version_serves(staff: Client) -> None:
    segment = make_segment({"all": [PRO]})
    edit(segment, {"all": [FREE]})
    url = page_of(segment, "progress")
    html = read(staff, url)
    assert "Version 2" in html
    assert "the people of version 1 serve" in html
    assert 'hx-trigger="every 2s"' in html
    listed = read(staff, "/admin/segments/segment/")
    assert f"{url}?part=badge" in listed
    Segment.objects.update(state="live")
    done = staff.get(url, headers={"HX-Request": "true"})
    assert done["HX-Refresh"] == "true"
    badge = read(staff, url, part="badge")
    assert "hx-get" not in badge


def test_versions_are_compared_and_restored(staff: Client) -> None:
    segment = make_segment({"all": [PRO]})
    edit(segment, {"all": [FREE]})
    url = page_of(segment, "versions")
    html = read(staff, url)
    assert "1 change from version 1 to version 2." in html
    assert "<del>have plan that is “pro”</del>" in html
    assert "<ins>have plan that is “free”</ins>" in html
    assert "Both ask the same." in read(staff, url, **{"from": "1", "to": "1"})
    for said in ("x", "9" * 30, "77"):
        read(staff, url, **{"from": said, "to": said})
    answer = staff.post(page_of(segment, "restore"), {"version": "1"}, follow=True)
    assert "The rule is that of version 1 again." in answer.content.decode()
    segment.refresh_from_db()
    assert segment.current_version.rule["root"] == {"all": [PRO]}
    for said in ("", "x", "77"):
        gone = staff.post(page_of(segment, "restore"), {"version": said})
        assert gone.status_code == 404


def test_one_version_says_where_the_next_comes_from(staff: Client) -> None:
    segment = make_segment({"all": [PRO]})
    assert "There is one version so far." in read(staff, page_of(segment, "versions"))


def test_a_version_whose_words_are_gone_is_still_told(staff: Client) -> None:
    segment = make_segment({"all": [PRO]})
    edit(segment, {"all": [FREE]})
    old = {"version": 1, "root": {"type": "horoscope"}}
    segment.versions.filter(number=1).update(rule=old)
    html = read(staff, page_of(segment, "versions"))
    assert "asks for something that is no longer known" in html
    answer = staff.post(page_of(segment, "restore"), {"version": "1"}, follow=True)
    assert "Version 1 cannot be restored" in answer.content.decode()
    assert segment.versions.count() == 2


def test_a_restore_names_who_builds_on_it_and_asks(staff: Client) -> None:
    segment = make_segment({"all": [PRO]})
    edit(segment, {"all": [FREE]})
    make_campaign("Win back", segment=segment)
    url = page_of(segment, "restore")
    asked = staff.post(url, {"version": "1"})
    assert asked.status_code == 409
    assert "Win back" in asked.content.decode()
    assert segment.versions.count() == 2
    staff.post(url, {"version": "1", "confirm": "yes"})
    assert segment.versions.count() == 3


def test_an_edit_names_who_builds_on_it_and_asks(staff: Client) -> None:
    segment = make_segment({"all": [PRO]})
    make_campaign("Win back", segment=segment)
    page = read_fields(staff.get(url_of(segment)).content.decode())
    fields = {**page.fields, "r-0.value": ["free"], "do": ["save"]}
    asked = staff.post(url_of(segment), fields)
    html = asked.content.decode()
    assert "Win back" in html
    assert 'name="confirm"' in html
    # What was typed is still there.
    assert read_fields(html).fields["r-0.value"] == ["free"]
    assert segment.versions.count() == 1
    staff.post(url_of(segment), {**fields, "confirm": "yes"})
    assert segment.versions.count() == 2


def test_a_segment_is_copied_and_travels_as_a_file(staff: Client) -> None:
    segment = make_segment({"all": [PRO]}, "Pro & co")
    answer = staff.post(page_of(segment, "copy"), follow=True)
    assert "is a copy of" in answer.content.decode()
    assert Segment.objects.filter(name="Copy of Pro & co").exists()
    file = staff.get(f"/admin/segments/segment/{segment.pk}/rule/")
    assert file["Content-Disposition"] == 'attachment; filename="pro-co.json"'
    told = json.loads(file.content)
    assert told == {
        "name": "Pro & co",
        "description": "",
        "kind": "dynamic",
        "rule": {"version": 1, "root": {"all": [PRO]}},
    }
    upload = SimpleUploadedFile("rule.json", file.content)
    page = read_fields(staff.get(ADD).content.decode())
    taken = staff.post(ADD, {**page.fields, "do": "json", "file": upload})
    assert read_fields(taken.content.decode()).fields["r-0.value"] == ["pro"]


@pytest.mark.parametrize(
    ("_case", "content", "shown"),
    [
        ("no JSON", b"\xff\xfe\x00", "is not JSON"),
        ("no rule", b'{"name": "A"}', "must be 1"),
        ("too large", b" " * 1_000_001, "is larger than 1,000,000 bytes"),
    ],
)
def test_a_wrong_file_is_refused_with_a_reason(
    staff: Client, _case: str, content: bytes, shown: str
) -> None:
    upload = SimpleUploadedFile("rule.json", content)
    answer = staff.post(ADD, {"do": "json", "file": upload})
    assert answer.status_code == 200
    assert shown in answer.content.decode()
    assert not Segment.objects.exists()


def test_who_may_only_look_changes_nothing(db: None) -> None:
    user = get_user_model().objects.create_user("sue", is_staff=True)
    user.groups.add(Group.objects.get(name="Support"))
    client = Client()
    client.force_login(user)
    segment = make_segment({"all": [PRO]})
    edit(segment, {"all": [FREE]})
    html = read(client, page_of(segment, "versions"))
    assert "/restore/" not in html
    assert "/copy/" not in html
    assert client.post(page_of(segment, "copy")).status_code == 403
    restored = client.post(page_of(segment, "restore"), {"version": "1"})
    assert restored.status_code == 403
    assert client.get(page_of(segment, "copy")).status_code == 405
    assert (Segment.objects.count(), segment.versions.count()) == (1, 2)


def test_the_overview_asks_few_queries(
    staff: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        make_device(make_contact(traits={"plan": "pro"}))
    segment = make_segment({"all": [PRO]})
    with django_assert_max_num_queries(45):
        read(staff, page_of(segment, "overview"))
    assert figures.count_size(segment).people == 30
