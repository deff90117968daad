"""What an answer of FCM v1 means, from its status, its body, or its absence.

One table for both transports. Google's error body is
`{"error": {code, message, status, details: [FcmError | BadRequest | …]}}`.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from notifications.channels.base import (
    AddressState,
    Breaker,
    Outcome,
    OutgoingPush,
    SendResult,
)

DETAIL_MAX_CHARS = 300
# What to wait after a 429 that names no time (Google's advice).
QUOTA_WAIT_S = 60.0
# A provider may not park a message for longer than this.
RETRY_AFTER_MAX_S = 21_600.0
FCM_ERROR_TYPE = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST_TYPE = "type.googleapis.com/google.rpc.BadRequest"
BAD_TOKEN_TEXT = "not a valid FCM registration token"  # noqa: S105 - Google's words
ADDRESS_FIELDS = frozenset({"message.token", "message.fid"})

# Long runs of key-like characters: tokens, assertions, signatures.
SECRET_RUN = re.compile(r"[A-Za-z0-9_\-:.=]{48,}")
CODE = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
CONTROL_RUN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\s]+")


class Fault(enum.StrEnum):
    """Why there is no whole answer."""

    DNS = "dns"
    CONNECT = "connect_failed"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS = "tls_failed"
    # The batch's deadline came before this message's turn.
    DEADLINE = "deadline"
    TIMEOUT = "timeout"
    BROKEN = "connection_broken"


# With these, no byte of the message left us.
PROVABLY_UNSENT = frozenset(
    {Fault.DNS, Fault.CONNECT, Fault.CONNECT_TIMEOUT, Fault.TLS, Fault.DEADLINE}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one POST came to: a whole HTTP answer, or the fault instead of it."""

    started_at: datetime
    elapsed_s: float
    status: int | None = None
    body: bytes = b""
    retry_after: str = ""
    fault: Fault | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _ProviderError:
    """Google's error body; `known` is False where the body is somebody else's."""

    known: bool = False
    status: str = ""
    message: str = ""
    fcm_code: str = ""
    fields: tuple[str, ...] = ()


def classify_answer(answer: Answer, push: OutgoingPush) -> SendResult:
    """The result of one message. Never raises, whatever the provider sent."""
    if answer.fault is not None:
        result = _classify_fault(answer, answer.fault)
    elif answer.status == 200:
        result = _classify_ok(answer)
    else:
        result = _classify_error(answer, _read_error(answer.body))
    if result.outcome is Outcome.SENT:
        return result
    return replace(result, detail=_redact(result.detail, push.token, push.fid))


def parse_retry_after(text: str, *, now: datetime) -> float | None:
    """Seconds to wait: a number or an HTTP date; None for anything else."""
    text = text.strip()
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return min(float(text), RETRY_AFTER_MAX_S)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    wait_s = (at - now).total_seconds()
    return min(max(wait_s, 0.0), RETRY_AFTER_MAX_S)


def _classify_fault(answer: Answer, fault: Fault) -> SendResult:
    unsent = fault in PROVABLY_UNSENT
    down = unsent and fault is not Fault.DEADLINE
    return _result(
        answer,
        Outcome.NOT_SENT if unsent else Outcome.AMBIGUOUS,
        fault.value.upper(),
        detail=answer.detail,
        breaker=Breaker.SENDER if down else Breaker.NONE,
    )


def _classify_ok(answer: Answer) -> SendResult:
    try:
        name = json.loads(answer.body)["name"]
    except (ValueError, KeyError, TypeError, RecursionError):
        name = None
    if not isinstance(name, str) or not name:
        return _result(answer, Outcome.AMBIGUOUS, "NO_NAME", detail=_text(answer.body))
    return _result(answer, Outcome.SENT, "", provider_id=name[:300])


def _classify_error(answer: Answer, error: _ProviderError) -> SendResult:
    status = answer.status or 0
    detail = error.message or _text(answer.body)
    code = error.fcm_code or error.status or f"HTTP_{status}"
    if status == 429:
        return _result(
            answer, Outcome.NOT_SENT, "QUOTA_EXCEEDED", detail=detail,
            retry_after_s=_read_wait(answer, default_s=QUOTA_WAIT_S),
        )  # fmt: skip
    if status in (500, 503) and error.known:
        return _result(
            answer, Outcome.NOT_ACCEPTED, code, detail=detail,
            retry_after_s=_read_wait(answer, default_s=None),
        )  # fmt: skip
    # 408 and every other 5xx come from something between us and FCM.
    if status >= 500 or status == 408 or status < 300:
        return _result(answer, Outcome.AMBIGUOUS, code, detail=detail)
    if status in (400, 413):
        return _classify_bad_request(answer, error, code, detail)
    if status == 404 and error.fcm_code == "UNREGISTERED":
        return _dead(answer, code, detail, AddressState.GONE)
    if status == 403 and error.fcm_code == "SENDER_ID_MISMATCH":
        return _dead(answer, code, detail, AddressState.WRONG_SENDER)
    third_party = error.fcm_code in ("THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR")
    # Redirects, foreign 404s, 401, 403: the way to FCM is wrong, not the message.
    breaker = Breaker.PLATFORM if third_party else Breaker.SENDER
    return _result(answer, Outcome.CONFIG, code, detail=detail, breaker=breaker)


def _classify_bad_request(
    answer: Answer, error: _ProviderError, code: str, detail: str
) -> SendResult:
    """400: a token that is none, or our payload. In doubt it is the payload.

    Violated fields clear the token unless they name the address and nothing else.
    """
    names_address = bool(error.fields) and ADDRESS_FIELDS.issuperset(error.fields)
    says_token = (
        error.fcm_code == "INVALID_ARGUMENT"
        and not error.fields
        and BAD_TOKEN_TEXT in error.message
    )
    if names_address or says_token:
        return _dead(answer, code, detail, AddressState.INVALID)
    fields = ", ".join(error.fields)
    return _result(
        answer,
        Outcome.REJECTED,
        code,
        detail=f"{fields}: {detail}" if fields else detail,
    )


def _dead(answer: Answer, code: str, detail: str, state: AddressState) -> SendResult:
    return _result(
        answer, Outcome.DEAD_ADDRESS, code, detail=detail, address_state=state
    )


def _result(answer: Answer, outcome: Outcome, code: str, **more: Any) -> SendResult:
    return SendResult(
        outcome=outcome,
        code=code,
        http_status=answer.status,
        started_at=answer.started_at,
        elapsed_s=answer.elapsed_s,
        **more,
    )


def _read_wait(answer: Answer, *, default_s: float | None) -> float | None:
    wait_s = parse_retry_after(answer.retry_after, now=answer.started_at)
    return default_s if wait_s is None else wait_s


def _read_error(body: bytes) -> _ProviderError:
    """The provider's error, each part checked: the body may be anybody's."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return _ProviderError()
    if not isinstance(error, Mapping) or not isinstance(error.get("status"), str):
        return _ProviderError()
    details = error.get("details")
    facts = _keep_objects(details)
    fcm_codes = [f.get("errorCode") for f in facts if f.get("@type") == FCM_ERROR_TYPE]
    message = error.get("message")
    return _ProviderError(
        known=True,
        status=_read_code(error["status"]),
        message=message if isinstance(message, str) else "",
        fcm_code=next((code for code in map(_read_code, fcm_codes) if code), ""),
        fields=tuple(_read_fields(facts)),
    )


def _read_fields(facts: list[Mapping[str, Any]]) -> list[str]:
    """Names of violated fields; one '?' for each that has no name."""
    violations = [
        violation
        for fact in facts
        if fact.get("@type") == BAD_REQUEST_TYPE
        for violation in _keep_objects(fact.get("fieldViolations"))
    ]
    return [str(violation.get("field") or "?") for violation in violations]


def _keep_objects(value: object) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, Mapping)]


def _read_code(value: object) -> str:
    return value if isinstance(value, str) and CODE.fullmatch(value) else ""


def _text(body: bytes) -> str:
    return body[: 4 * DETAIL_MAX_CHARS].decode("utf-8", "replace")


def _redact(text: str, *secrets: str) -> str:
    """One short line without addresses, tokens or anything that looks like a key."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[address]")
    text = SECRET_RUN.sub("[…]", text)
    return CONTROL_RUN.sub(" ", text).strip()[:DETAIL_MAX_CHARS]
