from django.db import migrations

# Django adds it for LIKE to each unique text. Prefixes are searched in identifiers,
# so it was written with each contact and never read.
DROP = "DROP INDEX IF EXISTS crm_contact_external_id_1505bd1e_like"
MAKE = """
CREATE INDEX IF NOT EXISTS crm_contact_external_id_1505bd1e_like
ON crm_contact (external_id varchar_pattern_ops)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("crm", "0026_make_import_touches_light"),
    ]

    operations = [
        migrations.RunSQL(DROP, MAKE),
    ]
