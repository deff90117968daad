"""Keeps what was refused, by reason: counted in the process, written now and then.

Called by the edges after the commit. Whatever happens here, the answer to the caller
is the same: a fault of the database is logged, and a lock is not waited for. A flood
of bad calls costs one small write a second and process, and so many rows a day. What
came within a second of the last write waits for the process's next call.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import msgspec
from django.db import Error, connection, transaction

from crm.events.envelope import Rejection
from crm.models import RejectedItem
from crm.quality.samples import find_call, shape_path, write_sample

logger = logging.getLogger(__name__)
# Between two writes of one process.
GAP_S = 1.0
LOCK_WAIT = "200ms"
# Reasons in the memory of a process, and rows of one day; more share a row.
MAX_NOTED = 200
MAX_ROWS = 500
OTHERS = "…"
SUPPRESSED = "Calls that would bring back a person who was erased."
WRITE_REJECTED = """
INSERT INTO crm_rejecteditem AS k (
    seen_on, source, code, path, message, sample, count, first_at, last_at)
SELECT %(day)s, source, code, path, message, sample, count, %(at)s, %(at)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
    source text, code text, path text, message text, sample text, count bigint)
ORDER BY source, code, path
ON CONFLICT (seen_on, source, code, path) DO UPDATE SET
    count = k.count + excluded.count,
    last_at = greatest(k.last_at, excluded.last_at),
    sample = coalesce(nullif(k.sample, ''), excluded.sample)
"""
# source, code, path
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Noted:
    """Refusals of one reason that are not written yet."""

    source: str
    code: str
    path: str
    message: str
    sample: str
    count: int = 1


_noted: dict[Key, Noted] = {}
_written_at = float("-inf")
_lock = threading.Lock()


def note_rejections(
    rejected: Sequence[Rejection], *, source: str, body: bytes = b"", at: datetime
) -> None:
    """Count refused calls of one request; never raises for want of a database.

    With none it only writes what is left of the requests before.
    """
    if not rejected and not _noted:
        return
    for rejection in rejected:
        _note(rejection, source, body)
    if time.monotonic() - _written_at >= GAP_S:
        write_noted(at)


def note_suppressed(count: int, *, source: str, at: datetime) -> None:
    """Count calls of erased people, and nothing else of them."""
    lost = [Rejection(0, "", "suppressed", SUPPRESSED)] * count
    note_rejections(lost, source=source, at=at)


def _note(rejection: Rejection, source: str, body: bytes) -> None:
    key = (source, rejection.code[:64], shape_path(rejection.path))
    with _lock:
        if key not in _noted and len(_noted) >= MAX_NOTED:
            key = (source, rejection.code[:64], OTHERS)
        known = _noted.get(key)
        if known is not None:
            _noted[key] = replace(known, count=known.count + 1)
            return
        # Only the first of its kind is read again: a body may hold thousands.
        sample = write_sample(find_call(body, rejection.index))
        _noted[key] = Noted(*key, rejection.message[:300], sample)


def write_noted(at: datetime) -> None:
    """Write what was counted; a fault is logged, and what was counted is lost."""
    global _written_at
    with _lock:
        rows = list(_noted.values())
        _noted.clear()
        _written_at = time.monotonic()
    if not rows:
        return
    try:
        with transaction.atomic():
            _write(rows, at)
    except Error as error:
        logger.warning("%s refusals were not kept: %s", len(rows), error)


def _write(rows: Sequence[Noted], at: datetime) -> None:
    day = at.astimezone(UTC).date()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_WAIT])
        document = msgspec.json.encode(fold(rows, day)).decode()
        cursor.execute(WRITE_REJECTED, {"day": day, "at": at, "rows": document})


def fold(rows: Sequence[Noted], day: date) -> list[Noted]:
    """On a day that has its rows already, what is new shares a row by its code."""
    if RejectedItem.objects.filter(seen_on=day).count() + len(rows) <= MAX_ROWS:
        return list(rows)
    known = set(
        RejectedItem.objects.filter(seen_on=day).values_list("source", "code", "path")
    )
    folded: dict[Key, Noted] = {}
    for row in rows:
        path = row.path if (row.source, row.code, row.path) in known else OTHERS
        key = (row.source, row.code, path)
        before = folded.get(key)
        count = row.count + (before.count if before else 0)
        folded[key] = replace(before or row, path=path, count=count)
    return list(folded.values())


def forget_noted() -> None:
    """For tests."""
    global _written_at
    with _lock:
        _noted.clear()
        _written_at = float("-inf")
