"""The preference center of a brand, and every wording it ever showed."""

from __future__ import annotations

import re
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from crm.models import Brand
from preferences.models.channel import Channel

# The page stays under 50 KB with the logo in it.
LOGO_MAX_CHARS = 32_000
LOGO_SHAPE = re.compile(r"data:image/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/=]+")
# What people read and agree to; each change makes a new wording.
TEXT_FIELDS = ("headline", "intro", "master_label", "master_hint", "footer")

check_colour = RegexValidator(
    r"\A#[0-9a-fA-F]{6}\Z", "Write a colour as # and six hex digits, like #4f46e5."
)


def check_logo(value: str) -> None:
    """No address and no SVG: the page loads nothing and runs nothing foreign."""
    if len(value) > LOGO_MAX_CHARS or not LOGO_SHAPE.fullmatch(value):
        raise ValidationError("Use a PNG, JPEG, WebP or GIF of at most 23 KB.")


def list_default_channels() -> list[str]:
    return [Channel.PUSH, Channel.EMAIL, Channel.SMS]


def list_default_locales() -> list[str]:
    return ["en"]


class PreferenceCenterQuerySet(models.QuerySet["PreferenceCenter"]):
    def published(self) -> Self:
        return self.filter(is_published=True)

    def default(self) -> PreferenceCenter | None:
        """The center of the default brand; the one where nothing names another."""
        ordered = self.select_related("brand").order_by("-brand__is_default", "pk")
        return ordered.first()


class PreferenceCenter(models.Model):
    """The page of one brand: its words, colours, channels and languages.

    `wording_version` is the version of its texts that people see now.
    """

    brand = models.OneToOneField(
        Brand, models.PROTECT, related_name="preference_center"
    )
    is_published = models.BooleanField("published", default=True)
    headline = models.CharField(max_length=120, default="Your notifications")
    intro = models.TextField(
        blank=True,
        default="Choose what you hear about, and where. Changes count at once.",
    )
    master_label = models.CharField(max_length=120, default="Enable all notifications")
    master_hint = models.CharField(
        max_length=200,
        blank=True,
        default="Off means silence, except for what your orders need.",
    )
    footer = models.TextField(blank=True)
    # {"de": {"headline": "…"}}: other languages; a missing text falls back.
    translations = models.JSONField(default=dict, blank=True)
    accent = models.CharField(
        "brand colour", max_length=7, default="#4f46e5", validators=[check_colour]
    )
    logo = models.TextField(blank=True, editable=False, validators=[check_logo])
    channels = ArrayField(
        models.CharField(max_length=16, choices=Channel.choices),
        default=list_default_channels,
    )
    locales = ArrayField(models.CharField(max_length=35), default=list_default_locales)
    privacy_policy_url = models.URLField(blank=True)
    privacy_policy_version = models.CharField(max_length=40, blank=True)
    wording_version = models.PositiveIntegerField(default=0, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PreferenceCenterQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(channels__len__gt=0), name="center_has_a_channel"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} preferences"

    def clean(self) -> None:
        for locale, texts in self._read_translations().items():
            if not isinstance(texts, dict) or set(texts) - set(TEXT_FIELDS):
                raise ValidationError(
                    {"translations": f"{locale}: use only {', '.join(TEXT_FIELDS)}."}
                )

    def _read_translations(self) -> dict[str, Any]:
        if not isinstance(self.translations, dict):
            raise ValidationError({"translations": "Write one object per language."})
        return self.translations

    def text(self, field: str, locale: str = "") -> str:
        """A text in this language, else in its base language, else as written."""
        for name in (locale, locale.partition("-")[0]):
            text = self.translations.get(name, {}).get(field)
            if text:
                return str(text)
        return str(getattr(self, field))


class CenterWording(models.Model):
    """What the page said under one version number: the proof of a consent.

    A database trigger refuses UPDATE and DELETE.
    """

    center = models.ForeignKey(
        PreferenceCenter, models.PROTECT, related_name="wordings"
    )
    version = models.PositiveIntegerField()
    texts = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["center", "version"], name="wording_one_per_version"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.center} v{self.version}"
