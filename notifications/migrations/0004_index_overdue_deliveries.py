from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Without a transaction, so that the table stays open for writing meanwhile.
    atomic = False

    dependencies = [
        ("notifications", "0003_add_roles"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("state", "pending")),
                fields=["expires_at"],
                name="delivery_overdue",
            ),
        ),
    ]
