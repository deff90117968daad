"""Addresses of consent: public pages, staff preview, API."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from crm.api.foreign import open_route
from preferences import api, customerio, views

app_name = "preferences"
urlpatterns: list[URLPattern | URLResolver] = [
    path("p/<str:token>", views.open_preferences, name="open"),
    path("preferences/", views.show_preferences, name="page"),
    path("preferences/preview/<int:pk>/", views.preview_center, name="preview"),
    path("unsubscribe/<str:token>", views.unsubscribe, name="unsubscribe"),
    path(
        "api/contacts/<uuid:uuid>/preferences/",
        api.PreferencesView.as_view(),
        name="api-preferences",
    ),
    path(
        "api/contacts/<uuid:uuid>/preference-link/",
        api.PreferenceLinkView.as_view(),
        name="api-link",
    ),
    path(
        "api/v1/customers/<path:identifier>/suppress",
        open_route(post=customerio.suppress),
    ),
    path(
        "api/v1/customers/<path:identifier>/unsuppress",
        open_route(post=customerio.unsuppress),
    ),
]
