"""Faults that are nobody's bug: bad parameters and a database that is away.

Django's admin answers 500 to `?name__exact=%00` and `?ts__year=99999999`; here
they are a 400 (reliability.md, section 5, row 21).
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.core.paginator import InvalidPage
from django.db import DataError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from psycopg import errors

from crm.api.pages import answer_problem
from crm.events.pressure import DISK_WAIT_S

logger = logging.getLogger(__name__)
RETRY_AFTER_S = 5
# InvalidPage: unfold's search asks its pages without looking.
OF_PARAMETERS = (ValueError, OverflowError, InvalidPage)


class FaultMiddleware:
    """Answers 400 for parameters PostgreSQL or a date can not hold, 503 while the
    database is away; everything else crashes loudly."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        query = request.META.get("QUERY_STRING", "")
        if "\x00" in request.path or "%00" in query or "\x00" in query:
            return answer_problem(
                request, 400, "null_character", "Null characters are not allowed."
            )
        return self.get_response(request)

    def process_exception(
        self, request: HttpRequest, error: Exception
    ) -> HttpResponse | None:
        if isinstance(error, OperationalError | InterfaceError):
            return self.answer_absence(request, error)
        asked = request.method in ("GET", "HEAD") and request.META.get("QUERY_STRING")
        bad_value = isinstance(error, DataError | MultiPartParserError)
        # A ValueError under parameters is theirs: without them it is our bug.
        if bad_value or (asked and isinstance(error, OF_PARAMETERS)):
            logger.warning("%s refused: %s", request.path, error, exc_info=error)
            return answer_problem(
                request, 400, "invalid", "A value is out of range or malformed."
            )
        return None

    def answer_absence(
        self, request: HttpRequest, error: Exception
    ) -> HttpResponse | None:
        if isinstance(error.__cause__, errors.QueryCanceled):
            return answer_problem(request, 503, "timeout", "The query took too long.")
        if isinstance(error.__cause__, errors.DiskFull):
            return self.answer_full_disk(request, error)
        logger.error("database away: %s", error)
        response = answer_problem(
            request, 503, "unavailable", "The database is away; try again shortly."
        )
        response["Retry-After"] = str(RETRY_AFTER_S)
        return response

    def answer_full_disk(self, request: HttpRequest, error: Exception) -> HttpResponse:
        """Nothing was kept: the transaction is gone as a whole."""
        logger.error("the database's disk is full: %s", error)
        message = "The database's disk is full; try again later."
        response = answer_problem(request, 507, "disk_full", message)
        response["Retry-After"] = str(DISK_WAIT_S)
        return response
