"""The products that are there belong to a catalog from here on: this one."""

from __future__ import annotations

from typing import Any

from django.db import migrations


def lay_catalog(apps: Any, schema_editor: Any) -> None:
    apps.get_model("crm", "Catalog").objects.get_or_create(
        slug="products", defaults={"name": "Products", "kind": "products"}
    )


class Migration(migrations.Migration):
    dependencies = [("crm", "0006_add_catalogs")]

    operations = [migrations.RunPython(lay_catalog, migrations.RunPython.noop)]
