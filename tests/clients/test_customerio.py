"""Customer.io's own clients, as published, over https: the rows they leave, and the
push that arrives at the sandbox's phone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from crm.embedded.certificate import read_or_create_certificate
from crm.models import Contact, Device, Event
from notifications.campaigns.compose import Text, save_template
from notifications.delivery.send import send_due
from notifications.models import Delivery
from notifications.sandbox.log import read_newest
from preferences.models import Suppression
from tests.clients.environments import (
    SCRIPTS,
    Environment,
    install_node,
    install_python,
)
from tests.clients.rows import list_events, list_identifiers
from tests.factories import make_api_key, make_contact, make_device, make_sender
from tests.notifications.sandbox.sandbox_process import run_sandbox
from tests.server import run_server

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
PYTHON = "customerio==3.2.0"
NODE = "customerio-node@4.4.0"
# As long as the sandbox wants one.
PHONE = "phone-1-abcdefghijk"
SHIPPED = {
    "title": "Order {{ event.order_id }} is on its way",
    "body": "It should be with you {{ event.arrives | default: 'in two days' }}.",
}


@dataclass(frozen=True, slots=True)
class SecureSite:
    """A site on https alone, and what a client must know of it."""

    port: int
    key: str
    certificate: Path

    def tell(self) -> dict[str, str]:
        return {
            "SITE_KEY": self.key,
            "SITE_PORT": str(self.port),
            "SITE_URL": f"https://localhost:{self.port}",
            "REQUESTS_CA_BUNDLE": str(self.certificate),
            "NODE_EXTRA_CA_CERTS": str(self.certificate),
        }


@pytest.fixture
def secure(transactional_db: None, tmp_path: Path) -> Iterator[SecureSite]:
    files = read_or_create_certificate(tmp_path, host="", now=timezone.now())
    options = ["--ssl-certificate", str(files.certificate)]
    options += ["--ssl-keyfile", str(files.key)]
    key = make_api_key("track", "send", "read")
    with run_server(threads=4, options=options) as port:
        yield SecureSite(port, key, files.certificate)


@pytest.fixture
def shop(secure: SecureSite) -> None:
    make_sender()
    save_template(
        None,
        name="order-shipped",
        purpose_class="transactional",
        texts=(Text(SHIPPED),),
        by="test",
    )


def run(client: Environment, script: str, site: SecureSite) -> Any:
    return client.run(SCRIPTS / script, **site.tell()).read_json()


def test_the_track_client_of_python(secure: SecureSite) -> None:
    said = run(install_python(PYTHON), "customerio_track.py", secure)

    assert said["batch"]["accepted"] == 2
    assert said["batch"]["rejected"] == [
        {
            "index": 1,
            "path": "name",
            "code": "required",
            "message": "An event needs a name.",
        }
    ]
    assert said["bad_merge"].startswith("404: ")
    assert "Nobody is known by this." in said["bad_merge"]
    assert said["bad_time"].startswith("400: ")
    assert "These look like milliseconds." in said["bad_time"]
    assert said["bad_key"].startswith("401: ")
    check_people(
        {"email": "ada@example.com", "created_at": 1_741_089_600, "plan": "pro"}
    )
    assert [row for row in list_events() if row["who"] == "ada"][:4] == [
        show_event(0, "Browsed", {"page": 1}),
        show_event(1, "Order Completed", {"revenue": 42.5}, "said-1"),
        show_event(2, "Signed Up", {"source": "web"}),
        show_event(5, "Batched", {}),
    ]
    assert list(Event.objects.filter(name="Page Viewed").values_list("properties")) == [
        ({"name": "/shop", "referrer": "mail"},)
    ]
    [group] = Event.objects.filter(name="$group")
    assert group.properties == {
        "group_id": "acme",
        "object_type_id": "1",
        "traits": {},
    }
    device = Device.objects.get(token="token:1")
    assert (device.app_version, device.permission) == ("1.2", "unknown")


def test_both_clients_of_node(secure: SecureSite, shop: None) -> None:
    said = run(install_node(NODE), "customerio_node.mjs", secure)

    ada = check_people({"email": "ada@example.com", "created_at": 1_741_089_600})
    assert said["results"] == [
        {"cio_id": f"cio_{ada.uuid.hex}", "id": "ada", "email": "ada@example.com"}
    ]
    row = Delivery.objects.get()
    assert said["push"]["delivery_id"] == str(row.pk)
    assert (row.contact, row.api_send.data) == (ada, {"order_id": "A-1"})
    assert said["badEvent"] == {
        "status": 400,
        "message": "name: Longer than 200 characters.",
    }
    assert said["badKey"] == {
        "status": 401,
        "message": "Unknown or revoked API key.",
    }
    assert said["email"]["status"] == 400
    assert said["email"]["message"].startswith("There is no sender for e-mail here")
    assert said["report"]["status"] == 404
    assert [row for row in list_events() if row["who"] == "ada"][:2] == [
        show_event(0, "Browsed", {}),
        show_event(1, "Order Completed", {"revenue": 42.5}, "said-1"),
    ]
    device = Device.objects.get(token="token:1")
    assert (device.locale, device.permission) == ("de-DE", "granted")


def show_event(
    minute: int, name: str, properties: dict[str, Any], message_id: str = ""
) -> dict[str, Any]:
    """One of Ada's events, as `list_events` tells it."""
    at = f"2025-03-04T12:{minute:02}:00+00:00"
    row = Event.objects.get(name=name)
    return {
        "who": "ada",
        "name": name,
        "at": at,
        "message_id": message_id or row.message_id,
        "properties": properties,
    }


def check_people(traits: dict[str, Any]) -> Contact:
    """Ada with all that led to her; Bob stopped, Eve released, one erased."""
    ada = Contact.objects.get(external_id="ada")
    assert (ada.traits, ada.email) == (traits, "ada@example.com")
    assert list_identifiers(ada) == {
        ("external_id", "ada"),
        ("external_id", "old ada/1"),
        ("anonymous_id", "browser-1"),
        ("email", "ada@example.com"),
        ("email", "old@example.com"),
    }
    states = dict(Device.objects.values_list("token", "state"))
    assert states == {"token:1": "active", "token/2": "gone"}
    phone = Device.objects.get(token="token:1")
    assert (phone.contact, phone.platform) == (ada, "ios")
    assert phone.last_seen_at.isoformat() == "2025-03-04T12:03:00+00:00"
    stopped = Suppression.objects.live().values_list("contact__external_id", "reason")
    assert list(stopped) == [("bob", "requested")]
    assert Suppression.objects.filter(contact__external_id="eve").count() == 1
    assert Contact.objects.filter(erased_at__isnull=False).count() == 1
    names = set(Contact.objects.canonical().values_list("external_id", flat=True))
    assert names == {"ada", "bob", "eve"}
    return ada


def test_a_push_of_the_app_client_arrives(
    secure: SecureSite, shop: None, tmp_path: Path, settings: Any
) -> None:
    ada = make_contact("ada", email="ada@example.com")
    make_device(ada, token=PHONE)
    said = run(install_python(PYTHON), "customerio_app.py", secure)

    with run_sandbox(tmp_path / "sandbox.jsonl") as sandbox:
        settings.SANDBOX, settings.SANDBOX_URL = True, sandbox.url
        send_due(budget_s=30)
        arrived = read_newest(sandbox.log, limit=10)
    assert [entry.address for entry in arrived] == [PHONE, PHONE]
    shown = {
        entry.message["data"]["delivery_id"]: entry.message["notification"]
        for entry in arrived
    }
    assert shown == {
        said["by_template"]["delivery_id"]: {
            "title": "Order A-1 is on its way",
            "body": "It should be with you in two days.",
        },
        said["inline"]["delivery_id"]: {
            "title": "Dear Ada",
            "body": "Your code is 1234",
        },
    }
    check_in_our_api(said["by_template"]["delivery_id"], secure.key)
    assert Delivery.objects.count() == 2
    for name in ("email", "sms"):
        assert said[name].startswith("400: ")
        assert "no_sender" in said[name]
    assert "identifiers.id: Nobody is known by this." in said["nobody"]


def check_in_our_api(delivery_id: str, key: str) -> None:
    answer = Client().get(
        f"/api/deliveries/{delivery_id}/", HTTP_AUTHORIZATION=f"Bearer {key}"
    )
    told = answer.json()
    assert (told["state"], told["source_kind"]) == ("sent", "transactional")
    assert told["text"]["title"] == "Order A-1 is on its way"
    assert [row["state"] for row in told["attempts"]] == ["sent"]
