"""Customer.io's Track client: each of its calls once; then with a wrong key."""

import json
import os
from datetime import datetime, timezone

from customerio import CustomerIO, CustomerIOException


def make_client(key):
    port = int(os.environ["SITE_PORT"])
    return CustomerIO("shop", key, host="localhost", port=port, retries=0)


def at(minute):
    return datetime(2025, 3, 4, 12, minute, tzinfo=timezone.utc)


def catch(call, *arguments, **named):
    try:
        call(*arguments, **named)
    except CustomerIOException as error:
        return str(error)
    return ""


client = make_client(os.environ["SITE_KEY"])
client.track_anonymous("browser-1", "Browsed", {"page": 1}, timestamp=at(0))
client.identify(
    "ada",
    email="ada@example.com",
    created_at=at(0),
    plan="pro",
    anonymous_id="browser-1",
    not_a_number=float("nan"),
)
client.track("ada", "Order Completed", {"revenue": 42.5}, id="said-1", timestamp=at(1))
client.track("ada", "Order Completed", {"revenue": 42.5}, id="said-1", timestamp=at(1))
client.backfill("ada", "Signed Up", at(2), source="web")
client.pageview("ada", "/shop", referrer="mail")
client.add_device("ada", "token:1", "ios", last_used=at(3), app_version="1.2")
client.add_device("ada", "token/2", "android")
client.delete_device("ada", "token/2")
client.identify("old ada/1", email="old@example.com")
client.merge_customers("id", "ada", "email", "old@example.com")
client.identify("bob", plan="free")
client.suppress("bob")
client.identify("eve", email="eve@example.com")
client.suppress("eve")
client.unsuppress("eve")
client.identify("gone")
client.delete("gone")
batch = client.batch(
    [
        {
            "type": "person",
            "action": "event",
            "identifiers": {"email": "ada@example.com"},
            "name": "Batched",
            "timestamp": int(at(5).timestamp()),
        },
        {"type": "person", "action": "event", "identifiers": {"id": "ada"}},
        {
            "type": "person",
            "action": "add_relationships",
            "identifiers": {"id": "ada"},
            "cio_relationships": [
                {"identifiers": {"object_type_id": "1", "object_id": "acme"}}
            ],
        },
    ]
)
print(
    json.dumps(
        {
            "batch": batch.json(),
            "bad_merge": catch(client.merge_customers, "id", "nobody", "id", "ada"),
            "bad_time": catch(client.backfill, "ada", "Late", 1_741_089_600_000),
            "bad_key": catch(make_client("wrong").identify, "ada"),
        }
    )
)
