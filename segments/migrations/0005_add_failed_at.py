from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("segments", "0004_add_lifecycle"),
    ]

    operations = [
        migrations.AddField(
            model_name="segment",
            name="failed_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
