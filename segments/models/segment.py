"""Segments and the immutable versions of their rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Lower, StrIndex
from django.utils import timezone

from crm.ports.facts import ANY_EVENT, CATALOG_CHANGED, RuleError
from segments.rules.condition import Rule
from segments.rules.validate import parse_rule


class SegmentQuerySet(models.QuerySet["Segment"]):
    def kept_live(self) -> Self:
        """Dynamic segments with a rule, those being built included.

        A touch must not pass over a segment that is being built: the build may
        have looked before the event was there.
        """
        return self.filter(
            kind=Segment.Kind.DYNAMIC, current_version__isnull=False
        ).select_related("current_version")

    def moved_by(self, *, events: Iterable[str], traits: Iterable[str]) -> Self:
        """Live segments whose rule mentions one of these names."""
        return self.kept_live().filter(
            Q(current_version__event_names__overlap=[*events, ANY_EVENT])
            | Q(current_version__trait_names__overlap=list(traits))
        )

    def depending_on(self, slug: str) -> Self:
        """Live segments whose rule names this segment directly."""
        return self.kept_live().naming(slug)

    def naming(self, slug: str) -> Self:
        """Those whose rule names this segment; static ones ask when they are built."""
        return self.filter(current_version__segment_slugs__contains=[slug])

    def asking_for(self, trait: str) -> Self:
        """Those whose rule names this trait; static ones ask when they are built."""
        return self.filter(current_version__trait_names__contains=[trait])

    def in_order(self) -> Self:
        """Those that others depend on first; everybody locks in this order."""
        return self.order_by("depth", "pk")

    def building(self) -> Self:
        """Waiting for their first build, or for one after an edit."""
        return self.filter(state=Segment.State.BUILDING)

    def failed_before(self, at: datetime) -> Self:
        """Whose last build failed before this, or at a time that was not kept."""
        long_ago = Q(failed_at=None) | Q(failed_at__lt=at)
        return self.filter(long_ago, state=Segment.State.FAILED)

    def behind_catalogs(self, moved_at: datetime) -> Self:
        """Live ones that ask about items and were last compared before these moved."""
        return self.kept_live().filter(
            state=Segment.State.LIVE,
            current_version__trait_names__contains=[CATALOG_CHANGED],
            refreshed_at__lt=moved_at,
        )

    def before(self, segment: Segment) -> Self:
        """Those that are built before this one."""
        return self.filter(
            Q(depth__lt=segment.depth) | Q(depth=segment.depth, pk__lt=segment.pk)
        )

    def with_contact(self, contact_id: int) -> Self:
        return self.filter(memberships__contact_id=contact_id).order_by("name")

    def named_in(self, said: str) -> models.QuerySet[Segment, tuple[str, str]]:
        """Name and slug of those whose name a sentence (lower case) holds."""
        place = StrIndex(Value(said), Lower("name"))
        return (
            self.annotate(place=place).filter(place__gt=0).values_list("name", "slug")
        )

    def reference_map(self) -> dict[str, frozenset[str]]:
        """Each slug with the slugs that its rule names."""
        rows = self.values_list("slug", "current_version__segment_slugs")
        return {slug: frozenset(slugs or ()) for slug, slugs in rows}


class Segment(models.Model):
    """A named group of contacts. The row is live, its rule is a version's.

    `size` is what was last counted, at `sized_at`; member rows are the truth.
    """

    class Kind(models.TextChoices):
        DYNAMIC = "dynamic", "Dynamic: people enter and leave by themselves"
        STATIC = "static", "Static: filled once, then by hand"

    class State(models.TextChoices):
        BUILDING = "building"
        LIVE = "live"
        FAILED = "failed"

    name = models.CharField(max_length=200, unique=True)
    # Named by rules of other segments, so it never changes.
    slug = models.SlugField(max_length=100, unique=True, editable=False)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.DYNAMIC)
    state = models.CharField(
        max_length=16, choices=State.choices, default=State.BUILDING, editable=False
    )
    # What the last build failed with; '' unless state is failed.
    failure = models.TextField(blank=True, editable=False)
    # When the last failure was; it stays when a later build does better.
    failed_at = models.DateTimeField(null=True, editable=False)
    # Null only inside the transaction that creates the first version.
    current_version = models.OneToOneField(
        "segments.SegmentVersion",
        models.PROTECT,
        null=True,
        editable=False,
        related_name="serving",
    )
    # 0 where the rule names no segment, else one more than the deepest it names.
    depth = models.PositiveSmallIntegerField(default=0, editable=False)
    size = models.PositiveBigIntegerField(default=0, editable=False)
    sized_at = models.DateTimeField(null=True, editable=False)
    # Null until the first build has ended.
    refreshed_at = models.DateTimeField(null=True, editable=False)
    # Whose rule the members match, while a newer one is being built; null before the
    # first build and for what was built before this was kept.
    built_version = models.ForeignKey(
        "segments.SegmentVersion",
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )
    # Null but while a worker builds it.
    build_started_at = models.DateTimeField(null=True, editable=False)
    # How long the last build took, in seconds.
    build_s = models.FloatField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = SegmentQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(name="") & ~Q(slug=""), name="segment_has_a_name"
            ),
            models.CheckConstraint(
                condition=Q(state="failed") | Q(failure=""),
                name="segment_failure_only_when_failed",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["building", "live", "failed"]),
                name="segment_state_known",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["dynamic", "static"]), name="segment_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def start_build(self, *, at: datetime) -> None:
        self._write(build_started_at=at)

    def finish_build(
        self, *, at: datetime, size: int, took_s: float | None = None
    ) -> None:
        """Members are those of `current_version`; an edit meanwhile waits for its own.

        `took_s` is None for what was no build.
        """
        self._write(
            refreshed_at=at,
            sized_at=at,
            size=size,
            built_version_id=self.current_version_id,
            build_started_at=None,
            build_s=self.build_s if took_s is None else took_s,
        )
        self._end_build(state=self.State.LIVE, failure="")

    def stop_build(self) -> None:
        """The worker gave up; whatever waited is still waiting."""
        self._write(build_started_at=None)

    def fail_build(self, message: str) -> None:
        self._write(build_started_at=None, failed_at=timezone.now())
        self._end_build(state=self.State.FAILED, failure=message[:1_000])

    def _end_build(self, **changes: Any) -> None:
        """Unless an edit made another version current: that one is still waiting."""
        same = Segment.objects.filter(
            pk=self.pk, current_version_id=self.current_version_id
        )
        if same.update(**changes):
            for name, value in changes.items():
                setattr(self, name, value)

    def _write(self, **changes: Any) -> None:
        Segment.objects.filter(pk=self.pk).update(**changes)
        for name, value in changes.items():
            setattr(self, name, value)


class SegmentVersion(models.Model):
    """A rule as it was saved; never changed, so work in flight can keep it.

    The arrays say what can move its answer (`crm.ports.facts.Mentions`).
    """

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    rule = models.JSONField()
    # The rule in plain English, as it read when it was saved.
    summary = models.TextField()
    event_names = ArrayField(models.TextField(), default=list, editable=False)
    trait_names = ArrayField(models.TextField(), default=list, editable=False)
    segment_slugs = ArrayField(models.TextField(), default=list, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["segment", "number"], name="segmentversion_numbered_once"
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1), name="segmentversion_number_from_1"
            ),
        ]
        indexes = [
            # touch_contacts: which segments an event can move
            GinIndex(fields=["event_names"], name="segmentversion_events"),
            # touch_contacts: which segments a trait can move
            GinIndex(fields=["trait_names"], name="segmentversion_traits"),
        ]

    def __str__(self) -> str:
        return f"{self.segment} v{self.number}"

    def clean(self) -> None:
        try:
            parse_rule(self.rule)
        except RuleError as error:
            raise ValidationError({"rule": str(error)}, code=error.code) from error

    def pick_mentioned(self, names: Iterable[str]) -> list[str]:
        """Those event names that can move its answer."""
        known = set(self.event_names)
        return [name for name in names if name in known or ANY_EVENT in known]

    def parsed(self) -> Rule:
        return parse_rule(self.rule)
