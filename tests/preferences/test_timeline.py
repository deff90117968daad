from __future__ import annotations

from datetime import timedelta

from preferences.consent import Choice, record_choices
from preferences.purposes import ConsentPurposes
from preferences.suppressions import suppress_contact
from preferences.timeline import ConsentTimeline
from tests.preferences.conftest import AT


def test_entries_are_the_ledger_newest_first(
    contact, center, django_assert_num_queries
):
    for hours, change in enumerate([Choice("push"), Choice(subscribed=False)]):
        record_choices(
            contact,
            center=center,
            changes=[change],
            at=AT + timedelta(hours=hours),
            actor="self",
            source="page",
        )
    with django_assert_num_queries(2):
        entries = ConsentTimeline().entries(
            contact.pk, before=AT + timedelta(days=1), limit=10
        )
    assert [(e.title, e.tone) for e in entries] == [
        ("All notifications: unsubscribed", "bad"),
        ("Push: subscribed", "good"),
    ]
    assert entries[0].detail == "by self through page"
    older = ConsentTimeline().entries(contact.pk, before=entries[0].at, limit=10)
    assert [e.title for e in older] == ["Push: subscribed"]


def test_the_panel_shows_what_stands(contact, center):
    [empty] = ConsentTimeline().panels(contact.pk)
    assert (empty.title, list(empty.rows)) == ("Consent", [])
    record_choices(
        contact,
        center=center,
        changes=[Choice(topic_key="promotions"), Choice(subscribed=False)],
        at=AT,
        actor="self",
        source="page",
    )
    suppress_contact(contact, channel="push", reason="bounce", at=AT, actor="rule")
    [panel] = ConsentTimeline().panels(contact.pk)
    assert [row[:2] for row in panel.rows] == [
        ("Suppressed", "Address bounced (push)"),
        ("All notifications", "Unsubscribed"),
        ("Promotions & Deals", "Subscribed"),
    ]


def test_consent_says_why_it_is_kept():
    [use] = ConsentPurposes().uses(1)
    assert use.what
    assert use.why
