"""Firebase Cloud Messaging: credentials, messages and their encoding.

The one file that imports `firebase_admin`, and only when a push is sent (the
import costs 0.3 s and 46 MB).
"""

from __future__ import annotations

import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from notifications.channels.base import (
    Breaker,
    ChannelConfigError,
    Outcome,
    OutgoingPush,
    SendResult,
)
from notifications.channels.endpoints import (
    TOKEN_ENDPOINT,
    check_fcm_endpoint,
    check_token_endpoint,
    is_loopback,
)
from notifications.channels.fcm_answer import classify_answer
from notifications.channels.fcm_message import build_message
from notifications.channels.fcm_oauth import AccessTokens, TokenRefusedError
from notifications.channels.fcm_transport import (
    CurlTransport,
    Limits,
    Prepared,
    Transport,
)

if TYPE_CHECKING:
    from notifications.channels.fcm_sdk_transport import SingleShotAdapter

PROJECT_ID = re.compile(r"[a-z0-9][a-z0-9.:\-]{2,62}")
UNIVERSE = "googleapis.com"
TRANSPORTS = ("pycurl", "sdk")


@dataclass(frozen=True, slots=True)
class FcmRoute:
    """Where and how to reach FCM; defaults are Google's."""

    endpoint: str = "https://fcm.googleapis.com"
    token_endpoint: str = TOKEN_ENDPOINT
    transport: str = "pycurl"
    ca_bundle: str = ""
    limits: Limits = Limits()


class FcmChannel:
    """Sends through one Firebase project."""

    def __init__(self, service_account: Mapping[str, Any], route: FcmRoute) -> None:
        check_route(route)
        certificate = read_certificate(service_account, route)
        self._route = route
        self._project_id: str = certificate.project_id
        self._tokens = AccessTokens(
            signer=certificate.signer,
            email=certificate.service_account_email,
            endpoint=route.token_endpoint,
            ca_bundle=route.ca_bundle,
            limits=route.limits,
        )
        # By process and thread: a connection shared over a fork or between
        # threads gives one child the other's answers. Never emptied, because
        # closing an inherited connection would end the parent's.
        self._transports: dict[tuple[int, int], Transport] = {}

    def send(
        self, messages: Sequence[OutgoingPush], *, deadline_s: float
    ) -> Iterator[tuple[int, SendResult]]:
        """Encode all, then POST those that could be encoded."""
        ends_s = time.monotonic() + deadline_s
        batch: list[Prepared] = []
        places: list[int] = []
        for index, prepared in enumerate(prepare_messages(messages)):
            if isinstance(prepared, SendResult):
                yield index, prepared
            else:
                batch.append(prepared)
                places.append(index)
        if not batch:
            return
        try:
            access_token = self._tokens.get()
        except TokenRefusedError as error:
            for index in places:
                yield index, refuse_send(error.code, error.detail)
            return
        left_s = ends_s - time.monotonic()
        for place, answer in self._open_transport().post(
            batch, access_token=access_token, deadline_s=left_s
        ):
            index = places[place]
            result = classify_answer(answer, messages[index])
            self._note_refusal(result, access_token)
            yield index, result

    def _note_refusal(self, result: SendResult, access_token: str) -> None:
        # 401 for the platform's key is not about our token.
        if result.http_status == 401 and result.breaker is Breaker.SENDER:
            self._tokens.forget(access_token)

    def _open_transport(self) -> Transport:
        key = (os.getpid(), threading.get_ident())
        if key not in self._transports:
            self._transports[key] = self._make_transport()
        return self._transports[key]

    def _make_transport(self) -> Transport:
        route = self._route
        if route.transport == "sdk":
            return open_sdk_transport(self._project_id, route)
        return CurlTransport(
            f"{route.endpoint}/v1/projects/{self._project_id}/messages:send",
            ca_bundle=route.ca_bundle,
            limits=route.limits,
        )


def check_route(route: FcmRoute) -> None:
    check_fcm_endpoint(route.endpoint)
    check_token_endpoint(route.token_endpoint)
    if route.transport not in TRANSPORTS:
        raise ChannelConfigError(f"FCM_TRANSPORT must be one of {TRANSPORTS}")


def read_certificate(service_account: Mapping[str, Any], route: FcmRoute) -> Any:
    """The key as the SDK reads it, after the checks the SDK does not make."""
    token_uri = service_account.get("token_uri")
    on_loopback = is_loopback(route.token_endpoint) and is_loopback(str(token_uri))
    if token_uri != TOKEN_ENDPOINT and not on_loopback:
        raise ChannelConfigError(f"token_uri must be {TOKEN_ENDPOINT}")
    if service_account.get("universe_domain", UNIVERSE) != UNIVERSE:
        raise ChannelConfigError(f"universe_domain must be {UNIVERSE}")
    if not PROJECT_ID.fullmatch(str(service_account.get("project_id", ""))):
        raise ChannelConfigError("project_id is not the id of a Firebase project")
    from firebase_admin import credentials

    try:
        return credentials.Certificate(dict(service_account))
    except ValueError as error:
        # The SDK quotes what it read: the name of the fault is enough.
        reason = str(error).split(". Caused by", 1)[0]
        raise ChannelConfigError(f"service account key: {reason[:200]}") from None


def prepare_messages(
    messages: Sequence[OutgoingPush],
) -> list[Prepared | SendResult]:
    """Each message encoded alone, so that one bad one spoils no other."""
    with warnings.catch_warnings():
        # A token is deprecated in favour of a fid, which not every app sends yet.
        warnings.filterwarnings(
            "ignore", "Message.token is deprecated", DeprecationWarning
        )
        return [prepare_message(push) for push in messages]


def prepare_message(push: OutgoingPush) -> Prepared | SendResult:
    from firebase_admin import messaging

    try:
        message = build_message(messaging, push, now_s=int(time.time()))
        # `str` is the SDK's public JSON encoding; it also checks the types.
        body = f'{{"message": {message}}}'.encode()
    except (ValueError, TypeError) as error:
        return SendResult(
            Outcome.REJECTED,
            started_at=datetime.now(UTC),
            code="ENCODING",
            detail=str(error)[:300],
        )
    return Prepared(message, body)


def refuse_send(code: str, detail: str) -> SendResult:
    """No access token: nothing was posted, and every message says why."""
    return SendResult(
        Outcome.CONFIG,
        started_at=datetime.now(UTC),
        code=code,
        detail=detail[:300],
        breaker=Breaker.SENDER,
    )


def open_sdk_transport(project_id: str, route: FcmRoute) -> Transport:
    """The SDK's client without its retries.

    Its session is reached through private names of the pinned version: where
    they are gone we refuse to start rather than send with hidden retries.
    """
    import firebase_admin
    from firebase_admin import messaging

    from notifications.channels.fcm_sdk_transport import (
        SdkTransport,
        SingleShotAdapter,
        disarm_session,
        make_bearer,
    )

    bearer = make_bearer()
    name = f"apropos-{os.getpid()}-{time.monotonic_ns()}"
    app = firebase_admin.initialize_app(bearer, {"projectId": project_id}, name=name)
    adapter = SingleShotAdapter(route.endpoint, limits=route.limits)
    session = messaging._get_messaging_service(app)._client.session
    disarm_session(session, adapter, ca_bundle=route.ca_bundle)

    def send(message: Any, access_token: str) -> Exception | None:
        bearer.token = access_token
        return catch_send_error(lambda: messaging.send(message, app=app), adapter)

    return SdkTransport(send, adapter)


def catch_send_error(
    send: Callable[[], object], adapter: SingleShotAdapter
) -> Exception | None:
    """The SDK's error as a value; a programming error still crashes."""
    from firebase_admin.exceptions import FirebaseError

    try:
        send()
    except FirebaseError as error:
        found: Exception = error
        return found
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        # The SDK stumbles over answers that are not Google's.
        if adapter.heard.response is None:
            raise
        return error
    return None
