from __future__ import annotations

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = "Messages"

    def ready(self) -> None:
        from django.core.checks import register

        from crm.ports.audiences import register_audiences
        from crm.ports.facts import register_facts, register_names, register_spoken
        from crm.ports.personal_data import register_holder
        from crm.ports.purposes import register_purposes
        from crm.ports.sheets import register_sheet
        from crm.ports.timeline import register_timeline
        from notifications.analytics.facts import MessageSource, read_campaign_names
        from notifications.analytics.personal_data import MessageHolder
        from notifications.analytics.purposes import MessagePurposes
        from notifications.analytics.sheets import DELIVERIES
        from notifications.analytics.spoken import SPOKEN
        from notifications.analytics.timeline import MessageTimeline
        from notifications.campaigns.audiences import CampaignAudiences
        from notifications.channels.checks import check_channel_settings
        from notifications.decisioning.reachable import ReachableSource

        register_sheet(DELIVERIES)
        register(check_channel_settings)
        register_holder(MessageHolder())
        register_timeline(MessageTimeline())
        register_purposes(MessagePurposes())
        register_audiences(CampaignAudiences())
        register_facts(MessageSource())
        register_facts(ReachableSource())
        register_spoken(SPOKEN)
        register_names("campaigns", read_campaign_names)
