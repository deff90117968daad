"""The arithmetic of the consent ledger: chain, fold, truncation. Pure.

Each row carries the hash of the row before it of the same contact, so that a
changed, removed or inserted row is found and named.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from preferences.levels import Level

# Actions of a row; the first three are states, `cleared` ends all of them
# (the contact was merged away or erased).
CLEARED = "cleared"
# Kept of an address: enough to show a region, too little to name a household.
IPV4_PREFIX, IPV6_PREFIX = 24, 48


@dataclass(frozen=True, slots=True)
class Line:
    """One ledger row as facts. `number` counts from 1 within a contact."""

    contact_uuid: str
    number: int
    center_id: int | None
    channel: str
    topic_id: int | None
    purpose: str
    action: str
    at: datetime
    actor: str
    source: str
    wording_version: int
    locale: str
    address: str
    proof: str
    previous_hash: str

    @property
    def level(self) -> Level:
        return self.channel, self.topic_id


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that does not fit. `number` 0 means the projection, not a row."""

    number: int
    problem: str


@dataclass(frozen=True, slots=True)
class Word:
    """What stands at one level: the state, and since when."""

    state: str
    at: datetime


Projection = dict[tuple[int, Level], Word]


def hash_line(line: Line) -> str:
    """SHA-256 over every column and the previous hash, in canonical JSON."""
    facts = asdict(line)
    facts["at"] = line.at.astimezone(UTC).isoformat(timespec="microseconds")
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def fold_lines(lines: Iterable[Line]) -> Projection:
    """The current word at every level, out of the rows in their order."""
    standing: Projection = {}
    for line in lines:
        if line.action == CLEARED or line.center_id is None:
            standing.clear()
        else:
            standing[line.center_id, line.level] = Word(line.action, line.at)
    return standing


def find_faults(lines: Iterable[tuple[Line, str]]) -> list[Fault]:
    """Walk (line, stored hash) in order; names each row that does not fit."""
    faults: list[Fault] = []
    number, previous = 0, ""
    for line, stored in lines:
        if line.number != number + 1:
            faults.append(Fault(line.number, f"row {number + 1} is missing"))
        elif line.previous_hash != previous:
            faults.append(Fault(line.number, "does not follow the row before it"))
        if hash_line(line) != stored:
            faults.append(Fault(line.number, "content does not match its hash"))
        number, previous = line.number, stored
    return faults


def truncate_address(address: str) -> str:
    """The network of an IP address ('203.0.113.0/24'); '' where it is none."""
    try:
        parsed = ipaddress.ip_address(address.strip())
    except ValueError:
        return ""
    mapped = getattr(parsed, "ipv4_mapped", None)
    parsed = mapped or parsed
    prefix = IPV4_PREFIX if parsed.version == 4 else IPV6_PREFIX
    return str(ipaddress.ip_network((parsed, prefix), strict=False))
