"""Dates compared by the days of the contact's own calendar.

Whose zone: the profile's, else that of the device seen last, else the default
brand's, else UTC; a name that the database does not know is passed over. A date
without a time is that day wherever the contact lives; a moment is the day that it
was there.
"""

from __future__ import annotations

from crm.facts.comparisons import Comparison
from crm.facts.periods import span_anniversary, span_period
from crm.ports.facts import Scope, Sql, list_known_zones

ZONE = """coalesce(own.name, device.name, (SELECT b.time_zone FROM crm_brand b
  WHERE b.time_zone = ANY(%s::text[]) ORDER BY b.is_default DESC, b.id LIMIT 1),
  'UTC')"""
ZONES = """LEFT JOIN unnest(%s::text[]) AS own (name) ON own.name = p.time_zone
LEFT JOIN LATERAL (SELECT v.time_zone AS name FROM crm_device v
  WHERE own.name IS NULL AND v.contact_id = p.contact_id AND v.state = 'active'
    AND v.time_zone = ANY(%s::text[])
  ORDER BY v.last_seen_at DESC, v.id DESC LIMIT 1) device ON TRUE"""
# Each OFFSET 0 is a fence: without it, what is computed once would be written out,
# and computed, wherever it is used.
SPANS = """SELECT d.contact_id, d.zone, d.t, {span} FROM (
  SELECT m.contact_id, m.zone, (%s::timestamptz AT TIME ZONE m.zone)::date AS t,
    (m.moment AT TIME ZONE CASE WHEN m.is_day THEN 'UTC' ELSE m.zone END)::date AS d
  FROM (
    SELECT p.contact_id, p.moment, p.is_day, {zone} AS zone FROM (
      SELECT c.id AS contact_id, c.time_zone, {moment} AS moment, {is_day} AS is_day
      FROM crm_contact c {people}{limit} OFFSET 0) p
    {zones}
    WHERE p.moment IS NOT NULL OFFSET 0) m OFFSET 0) d OFFSET 0"""
# The first moment of a day: where clocks go back over midnight, it comes twice.
DAWN = """CASE WHEN ((s.dawn - interval '1 hour') AT TIME ZONE s.zone)::date >= s.day
THEN s.dawn - interval '1 hour' ELSE s.dawn END"""


def list_spans(
    comparison: Comparison, *, moment: Sql, is_day: Sql, people: Sql, scope: Scope
) -> Sql:
    """Each contact's `zone`, today `t`, and the days `starts` to `ends` (excluded) on
    which the comparison holds; contacts without a date are left out. `people` is what
    follows `crm_contact c`: joins and conditions."""
    if comparison.op == "during":
        span = span_period(comparison.value)
    else:
        span = span_anniversary(comparison.value)
    names, limit = list(list_known_zones()), scope.limit("c.id")
    text = SPANS.replace("{span}", span.text).replace("{zones}", ZONES)
    text = text.replace("{zone}", ZONE).replace("{moment}", moment.text)
    text = text.replace("{is_day}", is_day.text).replace("{people}", people.text)
    before = (*span.params, scope.at, names, *moment.params, *is_day.params)
    after = (*people.params, *limit.params, names, names)
    return Sql(text.replace("{limit}", limit.text), (*before, *after))


def select_on_days(spans: Sql) -> Sql:
    return Sql(
        f"SELECT s.contact_id FROM ({spans.text}) s "
        "WHERE s.t >= s.starts AND s.t < s.ends",
        spans.params,
    )


def wake_on_days(spans: Sql) -> Sql:
    """The first moment of the day on which the answer changes next, if it does."""
    return Sql(
        f"SELECT s.contact_id, {DAWN} AS wake_at FROM (SELECT q.*, "
        "q.day::timestamp AT TIME ZONE q.zone AS dawn FROM (SELECT r.*, "
        "CASE WHEN r.t < r.starts THEN r.starts ELSE r.ends END AS day "
        f"FROM ({spans.text}) r WHERE r.t < r.ends) q) s",
        spans.params,
    )
