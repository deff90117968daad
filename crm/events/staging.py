"""People of whom each row is alone in its file's chunk, judged and written by SQL.

The rows come by COPY into `bulk_said`. No two of them mean the same person or address,
so their order does not matter, and one statement does each step for all of them. The
rule of the newest word is `crm.events.traits.merge_traits`, here as SQL: a test holds
the two equal. Rows that do depend on each other are told apart (`find_knots`) and left.

The tables are temporary, and gone with the transaction:

- `bulk_said`   what the rows say
- `bulk_found`  whom each one leads to
- `bulk_known`  those contacts, locked in the order of their ids
- `bulk_met`    whom it means or makes, and who has the addresses that it says
- `bulk_judged` the known as they are to be
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec
from django.db import connection

from crm.events.identity import IdentityRaceLost
from crm.events.lines import Lines
from crm.events.naming import EMAIL_KEY
from crm.models.ids import UUID7_SQL

# Compiling a statement costs more than a chunk of rows does.
MAKE_TABLES: Final = """
SET LOCAL jit = off;
CREATE TEMP TABLE IF NOT EXISTS bulk_said (n int, uuid uuid, shape int,
    external_id text, mail text, mail_key text, email_key text, email text, phone text,
    locale text, time_zone text, traits jsonb) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS bulk_found (n int, led bigint) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS bulk_known (id bigint, email text, phone text,
    locale text, time_zone text, traits jsonb, traits_at jsonb, is_usable bool
    ) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS bulk_met (n int, led bigint, made bigint, is_odd bool,
    email_of bigint, phone_of bigint, old_email_of bigint, old_phone_of bigint
    ) ON COMMIT DROP;
CREATE TEMP TABLE IF NOT EXISTS bulk_judged (n int, id bigint, traits jsonb,
    traits_at jsonb, before jsonb, email text, phone text, locale text, time_zone text,
    has_moved bool, email_key text, phone_key text) ON COMMIT DROP;
TRUNCATE bulk_said, bulk_found, bulk_known, bulk_met, bulk_judged
"""
COPY_SAID: Final = "COPY bulk_said FROM STDIN"
# By look-ups, whatever the planner thinks of a table that it knows nothing about.
HOLDER: Final = """
(SELECT contact_id FROM crm_identifier WHERE kind = '{kind}' AND value = {value})
"""
FIND: Final = f"""
WITH met AS MATERIALIZED (
    SELECT n, CASE WHEN external_id IS NOT NULL
        THEN {HOLDER.format(kind="external_id", value="external_id")}
        ELSE coalesce({HOLDER.format(kind="external_id", value="mail")},
            {HOLDER.format(kind="email", value="mail_key")},
            {HOLDER.format(kind="anonymous_id", value=f"'{EMAIL_KEY}' || mail_key")})
        END AS led
    FROM bulk_said
)
INSERT INTO bulk_found SELECT n, CASE WHEN led IS NOT NULL THEN
    (SELECT coalesce(canonical_id, id) FROM crm_contact WHERE id = led) END
FROM met
"""
KNOW: Final = """
WITH held AS MATERIALIZED (
    SELECT * FROM crm_contact
    WHERE id IN (SELECT led FROM bulk_found WHERE led IS NOT NULL)
    ORDER BY id {lock}
), kept AS (
    INSERT INTO bulk_known SELECT id, email, phone, locale, time_zone, traits,
        traits_at, canonical_id IS NULL AND erased_at IS NULL FROM held
    RETURNING id, is_usable
)
SELECT count(*) FILTER (WHERE is_usable) =
    (SELECT count(DISTINCT led) FROM bulk_found) FROM kept
"""
# Who has an address is asked for the new, and where a known one's may move. Those with
# a letter that PostgreSQL may lower as Python does not are odd, and those with an old
# address that leads to nobody: they take it when they move, if no other row does.
MEET: Final = f"""
WITH counter AS MATERIALIZED (
    SELECT pg_get_serial_sequence('crm_contact', 'id')::regclass AS ids
), met AS MATERIALIZED (
    SELECT s.n, f.led, s.email_key, s.phone, k.email AS old_email,
        k.phone AS old_phone, k.id IS NULL AS is_new,
        coalesce(s.email <> k.email, false) OR coalesce(s.phone <> k.phone, false)
            AS may_move
    FROM bulk_said s JOIN bulk_found f USING (n) LEFT JOIN bulk_known k ON k.id = f.led
), held AS (
    SELECT met.*,
        CASE WHEN is_new THEN nextval((SELECT ids FROM counter)) END AS made,
        CASE WHEN is_new OR may_move THEN
            {HOLDER.format(kind="email", value="email_key")} END AS email_of,
        CASE WHEN (is_new OR may_move) AND phone IS NOT NULL THEN
            {HOLDER.format(kind="phone", value="met.phone")} END AS phone_of,
        CASE WHEN may_move THEN
            {HOLDER.format(kind="email", value="lower(old_email)")} END
            AS old_email_of,
        CASE WHEN may_move THEN
            {HOLDER.format(kind="phone", value="old_phone")} END AS old_phone_of
    FROM met
)
INSERT INTO bulk_met SELECT n, led, made,
    may_move AND (octet_length(old_email) <> char_length(old_email)
        OR (old_email <> '' AND old_email_of IS NULL)
        OR (old_phone <> '' AND old_phone_of IS NULL)),
    email_of, phone_of, old_email_of, old_phone_of
FROM held
"""
FIND_KNOTS: Final = """
WITH asked AS (
    SELECT m.n, h.holder FROM bulk_met m
    CROSS JOIN LATERAL (VALUES (email_of), (phone_of), (old_email_of), (old_phone_of))
        AS h (holder)
    WHERE coalesce(email_of, phone_of, old_email_of, old_phone_of) IS NOT NULL
), odd AS (
    SELECT m.n, lower(k.email) AS email, k.phone
    FROM bulk_met m JOIN bulk_known k ON k.id = m.led WHERE m.is_odd
)
SELECT n FROM bulk_met WHERE n = ANY(%s::int[])
UNION SELECT n FROM odd
UNION SELECT n FROM bulk_said WHERE email_key IN (SELECT email FROM odd)
    OR phone IN (SELECT phone FROM odd)
UNION SELECT n FROM bulk_met WHERE led IN (
    SELECT led FROM bulk_met GROUP BY led HAVING count(*) > 1)
UNION SELECT unnest(ARRAY[a.n, m.n]) FROM asked a
    JOIN bulk_met m ON m.led = a.holder AND m.n <> a.n
"""
LEAVE_KNOTS: Final = "DELETE FROM bulk_met WHERE n = ANY(%s::int[])"
# A word wins over an older one and over one of the same moment, trait by trait.
JUDGE: Final = """
INSERT INTO bulk_judged
SELECT m.n, k.id, k.traits || w.said, k.traits_at || w.stamps, w.before,
    v.email, v.phone,
    CASE WHEN w.stamps ? 'locale' THEN coalesce(s.locale, k.locale)
        ELSE k.locale END,
    CASE WHEN w.stamps ? 'timezone' THEN coalesce(s.time_zone, k.time_zone)
        ELSE k.time_zone END,
    v.email <> k.email OR v.phone <> k.phone,
    CASE WHEN v.email = s.email THEN
        CASE WHEN coalesce(m.email_of, k.id) = k.id THEN s.email_key END
        WHEN coalesce(m.old_email_of, k.id) = k.id THEN nullif(lower(k.email), '') END,
    CASE WHEN v.phone = s.phone THEN
        CASE WHEN coalesce(m.phone_of, k.id) = k.id THEN s.phone END
        WHEN coalesce(m.old_phone_of, k.id) = k.id THEN nullif(k.phone, '') END
FROM bulk_met m JOIN bulk_said s USING (n) JOIN bulk_known k ON k.id = m.led
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(key, value), '{}') AS said,
        coalesce(jsonb_object_agg(key, %(stamp)s::jsonb), '{}') AS stamps,
        jsonb_object_agg(key, jsonb_build_array(k.traits -> key, k.traits_at -> key))
            FILTER (WHERE k.traits -> key IS DISTINCT FROM value) AS before
    FROM jsonb_each(s.traits)
    WHERE %(stamp)s::float8 >= coalesce((k.traits_at ->> key)::float8, '-infinity')
) w
CROSS JOIN LATERAL (
    SELECT CASE WHEN w.stamps ? 'email' THEN coalesce(s.email, k.email)
            ELSE k.email END AS email,
        CASE WHEN w.stamps ? 'phone' THEN coalesce(s.phone, k.phone)
            ELSE k.phone END AS phone
) v
"""
TELL_OUTCOMES: Final = """
SELECT m.n, CASE WHEN m.led IS NULL THEN 'new' WHEN j.before IS NULL THEN 'same'
    ELSE 'changed' END
FROM bulk_met m LEFT JOIN bulk_judged j USING (n)
"""
MAKE_CONTACTS: Final = """
INSERT INTO crm_contact (id, uuid, external_id, email, phone, traits, traits_at, locale,
    time_zone, known_since, created_at, updated_at)
SELECT m.made, s.uuid, s.external_id, coalesce(s.email, ''), coalesce(s.phone, ''),
    s.traits, %(shapes)s::jsonb -> s.shape, coalesce(s.locale, ''),
    coalesce(s.time_zone, ''), %(at)s, %(at)s, %(at)s
FROM bulk_met m JOIN bulk_said s USING (n) WHERE m.made IS NOT NULL
"""
WRITE_KNOWN: Final = """
UPDATE crm_contact c SET traits = j.traits, traits_at = j.traits_at, email = j.email,
    phone = j.phone, locale = j.locale, time_zone = j.time_zone,
    updated_at = clock_timestamp()
FROM bulk_judged j
WHERE c.id = j.id AND (j.before IS NOT NULL OR c.traits_at <> j.traits_at)
"""
DELETE_KEYS: Final = """
DELETE FROM crm_identifier WHERE kind IN ('email', 'phone')
    AND contact_id = ANY(ARRAY(SELECT id FROM bulk_judged WHERE has_moved))
"""
# Others may have had a key meanwhile: that is an error, and all of it begins anew.
# ON CONFLICT would cost each row a third more.
INSERT_KEYS: Final = f"""
WITH made AS MATERIALIZED (
    SELECT * FROM bulk_met JOIN bulk_said USING (n) WHERE made IS NOT NULL
)
INSERT INTO crm_identifier (kind, value, contact_id, created_at)
SELECT kind, value, owner, clock_timestamp() FROM (
    SELECT 'external_id', external_id, made FROM made WHERE external_id IS NOT NULL
    UNION ALL SELECT 'anonymous_id', '{EMAIL_KEY}' || mail_key, made FROM made
        WHERE external_id IS NULL
    UNION ALL SELECT 'email', email_key, made FROM made
        WHERE email_key IS NOT NULL AND email_of IS NULL
    UNION ALL SELECT 'phone', phone, made FROM made
        WHERE phone IS NOT NULL AND phone_of IS NULL
    UNION ALL SELECT 'email', email_key, id FROM bulk_judged
        WHERE has_moved AND email_key IS NOT NULL
    UNION ALL SELECT 'phone', phone_key, id FROM bulk_judged
        WHERE has_moved AND phone_key IS NOT NULL
) AS k (kind, value, owner) ORDER BY kind, value
"""
# Who was made or changed, and what an undo needs; for the caller, in its transaction.
TOUCHED: Final = """
SELECT made AS contact_id, true AS made, '{}'::jsonb AS before
FROM bulk_met WHERE made IS NOT NULL
UNION ALL SELECT id, false, before FROM bulk_judged WHERE before IS NOT NULL
"""
LEAVE_PENDING: Final = f"""
INSERT INTO crm_pendingevent (event_id, occurred_at, contact_id, name, attempts,
    last_error, created_at)
SELECT {UUID7_SQL}, %(at)s, contact_id, '$identify', 0, '', %(at)s
FROM ({TOUCHED}) AS t
"""


def judge_lines(
    lines: Lines, *, at: datetime, lock: bool
) -> tuple[dict[int, str], list[int]]:
    """What each row comes to, by its place, and the places of those left out.

    With `lock`, all contacts that any row leads to are locked. Nothing is written.
    """
    with connection.cursor() as cursor:
        cursor.execute(MAKE_TABLES)
        with cursor.copy(COPY_SAID) as copy:
            copy.write(lines.text)
        cursor.execute(FIND)
        cursor.execute(KNOW.format(lock="FOR NO KEY UPDATE" if lock else ""))
        if not cursor.fetchone()[0]:
            raise IdentityRaceLost
        cursor.execute(MEET)
        cursor.execute(FIND_KNOTS, [sorted(lines.knots)])
        knots = sorted(n for (n,) in cursor.fetchall())
        if knots:
            cursor.execute(LEAVE_KNOTS, [knots])
        cursor.execute(JUDGE, {"stamp": write_stamp(at)})
        cursor.execute(TELL_OUTCOMES)
        return dict(cursor.fetchall()), knots


def write_judged(lines: Lines, *, at: datetime) -> None:
    """Write what `judge_lines` found, in the same transaction."""
    stamps = [dict.fromkeys(shape, at.timestamp()) for shape in lines.shapes]
    params: dict[str, Any] = {"at": at, "shapes": write_json(stamps)}
    with connection.cursor() as cursor:
        cursor.execute(MAKE_CONTACTS, params)
        cursor.execute(WRITE_KNOWN)
        cursor.execute(DELETE_KEYS)
        cursor.execute(INSERT_KEYS)
        cursor.execute(LEAVE_PENDING, params)


def write_stamp(at: datetime) -> str:
    return write_json(at.timestamp())


def write_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
