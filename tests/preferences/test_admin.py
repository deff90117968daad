from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from crm.models import AuditEntry
from preferences.consent import Choice, record_choices
from preferences.models import CenterWording, ConsentRecord, Suppression
from preferences.suppressions import suppress_contact
from preferences.tokens import build_preference_url, read_page_token, revoke_links
from tests.preferences.conftest import AT

GERMAN = {
    "translations-size": "1",
    "translations-0-locale": "de",
    "translations-0-headline": "Deine Nachrichten",
}
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 50


def list_url(model):
    return reverse(f"admin:preferences_{model}_changelist")


def make_post(center, **changes):
    body = {
        "brand": center.brand_id,
        "is_published": "on",
        "headline": center.headline,
        "intro": center.intro,
        "master_label": center.master_label,
        "master_hint": center.master_hint,
        "footer": "",
        "locales": "en",
        "translations-size": "0",
        "accent": center.accent,
        "channels": ["push", "email"],
        "privacy_policy_url": "",
        "privacy_policy_version": "",
        "topics-TOTAL_FORMS": "1",
        "topics-INITIAL_FORMS": "0",
        "topics-0-position": "9",
        "topics-0-name": "Events",
        "topics-0-key": "events",
        "topics-0-default": "opt_in",
        "topics-0-is_active": "on",
    }
    return body | changes


@pytest.mark.parametrize(
    "model",
    [
        "preferencecenter",
        "centerwording",
        "consentrecord",
        "subscription",
        "suppression",
        "preferencelink",
    ],
)
def test_lists_open(
    admin_client, contact, center, model, django_assert_max_num_queries
):
    record_choices(
        contact,
        center=center,
        changes=[Choice("push"), Choice(topic_key="promotions"), Choice("email")],
        at=AT,
        actor="self",
        source="page",
    )
    suppress_contact(contact, channel="push", reason="bounce", at=AT, actor="rule")
    revoke_links(contact, actor="rule")
    with django_assert_max_num_queries(15):
        assert admin_client.get(list_url(model)).status_code == 200


def test_saving_a_center_adds_topics_and_a_wording(admin_client, center):
    url = reverse("admin:preferences_preferencecenter_change", args=[center.pk])
    logo = SimpleUploadedFile("logo.png", PNG)
    response = admin_client.post(url, make_post(center, headline="Hi", logo_file=logo))
    assert response.status_code == 302
    center.refresh_from_db()
    assert center.logo.startswith("data:image/png;base64,")
    assert center.channels == ["push", "email"]
    assert center.topics.get(key="events").number == 6
    assert (center.wording_version, CenterWording.objects.count()) == (2, 2)


def test_a_topic_can_be_renamed_but_keeps_its_key(admin_client, center):
    topic = center.topics.get(key="promotions")
    url = reverse("admin:preferences_preferencecenter_change", args=[center.pk])
    body = make_post(center) | {
        "topics-INITIAL_FORMS": "1",
        "topics-0-id": topic.pk,
        "topics-0-center": center.pk,
    }
    assert admin_client.post(url, body).status_code == 302
    topic.refresh_from_db()
    assert (topic.name, topic.key, topic.number) == ("Events", "promotions", 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"accent": "red"},
        {"channels": []},
        {"translations-size": "1", "translations-0-headline": "Hallo"},
        {**GERMAN, "translations-0-locale": "{"},
        {**GERMAN, "translations-0-headline": "x" * 121},
        {**GERMAN, "translations-0-headline": "a\x00b"},
        {
            **GERMAN,
            "translations-size": "2",
            "translations-1-locale": "de",
            "translations-1-intro": "Noch einmal",
        },
        {"locales": ""},
        {"headline": "a\x00b"},
        {"logo_file": SimpleUploadedFile("x.svg", b"<svg onload=alert(1)>")},
    ],
)
def test_a_wrong_center_is_refused_and_nothing_kept(admin_client, center, changes):
    url = reverse("admin:preferences_preferencecenter_change", args=[center.pk])
    assert admin_client.post(url, make_post(center, **changes)).status_code == 200
    assert center.topics.count() == 5
    assert CenterWording.objects.count() == 1


def test_other_languages_are_fields_and_an_emptied_one_goes(admin_client, center):
    url = reverse("admin:preferences_preferencecenter_change", args=[center.pk])
    assert admin_client.post(url, make_post(center, **GERMAN)).status_code == 302
    center.refresh_from_db()
    assert center.translations == {"de": {"headline": "Deine Nachrichten"}}
    assert center.wording_version == 2
    page = admin_client.get(url).content.decode()
    assert 'name="translations-0-headline" value="Deine Nachrichten"' in page
    empty = {**GERMAN, "translations-0-headline": " "}
    french = {"translations-size": "2", "translations-1-locale": "fr"}
    said = empty | french | {"translations-1-footer": "À bientôt"}
    said |= {"topics-TOTAL_FORMS": "0"}
    assert admin_client.post(url, make_post(center, **said)).status_code == 302
    center.refresh_from_db()
    assert center.translations == {"fr": {"footer": "À bientôt"}}


def test_the_editor_shows_the_preview(admin_client, center):
    url = reverse("admin:preferences_preferencecenter_change", args=[center.pk])
    html = admin_client.get(url).content.decode()
    assert reverse("preferences:preview", args=[center.pk]) in html


def test_the_ledger_is_read_only(admin_client, contact, center):
    record_choices(
        contact, center=center, changes=[Choice()], at=AT, actor="self", source="page"
    )
    row = ConsentRecord.objects.get()
    url = reverse("admin:preferences_consentrecord_change", args=[row.pk])
    assert admin_client.get(url).status_code == 200
    assert admin_client.post(url, {"action": "unsubscribed"}).status_code == 403
    for name in ("delete",):
        gone = reverse(f"admin:preferences_consentrecord_{name}", args=[row.pk])
        assert admin_client.post(gone, {"post": "yes"}).status_code == 403


def test_staff_stop_and_lift(admin_client, contact):
    url = reverse("admin:preferences_suppression_add")
    body = {"contact": contact.pk, "channel": "", "reason": "manual", "note": "asked"}
    for _ in range(2):
        assert admin_client.post(url, body).status_code == 302
    row = Suppression.objects.get()
    assert row.actor.startswith("staff:")
    body = {"action": "lift", "_selected_action": [row.pk]}
    assert admin_client.post(list_url("suppression"), body).status_code == 302
    row.refresh_from_db()
    assert row.lifted_at is not None
    actions = AuditEntry.objects.values_list("action", flat=True)
    assert sorted(actions) == ["lifted", "suppressed"]


def test_staff_revoke_links(admin_client, contact, center):
    revoke_links(contact, actor="rule")
    token = build_preference_url(contact, center=center).rpartition("/")[2]
    body = {"action": "revoke", "_selected_action": [contact.preference_link.pk]}
    assert admin_client.post(list_url("preferencelink"), body).status_code == 302
    assert read_page_token(token) is None


@pytest.mark.parametrize(
    ("_case", "said", "found"),
    [
        ("a name", "anna b", True),
        ("a UUID", "{uuid}", True),
        ("somebody else", "bert", False),
        ("another UUID", "00000000-0000-0000-0000-000000000000", False),
    ],
)
def test_the_ledger_is_searched_by_person(
    _case, said, found, admin_client, contact, center
):
    record_choices(
        contact, center=center, changes=[Choice()], at=AT, actor="self", source="page"
    )
    contact.traits = {"name": "Anna Brook"}
    contact.save(update_fields=["traits"])
    url = f"{list_url('consentrecord')}?q={said.format(uuid=contact.uuid)}"
    page = admin_client.get(url).content.decode()
    link = reverse("admin:crm_contact_change", args=[contact.pk])
    assert (f'href="{link}"' in page) is found


@pytest.mark.parametrize("name", ["suppression", "subscription", "preferencelink"])
def test_rows_of_people_are_searched_by_person(name, admin_client, contact, center):
    suppress_contact(contact, channel="", reason="manual", at=AT, actor="rule")
    record_choices(
        contact, center=center, changes=[Choice()], at=AT, actor="self", source="page"
    )
    revoke_links(contact, actor="rule")
    for said, count in ((contact.external_id, 1), ("nobody", 0)):
        page = admin_client.get(f"{list_url(name)}?q={said}")
        assert len(page.context["cl"].result_list) == count
