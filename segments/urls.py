"""Addresses of the segments' REST API."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from segments.api.contacts import ContactSegments
from segments.api.preview import SegmentPreview
from segments.api.segments import SegmentViewSet

router = SimpleRouter()
router.register("segments", SegmentViewSet, basename="segment")

urlpatterns = [
    path("api/segments/preview/", SegmentPreview.as_view()),
    path("api/contacts/<str:contact>/segments/", ContactSegments.as_view()),
    path("api/", include(router.urls)),
]
