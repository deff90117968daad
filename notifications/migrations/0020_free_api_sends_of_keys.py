from django.db import migrations

# The columns stay, so that workers of before can still write them.
LET_GO = """
ALTER TABLE notifications_apisend
    ALTER COLUMN idempotency_key SET DEFAULT '',
    ALTER COLUMN fingerprint SET DEFAULT ''
"""
HOLD = """
ALTER TABLE notifications_apisend
    ALTER COLUMN idempotency_key DROP DEFAULT,
    ALTER COLUMN fingerprint DROP DEFAULT
"""


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0019_grant_subscriptions"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(LET_GO, HOLD)],
            state_operations=[
                migrations.RemoveConstraint(
                    model_name="apisend", name="apisend_key_once"
                ),
                migrations.RemoveField(model_name="apisend", name="fingerprint"),
                migrations.RemoveField(model_name="apisend", name="idempotency_key"),
            ],
        ),
    ]
