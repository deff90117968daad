"""Port `purposes`: which segments somebody is in, in words that they understand."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from crm.ports.purposes import Use
from segments.models import Membership

# More groups than this are nothing that a person reads.
MAX_ROWS = 50


class SegmentPurposes:
    """Provider of the port `purposes`; one query."""

    def uses(self, contact_id: int) -> Sequence[Use]:
        rows = Membership.objects.for_contact(contact_id).with_rules()[:MAX_ROWS]
        return [tell_membership(row) for row in rows]


def tell_membership(row: Membership) -> Use:
    """The rule itself is told: it says what was looked at."""
    version = row.segment.current_version
    rule = version.summary if version is not None else ""
    return Use(
        what=_("You belong to our group “%(name)s”") % {"name": row.segment.name},
        why=_("To decide which messages suit you. In it are: %(rule)s")
        % {"rule": rule or row.segment.description},
        kept_for=_("As long as that is true of you."),
    )
