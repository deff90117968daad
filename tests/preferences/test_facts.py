from __future__ import annotations

import pytest
from django.db import connection

from crm.models import Contact
from crm.ports.facts import RuleError, Scope, find_fact_source
from preferences.consent import Choice, record_choices
from preferences.facts import ConsentSource, SaidAbout
from tests.preferences.conftest import AT

YES = {"type": "consent", "state": "subscribed"}


def parse(**fields):
    return ConsentSource().parse(YES | fields, "root")


def select_ids(condition, contacts=None):
    selection = condition.select(Scope(AT, contacts))
    with connection.cursor() as cursor:
        cursor.execute(selection.sql.text, selection.sql.params)
        return selection.negated, {row[0] for row in cursor.fetchall()}


def say(contact, center, *changes):
    record_choices(
        contact, center=center, changes=changes, at=AT, actor="self", source="page"
    )


def test_it_is_registered():
    assert isinstance(find_fact_source("consent"), ConsentSource)


def test_each_level_and_state_is_found_apart(contact, center):
    other = Contact.objects.create()
    say(contact, center, Choice("push", "promotions"), Choice(subscribed=False))
    say(other, center, Choice("push", "promotions", subscribed=False), Choice("push"))
    on = parse(topic="promotions", channel="push")
    off = parse(topic="promotions", channel="push", state="unsubscribed")
    assert select_ids(on) == (False, {contact.pk})
    assert select_ids(off) == (False, {other.pk})
    assert select_ids(parse(channel="push")) == (False, {other.pk})
    assert select_ids(parse(state="unsubscribed")) == (False, {contact.pk})
    assert select_ids(parse(topic="promotions")) == (False, set())


def test_unsaid_is_everybody_without_a_word(contact, center):
    say(contact, center, Choice("push", subscribed=False))
    assert select_ids(parse(channel="push", state="unsaid")) == (True, {contact.pk})


def test_the_scope_limits_the_answer(contact, center):
    say(contact, center, Choice())
    assert select_ids(parse(), (contact.pk,)) == (False, {contact.pk})
    assert select_ids(parse(), (contact.pk + 1,)) == (False, set())


def test_evidence_names_the_word_and_its_day(contact, center):
    evidence = parse().evidence(Scope(AT, (contact.pk,)))
    assert evidence.wording(None) == "nothing said"
    say(contact, center, Choice())
    with connection.cursor() as cursor:
        cursor.execute(evidence.sql.text, evidence.sql.params)
        assert evidence.wording(cursor.fetchone()) == "subscribed since 2026-11-22"


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (SaidAbout("subscribed"), "said yes to messages"),
        (
            SaidAbout("unsubscribed", "promotions", "email"),
            "said no to the topic “promotions” by e-mail",
        ),
        (SaidAbout("unsaid", "", "sms"), "have said nothing about messages by SMS"),
    ],
)
def test_it_reads_as_english(condition, words):
    assert condition.describe() == words


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"state": "maybe"}, "root.state"),
        ({"state": None}, "root.state"),
        ({"channel": "fax"}, "root.channel"),
        ({"topic": "a\0b"}, "root.topic"),
        ({"topic": ["x"]}, "root.topic"),
        ({"topics": "x"}, "root"),
    ],
)
def test_a_wrong_node_is_named(fields, path):
    with pytest.raises(RuleError) as error:
        parse(**fields)
    assert error.value.path == path


def test_it_moves_with_every_change_of_consent():
    assert parse().mentions().events == {"$consent"}
