"""The phone screen alone, with a stand-in for the endpoint devices report to."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

# Path and body of each report.
reported: list[tuple[str, bytes]] = []


@csrf_exempt
def take_report(request: HttpRequest, delivery_id: str) -> HttpResponse:
    reported.append((request.path, request.body))
    if request.content_type == "application/json":
        return JsonResponse({"accepted": True})
    return HttpResponseRedirect(request.POST["next"])


urlpatterns = [
    path("sandbox/", include("notifications.sandbox.urls")),
    path("v1/push/<str:delivery_id>/events", take_report),
]
