"""What an API call asked to be sent, beside the delivery it became."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone

from crm.events.words import describe_properties
from notifications.models.delivery import Delivery


class ApiSend(models.Model):
    """One call. The delivery is the message; this is what only the caller knew.

    `data` is what Liquid sees as `event` and `trigger`; `texts` are the fields of the
    content that the call said itself, over those of its template.
    """

    # Of `target`; anything else is a device's token.
    ALL_DEVICES = "all"
    LAST_USED = "last_used"

    delivery = models.OneToOneField(
        Delivery, models.CASCADE, primary_key=True, related_name="api_send"
    )
    data: Any = models.JSONField(default=dict)
    texts: Any = models.JSONField(default=dict)
    target = models.TextField(default=ALL_DEVICES)
    # BCP 47; '' : the person's own.
    locale = models.CharField(max_length=35, blank=True)
    # False: what the person was shown is not kept.
    keeps_text = models.BooleanField(default=True)
    actor = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            # delivery.retention: calls whose messages ended long ago
            models.Index(fields=["created_at"], name="apisend_created"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.delivery_id}"

    @property
    def in_words(self) -> str:
        """The data as staff read it, cut where it is long."""
        return describe_properties(self.data)
