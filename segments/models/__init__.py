"""Segments, their versions, who is in them, and what changed and will change."""

from segments.models.change import MembershipChange
from segments.models.clock import ContactClock, JudgedContact
from segments.models.lifecycle import (
    ContactStage,
    Lifecycle,
    StageChange,
    StageClock,
)
from segments.models.membership import Membership
from segments.models.segment import Segment, SegmentVersion

__all__ = [
    "ContactClock",
    "ContactStage",
    "JudgedContact",
    "Lifecycle",
    "Membership",
    "MembershipChange",
    "Segment",
    "SegmentVersion",
    "StageChange",
    "StageClock",
]
