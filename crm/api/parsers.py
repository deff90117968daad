"""JSON parsing for the REST API: strict, limited, UTF-8 whatever the label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.parsers import JSONParser


class StrictJSONParser(JSONParser):
    """Placeholder name in settings; limits come with `crm.events.schema`."""

    strict = True

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return super().parse(stream, media_type, {"encoding": "utf-8"})
