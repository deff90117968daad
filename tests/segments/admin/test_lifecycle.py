"""The lifecycle's page as somebody without JavaScript uses it: no JSON is typed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from crm.models import AuditEntry
from segments.admin.stage_form import make_key
from segments.editing import save_segment
from segments.lifecycle import save_stages
from segments.models import Lifecycle
from segments.rules.stages import SHIPPED
from segments.traits import build_next_piece
from tests.factories import make_contact
from tests.segments.admin.forms import FormFields, read_fields

pytestmark = pytest.mark.django_db
PAGE = "/admin/segments/lifecycle/"
PRO = {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}
SLEEPS = {
    "type": "not_performed",
    "name": "app_open",
    "within": {"amount": 7, "unit": "days"},
}


def press(client: Client, form: FormFields, do: str, **changes: Any) -> str:
    """The page after a button of this form; `r__0__label` stands for r-0.label."""
    said = {
        key.replace("__", "-", 1).replace("__", "."): value
        for key, value in changes.items()
    }
    answer = client.post(PAGE, {**form.fields, **said, "do": do}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def show(client: Client) -> FormFields:
    return read_fields(client.get(PAGE).content.decode())


def stored() -> Any:
    version = Lifecycle.objects.current()
    return version and version.stages


def keys_of(form: FormFields) -> list[str]:
    size = int(form.fields["r.size"][0])
    return [form.fields[f"r-{n}.key"][0] for n in range(size)]


def test_the_shipped_stages_are_saved_as_they_are_and_again_without_a_version(
    admin_client: Client,
) -> None:
    make_contact(known_since=timezone.now())
    first = admin_client.get(PAGE).content.decode()
    assert "No stages yet." in first
    assert 'data-size="1"' in first
    press(admin_client, read_fields(first), "save")
    assert stored() == SHIPPED
    press(admin_client, show(admin_client), "save")
    assert Lifecycle.objects.count() == 1


def test_a_stage_is_added_by_name_and_by_words_before_the_one_that_takes_the_rest(
    admin_client: Client,
) -> None:
    page = press(admin_client, show(admin_client), "stage:r")
    form = read_fields(page)
    assert keys_of(form) == ["new", "active", "churned", "", "at_risk"]
    said = {"r__3__label": "Big Spenders", "r__3__said": "spent over $50 and xyzzy"}
    page = press(admin_client, form, "words:r-3", **said)
    assert "“xyzzy”" in page
    press(admin_client, read_fields(page), "save")
    fourth = stored()[3]
    assert (fourth["key"], fourth["label"]) == ("big_spenders", "Big Spenders")
    assert fourth["rule"]["root"]["sum"]["n"] == 50
    assert stored()[:3] == SHIPPED[:3]


def test_stages_move_go_and_get_another_name_under_the_same_key(
    admin_client: Client,
) -> None:
    save_stages(SHIPPED, actor="test")
    form = show(admin_client)
    form = read_fields(press(admin_client, form, "down:r-0"))
    assert keys_of(form) == ["active", "new", "churned", "at_risk"]
    form = read_fields(press(admin_client, form, "remove:r-1"))
    # A card never leaves its stage, and a stage enters no other.
    for do in ("out:r-0-0", "into:r-1", "copy:r-0", "leaf:r", "remove:r", "up:r-0"):
        form = read_fields(press(admin_client, form, do))
    press(admin_client, form, "save", r__0__label="Lively")
    assert stored() == [{**SHIPPED[1], "label": "Lively"}, *SHIPPED[2:]]


def test_a_rule_is_edited_with_the_cards_of_segments(admin_client: Client) -> None:
    both = {"any": [PRO, SLEEPS]}
    stages = [{**SHIPPED[0], "rule": {"version": 1, "root": both}}, SHIPPED[3]]
    save_stages(stages, actor="test")
    form = read_fields(press(admin_client, show(admin_client), "remove:r-0-0"))
    form = read_fields(press(admin_client, form, "open:r-0-0"))
    page = press(admin_client, form, "leaf:r-0", **{"r-0-0.name": "visit"})
    # Stages ask for neither segments nor stages, so neither is offered.
    assert 'value="event"' in page
    assert 'value="segment"' not in page
    assert 'value="lifecycle"' not in page
    press(admin_client, read_fields(page), "save", **{"r-0-1.name": "Viewed"})
    found = stored()[0]["rule"]["root"]["any"]
    assert [one["name"] for one in found] == ["visit", "Viewed"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"r-1.label": ""}, "Stage 2, “active”: its name must not be empty."),
        ({"r-1.key": "A b"}, "Stage 2, “Active”: its key must be small letters"),
        ({"r-1.key": "new"}, "Stage 2, “Active”: its key &#x27;new&#x27; stands twice"),
        ({"r-1.size": "0"}, "Stage 2, “Active”: its rule must hold at least one"),
        ({"r-1-0.json": "{}", "r-1-0.type": "event"}, "Stage 2, “Active”: “Event”"),
        ({"r.size": "1"}, "There must be 2 to 12 stages."),
        ({"r.size": "99"}, "Stage 5: its name must not be empty."),
        ({"r.mode": "?"}, "There must be 2 to 12 stages."),
    ],
)
def test_a_fault_names_its_stage_and_saves_nothing(
    admin_client: Client, changes: dict[str, str], words: str
) -> None:
    page = press(admin_client, show(admin_client), "save", **changes)
    assert words in page
    assert page.count('role="alert"') == 1
    assert stored() is None
    fields = {**show(admin_client).fields, **changes}
    preview = admin_client.post(f"{PAGE}preview/", fields).content.decode()
    assert words in preview


def test_a_preview_tells_who_would_be_where_beside_who_is(
    admin_client: Client,
) -> None:
    make_contact(known_since=timezone.now() - timedelta(days=60))
    save_stages(SHIPPED, actor="test")
    while build_next_piece(timezone.now()):
        pass
    form = show(admin_client)
    form = read_fields(press(admin_client, form, "up:r-3"))
    page = press(admin_client, form, "preview")
    assert [line for line in ("now 1", "now 0") if line in page] == ["now 1", "now 0"]
    assert stored() == SHIPPED
    assert "Churned" in admin_client.get("/admin/").content.decode()


def test_a_stage_that_segments_ask_for_goes_only_on_purpose(
    admin_client: Client,
) -> None:
    save_stages(SHIPPED, actor="test")
    leaf = {"type": "lifecycle", "stage": ["new", "churned"]}
    rule = {"version": 1, "root": {"none": [leaf]}}
    save_segment(name="Neither", rule=rule, actor="test")
    form = read_fields(press(admin_client, show(admin_client), "remove:r-1"))
    form = read_fields(press(admin_client, form, "remove:r-1"))
    page = press(admin_client, form, "save")
    assert "Neither" in page
    assert stored() == SHIPPED
    press(admin_client, read_fields(page), "save", confirm="yes")
    assert stored() == [SHIPPED[0], SHIPPED[3]]
    entry = AuditEntry.objects.filter(action="edited").latest("pk")
    assert entry.changes["confirmed_for"] == ["segment “Neither”"]
    # Nobody asks for the other: it goes without a question.
    save_stages([SHIPPED[0], SHIPPED[1]], actor="test")


def test_json_comes_into_the_form_or_is_refused_with_its_path(
    admin_client: Client,
) -> None:
    form = show(admin_client)
    for wrong in ("[", "[1]", "{}", "[" * 9000, '[{"key": "a"}]'):
        page = press(admin_client, form, "json", json=wrong)
        assert page.count('role="alert"') == 1
    own = [{**SHIPPED[0], "key": "lead", "label": "Lead"}, SHIPPED[3]]
    page = press(admin_client, form, "json", json=json.dumps(own))
    assert stored() is None
    press(admin_client, read_fields(page), "save")
    assert stored() == own


def test_who_may_only_look_sees_them_fixed_and_changes_nothing(
    client: Client, django_user_model: Any
) -> None:
    eve = django_user_model.objects.create_user("eve", is_staff=True)
    eve.user_permissions.add(Permission.objects.get(codename="view_lifecycle"))
    client.force_login(eve)
    page = client.get(PAGE)
    assert b'value="save"' not in page.content
    assert b'<fieldset class="seg-main seg-plain" disabled>' in page.content
    assert client.post(PAGE, {"do": "save"}).status_code == 403
    assert stored() is None


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("Sleeping beauties", "sleeping_beauties"),
        ("Élite!", "elite"),
        ("3 orders", "stage_3_orders"),
        ("常连", "stage_7"),
        ("New", "new_2"),
        ("x" * 100, "x" * 40),
    ],
)
def test_a_new_stage_gets_its_key_from_its_label(label: str, key: str) -> None:
    assert make_key(label, 7, {"new"}) == key
