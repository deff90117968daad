"""Computed traits as personal data: they follow from events, wherever those go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from crm.models import ComputedClock, Contact

# Whatever the order in which the other holders move their facts: the next tick
# computes everything of this contact.
COMPUTE_SOON = """
INSERT INTO crm_computedclock (trait_id, contact_id, next_change_at)
SELECT t.id, %s, clock_timestamp() FROM crm_computedtrait t
WHERE t.state IN ('building', 'live')
ON CONFLICT (trait_id, contact_id)
  DO UPDATE SET next_change_at = excluded.next_change_at
"""


class ComputedHolder:
    """Holder of the port `personal_data`. The values stand on the contact's row, whose
    own holder shows and empties them."""

    models: Sequence[str] = ("crm.computedclock",)
    # They follow from events, by definitions.
    derived: Sequence[str] = models

    def merge(self, *, source_id: int, target_id: int) -> Mapping[str, Any]:
        ComputedClock.objects.filter(contact_id=source_id).delete()
        Contact.objects.filter(pk=source_id).update(computed={})
        compute_soon(target_id)
        return {}

    def undo_merge(
        self, *, source_id: int, target_id: int, journal: Mapping[str, Any]
    ) -> None:
        for contact_id in (source_id, target_id):
            compute_soon(contact_id)

    def count(self, contact_id: int) -> Mapping[str, int]:
        return {}

    def export(self, contact_id: int) -> Mapping[str, Any]:
        return {}

    def erase(self, contact_id: int) -> Mapping[str, int]:
        ComputedClock.objects.filter(contact_id=contact_id).delete()
        return {}


def compute_soon(contact_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(COMPUTE_SOON, [contact_id])
