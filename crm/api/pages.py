"""Answers outside of any view: JSON to programs, Django's page elsewhere."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.html import format_html
from django.views import defaults

from crm.api.errors import SecondFactorRequired, build_error
from crm.second_factor.door import was_withheld

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


def answer_forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What to do, where only the second factor is missing."""
    if was_withheld(request):
        return answer_withheld(request)
    if wants_json(request):
        return answer_problem(request, 403, "permission_denied", "You may not do this.")
    return defaults.permission_denied(request, exception)


def answer_withheld(request: HttpRequest) -> HttpResponse:
    if wants_json(request):
        error = SecondFactorRequired
        return answer_problem(request, 403, error.default_code, error.default_detail)
    context = {**admin.site.each_context(request), "title": "Set up a second factor"}
    return render(request, "crm/second_factor/needed.html", context, status=403)


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
