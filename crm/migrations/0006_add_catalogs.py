import django.utils.timezone
from django.db import migrations, models

import crm.models.secret


class Migration(migrations.Migration):
    dependencies = [
        ("crm", "0005_add_product_learned_at"),
    ]

    operations = [
        migrations.CreateModel(
            name="Catalog",
            fields=[
                (
                    "slug",
                    models.SlugField(
                        help_text="The name in templates and addresses: "
                        "catalog.<slug>[…]. It stays as it is.",
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("products", "Products"),
                            ("articles", "Articles"),
                            ("playlists", "Playlists"),
                            ("custom", "Something else"),
                        ],
                        max_length=16,
                    ),
                ),
                ("fields", models.JSONField(blank=True, default=list)),
                (
                    "webhook_secret",
                    crm.models.secret.EncryptedTextField(blank=True, editable=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
            ],
            options={"ordering": ["slug"]},
        ),
    ]
