"""Puts the person of each request through the door of the second factor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from crm.second_factor.door import recognise_person


class SecondFactorMiddleware:
    """Behind django-otp's own, which knows what the session proved. Lazy: who is not
    asked for costs no query."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        recognise = partial(recognise_person, request, request.user)
        request.user = SimpleLazyObject(recognise)  # type: ignore[assignment]
        return self.get_response(request)
