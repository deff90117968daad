"""What a shop's app says through Customer.io's pipelines client."""

import os
from datetime import datetime, timezone

from customerio.analytics import Client


def at(minute):
    return datetime(2025, 3, 4, 12, minute, tzinfo=timezone.utc)


client = Client(os.environ["SITE_KEY"], host=os.environ["SITE_URL"])
for token in ("kept", "gone"):
    client.track(
        "ada",
        "Device Created or Updated",
        {"push_enabled": True},
        context={"device": {"token": token, "type": "android"}},
        timestamp=at(1),
    )
client.track(
    "ada",
    "Device Deleted",
    context={"device": {"token": "gone", "type": "android"}},
    timestamp=at(2),
)
socks = {"product_id": "p-1", "name": "Socks", "price": 9.5, "category": "Feet"}
client.track("ada", "Product Viewed", {**socks, "currency": "EUR"}, timestamp=at(3))
client.track("ada", "Added Product", socks, timestamp=at(4))
order = {"order_id": "A-1", "total": 19, "currency": "EUR"}
client.track(
    "ada",
    "Order Completed",
    {**order, "products": [{**socks, "quantity": 2}]},
    timestamp=at(5),
)
client.track("ada", "Order Refunded", order, timestamp=at(6))
client.shutdown()
print("{}")
