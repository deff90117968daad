"""Why a message was not sent, or not yet: one list for rows, reports and docs.

Pure, so that the decision, the models and the documentation share it.
"""

from __future__ import annotations

import enum
from typing import Final, Literal

# What a reason can stand beside: three ends, and a wait that is none.
Rung = Literal["skipped", "failed", "cancelled", "deferred"]


class Reason(enum.StrEnum):
    """Stored with a delivery that was skipped, failed, cancelled or deferred."""

    NO_CONSENT = "no_consent"
    SUPPRESSED = "suppressed"
    NO_ADDRESS = "no_address"
    PERMISSION_DENIED = "permission_denied"
    QUIET_HOURS = "quiet_hours"
    CAPPED = "capped"
    COOLDOWN = "cooldown"
    OUTRANKED = "outranked"
    REPEATED = "repeated"
    EXIT_GOAL = "exit_goal"
    EXIT_EVENT = "exit_event"
    LEFT_AUDIENCE = "left_audience"
    PAUSED = "paused"
    SWITCH_OFF = "switch_off"
    PROFILE_ERASED = "profile_erased"
    MERGED = "merged"
    MINOR = "minor"
    TEMPLATE_MISSING_VALUE = "template_missing_value"
    TEMPLATE_ERROR = "template_error"
    TOO_LONG = "too_long"
    LINK_REFUSED = "link_refused"
    DEAD_ADDRESS = "dead_address"
    PROVIDER_REFUSED = "provider_refused"
    PROVIDER_CONFIG = "provider_config"
    OFFER_OVER = "offer_over"
    APPROVAL = "approval"

    @property
    def words(self) -> str:
        """A label of a few words, for lists and filters."""
        return WORDS[self]

    @property
    def sentence(self) -> str:
        """What happened and what to do, in plain English for staff."""
        return SENTENCES[self]

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Everything it can stand beside; the usual end first, a wait last."""
        return RUNGS[self]

    @property
    def rung(self) -> Rung:
        """The line of a report under which an ended delivery is counted."""
        return RUNGS[self][0]


WORDS: Final[dict[Reason, str]] = {
    Reason.NO_CONSENT: "Has not agreed",
    Reason.SUPPRESSED: "On the suppression list",
    Reason.NO_ADDRESS: "No device or address",
    Reason.PERMISSION_DENIED: "Notifications switched off",
    Reason.QUIET_HOURS: "Quiet hours",
    Reason.CAPPED: "Frequency cap reached",
    Reason.COOLDOWN: "Too soon after another",
    Reason.OUTRANKED: "Another message came first",
    Reason.REPEATED: "Said before",
    Reason.EXIT_GOAL: "Goal reached already",
    Reason.EXIT_EVENT: "Exit event happened",
    Reason.LEFT_AUDIENCE: "Left the audience",
    Reason.PAUSED: "Stopped by staff",
    Reason.SWITCH_OFF: "Kill switch is off",
    Reason.PROFILE_ERASED: "Profile erased",
    Reason.MERGED: "Merged into another profile",
    Reason.MINOR: "Too young",
    Reason.TEMPLATE_MISSING_VALUE: "A value is missing",
    Reason.TEMPLATE_ERROR: "Text could not be made",
    Reason.TOO_LONG: "Too long",
    Reason.LINK_REFUSED: "Link not allowed",
    Reason.DEAD_ADDRESS: "App removed",
    Reason.PROVIDER_REFUSED: "Refused by the provider",
    Reason.PROVIDER_CONFIG: "Sender is set up wrongly",
    Reason.OFFER_OVER: "Offer is over",
    Reason.APPROVAL: "Not approved",
}

SENTENCES: Final[dict[Reason, str]] = {
    Reason.NO_CONSENT: (
        "This person has not agreed to this topic on this channel. Only they can "
        "change that, in their preference center."
    ),
    Reason.SUPPRESSED: (
        "This address is on the suppression list after an unsubscribe, a complaint "
        "or a request. Leave it there unless the person asks in writing."
    ),
    Reason.NO_ADDRESS: (
        "No device or address is known for this channel. Invite them to install the "
        "app, or use another channel."
    ),
    Reason.PERMISSION_DENIED: (
        "Notifications are switched off in the settings of their device. A soft ask "
        "in the app can win them back."
    ),
    Reason.QUIET_HOURS: (
        "It was night where this person is. Choose to hold instead of drop, or give "
        "the message a later expiry, so that it goes out in the morning."
    ),
    Reason.CAPPED: (
        "They already had as many messages as the frequency cap allows. Send less "
        "often, or raise the cap."
    ),
    Reason.COOLDOWN: (
        "Another message reached them on this channel too short a time before. Space "
        "the messages out, or shorten the cooldown."
    ),
    Reason.OUTRANKED: (
        "A message of higher priority took the one slot there was. Raise this "
        "campaign's priority if it should win."
    ),
    Reason.REPEATED: (
        "They had the same or nearly the same message before. Change the content, or "
        "shorten the time after which it may be said again."
    ),
    Reason.EXIT_GOAL: (
        "They did what the message asks for before it was sent. Nothing to do."
    ),
    Reason.EXIT_EVENT: (
        "Something they did ended the campaign or journey for them. Check the exit "
        "rule if this is more than you expect."
    ),
    Reason.LEFT_AUDIENCE: (
        "They no longer match the audience. Check the segment if this is more than "
        "you expect."
    ),
    Reason.PAUSED: (
        "Staff stopped this campaign or journey. Resume it to send what still waits; "
        "what was cancelled stays unsent."
    ),
    Reason.SWITCH_OFF: (
        "A kill switch is off. Turn it on again to send what still waits."
    ),
    Reason.PROFILE_ERASED: (
        "The profile was erased at the person's request. Do not contact them again."
    ),
    Reason.MERGED: (
        "This profile was merged into another one, which has its own message. See "
        "the profile that stayed."
    ),
    Reason.MINOR: (
        "They are, or may be, too young for this kind of message. Correct the date "
        "of birth if it is wrong."
    ),
    Reason.TEMPLATE_MISSING_VALUE: (
        "The text names a value that this person does not have. Add a fallback to "
        "the template, or fill in the value."
    ),
    Reason.TEMPLATE_ERROR: (
        "The template could not be rendered. Preview it as this person and correct "
        "the line that is named."
    ),
    Reason.TOO_LONG: (
        "The finished message is larger than the provider takes. Shorten the text, "
        "the links or the extra data."
    ),
    Reason.LINK_REFUSED: (
        "A link in the finished message is not allowed. Use https or one of the app "
        "links named in the settings."
    ),
    Reason.DEAD_ADDRESS: (
        "The provider says that the app is gone from every device we know of. "
        "Nothing to do until they install it again."
    ),
    Reason.PROVIDER_REFUSED: (
        "The provider did not take the message. Its answer is shown with the "
        "attempt; correct the content, or try again later if it was down."
    ),
    Reason.PROVIDER_CONFIG: (
        "The sender's key or project is wrong or was revoked. Correct the sender; "
        "messages that have not expired then go out by themselves."
    ),
    Reason.OFFER_OVER: (
        "The campaign, or the offer it speaks of, was over before this message's "
        "turn. Start earlier, or extend the offer."
    ),
    Reason.APPROVAL: (
        "The campaign waits for a second person, or was turned down. Ask an approver "
        "to look at it."
    ),
}

RUNGS: Final[dict[Reason, tuple[Rung, ...]]] = {
    Reason.NO_CONSENT: ("skipped",),
    Reason.SUPPRESSED: ("skipped",),
    Reason.NO_ADDRESS: ("skipped",),
    Reason.PERMISSION_DENIED: ("skipped",),
    Reason.QUIET_HOURS: ("skipped", "deferred"),
    Reason.CAPPED: ("skipped", "deferred"),
    Reason.COOLDOWN: ("skipped", "deferred"),
    Reason.OUTRANKED: ("skipped", "deferred"),
    Reason.REPEATED: ("skipped",),
    Reason.EXIT_GOAL: ("cancelled",),
    Reason.EXIT_EVENT: ("cancelled",),
    Reason.LEFT_AUDIENCE: ("cancelled",),
    Reason.PAUSED: ("cancelled", "deferred"),
    Reason.SWITCH_OFF: ("cancelled", "deferred"),
    Reason.PROFILE_ERASED: ("cancelled",),
    Reason.MERGED: ("cancelled",),
    Reason.MINOR: ("skipped",),
    # Skipped where the message says that a missing value is no failure.
    Reason.TEMPLATE_MISSING_VALUE: ("failed", "skipped"),
    Reason.TEMPLATE_ERROR: ("failed",),
    Reason.TOO_LONG: ("failed",),
    Reason.LINK_REFUSED: ("failed",),
    # Skipped where every device was known to be dead before the POST.
    Reason.DEAD_ADDRESS: ("failed", "skipped"),
    Reason.PROVIDER_REFUSED: ("failed", "deferred"),
    Reason.PROVIDER_CONFIG: ("failed", "deferred"),
    Reason.OFFER_OVER: ("cancelled",),
    Reason.APPROVAL: ("cancelled", "deferred"),
}


def find_reason(name: str) -> Reason | None:
    """None where there is none, or one of a later version."""
    return Reason(name) if name in Reason.__members__.values() else None


def name_reason(name: str) -> str:
    """A label for people; a name of a later version is its own."""
    reason = find_reason(name)
    return reason.words if reason else name.replace("_", " ").capitalize()
