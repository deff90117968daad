"""The door of foreign wires that speak JSON objects: key, scope, body, answer.

Whoever owns the deed hangs its handlers into `open_route`; a handler gets a `Request`
and answers plain data, or raises BodyRefused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import ValidationError

from crm.api.auth import find_api_key
from crm.api.errors import build_error, find_first_fault
from crm.api.idempotency import (
    HEADER,
    Answer,
    KeyReused,
    act_once,
    hash_texts,
    name_key,
    read_key,
)
from crm.api.wire import (
    answer,
    find_overload,
    read_body,
    read_limits,
    refuse_stranger,
)
from crm.events.envelope import reject_item
from crm.events.limits import BodyRefused, Fault, Limits, parse_json
from crm.events.pressure import Overload
from crm.models import ApiKey
from crm.quality.rejections import note_rejections

# The wires that open here are Customer.io's.
SOURCE = "customerio"
NO_SCOPE = Fault("permission_denied", "This key does not have the right for this.")


@dataclass(frozen=True, slots=True)
class Request:
    """One authorised call. `at` is when it came in, `actor` who the trail names."""

    key: ApiKey
    body: bytes
    at: datetime
    query: Mapping[str, str]
    headers: Mapping[str, str]
    # Why this key's ordinary calls are turned away just now, if they are.
    overload: Overload | None = None

    # As it was asked, with its query.
    path: str = ""

    @property
    def actor(self) -> str:
        return f"api:{self.key.prefix}"

    @property
    def limits(self) -> Limits:
        return read_limits()

    def read_object(self, *, max_bytes: int | None = None) -> dict[str, Any]:
        """The body as a JSON object; an empty one where there is no body."""
        longest = max_bytes or settings.INGEST_EVENT_MAX_BYTES
        if len(self.body) > longest:
            message = f"The body is larger than {longest} bytes."
            raise BodyRefused(413, Fault("body_too_large", message))
        value = parse_json(self.body) if self.body.strip() else {}
        if not isinstance(value, dict):
            raise BodyRefused(400, Fault("invalid_type", "Expected a JSON object."))
        return value


Handler = Callable[..., Any]


def open_route(
    scope: str = ApiKey.Scope.TRACK, **handlers: Handler
) -> Callable[..., HttpResponse]:
    """A view out of handlers by method (`put=…, delete=…`), for keys with the scope."""

    @csrf_exempt
    def view(request: HttpRequest, **named: str) -> HttpResponse:
        handler = handlers.get((request.method or "").lower())
        call: Request | None = None
        try:
            if handler is None:
                fault = Fault("method_not_allowed", "Not this method.")
                raise BodyRefused(405, fault)
            call = authorise(request, scope)
            return answer(200, handler(call, **named))
        except BodyRefused as refused:
            if call is not None and scope == ApiKey.Scope.TRACK:
                note_refusal(call, refused)
            response = answer_refusal(refused)
            if refused.status == 405:
                response["Allow"] = ", ".join(sorted(handlers)).upper()
            return response

    return view


def authorise(request: HttpRequest, scope: str) -> Request:
    """The call with its key; raises BodyRefused 401, 403 or 429."""
    key = find_api_key(request.META.get("HTTP_AUTHORIZATION", ""))
    if key is None:
        refuse_stranger(request)
    if not key.allows(scope):
        raise BodyRefused(403, NO_SCOPE)
    return Request(
        key=key,
        body=read_body(request),
        at=timezone.now(),
        query=request.GET.dict(),
        headers=request.headers,
        path=f"{request.method} {request.get_full_path()}",
        overload=find_overload(key),
    )


def run_foreign_once(request: Request, act: Callable[[], Any]) -> Any:
    """What `act` answers, or answered before under the call's Idempotency-Key: the
    rules of `crm.api.idempotency`. Raises BodyRefused where the key is wrong."""
    try:
        key = read_key(request.headers)
        if not key:
            return act()
        return act_once(
            lambda: Answer(200, act()),
            key_hash=hash_texts(name_key(request.key), key),
            request_hash=hash_texts(request.path, request.body.decode("latin-1")),
        ).content
    except KeyReused as error:
        fault = Fault(KeyReused.default_code, str(error), HEADER)
        raise BodyRefused(409, fault) from None
    except ValidationError as error:
        path, message, code = find_first_fault(error.detail)
        raise BodyRefused(400, Fault(code, message, path)) from None


def note_refusal(call: Request, refused: BodyRefused) -> None:
    """What was sent was wrong; a person who is unknown (404) is no bad data."""
    if refused.status in (400, 413):
        lost = [reject_item(0, refused.fault)]
        note_rejections(lost, source=SOURCE, body=call.body, at=call.at)


def answer_refusal(refused: BodyRefused) -> HttpResponse:
    """Our error shape, and beside it the line that Customer.io's SDKs show."""
    fault = refused.fault
    line = f"{fault.path}: {fault.message}" if fault.path else fault.message
    said = build_error(fault.code, fault.message, path=fault.path)
    response = answer(refused.status, {**said, "meta": {"error": line}})
    if refused.status == 401:
        response["WWW-Authenticate"] = 'Basic realm="apropos"'
    if refused.wait_s:
        response["Retry-After"] = str(refused.wait_s)
    return response
