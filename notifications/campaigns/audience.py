"""Audiences as SQL: who gets one run, and when."""

from __future__ import annotations

from datetime import datetime

from notifications.campaigns.schedule import spread_local
from notifications.decisioning.zones import list_zones
from notifications.delivery.plan import Audience
from notifications.models import CampaignVersion
from segments.membership import member_ids_sql

EVERYBODY = "SELECT id AS contact_id FROM crm_contact"

# Profile → device → campaign, the first known zone, as the gate climbs. An unknown
# name in a profile ("GMT+2") must not hide the zone that the phone knows.
WITH_ZONE = """
SELECT m.contact_id, coalesce(own.name, device.time_zone, %s) AS zone
FROM ({people}) m JOIN crm_contact c ON c.id = m.contact_id
LEFT JOIN unnest(%s::text[]) AS own (name) ON own.name = c.time_zone
LEFT JOIN LATERAL (
    SELECT d.time_zone FROM crm_device d
    JOIN unnest(%s::text[]) AS known (name) ON known.name = d.time_zone
    WHERE d.contact_id = c.id AND d.state = 'active'
    ORDER BY d.last_seen_at DESC, d.id DESC LIMIT 1
) device ON own.name IS NULL
"""


def select_people(version: CampaignVersion) -> tuple[str, list[int]]:
    """SQL with a column contact_id: the segment's members, or everybody."""
    if version.segment is None:
        return EVERYBODY, []
    return member_ids_sql(version.segment)


def build_audience(
    version: CampaignVersion, *, occurrence: str, due: datetime
) -> Audience:
    """One run at one instant for everybody."""
    people, params = select_people(version)
    return Audience(
        "SELECT contact_id, %s::text AS occurrence, %s::timestamptz AS due_at, "
        "'' AS due_local, '' AS due_zone, NULL::uuid AS trigger_event_id, "
        f"NULL::timestamptz AS trigger_event_at FROM ({people}) people",
        (occurrence, due, *params),
    )


def build_local_audience(version: CampaignVersion, *, occurrence: str) -> Audience:
    """One run at each person's own wall time; without a known zone, the campaign's."""
    wall = datetime.strptime(version.local_send_at, "%Y-%m-%d %H:%M")  # noqa: DTZ007
    people, params = select_people(version)
    zoned = WITH_ZONE.replace("{people}", people)
    names = list_zones()
    # The campaign's own among them, or those without one would be left out unseen.
    instants = spread_local(wall, [*names, version.time_zone])
    return Audience(
        "SELECT z.contact_id, %s::text AS occurrence, t.due_at, "
        "%s::text AS due_local, t.zone AS due_zone, NULL::uuid AS trigger_event_id, "
        "NULL::timestamptz AS trigger_event_at "
        f"FROM ({zoned}) z JOIN unnest(%s::text[], %s::timestamptz[]) "
        "AS t (zone, due_at) ON t.zone = z.zone",
        (
            occurrence,
            version.local_send_at,
            version.time_zone,
            *params,
            names,
            names,
            list(instants),
            list(instants.values()),
        ),
    )
