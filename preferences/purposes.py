"""Port `purposes`: why consent itself keeps something about a person."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from crm.ports.purposes import Use


class ConsentPurposes:
    def uses(self, contact_id: int) -> Sequence[Use]:
        return [
            Use(
                what=_("Your choices on this page"),
                why=_("To obey them, and to prove what you told us and when."),
                kept_for=_("As long as we write to you, and while the law asks."),
            )
        ]
