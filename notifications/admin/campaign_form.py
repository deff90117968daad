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
from django_celery_beat.models import CrontabSchedule, IntervalSchedule
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from crm.models import Brand
from notifications.admin.fields import (
    FiltersField,
    NamesField,
    PeriodField,
    WallTimeField,
)
from notifications.admin.texts import (
    TextFields,
    TranslationFormSet,
    locale_validator,
    spread_text,
)
from notifications.campaigns.compose import Definition, Text, save_campaign
from notifications.models import Campaign, CampaignVersion, Sender, TemplateContent
from notifications.models.channel import Origin, PurposeClass, Relevance
from segments.models import Segment

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
LOCAL_FORMAT = "%Y-%m-%d %H:%M"


def make_choice(label: str, choices: Any, **kwargs: Any) -> forms.ChoiceField:
    widget = UnfoldAdminSelectWidget(attrs=kwargs.pop("attrs", None))
    return forms.ChoiceField(label=label, choices=choices, widget=widget, **kwargs)


def make_pick(label: str, model: Any, empty: str, **kwargs: Any) -> Any:
    return forms.ModelChoiceField(
        label=label,
        queryset=model.objects.all(),
        required=False,
        empty_label=empty,
        widget=UnfoldAdminSelectWidget(attrs=kwargs.pop("attrs", None)),
        **kwargs,
    )


def make_switch(label: str, *, initial: bool, hint: str = "") -> forms.BooleanField:
    return forms.BooleanField(
        label=label,
        required=False,
        initial=initial,
        help_text=hint,
        widget=UnfoldBooleanSwitchWidget,
    )


def make_name(label: str, *, limit: int = 200, **kwargs: Any) -> forms.CharField:
    holder = kwargs.pop("holder", "")
    return forms.CharField(
        label=label,
        required=False,
        max_length=limit,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": holder}),
        **kwargs,
    )


class CampaignForm(TextFields, forms.ModelForm):
    """One page for who, why, what, when, limits and goal."""

    name = forms.CharField(
        max_length=200,
        widget=UnfoldAdminTextInputWidget(
            attrs={"placeholder": "Winter boots, second reminder"}
        ),
    )
    origin = make_choice("Made", Origin.choices, initial=Origin.MANUAL)
    seen_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    segment = make_pick("Who gets it", Segment, "Everybody")
    recheck_audience = make_switch(
        "Check again before each send",
        initial=True,
        hint="Skips who has left the segment meanwhile.",
    )
    purpose_class = make_choice(
        "Class", PurposeClass.choices, initial=PurposeClass.PROMOTIONAL
    )
    topic = forms.ModelChoiceField(
        label="Topic",
        queryset=None,
        required=False,
        empty_label="None (transactional only)",
        widget=UnfoldAdminSelectWidget,
        help_text="What people agree to or refuse in their preference center.",
    )
    kind = make_choice("Starts", Version.Kind.choices, initial=Version.Kind.ONCE)
    send_at = WallTimeField(
        label="Send at", required=False, help_text="Empty: as soon as it is launched."
    )
    local_send_at = WallTimeField(label="Each contact's local time", required=False)
    time_zone = make_choice("Time zone", ())
    interval = make_pick("Every", IntervalSchedule, "No interval")
    crontab = make_pick("Or by crontab", CrontabSchedule, "No crontab")
    trigger_event = make_name("When they do", holder="Cart Updated")
    trigger_filters = FiltersField(
        label="Only if",
        required=False,
        max_length=4_000,
        help_text="Properties of that event, one a line: total > 50. "
        "Also = != >= <= contains in exists.",
    )
    trigger_delay_s = PeriodField(label="Wait", required=False, initial=0)
    reentry = make_choice("How often", Version.Reentry.choices)
    reentry_gap_s = PeriodField(
        label="At most once in",
        required=False,
        initial=0,
        help_text="For “every time”: the shortest time between two. 0: no limit.",
    )

    default_locale = make_name("Language", limit=35, initial="en")
    utm_source = make_name("utm_source", limit=100, initial="push")
    utm_medium = make_name("utm_medium", limit=100, initial="notification")
    utm_campaign = make_name(
        "utm_campaign", limit=100, help_text="Empty: the campaign's name."
    )
    utm_content = make_name("utm_content", limit=100)

    sender = make_pick("Sender", Sender, "The default one")
    device_target = make_choice("Devices", Version.DeviceTarget.choices)
    priority = forms.IntegerField(
        required=False,
        initial=0,
        min_value=-100,
        max_value=100,
        help_text="The higher one wins where only one may be sent. −100 to 100.",
        widget=UnfoldAdminIntegerFieldWidget,
    )
    ttl_s = PeriodField(
        label="Makes sense for",
        initial=86_400,
        help_text="After that it expires unsent. At most 28 days.",
    )
    offer_ends_at = WallTimeField(
        label="Offer ends", required=False, help_text="No message leaves after it."
    )
    quiet_policy = make_choice("In quiet hours", Version.QuietPolicy.choices)
    cap_policy = make_choice("When capped", Version.CapPolicy.choices)
    ignores_caps = make_switch("Send above the caps", initial=False)
    counts_in_caps = make_switch("Counts in the caps", initial=True)

    goal_event = make_name(
        "Goal", holder="Order Completed", help_text="The event that makes it a success."
    )
    goal_window_s = PeriodField(label="Within", initial=3 * 86_400)
    goal_anchor = make_choice("Counted", Version.GoalAnchor.choices)
    exit_on_goal = make_switch(
        "Stop for who reached it",
        initial=True,
        hint="Checked at the last moment before sending.",
    )
    exit_events = NamesField(
        label="Stop after",
        required=False,
        max_length=2_000,
        help_text="Other events that make the message untrue, separated by commas.",
    )

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
        zone = version.time_zone if version else find_default_zone()
        self.fields["topic"].queryset = Version._meta.get_field(
            "topic"
        ).related_model.objects.shown()
        zones = list_zones()
        self.fields["time_zone"].choices = [
            (name, name) for name in ([] if zone in zones else [zone]) + zones
        ]
        self.fields["time_zone"].initial = zone
        self.fields["default_locale"].validators.append(locale_validator)
        # For the page's script: which fields each kind shows.
        self.fields["kind"].widget.attrs["data-shows"] = " ".join(
            f"{kind}:{','.join(names)}" for kind, names in SHOWN_BY_KIND.items()
        )
        if campaign and campaign.pk and campaign.state != Campaign.State.DRAFT:
            self.fields["kind"].disabled = True
        for name in ("segment", "topic", "purpose_class"):
            self.fields[name].widget.attrs |= {
                "hx-get": reverse("admin:notifications_campaign_audience"),
                "hx-include": "[name=segment],[name=topic],[name=purpose_class]",
                "hx-target": "#audience",
                "hx-trigger": "change",
            }
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
