from __future__ import annotations

from django.apps import AppConfig


class PreferencesConfig(AppConfig):
    name = "preferences"
    verbose_name = "Consent"

    def ready(self) -> None:
        from crm.ports.effects import register_effects
        from crm.ports.facts import register_facts, register_names, register_spoken
        from crm.ports.personal_data import register_holder
        from crm.ports.purposes import register_purposes
        from crm.ports.timeline import register_timeline
        from preferences.effects import ConsentEffects, SuppressionEffects
        from preferences.facts import SPOKEN, ConsentSource, read_topic_names
        from preferences.personal_data import ConsentHolder
        from preferences.purposes import ConsentPurposes
        from preferences.timeline import ConsentTimeline

        register_effects(ConsentEffects())
        register_effects(SuppressionEffects())
        register_facts(ConsentSource())
        register_spoken(SPOKEN)
        register_names("topics", read_topic_names)
        register_holder(ConsentHolder())
        register_timeline(ConsentTimeline())
        register_purposes(ConsentPurposes())
