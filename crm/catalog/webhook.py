"""What a CMS says over the signed webhook of a catalog: items published and gone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction

from crm.catalog.items import Saved, archive_items, save_items
from crm.events.limits import BodyRefused, Fault, parse_json
from crm.models import Catalog

SOURCE: Final = "webhook"
MAX_ITEMS: Final = 1_000
CLAIM_ID: Final = """
INSERT INTO crm_messagekey (message_id, seen_at) VALUES (%s, %s) ON CONFLICT DO NOTHING
"""
# The last word of the `type` of a call that takes items away.
GONE: Final = ("deleted", "removed", "unpublished", "archived")


@dataclass(frozen=True, slots=True)
class Received:
    """What a call did; nothing where it is a repeat."""

    saved: Saved
    archived: int = 0
    is_repeat: bool = False


@transaction.atomic
def receive_webhook(
    catalog: Catalog, message_id: str, body: bytes, *, at: datetime
) -> Received:
    """Do what a call says, once for each id; raises BodyRefused where it says nothing
    that can be done, so that the sender may try again."""
    kind, rows = read_call(body)
    if not _is_new(catalog, message_id, at=at):
        return Received(Saved(), is_repeat=True)
    if kind.rpartition(".")[2] in GONE:
        codes = [_read_code(row, index) for index, row in enumerate(rows)]
        archived = archive_items(catalog, codes, source=SOURCE, at=at)
        return Received(Saved(), archived=archived)
    saved = save_items(catalog, rows, source=SOURCE, at=at, partial=True)
    if saved.refused and not saved.saved:
        index, fault = min(saved.refused.items())
        raise BodyRefused(400, fault.under(f"items[{index}]"))
    return Received(saved)


def _is_new(catalog: Catalog, message_id: str, *, at: datetime) -> bool:
    """Claims the id; it is kept a week, longer than a call stays fresh."""
    said = hashlib.sha256(f"{catalog.slug}.{message_id}".encode()).hexdigest()
    key = f"webhook:{said}"
    with connection.cursor() as cursor:
        cursor.execute(CLAIM_ID, [key, at])
        return bool(cursor.rowcount)


def read_call(body: bytes) -> tuple[str, list[Any]]:
    """`type`, and the rows: `items` of `data`, or `data` itself."""
    said = parse_json(body)
    if not isinstance(said, Mapping):
        raise BodyRefused(400, Fault("invalid_type", "Expected a JSON object."))
    kind = said.get("type", "")
    if not isinstance(kind, str):
        raise BodyRefused(400, Fault("invalid_type", "Expected a text.", "type"))
    data = said.get("data")
    rows = data.get("items", [data]) if isinstance(data, Mapping) else None
    if not isinstance(rows, list) or not rows:
        fault = Fault("required", "One item, or a list of them in `items`.", "data")
        raise BodyRefused(400, fault)
    if len(rows) > MAX_ITEMS:
        fault = Fault("too_many_items", f"More than {MAX_ITEMS:,} items.", "data.items")
        raise BodyRefused(413, fault)
    return kind, rows


def _read_code(row: Any, index: int) -> str:
    code = row.get("code") if isinstance(row, Mapping) else None
    if isinstance(code, bool) or not isinstance(code, str | int) or code == "":
        fault = Fault("required", "Each item needs its code.", f"items[{index}].code")
        raise BodyRefused(400, fault)
    return str(code)
