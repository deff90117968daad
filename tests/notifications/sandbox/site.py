"""A URL map with the phone screen alone."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("sandbox/", include("notifications.sandbox.urls"))]
