"""Audiences as SQL: who gets one run, and when."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from notifications.campaigns.schedule import spread_local
from notifications.decisioning.zones import find_zone
from notifications.delivery.plan import Audience
from notifications.models import CampaignVersion
from segments.membership import member_ids_sql

EVERYBODY = "SELECT id AS contact_id FROM crm_contact"

# Profile → device → brand: the same ladder as the gate's.
WITH_ZONE = """
SELECT m.contact_id, coalesce(nullif(c.time_zone, ''), device.time_zone, %s) AS zone
FROM ({people}) m JOIN crm_contact c ON c.id = m.contact_id
LEFT JOIN LATERAL (
    SELECT time_zone FROM crm_device
    WHERE contact_id = c.id AND state = 'active' AND time_zone <> ''
    ORDER BY last_seen_at DESC LIMIT 1
) device ON c.time_zone = ''
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
    """One run at each person's own wall time; an unknown zone is the campaign's."""
    wall = datetime.strptime(version.local_send_at, "%Y-%m-%d %H:%M")  # noqa: DTZ007
    people, params = select_people(version)
    zoned = WITH_ZONE.replace("{people}", people)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT zone FROM ({zoned}) z", [version.time_zone, *params]
        )
        names = [row[0] for row in cursor.fetchall()]
    known = {name: name if find_zone(name) else version.time_zone for name in names}
    instants = spread_local(wall, sorted(set(known.values())))
    return Audience(
        "SELECT z.contact_id, %s::text AS occurrence, t.due_at, "
        "%s::text AS due_local, t.used AS due_zone, NULL::uuid AS trigger_event_id, "
        "NULL::timestamptz AS trigger_event_at "
        f"FROM ({zoned}) z JOIN unnest(%s::text[], %s::text[], %s::timestamptz[]) "
        "AS t (zone, used, due_at) ON t.zone = z.zone",
        (
            occurrence,
            version.local_send_at,
            version.time_zone,
            *params,
            list(known),
            list(known.values()),
            [instants[used] for used in known.values()],
        ),
    )
