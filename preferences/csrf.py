"""Cross-site protection for a page that sends no referrer.

Under `Referrer-Policy: no-referrer` a browser posts a plain form with
`Origin: null`, which Django must take for a stranger. The browser also says in
`Sec-Fetch-Site`, which no script can set, whether the form was our own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt, csrf_protect

View = Callable[..., HttpResponse]


def protect_own_form(view: View) -> View:
    """Django's own check, after a null origin was told to be ours."""
    protected = csrf_protect(view)

    @csrf_exempt
    @wraps(view)
    def check(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        site = request.META.get("HTTP_SEC_FETCH_SITE")
        if site == "same-origin" and request.META.get("HTTP_ORIGIN") == "null":
            request.META["HTTP_ORIGIN"] = f"{request.scheme}://{request.get_host()}"
        return protected(request, *args, **kwargs)

    return check
