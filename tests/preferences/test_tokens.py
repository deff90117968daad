from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core import signing

from crm.models import AuditEntry, Contact
from preferences.models import LinkGuess
from preferences.tokens import (
    OPEN_PAGE,
    PageAccess,
    UnsubscribeAccess,
    build_preference_url,
    build_unsubscribe_url,
    is_guessing,
    read_page_token,
    read_unsubscribe_token,
    revoke_links,
)
from tests.preferences.conftest import AT


def token_of(url):
    return url.rpartition("/")[2]


@pytest.fixture
def page_token(contact, center):
    return token_of(build_preference_url(contact, center=center))


@pytest.fixture
def stop_token(contact, center):
    topic = center.topics.get(key="promotions")
    url = build_unsubscribe_url(contact, center=center, channel="email", topic=topic)
    return token_of(url)


def test_a_link_is_absolute(contact, center, settings):
    settings.SITE_URL = "https://push.example"
    assert build_preference_url(contact, center=center).startswith(
        "https://push.example/p/"
    )
    url = build_preference_url(contact, center=center, site_url="https://a.example/")
    assert url.startswith("https://a.example/p/")


def test_a_link_opens_its_page(contact, center, page_token):
    assert read_page_token(page_token) == PageAccess(contact, center)


def test_a_stop_link_names_what_it_ends(contact, center, stop_token):
    topic = center.topics.get(key="promotions")
    expected = UnsubscribeAccess(contact, center, "email", topic)
    assert read_unsubscribe_token(stop_token) == expected


def test_no_address_or_name_is_in_a_token(page_token, contact):
    text = signing.b64_decode(page_token.split(".")[0].encode()).decode()
    assert "ada" not in text


def test_every_flipped_byte_is_refused(page_token):
    for position, letter in enumerate(page_token):
        for other in {"A", "b", "-", "."} - {letter}:
            forged = page_token[:position] + other + page_token[position + 1 :]
            assert read_page_token(forged) is None, position


def test_a_link_of_another_kind_is_refused(page_token, stop_token):
    assert read_page_token(stop_token) is None
    assert read_unsubscribe_token(page_token) is None


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "ÿ", "a" * 5000])
def test_what_is_no_token_is_refused(db, token):
    assert read_page_token(token) is None
    assert read_unsubscribe_token(token) is None


def test_a_signed_stranger_is_refused(center):
    stranger = Contact(external_id="nobody")
    token = token_of(build_preference_url(stranger, center=center))
    assert read_page_token(token) is None


@pytest.mark.parametrize("facts", [{}, [], [1], ["AAAA", 1]])
def test_signed_nonsense_is_refused(db, facts):
    signer = signing.TimestampSigner(salt=OPEN_PAGE, sep=".")
    assert read_page_token(signer.sign_object(facts)) is None


def test_revoking_ends_all_older_links(contact, center, page_token, stop_token):
    assert revoke_links(contact, actor="rule") == 1
    assert read_page_token(page_token) is None
    assert read_unsubscribe_token(stop_token) is None
    fresh = token_of(build_preference_url(contact, center=center))
    assert read_page_token(fresh) == PageAccess(contact, center)
    assert AuditEntry.objects.filter(action="revoked links").count() == 1


def test_a_link_expires(contact, center, settings):
    settings.PREFERENCE_LINK_DAYS = 90
    with time_machine.travel(AT, tick=False):
        token = token_of(build_preference_url(contact, center=center))
    with time_machine.travel(AT + timedelta(days=89), tick=False):
        assert read_page_token(token) is not None
    with time_machine.travel(AT + timedelta(days=91), tick=False):
        assert read_page_token(token) is None


def test_an_erased_contact_has_no_links(contact, page_token, stop_token):
    Contact.objects.update(erased_at=AT)
    assert read_page_token(page_token) is None
    assert read_unsubscribe_token(stop_token) is None


def test_after_a_merge_the_page_closes_and_stop_follows(
    contact, page_token, stop_token
):
    heir = Contact.objects.create(external_id="heir")
    Contact.objects.filter(pk=contact.pk).update(canonical=heir)
    assert read_page_token(page_token) is None
    assert read_unsubscribe_token(stop_token).contact == heir


def test_an_unpublished_center_opens_nothing(center, page_token):
    center.is_published = False
    center.save()
    assert read_page_token(page_token) is None


def test_guesses_are_counted_per_network_and_hour(db, settings):
    settings.PREFERENCE_GUESSES_PER_HOUR = 3
    answers = [is_guessing("203.0.113.7", at=AT) for _ in range(4)]
    assert answers == [False, False, False, True]
    assert is_guessing("203.0.113.99", at=AT) is True
    assert is_guessing("198.51.100.1", at=AT) is False
    assert is_guessing("203.0.113.7", at=AT + timedelta(hours=1)) is False


def test_old_guesses_are_forgotten(db):
    is_guessing("203.0.113.7", at=AT)
    is_guessing("203.0.113.7", at=AT + timedelta(days=2))
    assert LinkGuess.objects.count() == 1
