"""PostHog's wire: `/batch/`, `/capture/` and `/i/v0/e/`; each takes one or many.

The key stands in the body as `api_key`. The answer is exactly 200, as its clients ask.
"""

from __future__ import annotations

import functools

from django.utils import timezone

from crm.api.intake import Received, receive
from crm.api.wire import read_limits
from crm.events.posthog import parse_capture

SOURCE = "posthog"


@functools.partial(receive, source=SOURCE)
def receive_capture(body: bytes) -> Received:
    batch = parse_capture(body, received_at=timezone.now(), limits=read_limits())
    return list(batch.items), list(batch.rejected), batch.write_key
