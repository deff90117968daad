"""A sentence by the names that arrived, and what the editor makes of it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from crm.models import EventName, Product
from preferences.centers import ensure_default_center
from segments.editing import check_rule, save_segment
from segments.explain import preview_rule
from segments.sentences import read_sentence
from tests.factories import make_contact, make_event, make_sender

pytestmark = pytest.mark.django_db
ADD = "/admin/segments/segment/add/"


@pytest.fixture(autouse=True)
def shop() -> None:
    for name in ("app_open", "Product Viewed", "Product Added", "Order Completed"):
        EventName.objects.create(name=name)
    Product.objects.create(code="t9", name="Alpine Tent", category="Tents")
    Product.objects.create(code="k1", name="Kettle")
    Product.objects.create(code="k2", name="Kettle")


def test_names_are_those_that_arrived(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    make_contact("ada", traits={"plan": "Pro"})
    ensure_default_center(make_sender().brand)
    rule = {"version": 1, "root": {"type": "everyone"}}
    save_segment(name="Big spenders", rule=rule, actor="test")
    said = (
        "plan is pro and bought the alpine tent and viewed tents and in segment big"
        " spenders and subscribed to promotions & deals"
    )

    with django_assert_max_num_queries(8):
        found = read_sentence(said)

    assert found.unknown == ()
    assert found.root is not None
    assert [node.get("value") or node["type"] for node in found.root["all"]] == [
        *("Pro", "event", "event", "segment", "consent")
    ]
    assert found.root["all"][1]["where"][0]["value"] == "t9"
    assert found.root["all"][2]["where"][0]["property"] == "$category"


def test_two_products_of_one_name_are_not_guessed_between() -> None:
    assert read_sentence("bought the kettle").unknown == ("kettle",)


def test_the_rule_finds_the_people_it_speaks_of() -> None:
    now = timezone.now()
    ada, bob = make_contact("ada"), make_contact("bob")
    for contact in (ada, ada, bob):
        make_event(contact, "Product Viewed", occurred_at=now, properties={"sku": "t9"})
    make_event(
        make_contact("eve"),
        "Order Completed",
        occurred_at=now,
        properties={"products": [{"product_id": "t9"}, {"product_id": "x"}]},
    )

    viewed = read_sentence("viewed the alpine tent twice in the last hour")
    bought = read_sentence("bought the alpine tent or viewed the kettle set")

    assert viewed.rule is not None
    found = preview_rule(check_rule(viewed.rule), at=timezone.now())
    assert [one.external_id for one in found.sample] == ["ada"]
    assert bought.root is not None
    rule = check_rule({"version": 1, "root": bought.root["any"][0]})
    found = preview_rule(rule, at=timezone.now())
    assert [one.external_id for one in found.sample] == ["eve"]


@pytest.mark.parametrize("deed", ["words", "show"])
def test_the_editor_makes_a_rule_of_words(admin_client: Client, deed: str) -> None:
    said = "haven't opened the app in 7 days and juggle"

    page = admin_client.post(ADD, {"do": deed, "words": said}).content.decode()

    assert "did not perform" in page.lower()
    assert "Not understood: <strong>“juggle”</strong>" in page
    assert "The rule below is what was understood, and no more." in page


def test_words_of_which_nothing_is_known_leave_the_rule_alone(
    admin_client: Client,
) -> None:
    form = {"do": "words", "words": "\0 %s '; <b>", "r.mode": "any"}

    answer = admin_client.post(ADD, form)

    assert answer.status_code == 200
    assert "Nothing of it was understood" in answer.content.decode()
    assert "<b>" not in answer.content.decode().partition("Not understood")[2][:200]
