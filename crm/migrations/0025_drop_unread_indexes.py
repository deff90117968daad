"""Two indexes that no query reads, and that every message and every contact wrote.

Django adds one for LIKE to each text that is unique; nobody searches these by prefix
(contacts are found by `identifier_prefix`).
"""

from __future__ import annotations

from django.db import migrations

NAMES = (
    ("crm_messagekey_message_id_fe70487b_like", "crm_messagekey (message_id"),
    ("crm_contact_external_id_1505bd1e_like", "crm_contact (external_id"),
)


class Migration(migrations.Migration):
    # Concurrently: ingest goes on meanwhile.
    atomic = False
    dependencies = [("crm", "0024_add_subscriptions")]

    operations = [
        migrations.RunSQL(
            f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} "
            f"ON {columns} varchar_pattern_ops)",
        )
        for name, columns in NAMES
    ]
