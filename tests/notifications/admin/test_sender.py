"""The sender's page: a key goes in and never comes out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from notifications.models import FrequencyCap, QuietHours, Sender, Switch, Template
from notifications.sandbox.oauth import make_service_account
from tests.factories import make_campaign, make_delivery, make_sender

pytestmark = pytest.mark.django_db


def make_file(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("key.json", content, "application/json")


def fill_sender(**fields: Any) -> dict[str, Any]:
    return {
        "name": "Live",
        "brand": make_sender().brand_id,
        "channel": "push",
        "kind": "fcm",
        "rate_per_min": "1000",
        **fields,
    }


def test_an_uploaded_key_is_kept_and_never_shown(admin_client: Client) -> None:
    account = make_service_account("https://oauth2.googleapis.com")
    account = {**account, "token_uri": "https://oauth2.googleapis.com/token"}
    raw = json.dumps(account).encode()
    url = "/admin/notifications/sender/add/"
    answer = admin_client.post(url, fill_sender(key_file=make_file(raw)))
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    sender = Sender.objects.get(name="Live")
    assert json.loads(sender.credentials) == account
    page = f"/admin/notifications/sender/{sender.pk}/change/"
    assert "PRIVATE KEY" not in admin_client.get(page).content.decode()
    admin_client.post(page, fill_sender(name="Renamed"))
    sender.refresh_from_db()
    assert sender.name == "Renamed"
    assert json.loads(sender.credentials) == account


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"x" * 30_000]
)
def test_a_file_that_is_no_key_is_refused(content: bytes, admin_client: Client) -> None:
    answer = admin_client.post(
        "/admin/notifications/sender/add/", fill_sender(key_file=make_file(content))
    )
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == ["key_file"]
    assert not Sender.objects.filter(name="Live").exists()


def test_pause_and_resume_are_buttons(admin_client: Client) -> None:
    sender = make_sender()
    base = f"/admin/notifications/sender/{sender.pk}"
    assert admin_client.get(f"{base}/pause/").status_code == 405
    admin_client.post(f"{base}/pause/", {"reason": "key leaked"})
    sender.refresh_from_db()
    assert sender.paused_reason == "key leaked"
    admin_client.post(f"{base}/resume/")
    sender.refresh_from_db()
    assert sender.paused_at is None


def test_one_button_stops_everything_and_one_goes_on(admin_client: Client) -> None:
    base = "/admin/notifications/switch"
    assert admin_client.get(f"{base}/stop/").status_code == 405
    admin_client.post(f"{base}/stop/", {"scope": "all", "reason": "fire"})
    assert Switch.objects.get().reason == "fire"
    assert "fire" in admin_client.get(f"{base}/").content.decode()
    assert "Sending is stopped" in admin_client.get("/admin/").content.decode()
    admin_client.post(f"{base}/resume/", {"scope": "all"})
    assert not Switch.objects.exists()
    admin_client.post(f"{base}/stop/", {"scope": "moon"})
    assert not Switch.objects.exists()


def test_a_quarantined_message_is_retried_or_dropped(admin_client: Client) -> None:
    for deed, state in (("retry", "pending"), ("drop", "cancelled")):
        row = make_delivery(make_campaign(), state="quarantined")
        url = f"/admin/notifications/delivery/{row.pk}/decide/"
        assert admin_client.get(url).status_code == 405
        admin_client.post(url, {"deed": deed})
        row.refresh_from_db()
        assert row.state == state


def test_a_list_of_quarantined_messages_is_retried_together(
    admin_client: Client,
) -> None:
    rows = [make_delivery(make_campaign(), state="quarantined") for _ in range(2)]
    data = {"action": "retry", "_selected_action": [str(row.pk) for row in rows]}
    admin_client.post("/admin/notifications/delivery/?state=quarantined", data)
    for row in rows:
        row.refresh_from_db()
        assert row.state == "pending"


def test_limits_are_checked_and_audited(admin_client: Client) -> None:
    url = "/admin/notifications/quiethours/add/"
    same = {"name": "Noon", "starts": "12:00", "ends": "12:00"}
    before = QuietHours.objects.count()
    assert admin_client.post(url, same).status_code == 200
    assert QuietHours.objects.count() == before
    assert admin_client.post(url, {**same, "ends": "13:00"}).status_code == 302
    cap = FrequencyCap.objects.first()
    assert cap is not None
    page = f"/admin/notifications/frequencycap/{cap.pk}/change/"
    fields = {"name": cap.name, "kind": cap.kind, "limit": 9, "n": cap.n}
    admin_client.post(page, {**fields, "unit": cap.unit, "is_active": "on"})
    cap.refresh_from_db()
    assert cap.limit == 9


def test_a_template_is_saved_as_a_version(admin_client: Client) -> None:
    url = "/admin/notifications/template/add/"
    data = {
        "name": "order-shipped",
        "purpose_class": "transactional",
        "default_locale": "en",
        "title": "On its way",
        "body": "Order {{ event.order_id }} left.",
        "on_missing": "fail",
        "translations-TOTAL_FORMS": "0",
        "translations-INITIAL_FORMS": "0",
        "versions-TOTAL_FORMS": "0",
        "versions-INITIAL_FORMS": "0",
    }
    wrong = admin_client.post(url, {**data, "body": "{{ event."})
    assert list(wrong.context["adminform"].form.errors) == ["body"]
    assert admin_client.post(url, data).status_code == 302
    template = Template.objects.get()
    page = f"/admin/notifications/template/{template.pk}/change/"
    assert admin_client.post(page, {**data, "title": "Soon there"}).status_code == 302
    template.refresh_from_db()
    assert template.current_version is not None
    assert template.current_version.number == 2
    assert template.current_version.contents.get().fields["title"] == "Soon there"
