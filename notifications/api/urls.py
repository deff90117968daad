"""Addresses of device reports and of the messages' REST API."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from crm.api.foreign import open_route
from crm.models import ApiKey
from notifications.api import campaigns, customerio, deliveries, push_events

router = SimpleRouter()
router.register("campaigns", campaigns.CampaignViewSet, basename="campaign")
router.register("deliveries", deliveries.DeliveryViewSet, basename="delivery")

urlpatterns = [
    path("v1/push/<str:delivery_id>/events", push_events.receive_report),
    path("api/v1/push/events", open_route(post=customerio.report_push)),
    path("api/v1/metrics", open_route(post=customerio.report_metric)),
    path("v1/send/<str:channel>", open_route(ApiKey.Scope.SEND, post=customerio.send)),
    path("api/", include(router.urls)),
]
