"""Templates: what a message says, per channel, locale and variant."""

from __future__ import annotations

from typing import Any, Self

from django.apps import apps
from django.conf import settings
from django.db import models
from django.utils import timezone

from notifications.models.channel import Channel, PurposeClass


class TemplateQuerySet(models.QuerySet["Template"]):
    def with_campaign(self) -> Self:
        """Annotates `campaign_id` and `campaign_name`; null where only the API uses it.

        A campaign writes a template of its own at each save.
        """
        versions = apps.get_model("notifications", "CampaignVersion").objects
        newest = versions.filter(template=models.OuterRef("pk")).order_by("-pk")
        return self.annotate(
            campaign_id=models.Subquery(newest.values("campaign_id")[:1]),
            campaign_name=models.Subquery(newest.values("campaign__name")[:1]),
        )


class Template(models.Model):
    """A named message. The live row points at one immutable version."""

    name = models.SlugField(max_length=100, unique=True)
    purpose_class = models.CharField(
        max_length=16, choices=PurposeClass.choices, default=PurposeClass.PROMOTIONAL
    )
    default_locale = models.CharField(max_length=35, default="en")
    # Null only between the first insert and its first version.
    current_version = models.ForeignKey(
        "TemplateVersion", models.PROTECT, null=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = TemplateQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    """One immutable edition; work in flight keeps the one it began with."""

    template = models.ForeignKey(Template, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["template", "number"], name="templateversion_number"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} v{self.number}"


class TemplateContent(models.Model):
    """The Liquid sources of one channel × locale × variant.

    `fields` for push: title, body, image_url, link, sound, channel_id, badge,
    buttons [{title, link}], data {key: value}.
    """

    version = models.ForeignKey(
        TemplateVersion, models.CASCADE, related_name="contents"
    )
    channel = models.CharField(max_length=16, choices=Channel.choices)
    locale = models.CharField(max_length=35, default="en")
    # '' is the message itself; experiments name theirs.
    variant = models.CharField(max_length=32, blank=True)
    fields: Any = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "channel", "locale", "variant"],
                name="templatecontent_one_each",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} {self.channel} {self.locale} {self.variant}".strip()
