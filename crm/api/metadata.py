"""What OPTIONS answers."""

from __future__ import annotations

from typing import Any

from rest_framework.metadata import SimpleMetadata
from rest_framework.request import Request


class PlainMetadata(SimpleMetadata):
    """Name and media types. The fields stand in the OpenAPI document; to list them
    DRF would look for a row, also where an address leads to none."""

    def determine_actions(self, request: Request, view: Any) -> dict[str, Any]:
        return {}
