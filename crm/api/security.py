"""Headers that every answer carries, unless its view chose stricter ones.

Unfold's Alpine compiles expressions and sets styles, so the admin's policy allows
both; no page may run a script that is not a file of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

FRAMELESS: Final = "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
# The preview of a push shows the picture that it names.
STAFF_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; "
    "font-src 'self'; connect-src 'self'; frame-src 'self'; " + FRAMELESS
)
DOCS_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    f"img-src 'self' data:; connect-src 'self'; {FRAMELESS}"
)
PHONE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    f"img-src 'self' data: https:; connect-src 'self'; {FRAMELESS}"
)
# Data, errors and files: nothing in them is to run.
DATA_POLICY: Final = f"default-src 'none'; {FRAMELESS}"
POLICIES: Final = {
    "/admin/": STAFF_POLICY,
    "/api/docs/": DOCS_POLICY,
    "/sandbox/": PHONE_POLICY,
}
COMMON: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}


class HeadersMiddleware:
    """Outermost, so that refusals of the other middleware carry them too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in COMMON.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault(
            "Content-Security-Policy", pick_policy(request.path)
        )
        return response


def pick_policy(path: str) -> str:
    kinds = (kind for prefix, kind in POLICIES.items() if path.startswith(prefix))
    return next(kinds, DATA_POLICY)
