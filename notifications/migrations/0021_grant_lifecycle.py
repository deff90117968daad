"""Who sees segments may see the lifecycle; Marketer may change it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

from notifications.roles import APPS, grant_roles


def grant_right(apps: Any, schema_editor: Any) -> None:
    for label in APPS:
        config = apps.get_app_config(label)
        config.models_module = True
        create_permissions(config, apps=apps, verbosity=0)
        config.models_module = None
    grant_roles(
        apps.get_model("auth", "Group").objects,
        apps.get_model("auth", "Permission").objects,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("segments", "0004_add_lifecycle"),
        ("notifications", "0020_free_api_sends_of_keys"),
    ]

    operations = [
        migrations.RunPython(grant_right, migrations.RunPython.noop),
    ]
