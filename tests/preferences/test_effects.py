from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from crm.models import ApiKey, Contact
from crm.ports.effects import Effect, effect_providers
from preferences.effects import ConsentEffects
from preferences.models import ConsentRecord, Subscription


def make_effect(contact, name="$identify", *, properties=None, traits=None, at=None):
    return Effect(
        contact_id=contact.pk,
        occurred_at=at or timezone.now(),
        name=name,
        properties=properties or {},
        traits=traits or {},
        source="segment",
    )


def apply(*effects):
    ConsentEffects().apply(effects)


def read_states():
    return {row.subject: row.state for row in Subscription.objects.all()}


def test_it_is_registered():
    assert any(isinstance(p, ConsentEffects) for p in effect_providers())


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (True, "unsubscribed"),
        ("true", "unsubscribed"),
        (False, "subscribed"),
        ("False", "subscribed"),
    ],
)
def test_the_trait_turns_the_master_switch(contact, center, value, state):
    apply(make_effect(contact, traits={"unsubscribed": value}))
    assert read_states() == {"All notifications": state}
    assert ConsentRecord.objects.get().source == "event:segment"


@pytest.mark.parametrize("value", [None, "maybe", 7, [], {}])
def test_a_word_that_cannot_be_read_says_nothing(contact, center, value):
    apply(make_effect(contact, traits={"unsubscribed": value}))
    assert read_states() == {}


def test_the_event_alone_is_an_opt_out(contact, center):
    apply(make_effect(contact, "unsubscribed"))
    assert read_states() == {"All notifications": "unsubscribed"}


def test_customerios_preferences_are_read_and_the_unknown_left(contact, center):
    words = {
        "topics": {"topic_2": True, "topic_4": False, "topic_77": True},
        "channels": {"email": False, "fax": True},
    }
    apply(make_effect(contact, traits={"cio_subscription_preferences": words}))
    assert read_states() == {
        "Promotions & Deals": "subscribed",
        "New Content Alerts": "unsubscribed",
        "E-mail": "unsubscribed",
    }


def test_a_late_opt_in_does_not_undo_a_newer_opt_out(contact, center):
    now = timezone.now()
    apply(make_effect(contact, traits={"unsubscribed": True}, at=now))
    late = now - timedelta(days=2)
    apply(make_effect(contact, traits={"unsubscribed": False}, at=late))
    assert read_states() == {"All notifications": "unsubscribed"}


def test_two_words_of_one_batch_count_in_their_order(contact, center):
    now = timezone.now()
    apply(
        make_effect(contact, traits={"unsubscribed": True}, at=now),
        make_effect(
            contact, traits={"unsubscribed": False}, at=now + timedelta(seconds=1)
        ),
    )
    assert ConsentRecord.objects.count() == 2
    assert read_states() == {"All notifications": "subscribed"}


def test_a_batch_takes_a_fixed_number_of_queries(center, django_assert_num_queries):
    people = Contact.objects.bulk_create(Contact() for _ in range(50))
    effects = [make_effect(p, traits={"unsubscribed": True}) for p in people]
    with django_assert_num_queries(11):
        apply(*effects)
    assert Subscription.objects.count() == 50


def test_without_a_center_nothing_happens(contact):
    apply(make_effect(contact, traits={"unsubscribed": True}))
    assert ConsentRecord.objects.count() == 0


def test_the_word_takes_effect_inside_the_ingest_transaction(center, client):
    _, secret = ApiKey.issue(name="test", scopes=["track"])
    batch = [
        {"type": "identify", "userId": "eve", "traits": {"unsubscribed": True}},
        {"type": "track", "userId": "bob", "event": "unsubscribed"},
        {"type": "track", "userId": "bob", "event": "Other"},
    ]
    response = client.post(
        "/v1/batch",
        {"batch": batch},
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert response.status_code == 200
    assert Subscription.objects.filter(state="unsubscribed").count() == 2
    assert ConsentRecord.objects.count() == 2
