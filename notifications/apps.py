from __future__ import annotations

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = "Messages"

    def ready(self) -> None:
        from crm.ports.personal_data import register_holder
        from crm.ports.purposes import register_purposes
        from crm.ports.timeline import register_timeline
        from notifications.analytics.personal_data import MessageHolder
        from notifications.analytics.purposes import MessagePurposes
        from notifications.analytics.timeline import MessageTimeline

        register_holder(MessageHolder())
        register_timeline(MessageTimeline())
        register_purposes(MessagePurposes())
