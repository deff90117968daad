from __future__ import annotations

import pytest

from crm.models import Contact
from preferences.consent import Choice, Evidence, Statement, record_statements
from preferences.models import Topic
from preferences.permission import Permission, permissions_for
from preferences.suppressions import lift_suppression, suppress_contact
from tests.preferences.conftest import AT


def ask(contact, *, topic=None, channel="push", purpose="promotional", center=None):
    answers = permissions_for(
        [contact.pk],
        center_id=center.pk if center else None,
        topic_id=topic.pk if topic else None,
        channel=channel,
        purpose_class=purpose,
        at=AT,
    )
    return answers[contact.pk]


def say(contact, center, *changes):
    evidence = Evidence(AT, "self", "page")
    record_statements([Statement(contact.pk, changes, evidence)], center=center)


@pytest.fixture
def promotions(center):
    return center.topics.get(key="promotions")


def test_silence_is_no_for_promotion_and_yes_for_service(contact, promotions):
    expected = Permission(False, "no_consent", "never opted in")
    assert ask(contact, topic=promotions) == expected
    assert ask(contact, purpose="transactional") == Permission(
        True, detail="transactional"
    )


def test_the_answer_follows_the_page(contact, center, promotions):
    say(contact, center, Choice(topic_key="promotions"))
    assert ask(contact, topic=promotions) == Permission(
        True, detail="topic: subscribed"
    )
    say(contact, center, Choice(subscribed=False))
    assert ask(contact, topic=promotions) == Permission(
        False, "no_consent", "master switch: unsubscribed"
    )
    assert ask(contact, topic=promotions, purpose="transactional").allowed is True


@pytest.mark.parametrize("purpose", ["promotional", "transactional"])
@pytest.mark.parametrize("stopped", ["push", ""])
def test_a_suppression_stops_both_classes(
    contact, center, promotions, purpose, stopped
):
    say(contact, center, Choice(topic_key="promotions"))
    row = suppress_contact(
        contact, channel=stopped, reason="bounce", at=AT, actor="rule"
    )
    expected = Permission(False, "suppressed", "Address bounced")
    assert ask(contact, topic=promotions, purpose=purpose) == expected
    assert ask(contact, topic=promotions, channel="sms").allowed is (stopped == "push")
    lift_suppression(row, at=AT, actor="rule")
    assert ask(contact, topic=promotions, purpose=purpose).allowed is True


def test_without_a_topic_the_default_brands_center_answers(contact, center):
    say(contact, center, Choice("push"))
    assert ask(contact).allowed is True
    assert ask(contact, center=center).allowed is True
    assert ask(contact, channel="email").allowed is False


def test_without_any_center_only_service_may_go(contact):
    assert ask(contact).reason == "no_consent"
    assert ask(contact, purpose="transactional").allowed is True


def test_an_unknown_topic_is_an_error_not_an_answer(contact):
    with pytest.raises(Topic.DoesNotExist):
        ask(contact, topic=Topic(pk=999))


@pytest.mark.parametrize("size", [1, 200])
def test_a_batch_takes_three_queries(
    center, promotions, size, django_assert_num_queries
):
    people = Contact.objects.bulk_create(Contact() for _ in range(size))
    ids = [person.pk for person in people]
    with django_assert_num_queries(3):
        answers = permissions_for(
            ids,
            center_id=None,
            topic_id=promotions.pk,
            channel="push",
            purpose_class="promotional",
            at=AT,
        )
    assert list(answers) == ids


def test_everybody_asked_gets_an_answer(contact, promotions):
    answers = permissions_for(
        [contact.pk, 999_999],
        center_id=None,
        topic_id=promotions.pk,
        channel="push",
        purpose_class="promotional",
        at=AT,
    )
    assert answers[999_999].reason == "no_consent"
