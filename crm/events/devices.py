"""Devices: registered by an app, by an SDK's context, or by the API.

A token belongs to one device, and its last registration owns it; a registration
older than what is known changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from crm.events.schema import Item
from crm.events.traits import clean_locale, clean_time_zone
from crm.models import Device

PLATFORMS = {
    "ios": "ios",
    "ipados": "ios",
    "iphone": "ios",
    "apple": "ios",
    "android": "android",
    "web": "web",
    "browser": "web",
}
MAX_TOKEN = 4096
# Events of an SDK name the device each time; it is written at most this often.
REFRESH_AFTER_S = 3600
WRITE_DEVICES = """
INSERT INTO crm_device AS d (
    contact_id, token, fid, platform, permission, state, time_zone, locale,
    app_version, name, attributes, registered_at, last_seen_at)
SELECT contact_id, token, '', platform, coalesce(permission, 'unknown'), 'active',
    time_zone, locale, app_version, name, '{}', seen_at, seen_at
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
    contact_id bigint, token text, platform text, permission text, time_zone text,
    locale text, app_version text, name text, seen_at timestamptz)
ORDER BY token
ON CONFLICT (token) WHERE NOT token = '' DO UPDATE SET
    contact_id = excluded.contact_id, platform = excluded.platform,
    permission = CASE WHEN excluded.permission = 'unknown' THEN d.permission
        ELSE excluded.permission END,
    state = 'active', gone_at = NULL,
    time_zone = coalesce(nullif(excluded.time_zone, ''), d.time_zone),
    locale = coalesce(nullif(excluded.locale, ''), d.locale),
    app_version = coalesce(nullif(excluded.app_version, ''), d.app_version),
    name = coalesce(nullif(excluded.name, ''), d.name),
    registered_at = excluded.registered_at, last_seen_at = excluded.last_seen_at
WHERE excluded.last_seen_at >= d.last_seen_at AND (
    d.contact_id <> excluded.contact_id OR d.state <> 'active'
    OR excluded.permission NOT IN ('unknown', d.permission)
    OR excluded.last_seen_at >= d.last_seen_at + %(refresh_s)s * interval '1 second')
"""


class DeviceRow(msgspec.Struct, frozen=True):
    """One registration; an empty text, or a permission of None, says nothing."""

    contact_id: int
    token: str
    platform: str
    seen_at: datetime
    permission: str | None = None
    time_zone: str = ""
    locale: str = ""
    app_version: str = ""
    name: str = ""


def write_devices(rows: Iterable[DeviceRow], *, refresh_after_s: int) -> None:
    """Upsert by token; of several rows with one token the newest counts."""
    newest: dict[str, DeviceRow] = {}
    for row in rows:
        known = newest.get(row.token)
        if known is None or row.seen_at >= known.seen_at:
            newest[row.token] = row
    if not newest:
        return
    document = msgspec.json.encode(list(newest.values())).decode()
    with connection.cursor() as cursor:
        cursor.execute(
            WRITE_DEVICES,
            {"rows": document, "refresh_s": refresh_after_s},
        )


def register_device(row: DeviceRow) -> Device:
    """One device by hand: the API's registration. Writes even what is fresh."""
    write_devices([row], refresh_after_s=0)
    return Device.objects.get(token=row.token)


def register_devices(items: Sequence[Item], contact_of: Mapping[int, int]) -> None:
    """The devices that SDKs name in the context of their calls."""
    rows = (
        read_device(item, contact_of[item.index])
        for item in items
        if "device" in item.context
    )
    write_devices(
        (row for row in rows if row is not None), refresh_after_s=REFRESH_AFTER_S
    )


def read_device(item: Item, contact_id: int) -> DeviceRow | None:
    """`context.device` of a call, where it names a token and a platform we know."""
    device = item.context["device"]
    if not isinstance(device, dict):
        return None
    token = device.get("token")
    platform = read_platform(item.context)
    if not isinstance(token, str) or not platform or not 0 < len(token) <= MAX_TOKEN:
        return None
    permission = device.get("permission")
    return DeviceRow(
        contact_id=contact_id,
        token=token,
        platform=platform,
        seen_at=item.occurred_at,
        permission=permission if permission in Device.Permission.values else None,
        time_zone=clean_time_zone(read_text(item.context, "timezone")) or "",
        locale=clean_locale(read_text(item.context, "locale")) or "",
        app_version=read_text(item.context.get("app"), "version")[:64],
        name=(read_text(device, "name") or read_text(device, "model"))[:200],
    )


def read_platform(context: Mapping[str, Any]) -> str:
    said = read_text(context["device"], "type") or read_text(context.get("os"), "name")
    return PLATFORMS.get(said.lower(), "")


def read_text(value: Any, key: str) -> str:
    """A text inside a foreign object, '' where there is none."""
    text = value.get(key) if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""
