"""What crm stores about a person can be moved, shown and removed."""

from __future__ import annotations

import json

import pytest
from django.apps import apps

from crm.events.merge import MergeRefused, merge_contacts
from crm.models import AuditEntry, Contact, Device, Event, Identifier
from crm.ports.personal_data import personal_data_holders
from crm.privacy import CrmHolder, erase_contact
from tests.factories import make_contact, make_device, make_event

pytestmark = pytest.mark.django_db


def test_every_model_of_crm_with_a_contact_has_its_holder() -> None:
    covered = {name for holder in personal_data_holders() for name in holder.models}
    for model in apps.get_app_config("crm").get_models():
        points = [f for f in model._meta.fields if f.related_model is Contact]
        if points:
            assert model._meta.label_lower in covered


def test_the_export_tells_all_and_no_token_whole() -> None:
    contact = make_contact("u1", email="a@b.co", traits={"plan": "pro"})
    make_device(contact, token="secret-token-123456")
    make_event(contact, properties={"sku": "a1"})
    double = make_contact("u1-old")
    merge_contacts(source_id=double.pk, target_id=contact.pk, actor="test")
    told = json.dumps(CrmHolder().export(contact.pk))
    assert str(double.uuid) in told
    for marker in ("u1", "a@b.co", "pro", "a1", "Order Completed", "123456"):
        assert marker in told
    assert "secret-token" not in told


def test_an_erased_contact_leaves_an_empty_row_and_its_neighbour_alone() -> None:
    contact, other = make_contact("u1", email="a@b.co"), make_contact("u2")
    for person in (contact, other):
        make_device(person)
        make_event(person)
    counts = CrmHolder().erase(contact.pk)
    assert counts == {
        "crm.event": 1,
        "crm.pendingevent": 0,
        "crm.device": 1,
        "crm.identifier": 2,
        "crm.contact": 1,
    }
    contact.refresh_from_db()
    assert (contact.external_id, contact.email, contact.traits) == (None, "", {})
    assert contact.erased_at is not None
    assert Event.objects.get().contact == Device.objects.get().contact == other


def test_a_merge_takes_the_newest_word_and_all_rows() -> None:
    old = make_contact(
        "old", traits={"a": "new", "b": 1}, traits_at={"a": 2.0, "b": 1.0}, phone="+1"
    )
    new = make_contact("new", traits={"a": "old"}, traits_at={"a": 1.0})
    make_device(old)
    make_event(old)
    merge_contacts(source_id=old.pk, target_id=new.pk, actor="test")
    new.refresh_from_db()
    old.refresh_from_db()
    assert (new.traits, new.phone) == ({"a": "new", "b": 1}, "+1")
    assert (old.canonical, old.external_id) == (new, None)
    assert Event.objects.get().contact == Device.objects.get().contact == new
    assert Identifier.objects.filter(contact=new).count() == 2
    assert AuditEntry.objects.get().changes["from"] == str(old.uuid)


def test_a_contact_merged_twice_is_one_hop_from_home() -> None:
    first, second, third = make_contact(), make_contact(), make_contact()
    merge_contacts(source_id=first.pk, target_id=second.pk, actor="test")
    merge_contacts(source_id=second.pk, target_id=third.pk, actor="test")
    first.refresh_from_db()
    assert first.canonical == third
    for source, target in ((third, first), (first, third), (third, third)):
        with pytest.raises(MergeRefused):
            merge_contacts(source_id=source.pk, target_id=target.pk, actor="test")


def test_erasing_takes_those_merged_in_and_happens_once() -> None:
    old, ada = make_contact("old", email="old@b.co"), make_contact("ada")
    merge_contacts(source_id=old.pk, target_id=ada.pk, actor="test")
    make_event(ada)
    counts = erase_contact(ada, actor="api:apr_1", reason="asked")
    assert (counts["crm.event"], counts["crm.contact"]) == (1, 2)
    for contact in (old, ada):
        contact.refresh_from_db()
        assert (contact.email, contact.traits) == ("", {})
        assert contact.erased_at is not None
    assert erase_contact(ada, actor="api:apr_1") == {}
    [deed] = AuditEntry.objects.filter(action="erased")
    assert (deed.actor_name, deed.reason) == ("api:apr_1", "asked")
