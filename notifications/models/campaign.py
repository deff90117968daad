"""Campaigns: to whom, when, why; their states and immutable versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from crm.facts.happenings import read_filter
from crm.ports.facts import RuleError
from notifications.models.channel import Channel, Origin, PurposeClass, Relevance


class IllegalTransitionError(ValidationError):
    """The campaign's state does not allow this step."""


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def due(self, at: datetime) -> Self:
        """Campaigns whose next run has come, and whose segment is not being built."""
        states = [Campaign.State.SCHEDULED, Campaign.State.RUNNING]
        found = self.filter(state__in=states, next_run_at__lte=at)
        return found.exclude(current_version__segment__state="building")

    def running(self) -> Self:
        return self.filter(state=Campaign.State.RUNNING)

    def triggered_by(self, names: list[str]) -> Self:
        """Running campaigns that one of these event names starts."""
        return self.running().filter(
            current_version__kind=CampaignVersion.Kind.EVENT,
            current_version__trigger_event__in=names,
        )

    def entered_by_segment(self) -> Self:
        return self.running().filter(
            current_version__kind=CampaignVersion.Kind.SEGMENT_ENTERED
        )

    def with_definition(self) -> Self:
        return self.select_related("current_version", "current_version__segment")


class Campaign(models.Model):
    """The live row: name, state and clock. What it does is in its version."""

    class State(models.TextChoices):
        DRAFT = "draft"
        SCHEDULED = "scheduled"
        RUNNING = "running"
        PAUSED = "paused"
        FINISHED = "finished"
        CANCELLED = "cancelled"

    FINAL = (State.FINISHED, State.CANCELLED)

    name = models.CharField(max_length=200, unique=True)
    state = models.CharField(
        max_length=16, choices=State.choices, default=State.DRAFT, editable=False
    )
    # Null only between the first insert and its first version.
    current_version = models.ForeignKey(
        "CampaignVersion", models.PROTECT, null=True, editable=False, related_name="+"
    )
    origin = models.CharField(
        max_length=8, choices=Origin.choices, default=Origin.MANUAL
    )
    # Null where nothing is due by the clock (drafts, triggered, done).
    next_run_at = models.DateTimeField(null=True, editable=False)
    build_started_at = models.DateTimeField(default=timezone.now, editable=False)
    launched_at = models.DateTimeField(null=True, editable=False)
    launched_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False
    )
    paused_at = models.DateTimeField(null=True, editable=False)
    # Why it stands still: staff's words, or the rule that paused it.
    paused_reason = models.CharField(max_length=300, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        permissions = [
            ("launch_campaign", "Can launch, pause, resume and cancel campaigns"),
            ("send_test", "Can send a campaign's message to one person"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="draft")
                | Q(launched_at__isnull=False)
                | Q(state="cancelled"),
                name="campaign_launched_before_it_runs",
            ),
            models.CheckConstraint(
                condition=~Q(state="paused") | Q(paused_at__isnull=False),
                name="campaign_paused_has_a_time",
            ),
        ]
        indexes = [
            # pipeline.tick: campaigns whose next run has come
            models.Index(
                fields=["next_run_at"],
                name="campaign_due",
                condition=Q(next_run_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def _move(self, to: str, allowed_from: tuple[str, ...], **changes: Any) -> None:
        """Compare-and-set: of two hands on the button, one wins."""
        moved = Campaign.objects.filter(pk=self.pk, state__in=allowed_from).update(
            state=to, **changes
        )
        if not moved:
            self.refresh_from_db(fields=["state"])
            raise IllegalTransitionError(
                f"A campaign that is {self.state} cannot become {to}."
            )
        self.state = to
        for name, value in changes.items():
            setattr(self, name, value)

    def schedule(self, *, at: datetime, by: Any, next_run_at: datetime | None) -> None:
        """Draft → scheduled (a run is due later) or running (triggered)."""
        self._move(
            self.State.SCHEDULED if next_run_at else self.State.RUNNING,
            (self.State.DRAFT,),
            launched_at=at,
            launched_by=by,
            next_run_at=next_run_at,
        )

    schedule.alters_data = True  # type: ignore[attr-defined]

    def start_run(self, *, due: datetime, next_run_at: datetime | None) -> bool:
        """Take the run that was due; False where another process took it."""
        return bool(
            Campaign.objects.filter(
                pk=self.pk,
                next_run_at=due,
                state__in=(self.State.SCHEDULED, self.State.RUNNING),
            ).update(state=self.State.RUNNING, next_run_at=next_run_at)
        )

    start_run.alters_data = True  # type: ignore[attr-defined]

    def pause(self, *, at: datetime, reason: str) -> None:
        self._move(
            self.State.PAUSED,
            (self.State.SCHEDULED, self.State.RUNNING),
            paused_at=at,
            paused_reason=reason[:300],
        )

    pause.alters_data = True  # type: ignore[attr-defined]

    def resume(self, *, next_run_at: datetime | None) -> None:
        """Back to what it was: scheduled where a first run is still ahead."""
        started = self.deliveries.exists() or next_run_at is None
        self._move(
            self.State.RUNNING if started else self.State.SCHEDULED,
            (self.State.PAUSED,),
            paused_at=None,
            paused_reason="",
            next_run_at=next_run_at,
        )

    resume.alters_data = True  # type: ignore[attr-defined]

    def cancel(self, *, at: datetime) -> None:
        self._move(
            self.State.CANCELLED,
            (
                self.State.DRAFT,
                self.State.SCHEDULED,
                self.State.RUNNING,
                self.State.PAUSED,
            ),
            finished_at=at,
            next_run_at=None,
        )

    cancel.alters_data = True  # type: ignore[attr-defined]

    def finish(self, *, at: datetime) -> None:
        self._move(
            self.State.FINISHED, (self.State.RUNNING,), finished_at=at, next_run_at=None
        )

    finish.alters_data = True  # type: ignore[attr-defined]


class CampaignVersion(models.Model):
    """An immutable definition. Deliveries keep the version they began with."""

    class Kind(models.TextChoices):
        ONCE = "once", "Once, at one instant"
        LOCAL = "local", "Once, at each contact's local time"
        RECURRING = "recurring", "Again and again"
        EVENT = "event", "When a contact does something"
        SEGMENT_ENTERED = "segment_entered", "When a contact enters the segment"

    class QuietPolicy(models.TextChoices):
        HOLD = "hold", "Hold until they end"
        DROP = "drop", "Skip the person"

    class CapPolicy(models.TextChoices):
        DROP = "drop", "Skip the person"
        RETRY = "retry", "Try again until it expires"

    class Reentry(models.TextChoices):
        ONCE = "once", "Once per contact"
        EVERY = "every", "Every time"

    class DeviceTarget(models.TextChoices):
        LAST_USED = "last_used", "The device used last"
        ALL = "all", "All devices"

    class GoalAnchor(models.TextChoices):
        SENT = "sent", "after it was sent"
        DELIVERED = "delivered", "after it was delivered"
        OPENED = "opened", "after it was opened"
        CLICKED = "clicked", "after it was clicked"

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True
    )

    # Who. Null segment: everybody (a broadcast).
    segment = models.ForeignKey(
        "segments.Segment", models.PROTECT, null=True, blank=True, related_name="+"
    )
    # Why we may.
    purpose_class = models.CharField(
        max_length=16, choices=PurposeClass.choices, default=PurposeClass.PROMOTIONAL
    )
    topic = models.ForeignKey(
        "preferences.Topic", models.PROTECT, null=True, blank=True, related_name="+"
    )
    # When.
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.ONCE)
    # Null: as soon as it is launched.
    send_at = models.DateTimeField(null=True, blank=True)
    local_send_at = models.CharField(
        max_length=16, blank=True, help_text="Wall time, YYYY-MM-DD HH:MM."
    )
    time_zone = models.CharField(max_length=64, default="UTC")
    interval = models.ForeignKey(
        "django_celery_beat.IntervalSchedule",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    crontab = models.ForeignKey(
        "django_celery_beat.CrontabSchedule",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    trigger_event = models.CharField(max_length=200, blank=True)
    # [{"property", "op", "value"}], the property filters of segment rules.
    trigger_filters = models.JSONField(default=list, blank=True)
    trigger_delay_s = models.PositiveIntegerField(default=0)
    reentry = models.CharField(
        max_length=8, choices=Reentry.choices, default=Reentry.ONCE
    )
    reentry_gap_s = models.PositiveIntegerField(default=0)
    # What.
    template = models.ForeignKey(
        "Template", models.PROTECT, null=True, blank=True, related_name="+"
    )
    template_version = models.ForeignKey(
        "TemplateVersion", models.PROTECT, null=True, blank=True, related_name="+"
    )
    channel = models.CharField(
        max_length=16, choices=Channel.choices, default=Channel.PUSH
    )
    sender = models.ForeignKey(
        "Sender", models.PROTECT, null=True, blank=True, related_name="+"
    )
    device_target = models.CharField(
        max_length=16, choices=DeviceTarget.choices, default=DeviceTarget.LAST_USED
    )
    utm_source = models.CharField(max_length=100, blank=True, default="push")
    utm_medium = models.CharField(max_length=100, blank=True, default="notification")
    # '' : the campaign's name as a slug
    utm_campaign = models.CharField(max_length=100, blank=True)
    utm_content = models.CharField(max_length=100, blank=True)
    # May it leave.
    priority = models.SmallIntegerField(default=0)
    # Seconds after `due_at` in which it still makes sense.
    ttl_s = models.PositiveIntegerField(default=24 * 3600)
    # The offer is over at this instant, whatever `ttl_s` says.
    offer_ends_at = models.DateTimeField(null=True, blank=True)
    quiet_policy = models.CharField(
        max_length=8, choices=QuietPolicy.choices, default=QuietPolicy.HOLD
    )
    cap_policy = models.CharField(
        max_length=8, choices=CapPolicy.choices, default=CapPolicy.DROP
    )
    # Leaves caps out of account; and whether it counts for others.
    ignores_caps = models.BooleanField(default=False)
    counts_in_caps = models.BooleanField(default=True)
    # Skip a person who is no longer in the segment when the message would leave.
    recheck_audience = models.BooleanField(default=True)
    # What it is for.
    goal_event = models.CharField(max_length=200, blank=True)
    goal_window_s = models.PositiveIntegerField(default=3 * 24 * 3600)
    goal_anchor = models.CharField(
        max_length=16, choices=GoalAnchor.choices, default=GoalAnchor.SENT
    )
    exit_on_goal = models.BooleanField(default=True)
    # Further events that make the message untrue.
    exit_events = models.JSONField(default=list, blank=True)
    relevance = models.CharField(
        max_length=16, choices=Relevance.choices, default=Relevance.SEGMENT
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "number"], name="campaignversion_number"
            ),
            models.CheckConstraint(
                condition=~Q(kind="event") | ~Q(trigger_event=""),
                name="campaignversion_trigger_has_an_event",
            ),
            models.CheckConstraint(
                condition=~Q(kind="segment_entered") | Q(segment__isnull=False),
                name="campaignversion_entering_needs_a_segment",
            ),
            models.CheckConstraint(
                condition=Q(ttl_s__gt=0) & Q(ttl_s__lte=28 * 24 * 3600),
                name="campaignversion_ttl_within_fcm",
            ),
            models.CheckConstraint(
                condition=Q(goal_window_s__gte=60)
                & Q(goal_window_s__lte=90 * 24 * 3600),
                name="campaignversion_goal_window_1min_90d",
            ),
        ]
        indexes = [
            # pipeline: campaigns that an event name starts
            models.Index(
                fields=["trigger_event"],
                name="campaignversion_trigger",
                condition=~Q(trigger_event=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} v{self.number}"

    @property
    def exit_event_names(self) -> list[str]:
        """Events after which this message must not leave any more."""
        names = list(self.exit_events)
        if self.exit_on_goal and self.goal_event:
            names.append(self.goal_event)
        return names

    def clean(self) -> None:
        faults: dict[str, str] = {}
        if self.kind == self.Kind.EVENT and not self.trigger_event:
            faults["trigger_event"] = "Name the event that starts it."
        if self.kind == self.Kind.SEGMENT_ENTERED and self.segment_id is None:
            faults["segment"] = "Choose the segment to enter."
        if self.kind == self.Kind.RECURRING and not (self.interval or self.crontab):
            faults["interval"] = "Choose an interval or a crontab."
        if self.kind == self.Kind.LOCAL and not self.local_send_at:
            faults["local_send_at"] = "Give the local time to send at."
        promotional = self.purpose_class == PurposeClass.PROMOTIONAL
        if promotional and self.topic_id is None:
            faults["topic"] = "A promotional message needs a topic people can refuse."
        filters_fault = self._find_filters_fault()
        if filters_fault:
            faults["trigger_filters"] = filters_fault
        if faults:
            raise ValidationError(faults)

    def _find_filters_fault(self) -> str:
        """What is wrong with the property filters, in the words of rules; or ''."""
        try:
            for index, node in enumerate(self.trigger_filters):
                read_filter(node, f"trigger_filters[{index}]")
        except (RuleError, TypeError) as error:
            return str(error)
        return ""
