"""Limits of day one (semantics: 21:00 to 08:00, 1 push a day, 3 a week, 5 in all)."""

from __future__ import annotations

from datetime import time
from typing import Any

from django.db import migrations

CAPS = [
    # name, kind, limit, n, unit, channel
    ("One push a day", "rolling", 1, 1, "day", "push"),
    ("Three pushes a week", "rolling", 3, 1, "week", "push"),
    ("Five messages a week", "rolling", 5, 1, "week", ""),
    ("Four hours between pushes", "cooldown", 1, 4, "hour", "push"),
]


def add_limits(apps: Any, schema_editor: Any) -> None:
    apps.get_model("notifications", "QuietHours").objects.create(
        name="Night", starts=time(21), ends=time(8)
    )
    cap = apps.get_model("notifications", "FrequencyCap")
    for name, kind, limit, n, unit, channel in CAPS:
        cap.objects.create(
            name=name, kind=kind, limit=limit, n=n, unit=unit, channel=channel
        )


class Migration(migrations.Migration):
    dependencies = [("notifications", "0001_first_tables")]

    operations = [migrations.RunPython(add_limits, migrations.RunPython.noop)]
