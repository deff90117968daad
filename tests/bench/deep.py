"""A table of events that is years old, for benches that ask what its size costs."""

from __future__ import annotations

import psycopg

DEEP_DAYS = 180
FILL_EVENTS = """
INSERT INTO crm_event (id, contact_id, name, occurred_at, received_at, message_id,
  properties, context, value, currency, source, clock_skewed)
SELECT gen_random_uuid(), 1 + (i::bigint * 7919) %% greatest(1, %(events)s / 10),
  (ARRAY['Product Viewed','Cart Updated','Order Completed','App Opened'])[1 + i %% 4],
  now() - make_interval(secs => 86400.0 * %(days)s * (%(events)s - i) / %(events)s),
  now(), 'deep-' || md5(i::text),
  jsonb_build_object('product_id', 'sku-' || i %% 4000, 'category', 'garden',
    'total', i %% 300, 'currency', 'GBP'),
  '{"library": {"name": "bench", "version": "1"}}', i %% 300, 'GBP', 'bench', false
FROM generate_series(1, %(events)s) AS i
"""
FILL_KEYS = """
INSERT INTO crm_messagekey (message_id, seen_at)
SELECT message_id, occurred_at FROM crm_event
WHERE occurred_at > now() - interval '7 days'
"""


def fill_deep(url: str, events: int) -> None:
    """So many older events, ten a person, over partitions that are there; and the
    message keys of the last seven days of them."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL_EVENTS, {"events": events, "days": DEEP_DAYS})
        connection.execute(FILL_KEYS)
        connection.execute("VACUUM ANALYZE crm_event, crm_messagekey")
