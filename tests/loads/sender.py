"""One client at a steady rate, whatever the site does.

Calls are due at fixed instants, and each is timed from the instant it was due: a site
that stalls makes the calls behind it late, and that is counted too.
"""

from __future__ import annotations

import http.client
import json
import math
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

# So many calls may be on their way at once; a browser's worth for each web thread.
CONNECTIONS = 32
TIMEOUT_S = 30.0
RETRY_S = 0.2
# A call that is not taken in for so long ends as it last was: the site is gone.
GIVE_UP_S = 90.0
FAULTS = (OSError, http.client.HTTPException)
# A call that got no answer: the connection was cut or refused.
CUT = 0
# Makes path and body, shortly before they are due.
Call = Callable[[], tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """`took_s` counts from the instant the call was due; `tries` by their status."""

    due_s: float
    took_s: float
    status: int
    said: dict[str, Any]
    tries: tuple[int, ...]


@dataclass(slots=True)
class Load:
    """A call each 1 / `rate_per_s`.

    With `retrying` a call is sent again until it is taken in, as SDKs do.
    """

    port: int
    key: str
    calls: Iterator[Call]
    rate_per_s: float
    retrying: bool = False
    answers: list[Answer] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _given: int = 0
    _begun_at: float = 0.0

    def run(self) -> list[Answer]:
        """Returns when each call has its answer."""
        self._begun_at = time.monotonic() + 0.2
        threads = [threading.Thread(target=self._work) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.answers

    def _take(self) -> tuple[float, Call] | None:
        with self._lock:
            call = next(self.calls, None)
            if call is None:
                return None
            due_s = self._given / self.rate_per_s
            self._given += 1
            return due_s, call

    def _work(self) -> None:
        client = Client(self.port, self.key)
        while (taken := self._take()) is not None:
            due_s, call = taken
            path, body = call()
            time.sleep(max(0.0, self._begun_at + due_s - time.monotonic()))
            tries = []
            while True:
                status, said = client.post(path, body)
                tries.append(status)
                took_s = time.monotonic() - self._begun_at - due_s
                if status == 200 or not self.retrying or took_s > GIVE_UP_S:
                    break
                time.sleep(RETRY_S)
            answer = Answer(due_s, took_s, status, said, tuple(tries))
            with self._lock:
                self.answers.append(answer)


class Client:
    """A connection that is kept, and made again after a cut."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, TIMEOUT_S)
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
        }

    def post(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """(status, JSON); CUT where nothing came back. Fails where it is a page."""
        try:
            self._connection.request("POST", path, body, self._headers)
            answer = self._connection.getresponse()
            raw = answer.read()
        except FAULTS:
            self._connection.close()
            return CUT, {}
        assert raw.startswith(b"{"), (answer.status, find_title(raw))
        wait_s = answer.getheader("Retry-After")
        return answer.status, {**json.loads(raw), "retry_after": wait_s}


def find_title(page: bytes) -> str:
    """Django's own page of an error tells it there."""
    found = re.search(rb"<title>(.*?)</title>", page, re.DOTALL)
    return " ".join((found[1] if found else page[:500]).decode().split())


@dataclass(frozen=True, slots=True)
class Summary:
    """Of many answers; milliseconds from the due instant."""

    calls: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    statuses: dict[int, int]
    accepted: int
    duplicates: int
    rejected: int


def summarize(answers: Sequence[Answer]) -> Summary:
    took = sorted(answer.took_s * 1_000 for answer in answers)
    said = [answer.said for answer in answers]
    return Summary(
        calls=len(answers),
        p50_ms=round(find_percentile(took, 50), 1),
        p99_ms=round(find_percentile(took, 99), 1),
        worst_ms=round(took[-1], 1),
        statuses=dict(Counter(s for answer in answers for s in answer.tries)),
        accepted=sum(one.get("accepted", 0) for one in said),
        duplicates=sum(one.get("duplicates", 0) for one in said),
        rejected=sum(len(one.get("rejected", ())) for one in said),
    )


def find_percentile(ordered: Sequence[float], percent: int) -> float:
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def fit_slope(points: Iterable[tuple[float, float]]) -> float:
    """Of the straight line through them, by least squares."""
    xs, ys = zip(*points, strict=True)
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - middle_x) ** 2 for x in xs)
    both = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True))
    return both / spread
