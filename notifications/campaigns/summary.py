"""A campaign in plain words: who, when, why, limits and goal, for staff to check."""

from __future__ import annotations

from datetime import datetime

from notifications.models import Campaign, CampaignVersion

# A wall time without a zone, as the column keeps it.
LOCAL_FORMAT = "%Y-%m-%d %H:%M"


def describe_campaign(campaign: Campaign) -> list[tuple[str, str]]:
    """Lines of (what, words); empty while there is nothing saved."""
    version = campaign.current_version
    if version is None:
        return []
    return [
        ("Who", str(version.segment or "Everybody")),
        ("Starts", describe_start(version)),
        ("Why we may", describe_right(version)),
        ("Goal", describe_goal(version)),
        ("Makes sense for", describe_period(version.ttl_s)),
        (
            "Limits",
            f"Quiet hours: {str(version.get_quiet_policy_display()).lower()}. "
            f"Caps: {str(version.get_cap_policy_display()).lower()}.",
        ),
    ]


def describe_start(version: CampaignVersion) -> str:
    kind = CampaignVersion.Kind
    delay = version.trigger_delay_s
    wait = f", after {describe_period(delay)}" if delay else ""
    if version.kind == kind.EVENT:
        return f"When a contact does {version.trigger_event}{wait}"
    if version.kind == kind.SEGMENT_ENTERED:
        return f"When a contact enters the segment{wait}"
    if version.kind == kind.LOCAL:
        at = datetime.strptime(version.local_send_at, LOCAL_FORMAT)  # noqa: DTZ007
        return f"{at:%-d %b %Y, %H:%M} in each contact's own time"
    if version.kind == kind.RECURRING:
        return f"Again and again: {describe_rhythm(version)} ({version.time_zone})"
    if version.send_at is None:
        return "As soon as it is launched"
    return f"{version.send_at:%-d %b %Y, %H:%M} UTC"


def describe_rhythm(version: CampaignVersion) -> str:
    if version.crontab is None:
        return str(version.interval)
    # Its own zone is not asked for: the campaign's is.
    words = str(version.crontab.human_readable)
    return words.removesuffix(f" {version.crontab.timezone}")


def describe_right(version: CampaignVersion) -> str:
    name = str(version.get_purpose_class_display()).capitalize()
    return f"{name}, topic {version.topic}" if version.topic else name


def describe_goal(version: CampaignVersion) -> str:
    if not version.goal_event:
        return "None"
    window = describe_period(version.goal_window_s)
    return f"{version.goal_event} within {window} {version.get_goal_anchor_display()}"


def describe_period(seconds: int) -> str:
    for unit_s, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= unit_s and seconds % unit_s == 0:
            count = seconds // unit_s
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    return f"{seconds} seconds"
