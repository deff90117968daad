"""A campaign in plain words: who, when, why, limits and goal, for staff to check."""

from __future__ import annotations

from notifications.models import Campaign, CampaignVersion


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
        return f"{version.local_send_at} in each contact's own time"
    if version.kind == kind.RECURRING:
        rule = version.crontab or version.interval
        return f"Again and again: {rule} ({version.time_zone})"
    if version.send_at is None:
        return "As soon as it is launched"
    return f"{version.send_at:%-d %b %Y, %H:%M} UTC"


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
