import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crm", "0022_index_computed_traits"),
        ("segments", "0003_index_changes_by_id"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ContactStage",
            fields=[
                (
                    "contact",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="crm.contact",
                    ),
                ),
                ("stage", models.CharField(max_length=50)),
                ("since", models.DateTimeField()),
                ("reason", models.CharField(max_length=300)),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["stage", "since"], name="contactstage_of_stage"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Lifecycle",
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
                ("number", models.PositiveIntegerField(unique=True)),
                ("stages", models.JSONField()),
                ("built_at", models.DateTimeField(editable=False, null=True)),
                ("done_to", models.BigIntegerField(default=0, editable=False)),
                ("goal", models.BigIntegerField(default=0, editable=False)),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-number"],
                "verbose_name_plural": "lifecycle",
            },
        ),
        migrations.CreateModel(
            name="StageChange",
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
                ("was", models.CharField(blank=True, max_length=50)),
                ("now", models.CharField(blank=True, max_length=50)),
                ("at", models.DateTimeField()),
                ("reason", models.CharField(max_length=300)),
                ("version", models.PositiveIntegerField()),
                (
                    "contact",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="crm.contact",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="StageClock",
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
                ("next_change_at", models.DateTimeField()),
                (
                    "contact",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="crm.contact",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="clocks",
                        to="segments.lifecycle",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="lifecycle",
            constraint=models.CheckConstraint(
                condition=models.Q(("number__gte", 1)), name="lifecycle_number_from_1"
            ),
        ),
        migrations.AddIndex(
            model_name="stagechange",
            index=models.Index(
                fields=["contact", "-at"], name="stagechange_of_contact"
            ),
        ),
        migrations.AddIndex(
            model_name="stagechange",
            index=models.Index(fields=["at"], name="stagechange_by_time"),
        ),
        migrations.AddConstraint(
            model_name="stagechange",
            constraint=models.CheckConstraint(
                condition=models.Q(("was", models.F("now")), _negated=True),
                name="stagechange_is_a_change",
            ),
        ),
        migrations.AddIndex(
            model_name="stageclock",
            index=models.Index(fields=["next_change_at"], name="stageclock_due"),
        ),
        migrations.AddConstraint(
            model_name="stageclock",
            constraint=models.UniqueConstraint(
                fields=("version", "contact"), name="stageclock_once"
            ),
        ),
    ]
