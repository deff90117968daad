"""Who calls the API: a key as Basic user or password, or as bearer token."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from crm.models import ApiKey


def read_keys(header: str) -> list[str]:
    """The candidate keys of an Authorization header, most likely first."""
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


def find_api_key(header: str) -> ApiKey | None:
    """The live key that the header carries; marks it used (once a minute)."""
    for secret in read_keys(header):
        key = ApiKey.objects.matching(secret)
        if key is not None:
            now = timezone.now()
            if key.last_used_at is None or (now - key.last_used_at).seconds > 60:
                ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
            return key
    return None


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        key = find_api_key(header)
        if key is None:
            raise AuthenticationFailed("Unknown or revoked API key.")
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return 'Basic realm="apropos"'


class HasScope(BasePermission):
    """A key with the view's scope, or signed-in staff with the model's right."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if isinstance(request.auth, ApiKey):
            default = (
                "read" if request.method in ("GET", "HEAD", "OPTIONS") else "admin"
            )
            scopes = getattr(view, "scopes", {})
            return request.auth.allows(scopes.get(request.method, default))
        return bool(request.user and request.user.is_staff)
