"""Addresses of Customer.io's wire that are crm's own.

An id may hold slashes, which arrive unescaped: the longest address comes first, and
the URL map takes these after the ones that other apps end with their own word.
"""

from __future__ import annotations

from django.urls import path

from crm.api import customerio
from crm.api.foreign import open_route
from crm.models import ApiKey

CUSTOMER = "api/v1/customers/<path:identifier>"

urlpatterns = [
    path("api/v1/events", open_route(post=customerio.track_anonymous)),
    path("api/v1/merge_customers", open_route(post=customerio.merge)),
    path("api/v2/entity", open_route(post=customerio.receive_entity)),
    path("api/v2/batch", open_route(post=customerio.receive_batch)),
    path("v1/customers", open_route(ApiKey.Scope.READ, get=customerio.list_customers)),
    path(
        f"{CUSTOMER}/devices/<path:token>", open_route(delete=customerio.delete_device)
    ),
    path(f"{CUSTOMER}/devices", open_route(put=customerio.add_device)),
    path(f"{CUSTOMER}/events", open_route(post=customerio.track)),
    path(CUSTOMER, open_route(put=customerio.identify, delete=customerio.delete)),
]
