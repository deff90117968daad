"""Previews of templates nobody has saved yet, in a child process that may die.

The child has no database, no secrets and no environment; memory, processor time and
wall time end it. What it needs from the catalog it asks for, line by line.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from notifications.content.context import MAX_LOOKUPS, ShelvedItem, Shelves
from notifications.content.errors import Problem, RenderError
from notifications.content.render import (
    DEFAULT_LIMITS,
    DEFAULT_LINK_RULES,
    LinkRules,
    PushContent,
    PushLimits,
    RenderedButton,
    RenderedPush,
)

MEMORY_BYTES = 256 * 1024 * 1024  # over what the child needs before it renders
CPU_S = 0.25
WALL_S = 2.0
START_S = 15.0  # a busy machine may be slow to start Python; no template runs yet
MAX_ANSWER_BYTES = 200_000

_ROOT = Path(__file__).resolve().parents[2]
_COMMAND = [sys.executable, "-m", "notifications.content.preview_child"]

_TOO_MUCH = Problem("template_error", "The template needs too much time or memory.")


def preview_push(
    content: PushContent,
    context: Mapping[str, object],
    *,
    limits: PushLimits = DEFAULT_LIMITS,
    rules: LinkRules = DEFAULT_LINK_RULES,
) -> RenderedPush | Problem:
    """As `render_push`, with what goes wrong returned: an editor shows it."""
    request = {
        "content": asdict(content),
        "context": {name: _encode(value) for name, value in context.items()},
        "limits": asdict(limits),
        "rules": {**asdict(rules), "app_schemes": sorted(rules.app_schemes)},
    }
    environment = {"PYTHONPATH": str(_ROOT), "PYTHONUTF8": "1", "PATH": os.defpath}
    with subprocess.Popen(
        _COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=_ROOT,
    ) as child:
        try:
            answer = _converse(child, request, context)
        finally:
            child.kill()
    return _decode_answer(answer)


def _converse(
    child: subprocess.Popen[bytes],
    request: Mapping[str, object],
    context: Mapping[str, object],
) -> Mapping[str, Any] | None:
    """None when the child died or was too slow."""
    reader = _LineReader(child)
    if reader.read_line(START_S) is None:
        return None
    deadline = time.monotonic() + WALL_S
    message: Mapping[str, object] = request
    for _ in range(MAX_LOOKUPS + 1):
        if not _send_line(child, message):
            return None
        answer = reader.read_line(deadline - time.monotonic())
        if answer is None or "need" not in answer:
            return answer
        slug, code = answer["need"]
        message = {"item": _find_item(context, str(slug), str(code))}
    return None


def _send_line(child: subprocess.Popen[bytes], message: Mapping[str, object]) -> bool:
    assert child.stdin is not None
    try:
        child.stdin.write(json.dumps(message, default=_encode).encode() + b"\n")
        child.stdin.flush()
    except BrokenPipeError:
        return False
    return True


def _find_item(context: Mapping[str, object], slug: str, code: str) -> object:
    shelves = context.get("catalog")
    found = shelves.find(slug, code) if isinstance(shelves, Shelves) else None
    return None if found is None else dict(found)


class _LineReader:
    """JSON lines from the child, each before its deadline."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        self._stream = child.stdout
        self._rest = b""

    def read_line(self, timeout_s: float) -> Mapping[str, Any] | None:
        deadline = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._stream, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not selector.select(left_s):
                    return None
                chunk = os.read(self._stream.fileno(), 65_536)
                self._rest += chunk
                if not chunk or len(self._rest) > MAX_ANSWER_BYTES:
                    return None
        line, _, self._rest = self._rest.partition(b"\n")
        decoded: Mapping[str, Any] = json.loads(line)
        return decoded


def _encode(value: object) -> Any:
    """What JSON cannot say, tagged so that the child gets the same kind back."""
    if isinstance(value, ShelvedItem):
        return {"$item": value.key}
    if isinstance(value, Shelves):
        return {"$catalog": True}
    if isinstance(value, Mapping):
        # Names with a dollar are ours; no template can name them with a dot anyway.
        return {
            str(key): _encode(item)
            for key, item in value.items()
            if not str(key).startswith("$")
        }
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    if isinstance(value, dt.datetime):
        return {
            "$datetime": value.isoformat(),
            "zone": getattr(value.tzinfo, "key", ""),
        }
    if isinstance(value, dt.date):
        return {"$date": value.isoformat()}
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def _decode_answer(answer: Mapping[str, Any] | None) -> RenderedPush | Problem:
    if answer is None:
        return _TOO_MUCH
    if "problem" in answer:
        return Problem(**answer["problem"])
    push = dict(answer["push"])
    push["buttons"] = tuple(RenderedButton(**button) for button in push["buttons"])
    push["truncated"] = tuple(push["truncated"])
    return RenderedPush(**push)


def describe_error(error: RenderError) -> Problem:
    """A render error as the editor shows it."""
    return Problem(error.reason, error.detail, error.path, error.line)
