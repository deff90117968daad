"""The fields of the campaign form: words, hints and first values; no logic."""

from __future__ import annotations

from typing import Any

from django import forms
from django.urls import reverse_lazy
from django.utils.functional import lazy
from django.utils.html import format_html
from django_celery_beat.models import CrontabSchedule, IntervalSchedule
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from notifications.admin.fields import (
    FiltersField,
    NamesField,
    PeriodField,
    WallTimeField,
)
from notifications.admin.texts import TextFields
from notifications.models import CampaignVersion, Sender
from notifications.models.channel import Origin, PurposeClass
from segments.models import Segment

Version = CampaignVersion
format_html_lazy = lazy(format_html, str)


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


def link_schedule(model: str, words: str) -> Any:
    """Where none fits, a new one is a page away."""
    address = reverse_lazy(f"admin:django_celery_beat_{model}_add")
    return format_html_lazy('<a class="apr-link" href="{}">{}</a>', address, words)


class CrontabPick(forms.ModelChoiceField):
    def label_from_instance(self, obj: CrontabSchedule) -> str:
        return str(obj.human_readable)


class CampaignFields(TextFields):
    """Who, why, what, when, limits and goal."""

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
    interval = make_pick(
        "Every",
        IntervalSchedule,
        "No interval",
        help_text=link_schedule("intervalschedule", "Add an interval"),
    )
    crontab = CrontabPick(
        label="Or at",
        queryset=CrontabSchedule.objects.all(),
        required=False,
        empty_label="No fixed times",
        widget=UnfoldAdminSelectWidget,
        help_text=link_schedule("crontabschedule", "Add fixed times"),
    )
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
