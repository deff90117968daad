"""Who cared for an item, by its code: an index over the events that say so.

Partition by partition and concurrently, so that ingest goes on meanwhile. The texts
are those of `crm.catalog.audience`; a test asks PostgreSQL whether they still match.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

ABOUT = (
    "coalesce(nullif(properties ->> 'product_id', ''), nullif(properties ->> 'sku', ''),"
    " nullif(properties ->> 'code', ''), nullif(properties ->> 'product_code', ''),"
    " nullif(properties ->> 'variant', ''), properties ->> 'category',"
    " properties ->> 'topic', properties ->> 'author')"
)
NAMES = (
    "'Product Viewed', 'Product Clicked', 'Product Added', "
    "'Product Added to Wishlist', 'Product Shared', 'Item Viewed', 'Item Saved', "
    "'Article Viewed', 'Article Saved', 'Content Viewed', 'Content Saved', "
    "'Category Followed', 'Category Unfollowed', 'Topic Followed', "
    "'Topic Unfollowed', 'Author Followed', 'Author Unfollowed'"
)
COLUMNS = f"(({ABOUT}), contact_id, occurred_at) WHERE name IN ({NAMES})"
PARTITIONS = """
SELECT inhrelid::regclass::text FROM pg_inherits
WHERE inhparent = 'crm_event'::regclass ORDER BY 1
"""


def index_partitions(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            f"CREATE INDEX IF NOT EXISTS event_about ON ONLY crm_event {COLUMNS}"
        )
        cursor.execute(PARTITIONS)
        for (table,) in cursor.fetchall():
            name = f"{table}_about"
            # What a run that broke off left behind is no index yet.
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            cursor.execute(f"CREATE INDEX CONCURRENTLY {name} ON {table} {COLUMNS}")
            cursor.execute(f"ALTER INDEX event_about ATTACH PARTITION {name}")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("crm", "0009_add_catalog_changes")]

    operations = [
        migrations.RunPython(
            index_partitions, migrations.RunPython.noop, elidable=False
        )
    ]
