"""Cut connections and lost answers between a client and the site change no count."""

from __future__ import annotations

import pytest

from crm.models import Contact, Event
from tests.clients.conftest import Site
from tests.clients.environments import SCRIPTS, install_node, install_python
from tests.clients.proxy import CUT, DROPPED, PASSED, run_lossy_proxy

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
EVENTS = 40


@pytest.mark.parametrize("client", ["python", "node"])
def test_every_event_is_taken_in_once(client: str, site: Site) -> None:
    if client == "python":
        installed = install_python("segment-analytics-python==2.4.0")
        script = SCRIPTS / "many_events.py"
    else:
        installed = install_node("@segment/analytics-node@3.1.0")
        script = SCRIPTS / "many_events.mjs"
    with run_lossy_proxy(site.port) as proxy:
        failed = installed.run(
            script,
            SITE_URL=f"http://127.0.0.1:{proxy.port}",
            SITE_KEY=site.key,
            EVENTS=str(EVENTS),
        ).read_json()

    assert failed == []
    # Each batch came three times, and was taken in by the second.
    batches = proxy.fates[PASSED]
    assert batches >= EVENTS / 10
    assert proxy.fates == {CUT: batches, DROPPED: batches, PASSED: batches}
    said = Event.objects.values_list("message_id", "contact__external_id")
    assert sorted(said) == sorted((f"m-{n}", f"user-{n % 5}") for n in range(EVENTS))
    assert Contact.objects.count() == 5
