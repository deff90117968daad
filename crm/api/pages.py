"""Answers outside of any view: JSON to programs, Django's page elsewhere."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.html import format_html
from django.views import defaults

from crm.api.errors import build_error

API_PREFIXES = ("/api/", "/v1/", "/healthz")


def wants_json(request: HttpRequest) -> bool:
    return request.path.startswith(API_PREFIXES)


def answer_problem(
    request: HttpRequest, status: int, code: str, message: str
) -> HttpResponse:
    if wants_json(request):
        return JsonResponse(build_error(code, message), status=status)
    return HttpResponse(
        format_html("<!doctype html><title>{0}</title><h1>{0}</h1>", message),
        status=status,
    )


def answer_bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if wants_json(request):
        return answer_problem(request, 400, "bad_request", "Malformed request.")
    return defaults.bad_request(request, exception)


def answer_not_found(
    request: HttpRequest, exception: Exception | None = None, **_: Any
) -> HttpResponse:
    if wants_json(request):
        return answer_problem(request, 404, "not_found", "There is nothing here.")
    return defaults.page_not_found(request, exception or Exception("not found"))


def answer_server_error(request: HttpRequest) -> HttpResponse:
    if wants_json(request):
        return answer_problem(request, 500, "server_error", "Something went wrong.")
    return defaults.server_error(request)
