"""Segment's Python client sends many events, in batches, with its own retries."""

import json
import os

from segment.analytics.client import Client

failed = []
client = Client(
    os.environ["SITE_KEY"],
    host=os.environ["SITE_URL"],
    upload_size=10,
    on_error=lambda error, batch: failed.append(str(error)),
)
for number in range(int(os.environ["EVENTS"])):
    client.track(f"user-{number % 5}", "Seen", {"n": number}, message_id=f"m-{number}")
client.shutdown()
print(json.dumps(failed))
