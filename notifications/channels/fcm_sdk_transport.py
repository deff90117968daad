"""The other way to FCM: the Firebase SDK's own `send`, its retries taken out.

Slower by an order of magnitude; kept for those who must run Google's code, and
as the second witness of the contract tests. What the SDK does on its own and we
do not allow: retry, follow redirects, refresh on 401, wait without end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError
from urllib3.exceptions import SSLError as TlsError

from notifications.channels.base import ChannelConfigError
from notifications.channels.endpoints import FCM_ENDPOINT, is_loopback
from notifications.channels.fcm_answer import Answer, Fault
from notifications.channels.fcm_transport import (
    ANSWER_MAX_BYTES,
    LEAST_TIME_S,
    Limits,
    Prepared,
)

THREADS = 16
READ_BYTES = 16_384


class SingleShotAdapter(HTTPAdapter):
    """One request, one answer, within a deadline; keeps the answer for us."""

    def __init__(self, endpoint: str, *, limits: Limits) -> None:
        self.endpoint = endpoint
        self._limits = limits
        self.heard = threading.local()
        super().__init__(pool_maxsize=THREADS, max_retries=0)

    def send(self, request: Any, *_args: Any, **options: Any) -> requests.Response:
        self.heard.response = None
        request.url = request.url.replace(FCM_ENDPOINT, self.endpoint, 1)
        options |= {
            "stream": True,
            "timeout": (self._limits.connect_s, self._limits.total_s),
        }
        ends_s = time.monotonic() + self._limits.total_s
        response = super().send(request, **options)
        # requests would read the body without a deadline.
        response._content = read_body(response, ends_s)
        response._content_consumed = True
        self.heard.response = response
        return response


def disarm_session(session: Any, adapter: SingleShotAdapter, *, ca_bundle: str) -> None:
    """Take retries, redirects and refreshes out of the SDK's session."""
    if not hasattr(session, "_max_refresh_attempts"):
        raise ChannelConfigError("FCM_TRANSPORT=sdk needs firebase-admin 7.7")
    session.mount(FCM_ENDPOINT, adapter)
    session.max_redirects = 0
    session._max_refresh_attempts = 0
    session.trust_env = not is_loopback(adapter.endpoint)
    session.verify = ca_bundle or True


def read_body(response: requests.Response, ends_s: float) -> bytes:
    """The whole body, or ReadTimeout when it only drips."""
    body = b""
    try:
        while chunk := response.raw.read1(READ_BYTES, decode_content=True):
            body += chunk
            if time.monotonic() > ends_s or len(body) > ANSWER_MAX_BYTES:
                raise requests.ReadTimeout("the answer did not end")
    except HTTPError as error:
        raise requests.ConnectionError(error) from error
    response.raw.release_conn()
    return body


class SdkTransport:
    """Sends through a callable that returns the SDK's error instead of raising it."""

    def __init__(
        self,
        send: Callable[[Any, str], Exception | None],
        adapter: SingleShotAdapter,
    ) -> None:
        self._send = send
        self._adapter = adapter

    def post(
        self, batch: Sequence[Prepared], *, access_token: str, deadline_s: float
    ) -> Iterator[tuple[int, Answer]]:
        ends_s = time.monotonic() + deadline_s
        with ThreadPoolExecutor(THREADS) as pool:
            indexes = {
                pool.submit(self._post_one, item.message, access_token, ends_s): index
                for index, item in enumerate(batch)
            }
            try:
                for done in as_completed(indexes):
                    yield indexes[done], done.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _post_one(self, message: Any, access_token: str, ends_s: float) -> Answer:
        started_at, started_s = datetime.now(UTC), time.monotonic()
        if ends_s - started_s < LEAST_TIME_S:
            return Answer(started_at, 0.0, fault=Fault.DEADLINE)
        error = self._send(message, access_token)
        elapsed_s = time.monotonic() - started_s
        response = self._adapter.heard.response
        # What was heard counts, not what the SDK made of it.
        if response is None:
            fault = name_sdk_fault(error)
            return Answer(started_at, elapsed_s, fault=fault, detail=str(error))
        return Answer(
            started_at,
            elapsed_s,
            status=response.status_code,
            body=response.content,
            retry_after=response.headers.get("Retry-After", ""),
        )


def name_sdk_fault(error: BaseException | None) -> Fault:
    """By cause, not by class: the SDK says Unavailable for sent and unsent alike."""
    causes = list(walk_causes(error))
    for kind, fault in (
        (NameResolutionError, Fault.DNS),
        (TlsError, Fault.TLS),
        (requests.ConnectTimeout, Fault.CONNECT_TIMEOUT),
        (NewConnectionError, Fault.CONNECT),
        (requests.Timeout, Fault.TIMEOUT),
    ):
        if any(isinstance(cause, kind) for cause in causes):
            return fault
    return Fault.BROKEN


def walk_causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it wraps: SDK over requests over urllib3 over socket."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        current = queue.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        queue += [getattr(current, "cause", None), getattr(current, "reason", None)]
        queue += [arg for arg in current.args if isinstance(arg, BaseException)]


def make_bearer() -> Any:
    """Credentials that hold the token they are given and never refresh it."""
    from google.auth.credentials import Credentials

    class Bearer(Credentials):
        def refresh(self, request: Any) -> None:
            """Renewing is the work of AccessTokens."""

    bearer: Any = Bearer
    return bearer()
