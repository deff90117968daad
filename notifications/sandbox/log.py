"""The sandbox's log: one JSON line per accepted message, appended in one write.

A line: `{at, name, project, address, request}`; `at` is Unix time in seconds and
`request` is the posted body, byte for byte but for line breaks between its parts.
Lines are never changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BLOCK_BYTES = 65_536


class SandboxLog:
    """The writing end; several processes may append to one file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._file = os.open(path, flags, 0o600)

    def append(
        self, *, at: float, project: str, name: str, address: str, request: bytes
    ) -> None:
        """Write one line; OSError when not all of it could be written."""
        facts = {"at": at, "name": name, "project": project, "address": address}
        # The posted bytes go in as they are; JSON outside strings has no newline
        # that matters.
        body = request.replace(b"\n", b" ").replace(b"\r", b" ")
        head = json.dumps(facts, separators=(",", ":"))[:-1].encode()
        line = head + b',"request":' + body + b"}\n"
        if os.write(self._file, line) != len(line):
            raise OSError("the log took only a part of the line")

    def close(self) -> None:
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One accepted message; `position` is the byte after its line."""

    at: float
    name: str
    address: str
    message: dict[str, Any]
    position: int


def read_newest(
    path: Path,
    *,
    limit: int,
    after: int = 0,
    address: str = "",
    most_bytes: int = 4_000_000,
) -> list[LogEntry]:
    """The newest entries first, read from the end of the file.

    Reads no further back than `after` (a position) and `most_bytes`, so a log of
    gigabytes costs no more than a small one.
    """
    entries: list[LogEntry] = []
    if not path.exists():
        return entries
    for line, position in _read_lines_backwards(path, after, most_bytes):
        if address and address.encode() not in line:
            continue
        entry = parse_line(line, position)
        if entry is None or (address and entry.address != address):
            continue
        entries.append(entry)
        if len(entries) == limit:
            break
    return entries


def find_end(path: Path) -> int:
    """The position after the last line; 0 where there is no log yet."""
    return path.stat().st_size if path.exists() else 0


def parse_line(line: bytes, position: int) -> LogEntry | None:
    """The entry of a line; None for a line that a crash cut short."""
    try:
        facts = json.loads(line)
        return LogEntry(
            at=float(facts["at"]),
            name=facts["name"],
            address=facts["address"],
            message=facts["request"]["message"],
            position=position,
        )
    except (ValueError, KeyError, TypeError):
        return None


def _read_lines_backwards(
    path: Path, after: int, most_bytes: int
) -> Iterator[tuple[bytes, int]]:
    """Whole lines with the position of their end, last line first."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        stop = max(after, end - most_bytes)
        tail, position = b"", end
        while position > stop:
            start = max(stop, position - BLOCK_BYTES)
            file.seek(start)
            block = file.read(position - start) + tail
            position = start
            lines = block.split(b"\n")
            # The first piece may go on further up; keep it for the next block.
            tail = lines[0]
            line_end = start + len(block)
            for line in reversed(lines[1:]):
                if line:
                    yield line, line_end + 1
                line_end -= len(line) + 1
        if tail and (stop == after or stop == 0):
            yield tail, position + len(tail) + 1
