"""A brand: the name that end users know. One deployment may speak for several."""

from __future__ import annotations

from django.db import models


class BrandQuerySet(models.QuerySet["Brand"]):
    def default(self) -> Brand | None:
        """The brand that speaks where nothing names another."""
        return self.order_by("-is_default", "pk").first()


class Brand(models.Model):
    """Name, home and fallbacks of one brand; its preference center hangs on it."""

    name = models.CharField(max_length=100, unique=True)
    slug = models.SlugField(unique=True)
    website = models.URLField(blank=True)
    # Schemes of the brand's apps, without "://": links with them are accepted.
    app_schemes = models.JSONField(default=list, blank=True)
    # IANA name; used for contacts whose own zone is unknown.
    time_zone = models.CharField(max_length=64, default="UTC")
    locale = models.CharField(max_length=35, default="en")
    is_default = models.BooleanField(default=False)

    objects = BrandQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=models.Q(is_default=True),
                name="brand_one_default",
            )
        ]

    def __str__(self) -> str:
        return self.name
