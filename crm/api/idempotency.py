"""`Idempotency-Key`: a write that sends has its effect once, however often it is asked.

For 24 hours the first answer is given again. Refusals are not kept: what was wrong can
be put right under the same key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from crm.models import ApiKey, IdempotentCall
from crm.models.idempotency import LIFE

HEADER = "Idempotency-Key"
MAX_KEY = 255
# The second of two at once waits for the first.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


class KeyReused(APIException):
    status_code = 409
    default_code = "idempotency_key_reused"
    default_detail = "This key came with another call before."


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to; `is_again` where it was done before."""

    status: int
    content: Any
    is_again: bool = False


def run_once(request: Request, act: Callable[[], Response]) -> Response:
    """What `act` answers, or answered before under the request's key.

    Raises what `act` raises, KeyReused where the key came with another call,
    ValidationError where it is none.
    """
    key = read_key(request.headers)
    if not key:
        return act()
    answer = act_once(
        lambda: write_answer(act()),
        key_hash=hash_texts(name_caller(request), key),
        request_hash=hash_call(request),
    )
    if not answer.is_again:
        return Response(answer.content, answer.status)
    headers = {"Idempotent-Replayed": "true"}
    return Response(answer.content, answer.status, headers=headers)


def act_once(act: Callable[[], Answer], *, key_hash: str, request_hash: str) -> Answer:
    """Its effect and the kept answer commit together; of two calls at once the second
    waits for the first. The one way of all wires."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(LOCK, [key_hash])
        before = find_before(key_hash)
        if before is None:
            return keep_answer(act(), key_hash=key_hash, request_hash=request_hash)
    if before.request_hash != request_hash:
        raise KeyReused
    return Answer(before.status, before.answer, is_again=True)


def read_key(headers: Mapping[str, str]) -> str:
    """'' where the caller named none."""
    key = headers.get(HEADER, "").strip()
    if len(key) > MAX_KEY or not key.isprintable():
        raise ValidationError({HEADER: [f"At most {MAX_KEY} printable characters."]})
    return key


def write_answer(response: Response) -> Answer:
    content = json.loads(JSONRenderer().render(response.data))
    return Answer(response.status_code, content)


def find_before(key_hash: str) -> IdempotentCall | None:
    """The kept call, None where its time is over."""
    found = IdempotentCall.objects.filter(pk=key_hash).first()
    if found is not None and found.created_at <= timezone.now() - LIFE:
        found.delete()
        return None
    return found


def keep_answer(answer: Answer, *, key_hash: str, request_hash: str) -> Answer:
    if answer.status < 400:
        IdempotentCall.objects.create(
            key_hash=key_hash,
            request_hash=request_hash,
            status=answer.status,
            answer=answer.content,
        )
    return answer


def name_caller(request: Request) -> str:
    if isinstance(request.auth, ApiKey):
        return name_key(request.auth)
    return f"staff:{request.user.pk}"


def name_key(key: ApiKey) -> str:
    return f"key:{key.pk}"


def hash_call(request: Request) -> str:
    """Before anybody else reads the body."""
    said = request.body.decode("latin-1")
    return hash_texts(str(request.method), request.get_full_path(), said)


def hash_texts(*texts: str) -> str:
    return hashlib.sha256("\x00".join(texts).encode()).hexdigest()
