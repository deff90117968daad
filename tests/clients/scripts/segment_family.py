"""Segment's Python client and those made from it; MODULE says which.

Says each kind of call once, then once more with a wrong key.
"""

import importlib
import json
import os
from datetime import datetime, timezone

MODULE = os.environ["MODULE"]
client_class = importlib.import_module(f"{MODULE}.client").Client
refusal_class = importlib.import_module(f"{MODULE}.request").APIError


def at(minute):
    return datetime(2025, 3, 4, 12, minute, tzinfo=timezone.utc)


def make_client(key, **options):
    return client_class(key, host=os.environ["SITE_URL"], gzip=True, **options)


failed = []
client = make_client(
    os.environ["SITE_KEY"],
    on_error=lambda error, batch: failed.append(str(error)),
    debug=True,
)
client.page(
    anonymous_id="browser-1",
    category="Shop",
    name="Pricing",
    properties={"path": "/pricing"},
    timestamp=at(1),
    message_id="said-page",
)
client.identify(
    "ada",
    traits={"email": "ada@example.com", "plan": "pro", "visits": 3},
    anonymous_id="browser-1",
    timestamp=at(2),
    message_id="said-identify",
)
client.track(
    "ada",
    "Order Completed",
    {"order_id": "A-1", "revenue": 42.5, "currency": "eur"},
    context={"device": {"token": "token-1", "type": "ios"}, "locale": "de-DE"},
    timestamp=at(3),
    message_id="said-track",
)
client.screen("ada", name="Basket", timestamp=at(4), message_id="said-screen")
client.group("ada", "acme", {"seats": 5}, timestamp=at(5), message_id="said-group")
client.alias("old-ada", "ada", timestamp=at(6), message_id="said-alias")
client.flush()
client.join()

refused = {}
try:
    make_client("wrong", sync_mode=True).track("ada", "Seen", message_id="unsaid")
except refusal_class as error:
    refused = {
        "name": type(error).__name__,
        "status": error.status,
        "code": error.code,
        "message": error.message,
    }
print(json.dumps({"failed": failed, "refused": refused}))
