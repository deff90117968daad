"""The one error shape of the API: `{code, path, message, detail}`."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from crm.second_factor.door import was_withheld


class SecondFactorRequired(exceptions.PermissionDenied):
    default_code = "second_factor_required"
    default_detail = (
        "Your role may do this once you set up a second factor, on the page "
        "/admin/second-factor/."
    )


class Erased(exceptions.APIException):
    """409: somebody was erased for good, and this would bring them back."""

    status_code = 409
    default_code = "erased"


def build_error(
    code: str, message: str, *, path: str = "", detail: Any = None
) -> dict[str, Any]:
    return {"code": code, "path": path, "message": message, "detail": detail or message}


def find_first_fault(detail: Any, path: str = "") -> tuple[str, str, str]:
    """(path, message, code) of the first fault in DRF's nested detail."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            return find_first_fault(value, join_path(path, key))
    if isinstance(detail, list):
        for index, value in enumerate(detail):
            if isinstance(value, dict) and value:
                return find_first_fault(value, f"{path}[{index}]")
            if value:
                return find_first_fault(value, path)
    return path, str(detail), str(getattr(detail, "code", "invalid"))


def join_path(path: str, key: Any) -> str:
    """`products[1].price`; rows of a list are keyed by their number."""
    if key == "non_field_errors":
        return path
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)


def answer_exception(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler, in our shape."""
    # Django's own words name the model, and carry no code.
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    refused = isinstance(exc, PermissionDenied | exceptions.PermissionDenied)
    if refused and was_withheld(context.get("request")):
        exc = SecondFactorRequired()
    if isinstance(exc, exceptions.Throttled):
        exc.detail = exceptions.ErrorDetail(str(exc.detail), "rate_limited")
    response = exception_handler(exc, context)
    if response is None:
        return None
    detail = exc.detail if isinstance(exc, exceptions.APIException) else str(exc)
    path, message, code = find_first_fault(detail)
    response.data = build_error(code, message, path=path, detail=response.data)
    return response
