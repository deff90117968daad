"""Segment's wire: `POST /v1/batch` and one address for each call."""

from __future__ import annotations

import functools
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from crm.api.intake import Received, receive
from crm.api.wire import read_limits
from crm.events.schema import parse_batch, parse_single

receive_segment = functools.partial(receive, source="segment")


@receive_segment
def receive_batch(body: bytes) -> Received:
    batch = parse_batch(body, received_at=timezone.now(), limits=read_limits())
    return list(batch.items), list(batch.rejected), batch.write_key


def receive_single(kind: str) -> Callable[[HttpRequest], HttpResponse]:
    """The view of `/v1/<kind>`; a bad item refuses the request."""

    @receive_segment
    def view(body: bytes) -> Received:
        item, write_key = parse_single(
            body, kind, received_at=timezone.now(), limits=read_limits()
        )
        return [item], [], write_key

    return view
