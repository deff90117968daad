"""`Idempotency-Key`: a write that sends has its effect once, however often it is asked.

For 24 hours the first answer is given again. Refusals are not kept: what was wrong can
be put right under the same key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

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


def run_once(request: Request, act: Callable[[], Response]) -> Response:
    """What `act` answers, or answered before under the request's key.

    Its effect and the kept answer commit together. Raises what `act` raises, KeyReused
    where the key came with another call, ValidationError where it is none.
    """
    key = request.headers.get(HEADER, "").strip()
    if not key:
        return act()
    if len(key) > MAX_KEY or not key.isprintable():
        raise ValidationError({HEADER: [f"At most {MAX_KEY} printable characters."]})
    key_hash, request_hash = hash_texts(name_caller(request), key), hash_call(request)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(LOCK, [key_hash])
        before = find_before(key_hash)
        if before is None:
            return keep_answer(act(), key_hash=key_hash, request_hash=request_hash)
    if before.request_hash != request_hash:
        raise KeyReused
    headers = {"Idempotent-Replayed": "true"}
    return Response(before.answer, before.status, headers=headers)


def find_before(key_hash: str) -> IdempotentCall | None:
    """The kept call, None where its time is over."""
    found = IdempotentCall.objects.filter(pk=key_hash).first()
    if found is not None and found.created_at <= timezone.now() - LIFE:
        found.delete()
        return None
    return found


def keep_answer(response: Response, *, key_hash: str, request_hash: str) -> Response:
    if response.status_code < 400:
        IdempotentCall.objects.create(
            key_hash=key_hash,
            request_hash=request_hash,
            status=response.status_code,
            answer=json.loads(JSONRenderer().render(response.data)),
        )
    return response


def name_caller(request: Request) -> str:
    if isinstance(request.auth, ApiKey):
        return f"key:{request.auth.pk}"
    return f"staff:{request.user.pk}"


def hash_call(request: Request) -> str:
    """Before anybody else reads the body."""
    said = request.body.decode("latin-1")
    return hash_texts(str(request.method), request.get_full_path(), said)


def hash_texts(*texts: str) -> str:
    return hashlib.sha256("\x00".join(texts).encode()).hexdigest()
