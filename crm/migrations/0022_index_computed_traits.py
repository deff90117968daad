"""Beside live traffic, without holding up writes; a second try begins anew."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    # An index built beside live traffic cannot be part of a transaction.
    atomic = False

    dependencies = [
        ("crm", "0021_add_computed_traits"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="contact",
            index=GinIndex(
                fields=["computed"],
                name="contact_computed",
                opclasses=["jsonb_path_ops"],
            ),
        ),
    ]
