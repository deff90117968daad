"""Five groups of staff, and the right to launch."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management import create_permissions
from django.db import migrations

from notifications.roles import APPS, grant_roles


def add_roles(apps: Any, schema_editor: Any) -> None:
    # Django makes permissions after all migrations; on an empty database the groups
    # would get none.
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
        ("notifications", "0002_add_default_limits"),
        ("crm", "0003_index_contact_search"),
        ("preferences", "0002_guard_ledger"),
        ("segments", "0001_first_tables"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="campaign",
            options={
                "permissions": [
                    (
                        "launch_campaign",
                        "Can launch, pause, resume and cancel campaigns",
                    )
                ]
            },
        ),
        migrations.RunPython(add_roles, migrations.RunPython.noop),
    ]
