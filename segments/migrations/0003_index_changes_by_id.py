from django.contrib.postgres.operations import (
    AddIndexConcurrently,
    RemoveIndexConcurrently,
)
from django.db import migrations, models


class Migration(migrations.Migration):
    # Concurrently: the table takes a row of each who enters or leaves.
    atomic = False

    dependencies = [("segments", "0002_add_build_progress")]

    operations = [
        AddIndexConcurrently(
            model_name="membershipchange",
            index=models.Index(
                fields=["segment", "-at", "-id"], name="membershipchange_feed"
            ),
        ),
        RemoveIndexConcurrently(
            model_name="membershipchange", name="membershipchange_of_segment"
        ),
    ]
