"""Devices: registered by an app, by an SDK's context, or by the API.

A token belongs to one device, and its last registration owns it; a registration
or a removal older than what is known changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from crm.events.schema import Item
from crm.events.traits import clean_locale, clean_time_zone
from crm.models import Device, PendingEvent
from crm.models.ids import make_uuid7
from crm.ports.facts import DEVICE_CHANGED

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
# Customer.io's track events that say nothing but this.
DEVICE_SEEN = "Device Created or Updated"
DEVICE_GONE = "Device Deleted"
# Events of an SDK name the device each time; it is written at most this often.
REFRESH_AFTER_S = 3600
WRITE_DEVICES = """
INSERT INTO crm_device AS d (
    contact_id, token, fid, platform, permission, state, time_zone, locale,
    app_version, name, attributes, registered_at, last_seen_at)
SELECT contact_id, token, '', platform, coalesce(permission, 'unknown'), 'active',
    time_zone, locale, app_version, name, attributes, seen_at, seen_at
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
    contact_id bigint, token text, platform text, permission text, time_zone text,
    locale text, app_version text, name text, attributes jsonb, seen_at timestamptz)
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
    attributes = d.attributes || excluded.attributes,
    registered_at = excluded.registered_at, last_seen_at = excluded.last_seen_at
WHERE excluded.last_seen_at >= d.last_seen_at AND (
    d.contact_id <> excluded.contact_id OR d.state <> 'active'
    OR NOT d.attributes @> excluded.attributes
    OR excluded.permission NOT IN ('unknown', d.permission)
    OR excluded.last_seen_at >= d.last_seen_at + %(refresh_s)s * interval '1 second')
RETURNING contact_id
"""
# The row stays and is dated, so that an older registration changes nothing.
REMOVE_DEVICES = """
WITH said AS (
    SELECT contact_id, token, max(gone_at) AS gone_at
    FROM jsonb_to_recordset(%s::jsonb) AS r(
        contact_id bigint, token text, gone_at timestamptz)
    GROUP BY contact_id, token
), locked AS (
    SELECT d.id, said.gone_at FROM crm_device d JOIN said
        ON said.token = d.token AND said.contact_id = d.contact_id
    WHERE d.state <> 'gone' AND d.last_seen_at <= said.gone_at
    ORDER BY d.token FOR UPDATE OF d
)
UPDATE crm_device d SET state = 'gone', gone_at = locked.gone_at,
    last_seen_at = locked.gone_at
FROM locked WHERE locked.id = d.id RETURNING d.contact_id
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
    attributes: dict[str, Any] = {}


class DeviceLoss(msgspec.Struct, frozen=True):
    """A contact's device that is reached no more."""

    contact_id: int
    token: str
    gone_at: datetime


def write_devices(rows: Iterable[DeviceRow], *, refresh_after_s: int) -> set[int]:
    """Upsert by token; of several rows with one token the newest counts.

    Answers the contacts whose devices were written.
    """
    newest: dict[str, DeviceRow] = {}
    for row in rows:
        known = newest.get(row.token)
        if known is None or row.seen_at >= known.seen_at:
            newest[row.token] = row
    if not newest:
        return set()
    document = msgspec.json.encode(list(newest.values())).decode()
    with connection.cursor() as cursor:
        cursor.execute(
            WRITE_DEVICES,
            {"rows": document, "refresh_s": refresh_after_s},
        )
        return {contact_id for (contact_id,) in cursor.fetchall()}


def remove_devices(losses: Sequence[DeviceLoss]) -> set[int]:
    """Answers the contacts who lost one; a device of somebody else stays."""
    if not losses:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(REMOVE_DEVICES, [msgspec.json.encode(losses).decode()])
        return {contact_id for (contact_id,) in cursor.fetchall()}


def register_device(row: DeviceRow) -> Device:
    """One device by hand: the API's registration. Writes even what is fresh."""
    write_devices([row], refresh_after_s=0)
    return Device.objects.get(token=row.token)


def register_devices(
    items: Sequence[Item], contact_of: Mapping[int, int], *, at: datetime
) -> None:
    """The devices that SDKs name in their calls, and those they say are gone.

    Whoever's devices changed gets a pending row that has their segments judged.
    """
    named = [item for item in items if find_device(item)]
    if not named:
        return
    read = [read_device(item, contact_of[item.index]) for item in named]
    rows = [row for row in read if isinstance(row, DeviceRow)]
    losses = [row for row in read if isinstance(row, DeviceLoss)]
    changed = write_devices(rows, refresh_after_s=REFRESH_AFTER_S)
    changed |= remove_devices(losses)
    leave_changed(changed, at=at)


def leave_changed(contact_ids: Iterable[int], *, at: datetime) -> None:
    """A pending row for each whose devices changed, which has their segments judged."""
    PendingEvent.objects.bulk_create(
        PendingEvent(
            event_id=make_uuid7(), occurred_at=at, contact_id=pk, name=DEVICE_CHANGED
        )
        for pk in sorted(set(contact_ids))
    )


def find_device(item: Item) -> Mapping[str, Any]:
    """In the context; of an event that is about a device, in its properties too."""
    device = item.context.get("device")
    if not device and item.name in (DEVICE_SEEN, DEVICE_GONE):
        device = item.properties.get("device")
    return device if isinstance(device, dict) else {}


def read_device(item: Item, contact_id: int) -> DeviceRow | DeviceLoss | None:
    """What a call says about a device, where it names a token we can keep."""
    device = find_device(item)
    token = device.get("token")
    if not isinstance(token, str) or not 0 < len(token) <= MAX_TOKEN:
        return None
    if item.name == DEVICE_GONE:
        return DeviceLoss(contact_id, token, item.occurred_at)
    platform = read_platform(device, item.context)
    if not platform:
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
        attributes=read_attributes(item),
    )


def read_attributes(item: Item) -> dict[str, Any]:
    """The properties of an event that is about a device describe the device."""
    if item.name != DEVICE_SEEN:
        return {}
    return {key: value for key, value in item.properties.items() if key != "device"}


def read_platform(device: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    said = read_text(device, "type") or read_text(context.get("os"), "name")
    return PLATFORMS.get(said.lower(), "")


def read_text(value: Any, key: str) -> str:
    """A text inside a foreign object, '' where there is none."""
    text = value.get(key) if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""
