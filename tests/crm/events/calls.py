"""Calls as the parser would make them, for tests of what becomes of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connections

from crm.events.ingest import IngestResult, record_events
from crm.events.schema import Item
from tests.factories import NOON


def say(kind: str = "track", **fields: Any) -> Item:
    """One parsed call; `at` hours after noon."""
    said = {
        "index": 0,
        "kind": kind,
        "name": "Viewed" if kind == "track" else "",
        "user_id": "",
        "anonymous_id": "",
        "previous_id": "",
        "message_id": "",
        "occurred_at": NOON + timedelta(hours=fields.pop("at", 0)),
        "clock_skewed": False,
        "properties": {},
        "traits": {},
        "context": {},
    }
    return Item(**{**said, **fields})


def record(*items: Item, at: datetime = NOON) -> IngestResult:
    """Take them in as one batch."""
    numbered = [
        msgspec.structs.replace(item, index=number) for number, item in enumerate(items)
    ]
    return record_events(numbered, received_at=at, source="test")


def run_together(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """Each job in its own thread, over its own connection, all at once."""
    barrier = threading.Barrier(len(jobs))
    results: list[Any] = []
    failures: list[BaseException] = []

    def work(job: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results.append(job())
        except BaseException as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    return results
