"""The channels a person can allow or refuse."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Channel(models.TextChoices):
    """Where a message can go. '' in a row means every channel."""

    PUSH = "push", _("Push")
    EMAIL = "email", _("E-mail")
    SMS = "sms", _("SMS")
    IN_APP = "in_app", _("In app")
    WHATSAPP = "whatsapp", _("WhatsApp")
