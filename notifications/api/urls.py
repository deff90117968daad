"""Addresses of device reports and of the messages' REST API."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from notifications.api import campaigns, deliveries, push_events

router = SimpleRouter()
router.register("campaigns", campaigns.CampaignViewSet, basename="campaign")
router.register("deliveries", deliveries.DeliveryViewSet, basename="delivery")

urlpatterns = [
    path("v1/push/<str:delivery_id>/events", push_events.receive_report),
    path("api/", include(router.urls)),
]
