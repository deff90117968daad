"""What time alone will change, and who was judged at least once."""

from __future__ import annotations

from django.db import models

from crm.models import Contact
from segments.models.segment import Segment


class ContactClock(models.Model):
    """When a contact may enter or leave a segment with no event at all.

    Never later than the true moment; sometimes earlier, and then looking again
    sets the next one. So a touch only ever moves it forward, and somebody who
    opens the app ten times a day costs one row a week, not ten updates a day.
    """

    segment = models.ForeignKey(
        Segment,
        models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="clocks",
    )
    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        db_constraint=False,
        related_name="+",
    )
    next_change_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["segment", "contact"], name="contactclock_once"
            ),
        ]
        indexes = [
            # expire_memberships: who is due, oldest first
            models.Index(fields=["next_change_at"], name="contactclock_due"),
        ]

    def __str__(self) -> str:
        return f"contact {self.contact_id} at {self.next_change_at:%Y-%m-%d %H:%M:%S}"


class JudgedContact(models.Model):
    """A contact that every live segment has looked at, with its age as it was then.

    Without a row here, or with another age, the next touch asks every segment: a
    rule such as "never ordered" is moved by a newcomer without any mention.
    """

    contact = models.OneToOneField(
        Contact,
        models.CASCADE,
        primary_key=True,
        db_constraint=False,
        related_name="+",
    )
    known_since = models.DateTimeField()

    def __str__(self) -> str:
        return f"contact {self.contact_id}"
