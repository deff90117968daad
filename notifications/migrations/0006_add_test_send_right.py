"""A test send is a right of its own: it reaches somebody, writing a campaign does not."""

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
    dependencies = [("notifications", "0005_remember_recent_answers")]

    operations = [
        migrations.AlterModelOptions(
            name="campaign",
            options={
                "permissions": [
                    (
                        "launch_campaign",
                        "Can launch, pause, resume and cancel campaigns",
                    ),
                    ("send_test", "Can send a campaign's message to one person"),
                ]
            },
        ),
        migrations.RunPython(grant_right, migrations.RunPython.noop),
    ]
