"""The campaign form: what staff type, mapped to a Definition and back.

It decides nothing: `save_campaign` checks and saves, and its faults land on the
fields they name.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.urls import reverse

from crm.models import Brand
from notifications.admin.campaign_fields import CampaignFields
from notifications.admin.texts import (
    TranslationFormSet,
    locale_validator,
    spread_text,
)
from notifications.campaigns.compose import Definition, Text, save_campaign
from notifications.campaigns.summary import LOCAL_FORMAT
from notifications.models import Campaign, CampaignVersion, TemplateContent
from notifications.models.channel import Relevance

Version = CampaignVersion
# Columns that the form and the version share by name.
COLUMNS = (
    "segment",
    "recheck_audience",
    "purpose_class",
    "topic",
    "kind",
    "time_zone",
    "interval",
    "crontab",
    "trigger_event",
    "trigger_filters",
    "trigger_delay_s",
    "reentry",
    "reentry_gap_s",
    "sender",
    "device_target",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_content",
    "priority",
    "ttl_s",
    "quiet_policy",
    "cap_policy",
    "ignores_caps",
    "counts_in_caps",
    "goal_event",
    "goal_window_s",
    "goal_anchor",
    "exit_on_goal",
    "exit_events",
)
# Which fields each way of starting needs; the page hides the others.
SHOWN_BY_KIND = {
    "once": ("send_at", "time_zone"),
    "local": ("local_send_at", "time_zone"),
    "recurring": ("send_at", "time_zone", "interval", "crontab"),
    "event": (
        "trigger_event",
        "trigger_filters",
        "trigger_delay_s",
        "reentry",
        "reentry_gap_s",
    ),
    "segment_entered": ("trigger_delay_s", "reentry", "reentry_gap_s"),
}


class CampaignForm(CampaignFields, forms.ModelForm):
    """One page: its values are a Definition, its last check is the save."""

    class Meta:
        model = Campaign
        fields = ("name", "origin")

    # Set by the admin on a class of its own per request.
    by: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        campaign: Campaign | None = kwargs.get("instance")
        version = campaign.current_version if campaign else None
        texts = read_texts(version)
        kwargs["initial"] = {
            **(read_initial(version, texts) if version else {}),
            **(kwargs.get("initial") or {}),
        }
        super().__init__(*args, **kwargs)
        self._offer_choices(version)
        self._wire_page()
        if campaign and campaign.pk and campaign.state != Campaign.State.DRAFT:
            self.fields["kind"].disabled = True
        default = (
            version.template.default_locale if version and version.template else ""
        )
        self.translations = TranslationFormSet(
            self.data if self.is_bound else None,
            prefix="translations",
            initial=[
                {"locale": locale, **spread_text(fields)}
                for locale, fields in texts.items()
                if locale != default
            ],
        )

    def _offer_choices(self, version: CampaignVersion | None) -> None:
        topic = Version._meta.get_field("topic").related_model
        self.fields["topic"].queryset = topic.objects.shown()
        zone = version.time_zone if version else find_default_zone()
        zones = list_zones()
        self.fields["time_zone"].choices = [
            (name, name) for name in ([] if zone in zones else [zone]) + zones
        ]
        self.fields["time_zone"].initial = zone
        self.fields["default_locale"].validators.append(locale_validator)

    def _wire_page(self) -> None:
        """For the page's script: which fields a kind shows, and the live reach."""
        self.fields["kind"].widget.attrs["data-shows"] = " ".join(
            f"{kind}:{','.join(names)}" for kind, names in SHOWN_BY_KIND.items()
        )
        for name in ("segment", "topic", "purpose_class"):
            self.fields[name].widget.attrs |= {
                "hx-get": reverse("admin:notifications_campaign_audience"),
                "hx-include": "[name=segment],[name=topic],[name=purpose_class]",
                "hx-target": "#audience",
                "hx-trigger": "change",
            }

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        self.check_text()
        if not self.translations.is_valid():
            self.add_error(None, "Correct the other languages below.")
        return said

    def _post_clean(self) -> None:
        """Saving is the last check: only it knows every rule, and it is atomic."""
        super()._post_clean()  # type: ignore[misc]
        self._refuse_stale()
        if self.errors:
            return
        campaign = self.instance if self.instance.pk else None
        try:
            self.instance = save_campaign(
                self.build_definition(), by=self.by, campaign=campaign
            )
        except ValidationError as error:
            self._place_faults(error)

    def _refuse_stale(self) -> None:
        """Two people on one page: the second sees it instead of undoing the first."""
        current = self.instance.current_version if self.instance.pk else None
        seen = self.cleaned_data.get("seen_version")
        if current is not None and seen and seen != current.number:
            self.add_error(
                None,
                f"Somebody saved version {current.number} while you wrote on version "
                f"{seen}. Open the page again to see it.",
            )

    def _place_faults(self, error: ValidationError) -> None:
        if not hasattr(error, "error_dict"):
            self.add_error(None, error)
            return
        for name, faults in error.error_dict.items():
            known = name if name in self.fields else None
            text = [message for fault in faults for message in fault.messages]
            if known is None and name != NON_FIELD_ERRORS:
                text = [f"{name}: {message}" for message in text]
            self.add_error(known, text)

    def build_definition(self) -> Definition:
        said = self.cleaned_data
        zone = ZoneInfo(said["time_zone"])
        columns = {name: said[name] for name in COLUMNS}
        columns["priority"] = columns["priority"] or 0
        for name in ("send_at", "offer_ends_at"):
            wall = said.get(name)
            columns[name] = wall.replace(tzinfo=zone).astimezone(UTC) if wall else None
        local = said.get("local_send_at")
        columns["local_send_at"] = f"{local:{LOCAL_FORMAT}}" if local else ""
        columns["relevance"] = name_relevance(columns)
        locale = said.get("default_locale") or "en"
        texts: tuple[Text, ...] = ()
        if said.get("title") or said.get("body"):
            texts = (
                Text(self.read_text(), locale=locale),
                *self.translations.list_texts(),
            )
        return Definition(
            said["name"],
            columns,
            texts=texts,
            origin=said["origin"],
            default_locale=locale,
        )


def name_relevance(columns: dict[str, Any]) -> str:
    if columns["kind"] in (Version.Kind.EVENT, Version.Kind.SEGMENT_ENTERED):
        return Relevance.TRIGGER
    return Relevance.SEGMENT if columns["segment"] else Relevance.BROADCAST


def read_texts(version: CampaignVersion | None) -> dict[str, dict[str, Any]]:
    """Stored fields by language; one query."""
    if version is None or version.template_version_id is None:
        return {}
    rows = TemplateContent.objects.filter(
        version_id=version.template_version_id, channel=version.channel, variant=""
    )
    return {row.locale: row.fields for row in rows.order_by("pk")}


def read_initial(
    version: CampaignVersion, texts: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """The form's values of a version, wall times in its own zone."""
    zone = ZoneInfo(version.time_zone)
    default = version.template.default_locale if version.template else "en"
    found: dict[str, Any] = {name: getattr(version, name) for name in COLUMNS}
    for name in ("segment", "topic", "interval", "crontab", "sender"):
        found[name] = getattr(version, f"{name}_id")
    for name in ("send_at", "offer_ends_at"):
        at = getattr(version, name)
        found[name] = at.astimezone(zone).replace(tzinfo=None) if at else None
    if version.local_send_at:
        found["local_send_at"] = datetime.strptime(  # noqa: DTZ007 - a wall time
            version.local_send_at, LOCAL_FORMAT
        )
    return {
        **found,
        **spread_text(texts.get(default, {})),
        "default_locale": default,
        "seen_version": version.number,
    }


def find_default_zone() -> str:
    brand = Brand.objects.filter(is_default=True).first()
    return brand.time_zone if brand and brand.time_zone else "UTC"


def list_zones() -> list[str]:
    """Cities and UTC; not the links and abbreviations that come with the list."""
    return [
        "UTC",
        *sorted(
            name
            for name in available_timezones()
            if "/" in name and not name.startswith(("Etc/", "posix/", "right/"))
        ),
    ]
