"""Who calls the API: a key as Basic user or password, bearer token, or body field."""

from __future__ import annotations

import base64
import binascii
import threading
import time
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from crm.api.rates import limit_stranger
from crm.models import ApiKey
from crm.models.api_key import hash_key

# A process believes what it read about a key this long; so a revoked key ends
# within these seconds.
KEY_CACHE_S = 5
# Wrong keys are remembered too; a flood of them must not fill the memory.
MAX_CACHED_KEYS = 1_000
# `last_used_at` is for people: once a minute is enough.
USE_NOTED_AFTER = timedelta(seconds=60)
# Longer texts can not be keys, and are not worth hashing.
MAX_KEY = 200

_cached: dict[str, tuple[float, ApiKey | None]] = {}
_lock = threading.Lock()


def read_keys(header: str) -> list[str]:
    """The candidate keys of an Authorization header, most likely first.

    In Basic either half may be the key: the site id beside it may be anything.
    """
    kind, _, value = header.partition(" ")
    if kind.lower() == "bearer":
        return [value.strip()]
    if kind.lower() != "basic":
        return []
    try:
        user, _, password = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return []
    return [key for key in (password, user) if key]


def find_api_key(header: str, body_key: str = "") -> ApiKey | None:
    """The live key that the header, else the body, carries; marks it used."""
    for secret in [*read_keys(header), body_key]:
        if 0 < len(secret) <= MAX_KEY:
            key = look_up_key(secret)
            if key is not None:
                return key
    return None


def look_up_key(secret: str) -> ApiKey | None:
    """The live key with this secret, as read at most KEY_CACHE_S ago."""
    digest = hash_key(secret)
    now = time.monotonic()
    found = _cached.get(digest)
    if found is not None and found[0] > now:
        return found[1]
    key = ApiKey.objects.matching(secret)
    if key is not None:
        note_use(key)
    with _lock:
        if len(_cached) >= MAX_CACHED_KEYS:
            _cached.clear()
        _cached[digest] = (now + KEY_CACHE_S, key)
    return key


def note_use(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > USE_NOTED_AFTER:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def forget_keys() -> None:
    """For tests: read every key again."""
    _cached.clear()


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        key = find_api_key(header)
        if key is None:
            overload = limit_stranger(request.META.get("REMOTE_ADDR", ""))
            if overload is not None:
                raise Throttled(overload.wait_s)
            raise AuthenticationFailed("Unknown or revoked API key.")
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return 'Basic realm="apropos"'


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """Tells OpenAPI how keys are sent."""

    target_class = "crm.api.auth.ApiKeyAuthentication"
    name = ["basicKey", "bearerKey"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {
                "type": "http",
                "scheme": "basic",
                "description": "The key as user or password; the other half is free.",
            },
            {"type": "http", "scheme": "bearer"},
        ]


class HasScope(BasePermission):
    """A key with the view's scope, or signed-in staff with the model's right.

    A view says `scopes` (method → scope; reading needs `read`, anything else
    `admin` where it is silent), `verbs` (method → of the right, `change` where it is
    silent) and its model: as `model`, or by its queryset or
    serializer. Where it names none, only a superuser comes in without a key.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        reading = request.method in SAFE_METHODS
        if isinstance(request.auth, ApiKey):
            default = ApiKey.Scope.READ if reading else ApiKey.Scope.ADMIN
            scopes = getattr(view, "scopes", {})
            return request.auth.allows(scopes.get(request.method, default))
        if not (request.user and request.user.is_staff):
            return False
        model = find_model(view)
        if model is None:
            return bool(request.user.is_superuser)
        verb = "view" if reading else getattr(view, "verbs", {}).get(request.method)
        return request.user.has_perm(
            f"{model._meta.app_label}.{verb or 'change'}_{model._meta.model_name}"
        )


def find_model(view: Any) -> type[Model] | None:
    """The model whose rights guard this view."""
    if getattr(view, "model", None) is not None:
        return view.model
    if getattr(view, "queryset", None) is not None:
        return view.queryset.model
    meta = getattr(getattr(view, "serializer_class", None), "Meta", None)
    return getattr(meta, "model", None)
