"""Devices: where a push can go, and whether it may."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from crm.models.contact import Contact, Identifier

# FCM expires Android registrations after this many days without contact.
TOKEN_LIFE_DAYS = 270


class DeviceQuerySet(models.QuerySet["Device"]):
    def reachable(self, at: datetime) -> Self:
        """Active devices whose owner's system lets us show a notification."""
        return self.filter(
            state=Device.State.ACTIVE,
            permission__in=Device.SHOWING,
            last_seen_at__gt=at - timedelta(days=TOKEN_LIFE_DAYS),
        )

    def of_external_id(self, external_id: str) -> Self:
        """Devices of one contact; all where nobody is named."""
        if not external_id:
            return self
        return self.filter(
            contact__identifiers__kind=Identifier.Kind.EXTERNAL_ID,
            contact__identifiers__value=external_id,
        )

    def searched(self, text: str) -> Self:
        """A whole token or installation id, or the owner's search."""
        said = text.strip()
        if not said:
            return self
        owners = Contact.objects.all().find_ids(said)
        # Each part has its partial index, which holds no empty texts.
        by_token = Q(token=said) & ~Q(token="")
        by_fid = Q(fid=said) & ~Q(fid="")
        return self.filter(by_token | by_fid | Q(contact__in=owners))

    def last_used_first(self) -> Self:
        return self.order_by("-last_seen_at", "-pk")


class Device(models.Model):
    """One installation of an app or browser.

    A token belongs to one device; the last registration owns it.
    """

    class Platform(models.TextChoices):
        IOS = "ios", "iOS"
        ANDROID = "android", "Android"
        WEB = "web", "Web"

    class Permission(models.TextChoices):
        """What the operating system answers when the app asks to notify."""

        GRANTED = "granted"
        PROVISIONAL = "provisional"
        DENIED = "denied"
        UNKNOWN = "unknown", "Not told by the app"

    # Permissions under which we send. Many SDKs never tell theirs, and a token
    # that the provider takes is worth a try; only a plain no is a no.
    SHOWING = (Permission.GRANTED, Permission.PROVISIONAL, Permission.UNKNOWN)

    class State(models.TextChoices):
        ACTIVE = "active"
        GONE = "gone", "App removed"
        INVALID = "invalid", "Token refused"
        WRONG_SENDER = "wrong_sender", "Belongs to another project"

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="devices")
    token = models.CharField(max_length=4096, blank=True)
    # Firebase installation id; preferred over the token where the app sends it.
    fid = models.CharField(max_length=255, blank=True)
    platform = models.CharField(max_length=16, choices=Platform.choices)
    permission = models.CharField(
        max_length=16, choices=Permission.choices, default=Permission.UNKNOWN
    )
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACTIVE)
    time_zone = models.CharField(max_length=64, blank=True)
    locale = models.CharField(max_length=35, blank=True)
    app_version = models.CharField(max_length=64, blank=True)
    name = models.CharField(max_length=200, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    # A token that re-registers after a send started survives that send's answer.
    registered_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    gone_at = models.DateTimeField(null=True, blank=True)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["token"], condition=~Q(token=""), name="device_owns_its_token"
            ),
            models.UniqueConstraint(
                fields=["fid"], condition=~Q(fid=""), name="device_owns_its_fid"
            ),
            models.CheckConstraint(
                condition=~Q(token="") | ~Q(fid=""), name="device_has_an_address"
            ),
        ]
        indexes = [
            # decisioning and segments: reachable devices of these contacts
            models.Index(
                fields=["contact", "-last_seen_at"],
                name="device_of_contact",
                condition=Q(state="active"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_platform_display()} {self.name or self.address[-8:]}"

    @property
    def address(self) -> str:
        """The token, or the installation id where there is no token."""
        return self.token or self.fid

    def is_reachable(self, at: datetime) -> bool:
        """The rule of `reachable`, for a row already read."""
        return (
            self.state == self.State.ACTIVE
            and self.permission in self.SHOWING
            and self.last_seen_at > at - timedelta(days=TOKEN_LIFE_DAYS)
        )
