"""The table of products holds the items of every catalog from here on.

It keeps its name, and what is added has a default of the database: web servers of the
version before go on reading and adding products beside the new ones.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crm", "0007_lay_catalog_of_products"),
    ]

    operations = [
        # The same rows under another name; not RenameModel, which would take the
        # rights on products along.
        migrations.SeparateDatabaseAndState(
            database_operations=[],
            state_operations=[
                migrations.DeleteModel(name="Product"),
                migrations.CreateModel(
                    name="CatalogItem",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True,
                                primary_key=True,
                                serialize=False,
                                verbose_name="ID",
                            ),
                        ),
                        ("code", models.CharField(max_length=100, unique=True)),
                        ("name", models.CharField(max_length=300)),
                        (
                            "url",
                            models.CharField(
                                blank=True, max_length=2000, verbose_name="link"
                            ),
                        ),
                        (
                            "image_url",
                            models.CharField(
                                blank=True, max_length=2000, verbose_name="picture"
                            ),
                        ),
                        (
                            "price",
                            models.DecimalField(
                                blank=True, decimal_places=2, max_digits=14, null=True
                            ),
                        ),
                        (
                            "was_price",
                            models.DecimalField(
                                blank=True, decimal_places=2, max_digits=14, null=True
                            ),
                        ),
                        ("currency", models.CharField(blank=True, max_length=3)),
                        ("category", models.CharField(blank=True, max_length=200)),
                        ("stock", models.IntegerField(blank=True, null=True)),
                        ("attributes", models.JSONField(blank=True, default=dict)),
                        (
                            "updated_at",
                            models.DateTimeField(
                                default=django.utils.timezone.now, editable=False
                            ),
                        ),
                        (
                            "learned_at",
                            models.DateTimeField(blank=True, editable=False, null=True),
                        ),
                    ],
                    options={
                        "db_table": "crm_product",
                        "verbose_name": "item",
                        "ordering": ["catalog", "code"],
                    },
                ),
                migrations.AddConstraint(
                    model_name="catalogitem",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            ("price", None), ("price__gte", 0), _connector="OR"
                        ),
                        name="product_price_not_below_0",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="catalogitem",
            name="catalog",
            field=models.ForeignKey(
                db_default="products",
                default="products",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="items",
                to="crm.catalog",
            ),
        ),
        migrations.AddField(
            model_name="catalogitem",
            name="published_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="catalogitem",
            name="created_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(),
                default=django.utils.timezone.now,
                editable=False,
            ),
        ),
        migrations.AddField(
            model_name="catalogitem",
            name="archived_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddConstraint(
            model_name="catalogitem",
            constraint=models.UniqueConstraint(
                fields=("catalog", "code"), name="catalogitem_code_once_a_catalog"
            ),
        ),
        migrations.AlterField(
            model_name="catalogitem",
            name="code",
            field=models.CharField(max_length=100),
        ),
        migrations.AddIndex(
            model_name="catalogitem",
            index=models.Index(
                fields=["catalog", "category"], name="catalogitem_category"
            ),
        ),
        migrations.CreateModel(
            name="Product",
            fields=[],
            options={
                "proxy": True,
                "default_permissions": (),
                "indexes": [],
                "constraints": [],
            },
            bases=("crm.catalogitem",),
        ),
    ]
