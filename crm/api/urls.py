"""Addresses of ingest and of the system of record's REST API."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from crm.api import (
    catalog_webhook,
    catalogs,
    contacts,
    devices,
    events,
    health,
    merges,
    orders,
    posthog,
    products,
    segment_v1,
    subscriptions,
)
from crm.events.schema import KINDS

POSTHOG_PATHS = ("batch", "capture", "i/v0/e")
router = SimpleRouter()
router.register("contacts", contacts.ContactViewSet, basename="contact")
router.register("devices", devices.DeviceViewSet, basename="device")
router.register("events", events.EventViewSet, basename="event")
router.register("catalogs", catalogs.CatalogViewSet, basename="catalog")
router.register("merges", merges.MergeViewSet, basename="merge")
router.register("orders", orders.OrderViewSet, basename="order")
router.register("products", products.ProductViewSet, basename="product")
router.register(
    "subscriptions", subscriptions.SubscriptionViewSet, basename="subscription"
)

urlpatterns = [
    path("healthz", health.report_health, name="health"),
    path("v1/batch", segment_v1.receive_batch),
    path("v1/import", segment_v1.receive_batch),
    # What some clients of Segment's family put before it.
    path("api/public/apps/batch", segment_v1.receive_batch),
    *(path(f"v1/{kind}", segment_v1.receive_single(kind)) for kind in sorted(KINDS)),
    # PostHog's own, which its clients put behind the host: with a slash, or without.
    *(
        path(f"{name}{slash}", posthog.receive_capture)
        for name in POSTHOG_PATHS
        for slash in ("/", "")
    ),
    path("v1/catalogs/<slug:slug>/webhook", catalog_webhook.receive_call),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(), name="api-docs"),
    path(
        "api/contacts/<str:contact>/merge/",
        merges.ContactMergeView.as_view(),
        name="contact-merge",
    ),
    path("api/", include(router.urls)),
    path("api/catalogs/<slug:slug>/items/", catalogs.CatalogItemsView.as_view()),
    path(
        "api/catalogs/<slug:slug>/items/<str:code>/",
        catalogs.CatalogItemView.as_view(),
    ),
]
