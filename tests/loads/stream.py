"""Numbered events whose effects can be counted before they are sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

TRIGGER, PURCHASE, ORDINARY = "Cart Updated", "Order Completed", "Product Viewed"
# One of so many events starts a message, is a purchase, or tells about the person.
TRIGGER_EACH, PURCHASE_EACH, IDENTIFY_EACH = 100, 25, 20
# Of the faulty stream: each tenth event comes late, another tenth comes twice.
FAULT_EACH = 10
LATE_BY, AGAIN_AFTER = 4, 7


@dataclass(frozen=True, slots=True)
class Stream:
    """`count` events of `people`, one a millisecond since `start`."""

    start: datetime
    count: int
    people: int = 2_000

    def build(self, number: int) -> dict[str, Any]:
        at = self.start + timedelta(milliseconds=number)
        said = {
            "messageId": f"load-{number:08d}",
            "userId": f"user-{number % self.people}",
            "timestamp": at.isoformat(),
        }
        if is_identify(number):
            return {**said, "type": "identify", "traits": {"step": number}}
        properties = {"product_id": f"sku-{number % 200}", "category": "garden"}
        name = name_event(number)
        if name == PURCHASE:
            properties |= {"revenue": number % 90 + 1, "currency": "GBP"}
        return {**said, "type": "track", "event": name, "properties": properties}

    def count_named(self, name: str) -> int:
        return sum(
            not is_identify(n) and name_event(n) == name for n in range(self.count)
        )

    def count_events(self) -> int:
        return sum(not is_identify(number) for number in range(self.count))

    def find_last_steps(self) -> dict[str, int]:
        """What each person's newest word about themselves says."""
        told = range(IDENTIFY_EACH - 1, self.count, IDENTIFY_EACH)
        return {f"user-{number % self.people}": number for number in told}


def is_identify(number: int) -> bool:
    return number % IDENTIFY_EACH == IDENTIFY_EACH - 1


def name_event(number: int) -> str:
    if number % TRIGGER_EACH == 0:
        return TRIGGER
    return PURCHASE if number % PURCHASE_EACH == 0 else ORDINARY


def split_evenly(count: int, size: int) -> Iterator[Sequence[int]]:
    for at in range(0, count, size):
        yield range(at, min(at + size, count))


def split_with_faults(count: int, size: int) -> Iterator[Sequence[int]]:
    """Batches of which a tenth comes some batches late, and a tenth comes twice."""
    late: dict[int, list[int]] = {}
    batches = list(split_evenly(count, size))
    for place, batch in enumerate(batches):
        said = late.pop(place, [])
        for number in batch:
            fault = number // PURCHASE_EACH % FAULT_EACH
            if fault == 0 and place + LATE_BY < len(batches):
                late.setdefault(place + LATE_BY, []).append(number)
                continue
            said.append(number)
            if fault == 1:
                late.setdefault(place + AGAIN_AFTER, []).append(number)
        yield said
    for place in sorted(late):
        yield late[place]


def encode_batch(stream: Stream, numbers: Sequence[int]) -> tuple[str, bytes]:
    """Path and body."""
    batch = [stream.build(number) for number in numbers]
    return "/v1/batch", json.dumps({"batch": batch}).encode()


def encode_single(stream: Stream, number: int) -> tuple[str, bytes]:
    item = stream.build(number)
    return f"/v1/{item['type']}", json.dumps(item).encode()
