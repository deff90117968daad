from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from crm.models import EventName
from segments import membership
from segments.editing import save_segment
from segments.models import Segment
from tests.factories import make_contact
from tests.segments.admin.forms import FormFields, read_fields

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ADD = "/admin/segments/segment/add/"
WEEK = {"amount": 7, "unit": "days"}
PRO = {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}


@pytest.fixture
def staff(db: None) -> Client:
    user = get_user_model().objects.create_superuser("ada", "ada@example.com", "x")
    client = Client()
    client.force_login(user)
    return client


def make_segment(root: Any, name: str = "Pro") -> Segment:
    segment = save_segment(name=name, rule={"version": 1, "root": root}, actor="x")
    membership.refresh_segment(segment, at=AT)
    segment.refresh_from_db()
    return segment


def open_page(client: Client, url: str) -> FormFields:
    answer = client.get(url)
    assert answer.status_code == 200
    return read_fields(answer.content.decode())


def url_of(segment: Segment) -> str:
    return f"/admin/segments/segment/{segment.pk}/change/"


def leaf(**node: Any) -> dict[str, Any]:
    return {"all": [node]}


NUMBER = {"property": "n", "op": "lt", "value": 3}


@pytest.mark.parametrize(
    "root",
    [
        {"all": [PRO]},
        {"any": [PRO, {"none": [PRO, {"all": [PRO]}]}]},
        leaf(type="attribute", trait="it's <b>", op="in", value=[1, "10", True, "a"]),
        leaf(type="attribute", trait="n", op="gte", value=10.5),
        leaf(type="attribute", trait="n", op="equals", value="10"),
        leaf(type="attribute", trait="d", op="within_last", value=WEEK),
        leaf(type="attribute", field="email", op="contains", value="50%"),
        leaf(type="attribute", trait="plan", op="not_exists"),
        leaf(type="event", name="A & B", count={"op": "at_most", "n": 0}, within=WEEK),
        leaf(type="event", name="A", sum={"property": "p", "op": "more_than", "n": 50}),
        leaf(
            type="event",
            name="A",
            count={"op": "at_least", "n": 1},
            where=[
                {"property": "id", "op": "equals", "value": "X"},
                {"property": "n", "op": "exists"},
                {"property": "n", "op": "lt", "value": 3},
            ],
        ),
        leaf(type="not_performed", name="A", within=WEEK, include_newcomers=True),
        leaf(type="device", platform="ios", permission=["granted"], reachable=True),
        leaf(type="attribute", trait="d", op="anniversary", value=7),
        leaf(type="attribute", trait="d", op="during", value="this_week"),
        leaf(type="attribute", trait="v", op="version_below", value="3"),
        leaf(type="attribute", trait="v", op="matches", value="^10$"),
        leaf(type="attribute", trait="v", op="has", value="10"),
        leaf(type="event", name="A", between={"to": "2026-03-01"}),
        leaf(
            type="event",
            name="A",
            count={"op": "at_least", "n": 2},
            where=[{"property": "$product.stock", "op": "lte", "value": 5}],
        ),
        leaf(
            **{"type": "aggregate", "measure": "last", "name": "A", "property": "sku"},
            lookup={"catalog": "products", "field": "brand"},
            **{"op": "equals", "value": "Alpine"},
        ),
        leaf(**{"type": "cohort", "from": 0, "to": 12.5, "seed": "spring"}),
        leaf(
            **{"type": "aggregate", "measure": "last", "name": "A", "property": "p"},
            **{"lines": "products", "within": WEEK, "op": "equals", "value": "10"},
            where=[NUMBER],
        ),
        leaf(
            **{"type": "aggregate", "measure": "first_at", "name": "A"},
            **{"between": {"to": "2026-03-01"}, "op": "more_than_ago", "value": WEEK},
        ),
        leaf(
            **{"type": "occurrence", "name": "A", "which": "first", "n": 2},
            **{"op": "within_last", "value": WEEK},
            having=[{"property": "id", "op": "equals", "value": "X"}],
        ),
        leaf(
            **{"type": "occurrence", "name": "A", "which": "last"},
            having=[{"property": "id", "op": "exists"}],
        ),
        leaf(
            type="sequence",
            steps=[{"name": "A b"}, {"name": "C"}, {"name": "{d}e"}],
            span={"amount": 2, "unit": "hours"},
            same="cart_id",
        ),
        leaf(
            type="sequence",
            steps=[{"name": "a > b"}, {"name": "C", "where": [NUMBER]}],
            within=WEEK,
        ),
        leaf(
            type="not_followed",
            first={"name": "A"},
            then={"name": "B", "where": [NUMBER]},
        ),
        leaf(type="everyone"),
    ],
)
def test_a_rule_survives_the_form_as_it_is(staff: Client, root: Any) -> None:
    segment = make_segment(root)
    page = open_page(staff, url_of(segment))
    answer = staff.post(url_of(segment), {**page.fields, "do": "save"})
    assert answer.status_code == 302
    segment.refresh_from_db()
    assert segment.current_version.rule == {"version": 1, "root": root}
    assert segment.current_version.number == 1


def press(client: Client, url: str, page: FormFields, do: str, **said: Any) -> Any:
    assert do in page.buttons
    return client.post(url, {**page.fields, **said, "do": do})


def test_a_nested_segment_is_built_with_plain_posts(staff: Client) -> None:
    EventName.objects.create(name="Order Completed", properties=["sku"])
    page = open_page(staff, ADD)
    answer = press(staff, ADD, page, "group:r", **{"r-0.name": "Order Completed"})
    page = read_fields(answer.content.decode())
    answer = press(staff, ADD, page, "leaf:r-1", **{"r-1-0.name": "app_open"})
    page = read_fields(answer.content.decode())
    # Another kind of condition brings its own fields.
    answer = press(staff, ADD, page, "show", **{"r-1-1.type": "attribute"})
    page = read_fields(answer.content.decode())
    answer = press(staff, ADD, page, "filter:r-0:where")
    assert 'value="sku"' in answer.content.decode()
    assert 'value="$product.stock"' in answer.content.decode()
    page = read_fields(answer.content.decode())
    answer = press(
        staff,
        ADD,
        page,
        "save",
        name="Built",
        **{
            "r-0.where-0.property": "sku",
            "r-0.where-0.value": "S1",
            "r-1-1.trait": "plan",
            "r-1-1.value": "pro",
        },
    )
    assert answer.status_code == 302
    segment = Segment.objects.get(name="Built")
    month = {"amount": 30, "unit": "days"}
    once = {"op": "at_least", "n": 1}
    assert segment.current_version.rule["root"] == {
        "all": [
            {
                "type": "event",
                "name": "Order Completed",
                "count": once,
                "within": month,
                "where": [{"property": "sku", "op": "equals", "value": "S1"}],
            },
            {
                "any": [
                    {
                        "type": "event",
                        "name": "app_open",
                        "count": once,
                        "within": month,
                    },
                    PRO,
                ]
            },
        ]
    }
    assert segment.created_by.get_username() == "ada"


def test_conditions_groups_and_filters_can_be_removed(staff: Client) -> None:
    where = [{"property": "a", "op": "exists"}, {"property": "b", "op": "exists"}]
    event = {"type": "event", "name": "A", "where": where}
    segment = make_segment({"all": [PRO, event, {"any": [PRO]}]})
    url = url_of(segment)
    page = open_page(staff, url)
    page = read_fields(press(staff, url, page, "unfilter:r-1:where:0").content.decode())
    page = read_fields(press(staff, url, page, "remove:r-2").content.decode())
    page = read_fields(press(staff, url, page, "remove:r-0").content.decode())
    press(staff, url, page, "save")
    segment.refresh_from_db()
    rule = segment.current_version.rule
    assert rule["root"] == {"all": [{**event, "where": where[1:]}]}


def test_a_wrong_rule_shows_its_fault_at_its_node_and_keeps_nothing(
    staff: Client,
) -> None:
    page = open_page(staff, ADD)
    answer = press(
        staff, ADD, page, "save", name="A",
        **{"r-0.name": "x", "r-0.within.amount": "soon"},
    )  # fmt: skip
    assert answer.status_code == 200
    html = answer.content.decode()
    assert "“In the last” must be a whole number." in html
    assert "seg-wrong" in html
    assert read_fields(html).fields["r-0.within.amount"] == ["soon"]
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    ("_case", "said", "shown"),
    [
        ("not JSON", "{", "This is not JSON"),
        ("wrong rule", '{"version": 2}', "must be 1"),
        (
            "wrong node",
            '{"version": 1, "root": {"all": [{"type": "event"}]}}',
            "root.all[0].name: is missing.",
        ),
        ("deep", "[" * 100_000, "This is not JSON"),
    ],
)
def test_wrong_json_is_refused_with_a_reason_and_stays(
    staff: Client, _case: str, said: str, shown: str
) -> None:
    page = open_page(staff, ADD)
    html = press(staff, ADD, page, "json", json=said).content.decode()
    pasted = html.split('<details class="seg-json" open>')[1].split("</details>")[0]
    assert shown in pasted
    assert "seg-wrong" not in html
    assert read_fields(html).fields["json"] == [said]


def test_json_can_be_pasted(staff: Client) -> None:
    page = open_page(staff, ADD)
    text = json.dumps({"version": 1, "root": PRO})
    page = read_fields(press(staff, ADD, page, "json", json=text).content.decode())
    press(staff, ADD, page, "save", name="Pasted")
    rule = Segment.objects.get().current_version.rule
    assert rule == {"version": 1, "root": {"all": [PRO]}}


def test_the_preview_counts_while_editing(staff: Client) -> None:
    make_contact(traits={"plan": "pro", "name": "<Ada>"})
    make_contact()
    segment = make_segment({"all": [PRO]})
    page = open_page(staff, url_of(segment))
    url = f"/admin/segments/segment/{segment.pk}/preview/"
    answer = staff.post(url, page.fields, headers={"HX-Request": "true"})
    html = answer.content.decode()
    assert 'data-size="1"' in html
    assert "&lt;Ada&gt;" in html
    assert "People who have plan that is “pro”." in html
    page.fields["r-0.trait"] = [""]
    html = staff.post(url, page.fields).content.decode()
    assert "“Trait” is missing" in html


def test_htmx_gets_the_builder_alone(staff: Client) -> None:
    page = open_page(staff, ADD)
    answer = staff.post(
        ADD, {**page.fields, "do": "leaf:r"}, headers={"HX-Request": "true"}
    )
    html = answer.content.decode()
    assert html.lstrip().startswith('<div id="seg-builder"')
    assert answer["HX-Trigger-After-Swap"] == "rule-changed"


def test_a_small_form_makes_no_more_cards_than_a_rule_may_have(staff: Client) -> None:
    fields = {"r.mode": "all", "r.size": "250"}
    for n in range(250):
        fields |= {f"r-{n}.mode": "any", f"r-{n}.size": "250"}
    html = staff.post(ADD, {**fields, "do": "save", "name": "A"}).content.decode()
    buttons = read_fields(html).buttons
    # All but the root can be removed.
    assert sum(button.startswith("remove:") for button in buttons) == 200
    rows = {f"r-{n}.where.size": "250" for n in range(9)}
    rows |= {f"r-{n}.type": "event" for n in range(9)}
    fields = {"r.mode": "all", "r.size": "9", **rows, "do": "show"}
    html = staff.post(ADD, fields).content.decode()
    assert {read_fields(html).fields[f"r-{n}.where.size"][0] for n in range(9)} == {"0"}


@pytest.mark.parametrize("do", ["copy:r-0", "show", "save"])
def test_steps_too_deep_for_a_rule_stay_as_they_are_typed(
    staff: Client, do: str
) -> None:
    deep = "[" * 600 + "]" * 600
    fields = {"r.mode": "all", "r.size": "1", "r-0.type": "sequence"}
    answer = staff.post(ADD, {**fields, "r-0.steps": deep, "do": do, "name": "A"})
    assert answer.status_code == 200
    assert read_fields(answer.content.decode()).fields["r-0.steps"] == [deep]


@pytest.mark.parametrize(
    "said",
    [
        "have age that is at least {}",
        "performed “A” in the last {} days at least once",
        "have as their {}th “A” one that is 3 days ago or longer",
        "have born that has its anniversary today or within the next {} days",
    ],
)
def test_a_number_without_end_is_never_an_error(staff: Client, said: str) -> None:
    words = f"People who {said.format('1' * 5_000)}."
    answer = staff.post(ADD, {"do": "words", "words": words})
    assert answer.status_code == 200
    assert "infinity" not in answer.content.decode().lower()


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "remove:r-99"},
        {"do": "remove:r-x"},
        {"do": "unfilter:r-0:99"},
        {"do": "unfilter:r-0:name:0"},
        {"do": "filter:r-0:name"},
        {"do": "leaf:r-0-0-0"},
        {"do": "leaf:r-" + "1" * 5_000},
        {
            **{"do": "unfilter:r-0:where:" + "1" * 5_000},
            **{"r.mode": "all", "r.size": "1", "r-0.type": "event"},
            **{"r-0.where.size": "1", "r-0.where-0.property": "p"},
        },
        {"kind": "bogus", "r.mode": "all", "r.size": "1", "r-0.type": "everyone"},
        {"do": "nonsense"},
        {"r.mode": "all", "r.size": "999999999"},
        {"r.mode": "all", "r.size": "-1"},
        {"r.mode": "all", "r.size": "1", "r-0.type": "nothing"},
        {"r.mode": "evil"},
        {"r.mode": "all", "r.size": "1", "r-0.type": "event", "r-0.name": "\0"},
    ],
)
def test_a_forged_form_is_never_an_error(staff: Client, fields: Any) -> None:
    for do in ("show", "save"):
        answer = staff.post(ADD, {"do": do, "name": "A", **fields})
        assert answer.status_code == 200
    assert staff.post("/admin/segments/segment/preview/", fields).status_code == 200
    assert not Segment.objects.exists()


def test_the_list_and_the_people_answer_in_few_queries(
    staff: Client, django_assert_max_num_queries: Any
) -> None:
    people = [make_contact(traits={"plan": "pro"}) for _ in range(60)]
    segment = make_segment({"all": [PRO]})
    for n in range(5):
        make_segment({"all": [PRO]}, f"Other {n}")
    with django_assert_max_num_queries(12):
        html = staff.get("/admin/segments/segment/").content.decode()
    assert "People who have plan that is “pro”." in html
    url = f"/admin/segments/segment/{segment.pk}/people/"
    with django_assert_max_num_queries(12):
        html = staff.get(url).content.decode()
    assert f"?before={people[10].pk}" in html
    older = staff.get(f"{url}?before={people[10].pk}").content.decode()
    assert people[9].external_id in older
    assert people[10].external_id not in older.split("Lately")[0]


def test_why_somebody_is_not_in_it(staff: Client) -> None:
    contact = make_contact(traits={"plan": "free"}, email="Bo@example.com")
    segment = make_segment({"all": [PRO]})
    url = f"/admin/segments/segment/{segment.pk}/people/"
    for said in (contact.external_id, contact.uuid, contact.pk, "bo@example.com"):
        html = staff.get(url, {"contact": said}).content.decode()
        assert "is not in" in html
        assert "plan is &quot;free&quot;" in html
    for said in ("nobody", "%", "9" * 30):
        assert "No contact" in staff.get(url, {"contact": said}).content.decode()


def test_a_segment_in_use_is_not_deleted(staff: Client) -> None:
    first = make_segment({"all": [PRO]}, "First")
    make_segment({"type": "segment", "segment": "first"}, "Second")
    url = f"/admin/segments/segment/{first.pk}/delete/"
    assert staff.get(url).status_code == 200
    answer = staff.post(url, {"post": "yes"}, follow=True)
    assert "It cannot be deleted: used by Second." in answer.content.decode()
    assert Segment.objects.count() == 2
    second = Segment.objects.get(name="Second")
    staff.post(f"/admin/segments/segment/{second.pk}/delete/", {"post": "yes"})
    assert Segment.objects.count() == 1


def test_strangers_see_nothing(db: None) -> None:
    user = get_user_model().objects.create_user("eve", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(ADD).status_code == 403
    assert client.post("/admin/segments/segment/preview/").status_code == 403
    segment = make_segment({"all": [PRO]})
    assert client.get(url_of(segment)).status_code == 403
    people = f"/admin/segments/segment/{segment.pk}/people/"
    assert client.get(people).status_code == 403


def test_a_new_segment_asks_for_the_rule_by_the_names_on_the_page(
    staff: Client,
) -> None:
    html = staff.get(ADD).content.decode()
    assert "Finish the rule to see who it finds. “Event” must not be empty." in html


def test_the_editor_names_its_segment_and_leads_to_its_deletion(staff: Client) -> None:
    segment = make_segment({"all": [PRO]}, "Buyers")
    html = staff.get(f"/admin/segments/segment/{segment.pk}/change/").content.decode()
    assert f'href="/admin/segments/segment/{segment.pk}/delete/"' in html
    people = staff.get(f"/admin/segments/segment/{segment.pk}/people/").content.decode()
    for page in (html, people):
        crumbs = page.split("<h1")[1].split("</h1>")[0]
        assert f"/segment/{segment.pk}/change/" in crumbs
        assert "Buyers" in crumbs
