"""URL map of the whole site; other apps are named by string."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

# Whoever resolves a URL of the admin has it whole, in a worker too (LOAD_ADMIN).
admin.autodiscover()

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("preferences.urls")),
]
