"""Customer.io's App API: a call becomes one message, or says why it does not."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from crm.api import auth
from crm.events.naming import Address
from crm.models import Contact, Event
from crm.privacy import erase_contact
from notifications.campaigns.compose import Text, save_template
from notifications.campaigns.transactional import Order, send_transactional
from notifications.channels.base import OutgoingPush
from notifications.delivery.send import send_due
from notifications.models import ApiSend, Delivery, RenderedMessage, Template
from preferences.suppressions import suppress_contact
from tests.callers import POISON, Caller
from tests.factories import make_contact, make_device
from tests.notifications.api.conftest import wait_for_ring
from tests.notifications.factories import LoggingChannel, make_sender

pytestmark = pytest.mark.django_db
PUSH = "/v1/send/push"
SHIPPED = {
    "title": "Order {{ event.order_id }} is on its way",
    "body": "With you {{ trigger.arrives | default: 'soon' }}.",
    "link": "myapp://orders/{{ event.order_id }}",
}
BY_TEMPLATE = {
    "transactional_message_id": "order-shipped",
    "identifiers": {"id": "ada"},
    "message_data": {"order_id": "A-1", "name": "Ada"},
}
INLINE = {"identifiers": {"id": "ada"}, "title": "Hi", "message": "There"}


@pytest.fixture
def api(db: None) -> Caller:
    auth.forget_keys()
    return Caller("send", "track")


@pytest.fixture
def ada(db: None) -> Contact:
    make_sender()
    save_template(
        None,
        name="order-shipped",
        purpose_class="transactional",
        texts=(Text(SHIPPED), Text({**SHIPPED, "title": "Unterwegs"}, locale="de")),
        by="test",
    )
    contact = make_contact("ada", email="ada@example.com")
    make_device(contact, token="phone", last_seen_at=timezone.now())
    old = timezone.now() - timedelta(days=2)
    make_device(contact, token="tablet", last_seen_at=old)
    return contact


def send_all() -> list[OutgoingPush]:
    channel = LoggingChannel()
    send_due(budget_s=30, open_one=lambda sender: channel)
    return sorted(channel.posted, key=lambda push: push.token)


def ask(api: Caller, body: Any, **headers: str) -> Any:
    client = Client(raise_request_exception=False)
    return client.post(
        PUSH, body, "application/json", HTTP_AUTHORIZATION=api.header, **headers
    )


def test_a_template_is_filled_with_the_message_data(
    api: Caller, ada: Contact, rings: list[str]
) -> None:
    said = api.do("POST", PUSH, BY_TEMPLATE)
    row = Delivery.objects.get()
    assert said == {
        "delivery_id": str(row.pk),
        "queued_at": int(row.created_at.timestamp()),
    }
    assert (row.source_kind, row.purpose_class, row.contact) == (
        "transactional",
        "transactional",
        ada,
    )
    assert row.expires_at - row.due_at == timedelta(hours=24)
    wait_for_ring(rings)
    assert rings == ["notifications.tasks.send_deliveries"]
    posted = send_all()
    assert [push.token for push in posted] == ["phone", "tablet"]
    assert (posted[0].title, posted[0].body, posted[0].link) == (
        "Order A-1 is on its way",
        "With you soon.",
        "myapp://orders/A-1",
    )
    row.refresh_from_db()
    assert row.state == "sent"
    assert RenderedMessage.objects.get(pk=row.pk).fields["title"] == posted[0].title


def test_inline_texts_need_no_template_and_override_one(
    api: Caller, ada: Contact
) -> None:
    more = {
        "message": "Dear {{ trigger.name }}",
        "link": "myapp://x",
        "sound": "default",
        "custom_data": {"page": "orders", "count": 2, "new": True},
        "to": "last_used",
    }
    api.do("POST", PUSH, {**INLINE, **more, "message_data": {"name": "Ada"}})
    [push] = send_all()
    assert (push.token, push.title, push.body) == ("phone", "Hi", "Dear Ada")
    assert (push.link, push.sound) == ("myapp://x", "default")
    assert {key: push.data[key] for key in ("page", "count", "new")} == {
        "page": "orders",
        "count": "2",
        "new": "true",
    }
    api.do("POST", PUSH, {**BY_TEMPLATE, "title": "Mine", "to": "tablet"})
    [push] = send_all()
    assert (push.token, push.title, push.body) == ("tablet", "Mine", "With you soon.")


def test_the_language_can_be_asked_for(api: Caller, ada: Contact) -> None:
    api.do("POST", PUSH, {**BY_TEMPLATE, "language": "de", "to": "phone"})
    assert [push.title for push in send_all()] == ["Unterwegs"]


@pytest.mark.parametrize("name", ["Order-Shipped", "number"])
def test_a_template_goes_by_its_name_or_number(
    api: Caller, ada: Contact, name: str
) -> None:
    number = Template.objects.get().pk
    wanted = number if name == "number" else name
    api.do("POST", PUSH, {**BY_TEMPLATE, "transactional_message_id": wanted})
    assert Delivery.objects.get().source_id == number


def test_a_repeated_key_is_one_message_and_another_call_is_refused(
    api: Caller, ada: Contact
) -> None:
    key = {"HTTP_IDEMPOTENCY_KEY": "order-A-1"}
    first, second = ask(api, BY_TEMPLATE, **key), ask(api, BY_TEMPLATE, **key)
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    other = ask(api, {**BY_TEMPLATE, "message_data": {}}, **key)
    assert (other.status_code, other.json()["path"]) == (409, "Idempotency-Key")
    assert ask(api, BY_TEMPLATE).json() != first.json()
    assert Delivery.objects.count() == 2


def test_a_key_is_one_caller_s_own_and_a_refusal_keeps_nothing(
    api: Caller, ada: Contact
) -> None:
    key = {"HTTP_IDEMPOTENCY_KEY": "order-A-1"}
    nobody = {**BY_TEMPLATE, "identifiers": {"id": "nobody"}}
    assert ask(api, nobody, **key).status_code == 400
    mine = ask(api, BY_TEMPLATE, **key)
    theirs = ask(Caller("send"), {**BY_TEMPLATE, "message_data": {}}, **key)
    assert (mine.status_code, theirs.status_code) == (200, 200)
    assert Delivery.objects.count() == 2
    long = ask(api, BY_TEMPLATE, HTTP_IDEMPOTENCY_KEY="x" * 256)
    assert (long.status_code, long.json()["path"]) == (400, "Idempotency-Key")
    assert Delivery.objects.count() == 2


def test_a_message_can_be_asked_for_later(api: Caller, ada: Contact) -> None:
    due = int(time.time()) + 3600
    api.do("POST", PUSH, {**INLINE, "send_at": due})
    assert Delivery.objects.get().due_at == datetime.fromtimestamp(due, UTC)
    assert send_all() == []
    far = api.send("POST", PUSH, {**INLINE, "send_at": due + 91 * 86_400})
    assert (far.status_code, far.json()["path"]) == (400, "send_at")


def test_a_row_says_why_a_message_was_not_sent(api: Caller, ada: Contact) -> None:
    make_contact("bob")
    api.do("POST", PUSH, {**INLINE, "identifiers": {"id": "bob"}})
    missing = {**INLINE, "message": "{{ trigger.nothing }}"}
    api.do("POST", PUSH, missing)
    assert send_all() == []
    ends = Delivery.objects.order_by("created_at").values_list("state", "reason")
    assert list(ends) == [
        ("skipped", "no_address"),
        ("failed", "template_missing_value"),
    ]
    suppress_contact(
        ada, channel="", reason="requested", at=timezone.now(), actor="test"
    )
    api.do("POST", PUSH, INLINE)
    assert send_all() == []
    assert Delivery.objects.latest("created_at").reason == "suppressed"


def test_a_device_that_went_meanwhile_is_a_reason(api: Caller, ada: Contact) -> None:
    api.do("POST", PUSH, {**INLINE, "to": "tablet"})
    ada.devices.filter(token="tablet").update(state="gone")
    assert send_all() == []
    row = Delivery.objects.get()
    assert (row.state, row.reason) == ("skipped", "dead_address")


def test_a_private_message_leaves_no_text(api: Caller, ada: Contact) -> None:
    api.do("POST", PUSH, {**INLINE, "disable_message_retention": True})
    assert len(send_all()) == 2
    assert not RenderedMessage.objects.exists()


def test_staff_see_what_the_call_said(
    api: Caller, ada: Contact, admin_client: Client
) -> None:
    said = {**BY_TEMPLATE, "message_data": {"order_id": "A-1", "seats": {"row": 7}}}
    delivery_id = api.do("POST", PUSH, said)["delivery_id"]
    page = admin_client.get(f"/admin/notifications/delivery/{delivery_id}/change/")
    text = page.content.decode()
    for words in ("What the API call said", "order_id: A-1", "seats: (row: 7)", "api:"):
        assert words in text


def test_erasing_takes_the_data_of_the_calls(api: Caller, ada: Contact) -> None:
    api.do("POST", PUSH, BY_TEMPLATE)
    erase_contact(ada, actor="test")
    assert not ApiSend.objects.exists()
    row = Delivery.objects.get()
    assert (row.state, row.reason) == ("cancelled", "profile_erased")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"identifiers": None}, "identifiers"),
        ({"identifiers": {"id": "nobody"}}, "identifiers.id"),
        ({"identifiers": {"id": "a", "email": "b@c.co"}}, "identifiers"),
        ({"identifiers": {"email": "b"}}, "identifiers.email"),
        ({"title": "", "message": ""}, "transactional_message_id"),
        ({"transactional_message_id": "none"}, "transactional_message_id"),
        ({"transactional_message_id": 10**12}, "transactional_message_id"),
        ({"transactional_message_id": []}, "transactional_message_id"),
        ({"transactional_message_id": "x" * 101}, "transactional_message_id"),
        ({"transactional_message_id": "deals"}, "transactional_message_id"),
        ({"title": 1}, "title"),
        ({"title": "{% if %}"}, "title"),
        ({"message": "{{ x | nope }}"}, "message"),
        ({"link": "javascript:alert(1)"}, "link"),
        ({"image_url": "ftp://x/y.png"}, "image_url"),
        ({"custom_data": []}, "custom_data"),
        ({"custom_data": {"k": {}}}, "custom_data.k"),
        ({"custom_data": {"from": "x"}}, "custom_data.from"),
        ({"message_data": "text"}, "message_data"),
        ({"to": "somebody-elses"}, "to"),
        ({"to": 1}, "to"),
        ({"language": "x" * 36}, "language"),
        ({"send_at": "soon"}, "send_at"),
        ({"send_at": int(time.time() * 1000)}, "send_at"),
        ({"disable_message_retention": "yes"}, "disable_message_retention"),
        ({"queue_draft": True}, "queue_draft"),
        ({"send_to_unsubscribed": False}, "send_to_unsubscribed"),
        ({"custom_payload": {"ios": {}}}, "custom_payload"),
        ({"custom_device": {"token": "x"}}, "custom_device"),
    ],
)
def test_a_bad_call_is_told_where_and_writes_nothing(
    api: Caller, ada: Contact, change: dict[str, Any], path: str
) -> None:
    save_template(None, name="deals", texts=(Text(SHIPPED),), by="test")
    answer = api.send("POST", PUSH, {**INLINE, **change})
    assert (answer.status_code, answer.json()["path"]) == (400, path)
    assert not Delivery.objects.exists()


def test_poison_is_refused(api: Caller, ada: Contact) -> None:
    for path in (PUSH, "/api/v1/push/events", "/api/v1/metrics"):
        for body, status, code in POISON:
            answer = api.send("POST", path, body)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    "channel", ["email", "sms", "whatsapp", "in_app", "inbox_message"]
)
def test_a_channel_without_sender_says_so(
    api: Caller, ada: Contact, channel: str
) -> None:
    answer = api.send("POST", f"/v1/send/{channel}", BY_TEMPLATE)
    assert (answer.status_code, answer.json()["code"]) == (400, "no_sender")
    assert "nothing was sent" in answer.json()["meta"]["error"]
    assert not Delivery.objects.exists()


def test_what_is_no_channel_is_not_found(api: Caller) -> None:
    assert api.send("POST", "/v1/send/pigeon", {}).status_code == 404


def test_without_a_push_sender_nothing_is_written(api: Caller) -> None:
    make_contact("ada")
    answer = api.send("POST", PUSH, INLINE)
    assert (answer.status_code, answer.json()["code"]) == (400, "no_sender")
    order = Order(Address("id", "ada"), texts={"title": "Hi"})
    with pytest.raises(ValidationError):
        send_transactional(order, by="test")
    assert not Delivery.objects.exists()


def sent_one(api: Caller) -> Delivery:
    api.do("POST", PUSH, INLINE)
    send_all()
    return Delivery.objects.get()


@pytest.mark.parametrize(
    ("path", "kind", "device"),
    [
        ("/api/v1/push/events", "event", "device_id"),
        ("/api/v1/metrics", "metric", "recipient"),
    ],
)
def test_a_report_is_taken_once_for_each_device(
    api: Caller, ada: Contact, path: str, kind: str, device: str
) -> None:
    row = sent_one(api)
    at = int(time.time()) + 1
    said = {"delivery_id": str(row.pk), kind: "opened", device: "phone"}
    assert api.do("POST", path, {**said, "timestamp": at}) == {
        "accepted": 1,
        "duplicates": 0,
    }
    assert api.do("POST", path, said)["duplicates"] == 1
    row.refresh_from_db()
    assert row.opened_at is not None
    assert row.delivered_at is not None
    assert Event.objects.get().name == "Push Opened"


@pytest.mark.parametrize(
    ("change", "status", "path"),
    [
        ({"delivery_id": "x"}, 400, "delivery_id"),
        ({"delivery_id": None}, 400, "delivery_id"),
        ({"delivery_id": "0" * 32}, 404, "delivery_id"),
        ({"event": "converted"}, 400, "event"),
        ({"event": ["opened"]}, 400, "event"),
        ({"event": None}, 400, "event"),
        ({"device_id": []}, 400, "device_id"),
        ({"timestamp": -1}, 400, "timestamp"),
    ],
)
def test_a_bad_report_is_told_where(
    api: Caller, ada: Contact, change: dict[str, Any], status: int, path: str
) -> None:
    row = sent_one(api)
    said = {"delivery_id": str(row.pk), "event": "opened", "device_id": "phone"}
    answer = api.send("POST", "/api/v1/push/events", {**said, **change})
    assert (answer.status_code, answer.json()["path"]) == (status, path)
    assert not Event.objects.exists()


def test_a_message_that_never_left_has_no_reports(api: Caller, ada: Contact) -> None:
    delivery_id = api.do("POST", PUSH, INLINE)["delivery_id"]
    said = {"delivery_id": delivery_id, "event": "opened"}
    assert api.send("POST", "/api/v1/push/events", said).status_code == 404
