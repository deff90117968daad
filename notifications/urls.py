"""Addresses of device reports, the messages API and the sandbox's phone."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from notifications.api import push_events

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/push/<str:delivery_id>/events", push_events.receive_report),
    path("sandbox/", include("notifications.sandbox.urls")),
]
