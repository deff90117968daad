"""PostHog's Python client: each kind of call once, then one with a wrong key."""

import json
import os
import uuid
from datetime import datetime, timezone

from posthog import Posthog


def at(minute):
    return datetime(2025, 3, 4, 12, minute, tzinfo=timezone.utc)


def number(n):
    return str(uuid.UUID(int=n))


failed = []
client = Posthog(
    os.environ["SITE_KEY"],
    host=os.environ["SITE_URL"],
    gzip=True,
    on_error=lambda error, batch: failed.append(str(error)),
)
client.capture(
    "$pageview",
    distinct_id="browser-1",
    properties={
        "$current_url": "https://shop.example/pricing",
        "$process_person_profile": False,
    },
    timestamp=at(1),
    uuid=number(1),
)
client.set(
    distinct_id="ada",
    properties={"email": "ada@example.com", "plan": "pro"},
    timestamp=at(2),
    uuid=number(2),
)
client.set_once(
    distinct_id="ada",
    properties={"plan": "free", "came_by": "advert"},
    timestamp=at(3),
    uuid=number(3),
)
client.capture(
    "Order Completed",
    distinct_id="ada",
    properties={"order_id": "A-1", "revenue": 42.5, "$set": {"visits": 3}},
    timestamp=at(4),
    uuid=number(4),
)
client.group_identify(
    "company",
    "acme",
    {"seats": 5},
    distinct_id="ada",
    timestamp=at(5),
    uuid=number(5),
)
client.alias("browser-1", "ada", timestamp=at(6), uuid=number(6))
client.flush()
client.shutdown()

refused = []
stranger = Posthog(
    "wrong",
    host=os.environ["SITE_URL"],
    on_error=lambda error, batch: refused.append(
        [type(error).__name__, error.status, error.message]
    ),
)
stranger.capture("Seen", distinct_id="ada")
stranger.shutdown()
print(json.dumps({"failed": failed, "refused": refused}))
