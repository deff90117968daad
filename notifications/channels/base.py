"""What a channel takes and gives: one message in, one outcome out."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class Outcome(enum.StrEnum):
    """What became of one POST, in the terms that decide what to do next."""

    SENT = "sent"
    DEAD_ADDRESS = "dead_address"
    # Provably not sent: refused, DNS, connect timeout, TLS, 429. No attempt spent.
    NOT_SENT = "not_sent"
    # The provider said so itself: 500 or 503 with its error body.
    NOT_ACCEPTED = "not_accepted"
    # Permanent, and the payload's fault.
    REJECTED = "rejected"
    # The sender's configuration is at fault, not the message. No attempt spent.
    CONFIG = "config"
    # Handed over, and no answer that can be trusted: it may have been sent.
    AMBIGUOUS = "ambiguous"


class AddressState(enum.StrEnum):
    """What the answer says about the address; '' says nothing."""

    UNTOUCHED = ""
    GONE = "gone"
    INVALID = "invalid"
    WRONG_SENDER = "wrong_sender"


class Breaker(enum.StrEnum):
    """How much stops working with this fault: nothing, a platform, the sender."""

    NONE = ""
    PLATFORM = "platform"
    SENDER = "sender"


@dataclass(frozen=True, slots=True)
class Button:
    """An action under the text: `id` is reported on a click, `link` is opened."""

    id: str
    title: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class OutgoingPush:
    """One rendered push for one device."""

    delivery_id: str
    token: str
    fid: str
    platform: str
    title: str
    body: str
    ttl_s: int
    image_url: str = ""
    link: str = ""
    sound: str = ""
    buttons: tuple[Button, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    analytics_label: str = ""
    high_priority: bool = False
    channel_id: str = ""
    badge: int | None = None


@dataclass(frozen=True, slots=True)
class SendResult:
    """The outcome of one message; `detail` is redacted and at most 300 characters."""

    outcome: Outcome
    started_at: datetime
    elapsed_s: float = 0.0
    code: str = ""
    detail: str = ""
    http_status: int | None = None
    provider_id: str = ""
    # Seconds the provider asks us to wait; None where it names none.
    retry_after_s: float | None = None
    address_state: AddressState = AddressState.UNTOUCHED
    breaker: Breaker = Breaker.NONE


class PushChannel(Protocol):
    """Sends pushes and yields (index, result) as each one finishes.

    One result per message, in any order, none raised for a message's own fault.
    The consumer must come back soon: while it works, answers wait unread.
    """

    def send(
        self, messages: Sequence[OutgoingPush], *, deadline_s: float
    ) -> Iterator[tuple[int, SendResult]]: ...


class ChannelConfigError(ValueError):
    """A sender that must not be used: a foreign endpoint, a key that is no key."""
