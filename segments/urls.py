"""Addresses of the segments' REST API."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from segments import api

router = SimpleRouter()
router.register("segments", api.SegmentViewSet, basename="segment")

urlpatterns = [
    path("api/segments/preview/", api.SegmentPreview.as_view()),
    path("api/contacts/<str:contact>/segments/", api.ContactSegments.as_view()),
    path("api/", include(router.urls)),
]
