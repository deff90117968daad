"""Senders, templates, campaigns, deliveries, attempts, and what came of them."""

from notifications.models.alert import Alert
from notifications.models.api_send import ApiSend
from notifications.models.campaign import Campaign, CampaignVersion
from notifications.models.delivery import Attempt, Delivery, RenderedMessage
from notifications.models.engagement import Conversion, Engagement
from notifications.models.limits import FrequencyCap, QuietHours
from notifications.models.sender import Breaker, Sender
from notifications.models.switch import Switch
from notifications.models.template import Template, TemplateContent, TemplateVersion

__all__ = [
    "Alert",
    "ApiSend",
    "Attempt",
    "Breaker",
    "Campaign",
    "CampaignVersion",
    "Conversion",
    "Delivery",
    "Engagement",
    "FrequencyCap",
    "QuietHours",
    "RenderedMessage",
    "Sender",
    "Switch",
    "Template",
    "TemplateContent",
    "TemplateVersion",
]
