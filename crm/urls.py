"""URL map of the whole site; other apps are named by string."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from crm.admin.second_factor.views import show_login
from crm.api.pages import answer_not_found

# Whoever resolves a URL of the admin has it whole, in a worker too (LOAD_ADMIN).
admin.autodiscover()

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    # Before the admin's own: whoever owes a code is asked for it instead.
    path("admin/login/", show_login),
    path("admin/second-factor/", include("crm.admin.second_factor.urls")),
    path("admin/", admin.site.urls),
    path("", include("crm.api.urls")),
    path("", include("preferences.urls")),
    path("", include("segments.urls")),
    path("", include("notifications.urls")),
    # After those of consent: an id in them may hold slashes.
    path("", include("crm.api.customerio_urls")),
    # Last: what no app answers is JSON here, whatever DEBUG says.
    re_path(r"^(?:api|v1)/", answer_not_found),
]
handler400 = "crm.api.pages.answer_bad_request"
handler403 = "crm.api.pages.answer_forbidden"
handler404 = "crm.api.pages.answer_not_found"
handler500 = "crm.api.pages.answer_server_error"
