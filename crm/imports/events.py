"""Rows of events: the same checks and the same door as a `/v1/track` call.

The door is `record_events`, not a road of its own: it takes a chunk in a handful of
statements already, and a COPY through staging was measured slower. What this adds is
a memory longer than the seven days of message ids, so that a file sent twice has no
effect however much later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from django.db import connection

from crm.events.bulk import find_owners
from crm.events.commerce import use_our_name
from crm.events.envelope import ItemRefused, Rejection
from crm.events.fixes import apply_fixes
from crm.events.identity import Key, lead_key
from crm.events.ingest import IngestResult, record_events
from crm.events.limits import Limits
from crm.events.schema import Item, parse_item
from crm.events.standing import read_fixes
from crm.events.tombstones import find_erased
from crm.imports.cells import CellRefused, Problem, read_moment
from crm.imports.files import Row
from crm.imports.taken import ERASED, Reading, Taken, Touch, read_value
from crm.models.partitions import ensure_partitions
from crm.ports.effects import effect_providers

SOURCE: Final = "import"
WIRE: Final = {
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "event": "event",
    "message_id": "messageId",
}
# Reads the timeline index, once for each event.
FIND_KNOWN = """
SELECT w.message_id FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[])
    AS w(contact_id, occurred_at, message_id)
JOIN crm_event e ON e.contact_id = w.contact_id AND e.occurred_at = w.occurred_at
    AND e.message_id = w.message_id
"""


def take_events(
    rows: Sequence[Row], reading: Reading, *, at: datetime, dry: bool, mark: str
) -> Taken:
    """`mark` is written into each event's context, so that an undo finds it."""
    taken, items = Taken(), []
    for index, row in enumerate(rows):
        problems: list[Problem] = []
        item = read_event(row, index, reading, at, mark, problems)
        if item is None or problems:
            taken.refused.append((row, problems))
        else:
            items.append(item)
    items = refuse_blocked(taken, rows, items, reading)
    owners = find_owners({lead_key(item) for item in items})
    known = find_known(items, owners)
    fresh = {item.message_id: item for item in items if item.message_id not in known}
    taken.new, taken.same = len(fresh), len(items) - len(fresh)
    if dry:
        erased = find_suppressed(list(fresh.values()), owners)
        taken.new -= len(erased)
        refuse_erased(taken, rows, erased)
    elif fresh:
        result = record_all(list(fresh.values()), at=at)
        refuse_late(taken, rows, result.rejected)
        refuse_erased(taken, rows, result.suppressed)
        taken.new, taken.same = result.accepted, taken.same + result.duplicates
        taken.touches = list_touches(list(fresh.values()), owners)
    return taken


def refuse_blocked(
    taken: Taken, rows: Sequence[Row], items: Sequence[Item], reading: Reading
) -> list[Item]:
    """Those that fixes of data let in, judged by our names as the door does; each row
    of the others is refused, the second of the same event too."""
    _, wrong = apply_fixes([use_our_name(item) for item in items], read_fixes())
    column = find_column(reading, "event")
    for one in wrong:
        problem = Problem(one.code, one.message, column)
        taken.refused.append((rows[one.index], [problem]))
    refused = {one.index for one in wrong}
    return [item for item in items if item.index not in refused]


def refuse_late(taken: Taken, rows: Sequence[Row], wrong: Sequence[Rejection]) -> None:
    """What a fix that was made this moment does not let in."""
    for one in wrong:
        problem = Problem(one.code, one.message)
        taken.refused.append((rows[one.index], [problem]))


def refuse_erased(taken: Taken, rows: Sequence[Row], erased: Sequence[int]) -> None:
    taken.refused += [(rows[index], [ERASED]) for index in erased]


def find_suppressed(items: Sequence[Item], owners: Mapping[Key, int]) -> list[int]:
    """As `record_events` would, of those who lead nowhere."""
    unknown = {lead_key(item) for item in items} - owners.keys()
    erased = find_erased(unknown)
    return [item.index for item in items if lead_key(item) in erased]


def record_all(items: list[Item], *, at: datetime) -> IngestResult:
    for month in {item.occurred_at.date().replace(day=1) for item in items}:
        ensure_partitions("crm_event", first=month, last=month)
    return record_events(items, received_at=at, source=SOURCE)


def list_touches(items: list[Item], before: dict[Key, int]) -> list[Touch]:
    keys = {lead_key(item) for item in items}
    after = find_owners(keys)
    made = {after[key] for key in keys - before.keys() if key in after}
    return [Touch(contact_id=pk, made=pk in made) for pk in set(after.values())]


def find_known(items: Sequence[Item], owners: dict[Key, int]) -> set[str]:
    """Message ids of these that are stored already, of whatever age."""
    asked = [
        (owners[lead_key(item)], item.occurred_at, item.message_id)
        for item in items
        if lead_key(item) in owners
    ]
    if not asked:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(FIND_KNOWN, [list(part) for part in zip(*asked, strict=True)])
        return {message_id for (message_id,) in cursor.fetchall()}


def read_event(
    row: Row,
    index: int,
    reading: Reading,
    at: datetime,
    mark: str,
    problems: list[Problem],
) -> Item | None:
    call = write_call(row, reading, problems)
    if problems:
        return None
    call.setdefault("event", reading.event_name)
    call.setdefault("messageId", make_message_id(call))
    call["context"] = {"import": mark}
    try:
        item = parse_call(call, index, at)
    except ItemRefused as refused:
        fault = refused.fault
        column = find_column(reading, fault.path)
        problems.append(Problem(fault.code, fault.message, column))
        return None
    check_event(item, reading, problems)
    return item


def check_event(item: Item, reading: Reading, problems: list[Problem]) -> None:
    """What a call may say and a file may not."""
    if item.clock_skewed:
        column = find_column(reading, "timestamp")
        problems.append(Problem("in_the_future", "It has not happened yet.", column))
    name = use_our_name(item).name
    asked = (one.event_names for one in effect_providers() if one.is_consent)
    if any(name in names for names in asked):
        message = "An import can not carry consent."
        problems.append(Problem("consent", message, find_column(reading, "event")))


def parse_call(call: dict[str, Any], index: int, at: datetime) -> Item:
    raw = msgspec.json.encode(call)
    return parse_item(raw, index, shared={}, at=at, limits=Limits(), kind="track")


def write_call(row: Row, reading: Reading, problems: list[Problem]) -> dict[str, Any]:
    """The row as the call that it stands for."""
    call: dict[str, Any] = {"properties": {}}
    for column, text in zip(reading.columns, row.cells, strict=True):
        if not column.to or not text:
            continue
        if column.to == "timestamp":
            try:
                call["timestamp"] = read_moment(text, reading.dates).isoformat()
            except CellRefused as refused:
                problems.append(Problem(refused.code, str(refused), column.heading))
        elif column.is_free:
            value = read_value(column, text, reading, problems)
            call["properties"][column.name] = value
        else:
            call[WIRE[column.to]] = read_value(column, text, reading, problems)
    if "timestamp" not in call and not problems:
        heading = find_column(reading, "timestamp")
        problems.append(Problem("required", "Says not when it happened.", heading))
    return call


def make_message_id(call: dict[str, Any]) -> str:
    """The same row has the same id, so that it counts once."""
    words = msgspec.json.encode(call, order="sorted")
    return f"import-{hashlib.blake2b(words, digest_size=20).hexdigest()}"


def find_column(reading: Reading, path: str) -> str:
    """The heading of what the fault's path is about; '' where no column is."""
    names = {wire: target for target, wire in WIRE.items()}
    target = names.get(path, path)
    name = path.removeprefix("properties.")
    return next(
        (c.heading for c in reading.columns if c.to == target or name == c.name), ""
    )
