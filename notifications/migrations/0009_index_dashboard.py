from django.contrib.postgres.operations import (
    AddIndexConcurrently,
    RemoveIndexConcurrently,
)
from django.db import migrations, models


class Migration(migrations.Migration):
    # Without a transaction, so that the table stays open for writing meanwhile.
    atomic = False

    dependencies = [
        ("notifications", "0008_grant_merges"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                fields=["campaign", "state", "source_kind"],
                name="delivery_by_campaign",
            ),
        ),
        RemoveIndexConcurrently(
            model_name="delivery",
            name="delivery_of_campaign",
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("state", "sent")),
                fields=["sent_at"],
                name="delivery_sent_at",
            ),
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(
                    (
                        "state__in",
                        ["skipped", "failed", "cancelled", "expired", "quarantined"],
                    )
                ),
                fields=["state", "finished_at"],
                include=("reason", "source_kind"),
                name="delivery_unsent",
            ),
        ),
    ]
