"""The process that renders one unsaved template and ends. Started by `preview`."""

from __future__ import annotations

import datetime as dt
import json
import resource
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from notifications.content.context import ShelvedItem, Shelves
from notifications.content.errors import Problem, RenderAborted, RenderError
from notifications.content.preview import CPU_S, MEMORY_BYTES, describe_error
from notifications.content.render import (
    Button,
    LinkRules,
    PushContent,
    PushLimits,
    render_push,
)


def run_preview() -> None:
    """Read a request, answer one line, asking for items in between."""
    _say({"ready": True})
    request = json.loads(sys.stdin.readline())
    context = _decode_context(request["context"])
    content = _decode_content(request["content"])
    limits = PushLimits(**request["limits"])
    rules = LinkRules(**request["rules"])
    _limit_process()
    _say(_answer(content, context, limits=limits, rules=rules))


def _answer(
    content: PushContent,
    context: Mapping[str, object],
    *,
    limits: PushLimits,
    rules: LinkRules,
) -> dict[str, object]:
    try:
        push = render_push(content, context, limits=limits, rules=rules)
    except RenderError as error:
        return {"problem": asdict(describe_error(error))}
    except RenderAborted as error:
        message = f"Left out by the template: {error.reason}"
        return {"problem": asdict(Problem("aborted", message))}
    return {"push": asdict(push)}


def _limit_process() -> None:
    """From here on the kernel ends us: no template can outlast or catch it."""
    statm = Path("/proc/self/statm")
    # Elsewhere than on Linux the caps of the dialect and the timers have to do.
    if statm.exists():
        limit = int(statm.read_text().split()[0]) * resource.getpagesize()
        limit += MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, CPU_S)


def _say(message: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _ask_item(slug: str, code: str) -> Mapping[str, Any] | None:
    _say({"need": [slug, code]})
    answer = json.loads(sys.stdin.readline())["item"]
    return None if answer is None else dict(_decode(answer))


def _decode_content(raw: dict[str, Any]) -> PushContent:
    raw["buttons"] = tuple(Button(**button) for button in raw["buttons"])
    return PushContent(**raw)


def _decode_context(raw: Mapping[str, Any]) -> dict[str, Any]:
    shelves = Shelves(_ask_item)
    context: dict[str, Any] = {}
    for name, value in raw.items():
        if isinstance(value, dict) and "$catalog" in value:
            context[name] = shelves
        elif isinstance(value, dict) and "$item" in value:
            context[name] = ShelvedItem(shelves, *value["$item"])
        else:
            context[name] = _decode(value)
    return context


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$datetime" in value:
        moment = dt.datetime.fromisoformat(value["$datetime"])
        return moment.astimezone(ZoneInfo(value["zone"])) if value["zone"] else moment
    if "$date" in value:
        return dt.date.fromisoformat(value["$date"])
    if "$decimal" in value:
        return Decimal(value["$decimal"])
    return {key: _decode(item) for key, item in value.items()}


if __name__ == "__main__":
    run_preview()
