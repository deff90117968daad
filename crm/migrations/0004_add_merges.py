"""Merges with their journals, and where moved events and identifiers came from."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

KEEP_CONTENT = """
CREATE OR REPLACE FUNCTION crm_event_keeps_content() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF (to_jsonb(NEW) - 'contact_id' - 'origin_id')
        IS DISTINCT FROM (to_jsonb(OLD) - 'contact_id' - 'origin_id')
    THEN
        RAISE EXCEPTION 'crm_event: content never changes'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("crm", "0003_index_contact_search"),
    ]

    operations = [
        migrations.AddField(
            model_name="event",
            name="origin_id",
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="identifier",
            name="origin_id",
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.RunSQL(KEEP_CONTENT, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="Merge",
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
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("made_by", models.CharField(max_length=150)),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("undone_at", models.DateTimeField(blank=True, null=True)),
                ("undone_by", models.CharField(blank=True, max_length=150)),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="merges_away",
                        to="crm.contact",
                    ),
                ),
                (
                    "target",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="merges_taken",
                        to="crm.contact",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["made_at"], name="merge_made_at")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("undone_at", None)),
                        fields=("source",),
                        name="merge_away_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("source", models.F("target")), _negated=True
                        ),
                        name="merge_of_two_contacts",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MergeJournal",
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
                ("holder", models.CharField(max_length=64)),
                ("moved", models.JSONField(default=dict)),
                (
                    "merge",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="journals",
                        to="crm.merge",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("merge", "holder"), name="merge_journal_once"
                    )
                ],
            },
        ),
    ]
