"""Cut connections and lost answers between a client and the site change no count."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from django.utils import timezone

from crm.embedded.certificate import read_or_create_certificate
from crm.models import Contact, Event
from tests.clients.conftest import Site
from tests.clients.environments import (
    SCRIPTS,
    Environment,
    install_node,
    install_python,
)
from tests.clients.proxy import CUT, DROPPED, PASSED, LossyProxy, run_lossy_proxy

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
EVENTS = 40
Install = Callable[[str], Environment]


def check_taken_in_once(proxy: LossyProxy, ids: list[str], *, a_batch: int) -> None:
    """Each batch came three times, and was taken in by the second."""
    batches = proxy.fates[PASSED]
    assert batches >= EVENTS / a_batch
    assert proxy.fates == {CUT: batches, DROPPED: batches, PASSED: batches}
    said = Event.objects.filter(name="Seen")
    found = said.values_list("message_id", "contact__external_id", "properties__n")
    assert sorted(found, key=lambda row: row[2]) == [
        (message_id, f"user-{n % 5}", n) for n, message_id in enumerate(ids)
    ]
    assert Contact.objects.count() == 5


@pytest.mark.parametrize(
    ("install", "package", "script"),
    [
        (install_python, "segment-analytics-python==2.4.0", "many_events.py"),
        (install_node, "@segment/analytics-node@3.1.0", "many_events.mjs"),
        (install_python, "posthog==7.91.1", "many_posthog.py"),
        (install_node, "posthog-node@5.70.0", "many_posthog.mjs"),
    ],
)
def test_every_event_is_taken_in_once(
    install: Install, package: str, script: str, site: Site
) -> None:
    installed = install(package)
    with run_lossy_proxy(site.port) as proxy:
        failed = installed.run(
            SCRIPTS / script,
            SITE_URL=f"http://127.0.0.1:{proxy.port}",
            SITE_KEY=site.key,
            EVENTS=str(EVENTS),
        ).read_json()

    assert failed == []
    numbers = range(EVENTS)
    ids = [f"m-{n}" for n in numbers]
    a_batch = 10
    if "posthog" in package:
        ids = [str(UUID(int=n + 1)) for n in numbers]
        # What waits while a batch is sent again goes with the next one.
        a_batch = EVENTS
    check_taken_in_once(proxy, ids, a_batch=a_batch)


def test_every_event_with_an_id_of_its_own_is_taken_in_once_by_https(
    site: Site, tmp_path: Path
) -> None:
    """Customer.io's client sends one event a call, and repeats by itself."""
    installed = install_python("customerio==3.2.0")
    files = read_or_create_certificate(tmp_path, host="", now=timezone.now())
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(files.certificate, files.key)
    with run_lossy_proxy(site.port, tls) as proxy:
        failed = installed.run(
            SCRIPTS / "many_customerio.py",
            SITE_PORT=str(proxy.port),
            SITE_KEY=site.key,
            REQUESTS_CA_BUNDLE=str(files.certificate),
            EVENTS=str(EVENTS),
        ).read_json()

    assert failed == []
    check_taken_in_once(proxy, [f"m-{n}" for n in range(EVENTS)], a_batch=1)
