"""The words that several tables share: channels and classes of message."""

from __future__ import annotations

from django.db import models


class Channel(models.TextChoices):
    PUSH = "push", "Push"
    EMAIL = "email", "E-mail"
    SMS = "sms", "SMS"
    WHATSAPP = "whatsapp", "WhatsApp"
    IN_APP = "in_app", "In-app"
    WEBHOOK = "webhook", "Webhook"


class PurposeClass(models.TextChoices):
    """What the law and the caps see: asked for by the person, or wanted by us."""

    PROMOTIONAL = "promotional"
    TRANSACTIONAL = "transactional"


class Origin(models.TextChoices):
    """Who made it; carried by every delivery so that reports can compare."""

    MANUAL = "manual", "Made by hand"
    AI = "ai", "Made by AI"
    HYBRID = "hybrid", "Made by AI, edited by hand"


class Relevance(models.TextChoices):
    """Levels of relevance, compared side by side in reports."""

    BROADCAST = "broadcast", "Broadcast"
    SEGMENT = "segment", "Segment"
    TRIGGER = "trigger", "Behavioural trigger"
    JOURNEY = "journey", "Journey"
    PERSONAL = "personal", "Written for one person"
