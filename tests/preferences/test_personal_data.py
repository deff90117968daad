from __future__ import annotations

import json

from django.utils import timezone

from crm.models import Contact
from crm.ports.personal_data import personal_data_holders
from preferences.consent import Choice, record_choices, verify_ledger
from preferences.models import ConsentRecord, PreferenceLink, Subscription, Suppression
from preferences.personal_data import ConsentHolder
from preferences.suppressions import suppress_contact
from tests.preferences.conftest import AT


def say(contact, center, *changes):
    record_choices(
        contact, center=center, changes=changes, at=AT, actor="self", source="page"
    )


def test_it_is_registered():
    assert any(isinstance(h, ConsentHolder) for h in personal_data_holders())


def test_merge_never_loses_a_no(contact, center):
    other = Contact.objects.create()
    say(contact, center, Choice(topic_key="promotions"))
    say(other, center, Choice(subscribed=False))
    suppress_contact(other, channel="push", reason="complaint", at=AT, actor="rule")
    journal = ConsentHolder().merge(source_id=other.pk, target_id=contact.pk)
    states = {r.subject: r.state for r in Subscription.objects.all()}
    assert states == {
        "Promotions & Deals": "subscribed",
        "All notifications": "unsubscribed",
    }
    assert Suppression.objects.get().contact_id == contact.pk
    assert journal["taken"] == len(journal["suppressions"]) == 1
    assert PreferenceLink.objects.get(contact=other).version == 1
    json.dumps(journal)


def test_a_suppression_that_both_have_stays_one(contact, center):
    other = Contact.objects.create()
    for person in (contact, other):
        suppress_contact(person, channel="push", reason="bounce", at=AT, actor="rule")
    ConsentHolder().merge(source_id=other.pk, target_id=contact.pk)
    assert Suppression.objects.of_contacts([contact.pk]).live().count() == 1


def test_export_tells_the_whole_history(contact, center):
    other = Contact.objects.create()
    say(other, center, Choice("push"))
    ConsentHolder().merge(source_id=other.pk, target_id=contact.pk)
    Contact.objects.filter(pk=other.pk).update(canonical=contact)
    data = ConsentHolder().export(contact.pk)
    assert [row["action"] for row in data["consent"]] == [
        "subscribed",
        "subscribed",
        "cleared",
    ]
    json.dumps(data)


def test_erasure_keeps_proof_and_nothing_else(contact, center):
    say(contact, center, Choice(topic_key="promotions"))
    row = suppress_contact(
        contact, channel="", reason="manual", at=AT, actor="rule", note="called Ada"
    )
    counts = ConsentHolder().erase(contact.pk)
    assert counts == {"preferences.subscription": 1, "preferences.suppression": 1}
    row.refresh_from_db()
    assert (row.note, row.lifted_at) == ("", None)
    assert Subscription.objects.count() == 0
    assert [r.action for r in ConsentRecord.objects.order_by("number")] == [
        "subscribed",
        "cleared",
    ]
    assert verify_ledger(contact) == []
    assert ConsentRecord.objects.heads([contact.uuid]).get().at <= timezone.now()
