"""The wire shape of device reports: bytes → reports, or the path of the fault.

One report, `{"event", "token", "client_id", "at", "button"}`, or several of one
message under `events` with the token beside or inside them; a plain form holds one.
Pure. The body is told by its first character, whatever Content-Type says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import parse_qsl

import msgspec

from crm.events.envelope import read_type_fault
from crm.events.limits import (
    BodyRefused,
    Fault,
    check_utf8,
    find_fault,
    parse_json,
    unpack_body,
)

# One phone that was offline tells of a handful of taps, not of books.
MAX_BODY_BYTES = 32 * 1024
MAX_REPORTS = 100
MAX_FIELDS = 20
MAX_TEXT = 100
YEARS = range(1970, 2101)


class WireReport(msgspec.Struct):
    event: Literal["delivered", "opened", "clicked", "dismissed"]
    client_id: str | int
    token: str = ""
    # Null: now.
    at: str | None = None
    button: str | int | None = None


class WireReports(msgspec.Struct):
    events: list[WireReport]
    token: str = ""


@dataclass(frozen=True, slots=True)
class ParsedReport:
    kind: str
    client_id: str
    at: datetime
    button: str


@dataclass(frozen=True, slots=True)
class ParsedReports:
    """Reports of one message. `tokens`: all that were shown; each must be right."""

    reports: Sequence[ParsedReport]
    tokens: frozenset[str]
    # Where a page without JavaScript goes on; '' for programs.
    next_path: str = ""


def parse_reports(body: bytes, *, received_at: datetime) -> ParsedReports:
    """The reports of one request, or BodyRefused; all or none."""
    plain = unpack_body(body, MAX_BODY_BYTES)
    if plain.lstrip()[:1] in (b"{", b"["):
        return _read_json(parse_json(plain), received_at)
    if b"=" in plain:
        return _read_form(plain, received_at)
    raise BodyRefused(400, Fault("invalid_json", "Expected a JSON object."))


def _read_json(value: object, received_at: datetime) -> ParsedReports:
    several = isinstance(value, Mapping) and "events" in value
    try:
        if several:
            wire = msgspec.convert(value, WireReports)
        else:
            wire = WireReports([msgspec.convert(value, WireReport)])
    except msgspec.ValidationError as error:
        raise BodyRefused(400, read_type_fault(error)) from error
    if not 0 < len(wire.events) <= MAX_REPORTS:
        message = f"Between 1 and {MAX_REPORTS} reports."
        raise BodyRefused(400, Fault("invalid", message, "events"))
    return ParsedReports(
        [
            _read_report(item, received_at, f"events[{index}]." if several else "")
            for index, item in enumerate(wire.events)
        ],
        frozenset(item.token or wire.token for item in wire.events),
    )


def _read_form(body: bytes, received_at: datetime) -> ParsedReports:
    check_utf8(body)
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise BodyRefused(400, Fault("too_many_fields", str(error))) from error
    fields = dict(pairs)
    if fault := find_fault(fields):
        raise BodyRefused(400, fault)
    next_path = fields.pop("next", "")
    if next_path and not is_own_path(next_path):
        message = "Expected a path of this site, such as /sandbox/."
        raise BodyRefused(400, Fault("invalid", message, "next"))
    said = {key: value for key, value in fields.items() if value}
    parsed = _read_json(said, received_at)
    return ParsedReports(parsed.reports, parsed.tokens, next_path)


def is_own_path(path: str) -> bool:
    """Whether a browser stays on this site with it: `//host`, `/\\host` and
    control characters would lead away."""
    return (
        path.startswith("/")
        and not path.startswith(("//", "/\\"))
        and path.isprintable()
        and "\\" not in path
    )


def _read_report(wire: WireReport, received_at: datetime, path: str) -> ParsedReport:
    client_id = _read_text(wire.client_id, f"{path}client_id")
    if not client_id:
        message = "Name the report, so that a repeat is known."
        raise BodyRefused(400, Fault("required", message, f"{path}client_id"))
    button = "" if wire.button is None else wire.button
    return ParsedReport(
        wire.event,
        client_id,
        received_at if wire.at is None else _read_time(wire.at, f"{path}at"),
        _read_text(button, f"{path}button"),
    )


def _read_text(value: str | int, path: str) -> str:
    text = str(value).strip()
    if len(text) > MAX_TEXT:
        fault = Fault("too_long", f"Longer than {MAX_TEXT} characters.", path)
        raise BodyRefused(400, fault)
    return text


def _read_time(text: str, path: str) -> datetime:
    """ISO 8601; without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(text)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        at = datetime.min.replace(tzinfo=UTC)
    if at.year not in YEARS:
        message = f"Not an ISO 8601 time between {YEARS[0]} and {YEARS[-1]}."
        raise BodyRefused(400, Fault("invalid_timestamp", message, path))
    return at
