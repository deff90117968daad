"""Addresses of the messages API and of the sandbox's phone."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("notifications.api.urls")),
    path("sandbox/", include("notifications.sandbox.urls")),
]
