"""Port `purposes`: why messages leave something behind about a person."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from crm.ports.purposes import Use


class MessagePurposes:
    def uses(self, contact_id: int) -> Sequence[Use]:
        return [
            Use(
                what=_("The messages we sent you, and when"),
                why=_("To send each once, not too often and not at night."),
                kept_for=_("While you are our customer; their text for 90 days."),
            ),
            Use(
                what=_("Whether you opened a message, tapped it or put it away"),
                why=_("To see which messages are of use, and to send fewer others."),
                kept_for=_("While you are our customer."),
            ),
            Use(
                what=_("Purchases and other steps soon after a message"),
                why=_("To learn whether the message helped."),
                kept_for=_("While you are our customer."),
            ),
        ]
