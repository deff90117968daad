"""JSON parsing for the REST API: the limits of ingest, UTF-8 whatever the label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework.exceptions import APIException
from rest_framework.parsers import JSONParser

from crm.events.limits import BodyRefused, parse_json, unpack_body


class BodyFault(APIException):
    """A body that is refused, in DRF's words: the path is the key of the detail."""

    def __init__(self, refused: BodyRefused) -> None:
        fault = refused.fault
        detail = {fault.path: [fault.message]} if fault.path else fault.message
        super().__init__(detail, fault.code)
        self.status_code = refused.status


class StrictJSONParser(JSONParser):
    """Refuses with the path of the fault what would break further down."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        limit = settings.INGEST_BATCH_MAX_BYTES
        try:
            return parse_json(unpack_body(stream.read(limit + 1), limit))
        except BodyRefused as refused:
            raise BodyFault(refused) from refused
