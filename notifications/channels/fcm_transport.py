"""The default way to FCM: libcurl's multi interface, one POST per message.

HTTP/2 multiplexed over TLS, HTTP/1.1 kept alive towards a plain loopback
address. One instance belongs to one thread of one process: never share it, and
never use it after a fork (two processes would read each other's answers).

**No hidden retry.** libcurl re-POSTs a body on its own when a reused connection
dies before an answer byte came, although the server may have taken the request.
It must rewind the body for that, so bodies come through a read callback that
refuses to seek: libcurl then gives up (CURLE_SEND_FAIL_REWIND) and we report
what is true, that nobody knows. The same callback tells whether any byte of the
message was handed over, which is what parts "not sent" from "ambiguous".
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import certifi
import pycurl

from notifications.channels.endpoints import is_loopback
from notifications.channels.fcm_answer import Answer, Fault

# An answer of FCM has a few hundred bytes; more is not FCM.
ANSWER_MAX_BYTES = 65_536
# A message is not begun when less than this is left of the batch's time.
LEAST_TIME_S = 0.05
SELECT_S = 0.5
HTTP_1_CONNECTIONS = 16
# Google allows 100 streams on each.
HTTP_2_CONNECTIONS = 4

TLS_ERRORS = frozenset(
    {
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CIPHER,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_ISSUER_ERROR,
        pycurl.E_SSL_CRL_BADFILE,
        pycurl.E_SSL_INVALIDCERTSTATUS,
        pycurl.E_USE_SSL_FAILED,
    }
)
DNS_ERRORS = frozenset({pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY})


@dataclass(frozen=True, slots=True)
class Limits:
    """Time and width of sending; total covers one POST, connect included."""

    connect_s: float = 5.0
    total_s: float = 15.0
    window: int = 200


@dataclass(frozen=True, slots=True)
class Prepared:
    """One message ready to go: the SDK's object and its encoded request body."""

    message: Any
    body: bytes


class Transport(Protocol):
    """POSTs each message once and yields (index, answer) as answers come."""

    def post(
        self, batch: Sequence[Prepared], *, access_token: str, deadline_s: float
    ) -> Iterator[tuple[int, Answer]]: ...


@dataclass(slots=True)
class _Flight:
    """One POST under way."""

    index: int
    request: io.BytesIO
    answer: io.BytesIO
    started_at: datetime
    started_s: float
    headers: list[str]

    @property
    def handed_over(self) -> bool:
        return self.request.tell() > 0


class CurlTransport:
    def __init__(self, url: str, *, ca_bundle: str = "", limits: Limits) -> None:
        self._url = url
        self._ca_bundle = ca_bundle or certifi.where()
        self._limits = limits
        self._plain = url.startswith("http:")
        self._multi = self._open_multi()
        self._idle: list[pycurl.Curl] = []
        # A connection that swallowed a message may be dead: open anew next time.
        self._suspect = False
        self._headers: list[str] = []

    def post(
        self, batch: Sequence[Prepared], *, access_token: str, deadline_s: float
    ) -> Iterator[tuple[int, Answer]]:
        if self._suspect:
            self._reopen()
        self._set_bearer(access_token)
        ends_s = time.monotonic() + deadline_s
        waiting = enumerate(batch)
        flights: dict[pycurl.Curl, _Flight] = {}
        try:
            while True:
                yield from self._fill(flights, waiting, ends_s)
                if not flights:
                    return
                self._multi.perform()
                answers = list(self._collect(flights))
                if answers:
                    yield from answers
                else:
                    self._wait()
        finally:
            # The consumer left early: what is under way ends here, unanswered.
            for easy in flights:
                self._multi.remove_handle(easy)
                easy.close()

    def _fill(
        self,
        flights: dict[pycurl.Curl, _Flight],
        waiting: Iterator[tuple[int, Prepared]],
        ends_s: float,
    ) -> Iterator[tuple[int, Answer]]:
        while len(flights) < self._window:
            index, prepared = next(waiting, (-1, None))
            if prepared is None:
                return
            left_s = ends_s - time.monotonic()
            if left_s < LEAST_TIME_S:
                at = datetime.now(UTC)
                yield index, Answer(at, 0.0, fault=Fault.DEADLINE)
                continue
            easy = self._idle.pop() if self._idle else self._open_easy()
            flights[easy] = self._start(easy, index, prepared.body, left_s)
            self._multi.add_handle(easy)

    def _start(
        self, easy: pycurl.Curl, index: int, body: bytes, left_s: float
    ) -> _Flight:
        request, answer = io.BytesIO(body), io.BytesIO()
        easy.setopt(pycurl.READFUNCTION, request.read)
        easy.setopt(pycurl.POSTFIELDSIZE, len(body))
        easy.setopt(pycurl.WRITEFUNCTION, answer.write)
        total_s = min(self._limits.total_s, left_s)
        easy.setopt(pycurl.TIMEOUT_MS, max(1, int(total_s * 1000)))
        started_at, started_s = datetime.now(UTC), time.monotonic()
        return _Flight(index, request, answer, started_at, started_s, self._headers)

    def _collect(
        self, flights: dict[pycurl.Curl, _Flight]
    ) -> Iterator[tuple[int, Answer]]:
        more = True
        while more:
            more, done, failed = self._multi.info_read(self._window)
            for easy in done:
                flight = flights.pop(easy)
                yield flight.index, self._read_answer(easy, flight)
                self._release(easy, flight)
            for easy, errno, text in failed:
                flight = flights.pop(easy)
                yield flight.index, self._read_fault(flight, errno, text)
                self._release(easy, flight)

    def _read_answer(self, easy: pycurl.Curl, flight: _Flight) -> Answer:
        status = easy.getinfo(pycurl.RESPONSE_CODE)
        # libcurl has read the header, seconds or date; 0 is "none, or garbage".
        wait_s = 0 if status == 200 else easy.getinfo(pycurl.RETRY_AFTER)
        return Answer(
            flight.started_at,
            time.monotonic() - flight.started_s,
            status=status,
            body=flight.answer.getvalue(),
            retry_after=str(wait_s) if wait_s > 0 else "",
        )

    def _read_fault(self, flight: _Flight, errno: int, text: str) -> Answer:
        fault = name_fault(errno, handed_over=flight.handed_over)
        self._suspect = self._suspect or fault is Fault.TIMEOUT
        elapsed_s = time.monotonic() - flight.started_s
        return Answer(flight.started_at, elapsed_s, fault=fault, detail=text)

    def _release(self, easy: pycurl.Curl, flight: _Flight) -> None:
        self._multi.remove_handle(easy)
        if flight.headers is not self._headers:
            easy.setopt(pycurl.HTTPHEADER, self._headers)
        self._idle.append(easy)

    def _wait(self) -> None:
        timeout_ms = self._multi.timeout()
        wait_s = SELECT_S if timeout_ms < 0 else min(timeout_ms / 1000, SELECT_S)
        # -1: no socket to watch (or one beyond select's 1,024): look again soon.
        if self._multi.select(max(wait_s, 0.001)) == -1:
            time.sleep(0.005)

    def _set_bearer(self, access_token: str) -> None:
        headers = build_headers(access_token)
        if headers != self._headers:
            self._headers = headers
            for easy in self._idle:
                easy.setopt(pycurl.HTTPHEADER, headers)

    @property
    def _window(self) -> int:
        # Over HTTP/1.1 a message waits for a connection of its own, its clock
        # running: never start more than can be under way.
        return (
            min(self._limits.window, HTTP_1_CONNECTIONS)
            if self._plain
            else self._limits.window
        )

    def _reopen(self) -> None:
        for easy in self._idle:
            easy.close()
        self._multi.close()
        self._idle, self._multi, self._suspect = [], self._open_multi(), False

    def _open_multi(self) -> pycurl.CurlMulti:
        multi = pycurl.CurlMulti()
        connections = HTTP_1_CONNECTIONS if self._plain else HTTP_2_CONNECTIONS
        multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, connections)
        multi.setopt(pycurl.M_MAXCONNECTS, connections)
        return multi

    def _open_easy(self) -> pycurl.Curl:
        easy = open_curl(self._url, ca_bundle=self._ca_bundle, limits=self._limits)
        easy.setopt(pycurl.POST, 1)
        easy.setopt(pycurl.HTTPHEADER, self._headers)
        easy.setopt(pycurl.SEEKFUNCTION, refuse_rewind)
        if not self._plain:
            easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
            # Wait for the connection being opened and share it.
            easy.setopt(pycurl.PIPEWAIT, 1)
        return easy


def open_curl(url: str, *, ca_bundle: str, limits: Limits) -> pycurl.Curl:
    """A handle with our limits: TLS verified, no redirect, no endless answer."""
    easy = pycurl.Curl()
    easy.setopt(pycurl.URL, url)
    easy.setopt(pycurl.CAINFO, ca_bundle)
    easy.setopt(pycurl.SSL_VERIFYPEER, 1)
    easy.setopt(pycurl.SSL_VERIFYHOST, 2)
    easy.setopt(pycurl.FOLLOWLOCATION, 0)
    easy.setopt(pycurl.NOSIGNAL, 1)
    easy.setopt(pycurl.TCP_KEEPALIVE, 1)
    easy.setopt(pycurl.MAXFILESIZE, ANSWER_MAX_BYTES)
    easy.setopt(pycurl.CONNECTTIMEOUT_MS, int(limits.connect_s * 1000))
    easy.setopt(pycurl.TIMEOUT_MS, int(limits.total_s * 1000))
    easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    if is_loopback(url):
        easy.setopt(pycurl.PROXY, "")
    return easy


def build_headers(access_token: str) -> list[str]:
    return [
        f"Authorization: Bearer {access_token}",
        "Content-Type: application/json",
        # No "100 Continue" round trip.
        "Expect:",
        "User-Agent: apropos",
    ]


def name_fault(errno: int, *, handed_over: bool) -> Fault:
    """Why a POST failed. Once a byte was handed over it can only be ambiguous."""
    if handed_over:
        timed_out = errno == pycurl.E_OPERATION_TIMEDOUT
        return Fault.TIMEOUT if timed_out else Fault.BROKEN
    if errno in DNS_ERRORS:
        return Fault.DNS
    if errno in TLS_ERRORS:
        return Fault.TLS
    if errno == pycurl.E_OPERATION_TIMEDOUT:
        return Fault.CONNECT_TIMEOUT
    return Fault.CONNECT


def refuse_rewind(_offset: int, _origin: int) -> int:
    """Tell libcurl that the body cannot be sent a second time."""
    return int(pycurl.SEEKFUNC_FAIL)
