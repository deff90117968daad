"""Answers outside of any view: JSON to programs, one plain page to people.

The page asks nothing of the database, of static files or of the request's user, so
that it can be shown whatever is broken.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from crm.api.errors import SecondFactorRequired, build_error
from crm.second_factor.door import was_withheld

API_PREFIXES = ("/api/", "/v1/", "/healthz")
FORBIDDEN_ADVICE = (
    "Your account lacks the right to see or do this. An administrator can give you a "
    "role that has it."
)
FORGERY_ADVICE = (
    "The form was open for too long, or cookies are off. Go back, reload the page and "
    "send it once more."
)
SERVER_ADVICE = (
    "It is written in the log. Try again; if it happens once more, tell whoever runs "
    "this site."
)


@cache
def build_policy() -> str:
    """Nothing is loaded and nothing runs; the page's own style is known by its hash."""
    style = Path(settings.BASE_DIR / "templates/crm/_problem.css").read_bytes()
    digest = b64encode(hashlib.sha256(style).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def wants_json(request: HttpRequest) -> bool:
    return request.path.startswith(API_PREFIXES)


def answer_problem(
    request: HttpRequest, status: int, code: str, message: str, advice: str = ""
) -> HttpResponse:
    """`advice`: what a person may do now; programs have the code."""
    if wants_json(request):
        return JsonResponse(build_error(code, message), status=status)
    context = {
        "title": message.rstrip("."),
        "advice": advice,
        "home": "/admin/" if request.path.startswith("/admin/") else "",
    }
    page = render_to_string("crm/problem.html", context)
    response = HttpResponse(page, status=status)
    response["Content-Security-Policy"] = build_policy()
    return response


def answer_bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer_problem(request, 400, "bad_request", "Malformed request.")


def answer_forgery(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its secret: too old, or of another site."""
    message = "This form can not be taken."
    return answer_problem(request, 403, "forbidden", message, FORGERY_ADVICE)


def answer_forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What to do, where only the second factor is missing."""
    if was_withheld(request):
        return answer_withheld(request)
    message = "You may not do this."
    return answer_problem(request, 403, "permission_denied", message, FORBIDDEN_ADVICE)


def answer_withheld(request: HttpRequest) -> HttpResponse:
    if wants_json(request):
        error = SecondFactorRequired
        return answer_problem(request, 403, error.default_code, error.default_detail)
    context = {**admin.site.each_context(request), "title": "Set up a second factor"}
    return render(request, "crm/second_factor/needed.html", context, status=403)


def answer_not_found(
    request: HttpRequest, exception: Exception | None = None, **_: object
) -> HttpResponse:
    message = "There is nothing here."
    advice = "The address may be mistyped, or what it led to is gone."
    return answer_problem(request, 404, "not_found", message, advice)


def answer_server_error(request: HttpRequest) -> HttpResponse:
    message = "Something went wrong."
    return answer_problem(request, 500, "server_error", message, SERVER_ADVICE)
