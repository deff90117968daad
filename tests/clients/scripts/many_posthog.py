"""PostHog's Python client sends many events, in batches, with its own retries."""

import json
import os
import uuid

from posthog import Posthog

failed = []
client = Posthog(
    os.environ["SITE_KEY"],
    host=os.environ["SITE_URL"],
    flush_at=10,
    on_error=lambda error, batch: failed.append(str(error)),
)
for number in range(int(os.environ["EVENTS"])):
    client.capture(
        "Seen",
        distinct_id=f"user-{number % 5}",
        properties={"n": number},
        uuid=str(uuid.UUID(int=number + 1)),
    )
client.shutdown()
print(json.dumps(failed))
