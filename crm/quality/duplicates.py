"""Contacts that may be the same person: found by what they share, judged by staff.

Found once an hour, by reading the profiles: e-mail and phone without case and
separators, or a name together with a device of the same name. A value that more than
MAX_SHARING contacts share (info@, a till's number) names no person and is passed over.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from crm.models import DuplicateSuspect
from crm.models.audit import record_audit

MAX_SHARING = 10
# Pairs that one look may find: more of them are no list for people.
MAX_FOUND = 2_000
# A phone number has at least so many digits.
MIN_DIGITS = 7
FIND_DUPLICATES = """
WITH alive AS (
    SELECT id, lower(email) AS email, regexp_replace(phone, '\\D', '', 'g') AS phone,
        lower(coalesce(nullif(traits ->> 'name', ''), nullif(concat_ws(' ',
            traits ->> 'first_name', traits ->> 'last_name'), ''))) AS name
    FROM crm_contact WHERE canonical_id IS NULL AND erased_at IS NULL
), shared AS (
    SELECT 1 AS rank, 'email' AS reason, array_agg(id ORDER BY id) AS ids
    FROM alive WHERE email <> '' GROUP BY email HAVING count(*) BETWEEN 2 AND %(most)s
    UNION ALL
    SELECT 2, 'phone', array_agg(id ORDER BY id)
    FROM alive WHERE length(phone) >= %(digits)s
    GROUP BY phone HAVING count(*) BETWEEN 2 AND %(most)s
    UNION ALL
    SELECT 3, 'name_device', array_agg(DISTINCT a.id ORDER BY a.id)
    FROM crm_device d JOIN alive a ON a.id = d.contact_id
    WHERE d.name <> '' AND a.name LIKE '%% %%'
    GROUP BY a.name, d.platform, lower(d.name)
    HAVING count(DISTINCT a.id) BETWEEN 2 AND %(most)s
), found AS MATERIALIZED (
    SELECT DISTINCT ON (ids[1], other) ids[1] AS first_id, other AS second_id, reason
    FROM shared CROSS JOIN LATERAL unnest(ids[2:]) AS other
    ORDER BY ids[1], other, rank LIMIT %(pairs)s
), gone AS (
    DELETE FROM crm_duplicatesuspect s
    WHERE s.dismissed_at IS NULL AND NOT EXISTS (
        SELECT FROM found f
        WHERE f.first_id = s.first_id AND f.second_id = s.second_id)
)
INSERT INTO crm_duplicatesuspect (first_id, second_id, reason, found_at)
SELECT first_id, second_id, reason, clock_timestamp() FROM found
ON CONFLICT (first_id, second_id) DO UPDATE SET reason = excluded.reason
WHERE crm_duplicatesuspect.reason <> excluded.reason
"""


@transaction.atomic
def find_duplicates() -> int:
    """Look once more; what no longer looks alike goes. Answers how many are open."""
    with connection.cursor() as cursor:
        # One look at a time: two would race for the same pairs.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('find_duplicates'))")
        cursor.execute(
            FIND_DUPLICATES,
            {"most": MAX_SHARING, "pairs": MAX_FOUND, "digits": MIN_DIGITS},
        )
    return DuplicateSuspect.objects.open().count()


@transaction.atomic
def dismiss_duplicate(suspect: DuplicateSuspect, *, actor: Any, at: datetime) -> bool:
    """They are two people: not suspected again. False where it was said before."""
    changed = DuplicateSuspect.objects.filter(pk=suspect.pk, dismissed_at=None).update(
        dismissed_at=at, dismissed_by=actor
    )
    if changed:
        record_audit(actor=actor, action="told apart", on=suspect)
    return bool(changed)
