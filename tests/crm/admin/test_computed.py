from __future__ import annotations

import pytest
from django.test import Client

from crm.computed.definition import read_definition
from crm.computed.editing import (
    TRAITS_MAX,
    TraitInUse,
    delete_computed,
    save_computed,
)
from crm.computed.values import load_definition
from crm.models import AuditEntry, ComputedTrait
from segments.editing import save_segment
from segments.lifecycle import save_stages
from segments.models import Segment
from segments.rules.stages import SHIPPED
from tests.factories import make_contact, make_event
from tests.staff import log_in, make_staff

pytestmark = pytest.mark.django_db
PAGE = "/admin/crm/computedtrait/"
FORM = {
    "label": "Favourite colour",
    "key": "favourite_colour",
    "purpose": "To show what people like.",
    "on": "on",
    "kind": "aggregate",
    "measure": "most_frequent",
    "events": "Viewed\nBought",
    "property": "colour",
    "amount": "90",
    "unit": "days",
    "where": "plan equals pro",
}


def test_staff_define_a_trait_as_a_form(admin_client: Client) -> None:
    answer = admin_client.post(f"{PAGE}add/", FORM)

    assert answer.status_code == 302
    trait = ComputedTrait.objects.get()
    assert trait.spec == {
        "kind": "aggregate",
        "measure": "most_frequent",
        "names": ["Viewed", "Bought"],
        "property": "colour",
        "within": {"amount": 90, "unit": "days"},
        "where": [{"property": "plan", "op": "equals", "value": "pro"}],
    }
    assert trait.summary == (
        "Most frequent colour of “Viewed” or “Bought” where plan is “pro” in the last "
        "90 days."
    )
    assert (trait.state, trait.created_by_id is not None) == ("building", True)


def test_a_wrong_field_says_what_is_wrong_and_keeps_nothing(
    admin_client: Client,
) -> None:
    cases = {
        "property": ("", "is missing"),
        "events": ("", "must list 1 to 20 names"),
        "key": ("email", "is a column of the profile"),
        "where": ("plan is pro", "must be “property operator value”"),
        "amount": ("0", "must be from 1 to 3,650"),
        "kind": ("tier", "must give a number"),
    }
    for field, (value, words) in cases.items():
        answer = admin_client.post(f"{PAGE}add/", {**FORM, field: value})
        assert answer.status_code == 200, field
        assert words in answer.content.decode(), field
        assert not ComputedTrait.objects.exists()


def test_the_page_tells_what_people_have_and_the_contact_why(
    admin_client: Client,
) -> None:
    ada = make_contact()
    make_event(ada, "Viewed", properties={"colour": "<b>red</b>"})
    spec = {"kind": "aggregate", "measure": "last", "name": "Viewed"}
    trait = ComputedTrait(
        key="colour", label="Colour", spec={**spec, "property": "colour"}
    )
    save_computed(trait, actor="test")

    page = admin_client.get(f"{PAGE}{trait.pk}/change/").content.decode()
    assert "&lt;b&gt;red&lt;/b&gt;" in page
    assert "Last colour of “Viewed” ever." in page
    listed = admin_client.get(PAGE).content.decode()
    assert "being built" in listed
    contact = admin_client.get(f"/admin/crm/contact/{ada.pk}/change/").content.decode()
    assert "last colour is “&lt;b&gt;red&lt;/b&gt;”, from one event" in contact


def test_switching_off_and_deleting_take_the_values_first(admin_client: Client) -> None:
    admin_client.post(f"{PAGE}add/", FORM)
    trait = ComputedTrait.objects.get()
    admin_client.post(f"{PAGE}{trait.pk}/change/", {**FORM, "on": ""})
    trait.refresh_from_db()
    assert trait.state == "clearing"
    admin_client.post(f"{PAGE}{trait.pk}/delete/", {"post": "yes"})
    trait.refresh_from_db()
    assert trait.state == "leaving"


def test_an_empty_list_says_what_to_do_and_support_changes_nothing(
    admin_client: Client,
) -> None:
    assert "follows from what somebody did" in admin_client.get(PAGE).content.decode()
    sue = log_in(make_staff("sue", "Support"))
    assert sue.get(PAGE).status_code == 200
    assert sue.get(f"{PAGE}add/").status_code == 403


def make_used_trait() -> ComputedTrait:
    """A trait that a segment, a stage and a tier ask for."""
    spec = {"kind": "aggregate", "measure": "count", "name": "Viewed"}
    trait = ComputedTrait(key="views", label="Views", spec=spec)
    save_computed(trait, actor="test")
    often = {"type": "attribute", "trait": "views", "op": "gte", "value": 3}
    rule = {"version": 1, "root": often}
    save_segment(name="Lookers", rule=rule, actor="test")
    static = Segment.Kind.STATIC
    save_segment(name="Once lookers", rule=rule, actor="test", kind=static)
    save_stages(
        [{"key": "keen", "label": "Keen", "rule": rule}, SHIPPED[3]], actor="test"
    )
    tiers = [{"at_least": 0, "value": "low"}]
    tier = {"kind": "tier", "of": {"trait": "views"}, "tiers": tiers}
    save_computed(ComputedTrait(key="tier", label="View tier", spec=tier), actor="test")
    return trait


def test_who_asks_for_a_trait_is_named_before_it_changes(admin_client: Client) -> None:
    trait = make_used_trait()
    page = f"{PAGE}{trait.pk}/change/"
    shown = admin_client.get(page).content.decode()
    for name in ("Lookers", "Once lookers", "Keen", "View tier"):
        assert name in shown
    form = {"label": "Views", "on": "on", "kind": "aggregate", "measure": "count"}
    same = {**form, "events": "Viewed", "unit": "days"}
    for said in ({**same, "events": "Bought"}, {**same, "on": ""}):
        answer = admin_client.post(page, said)
        words = "Used by computed trait “View tier”, segment “Lookers”, stage “Keen”"
        assert words in answer.content.decode()
        trait.refresh_from_db()
        assert (trait.version, trait.spec["name"], trait.is_on) == (1, "Viewed", True)
    assert admin_client.post(page, {**same, "label": "Looks"}).status_code == 302
    changed = {**same, "events": "Bought", "confirm": "on"}
    assert admin_client.post(page, changed).status_code == 302
    trait.refresh_from_db()
    assert (trait.version, trait.spec["name"]) == (2, "Bought")
    assert len(AuditEntry.objects.latest("pk").changes["confirmed_for"]) == 3


def test_who_asks_for_a_trait_is_named_before_it_goes(admin_client: Client) -> None:
    trait = make_used_trait()
    page = f"{PAGE}{trait.pk}/delete/"
    assert "Keen" in admin_client.get(page).content.decode()
    with pytest.raises(TraitInUse, match="segment “Lookers”"):
        delete_computed(trait, actor="test")
    trait.refresh_from_db()
    assert trait.state == ComputedTrait.State.BUILDING
    assert admin_client.post(page, {"post": "yes"}).status_code == 302
    trait.refresh_from_db()
    assert trait.state == ComputedTrait.State.LEAVING


@pytest.mark.parametrize("wrong", [{"events": ""}, {"events": "Bought", "label": ""}])
def test_an_edit_that_is_refused_leaves_the_trait_as_it_is_told(
    admin_client: Client, wrong: dict[str, str]
) -> None:
    spec = {"kind": "aggregate", "measure": "count", "name": "Viewed"}
    trait = ComputedTrait(key="views", label="Views", spec=spec)
    save_computed(trait, actor="test")
    make_event(make_contact(), "Viewed")
    said = {"label": "Views", "on": "on", "kind": "aggregate", "measure": "count"}
    # As on a process that has not read this definition yet.
    answer = admin_client.post(
        f"{PAGE}{trait.pk}/change/",
        {**said, "events": "Viewed", "unit": "days", **wrong},
    )
    assert answer.status_code == 200
    trait.refresh_from_db()
    assert trait.spec == spec
    assert load_definition(trait) == read_definition(spec)


def test_one_trait_too_many_is_refused_in_the_form(admin_client: Client) -> None:
    spec = {"kind": "aggregate", "measure": "count", "name": "Viewed"}
    ComputedTrait.objects.bulk_create(
        ComputedTrait(key=f"trait_{n}", label=f"Trait {n}", spec=spec)
        for n in range(TRAITS_MAX)
    )
    answer = admin_client.post(f"{PAGE}add/", FORM)
    assert answer.status_code == 200
    assert f"there are {TRAITS_MAX} traits already" in answer.content.decode()
    assert ComputedTrait.objects.count() == TRAITS_MAX
    last = ComputedTrait.objects.get(key="trait_99")
    changed = {**FORM, "label": "Last"}
    assert admin_client.post(f"{PAGE}{last.pk}/change/", changed).status_code == 302
