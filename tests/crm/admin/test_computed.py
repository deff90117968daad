from __future__ import annotations

import pytest
from django.test import Client

from crm.computed.editing import save_computed
from crm.models import ComputedTrait
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
