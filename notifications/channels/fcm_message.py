"""One outgoing push as an FCM message, with the options of its platform.

Tag and collapse id are the delivery's id: a second copy of the same delivery
replaces the first on the device. No `collapse_key`: devices keep only four.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from notifications.channels.base import OutgoingPush

# FCM's own limits.
TTL_MAX_S = 2_419_200
RESERVED_KEYS = frozenset({"from", "gcm", "message_type"})
RESERVED_PREFIXES = ("google", "gcm.")


def build_message(messaging: Any, push: OutgoingPush, *, now_s: int) -> Any:
    """The SDK's Message. Raises ValueError for what FCM would refuse anyway.

    `messaging` is the SDK's module, handed in so that it is imported in one file.
    """
    if not push.token and not push.fid:
        raise ValueError("the device has neither a token nor a fid")
    # The fid is the newer address; exactly one may be set.
    address = {"fid": push.fid} if push.fid else {"token": push.token}
    build = {"android": _android, "ios": _apns, "web": _webpush}.get(push.platform)
    if build is None:
        raise ValueError(f"unknown platform {push.platform[:20]!r}")
    return messaging.Message(
        data=build_data(push),
        notification=messaging.Notification(
            title=push.title or None,
            body=push.body or None,
            image=push.image_url or None,
        ),
        fcm_options=messaging.FCMOptions(push.analytics_label or None),
        **build(messaging, push, now_s),
        **address,
    )


def build_data(push: OutgoingPush) -> dict[str, str]:
    """What the app reads: the caller's data, the link, the buttons."""
    data = dict(push.data)
    data.setdefault("delivery_id", push.delivery_id)
    if push.link:
        data.setdefault("link", push.link)
    if push.buttons:
        data.setdefault("buttons", _encode_buttons(push))
    _refuse_reserved(data)
    return data


def _encode_buttons(push: OutgoingPush) -> str:
    buttons = [
        {"id": button.id, "title": button.title, "link": button.link}
        for button in push.buttons
    ]
    return json.dumps(buttons, ensure_ascii=False, separators=(",", ":"))


def _refuse_reserved(data: Mapping[str, str]) -> None:
    for key in data:
        if key in RESERVED_KEYS or str(key).startswith(RESERVED_PREFIXES):
            raise ValueError(f"data key {key!r} is reserved by FCM")


def _ttl_s(push: OutgoingPush) -> int:
    return min(max(push.ttl_s, 0), TTL_MAX_S)


def _android(messaging: Any, push: OutgoingPush, _now_s: int) -> dict[str, Any]:
    notification = messaging.AndroidNotification(
        channel_id=push.channel_id or None,
        tag=push.delivery_id,
        image=push.image_url or None,
        sound=push.sound or None,
        notification_count=push.badge,
    )
    config = messaging.AndroidConfig(
        priority="high" if push.high_priority else "normal",
        ttl=_ttl_s(push),
        notification=notification,
    )
    return {"android": config}


def _apns(messaging: Any, push: OutgoingPush, now_s: int) -> dict[str, Any]:
    ttl_s = _ttl_s(push)
    headers = {
        "apns-collapse-id": push.delivery_id,
        # 0 means: try once, store nothing.
        "apns-expiration": str(now_s + ttl_s if ttl_s else 0),
        "apns-priority": "10" if push.high_priority else "5",
    }
    # Image and buttons are put on by the app's notification service extension.
    needs_extension = bool(push.image_url or push.buttons)
    aps = messaging.Aps(
        sound=push.sound or None,
        badge=push.badge,
        mutable_content=needs_extension or None,
        thread_id=push.channel_id or None,
    )
    options = messaging.APNSFCMOptions(image=push.image_url or None)
    config = messaging.APNSConfig(
        headers=headers, payload=messaging.APNSPayload(aps), fcm_options=options
    )
    return {"apns": config}


def _webpush(messaging: Any, push: OutgoingPush, _now_s: int) -> dict[str, Any]:
    actions = [
        messaging.WebpushNotificationAction(button.id, button.title)
        for button in push.buttons
    ]
    notification = messaging.WebpushNotification(
        tag=push.delivery_id,
        image=push.image_url or None,
        actions=actions or None,
    )
    # Only HTTPS may stand here; an app's own scheme stays in data.link.
    web_link = push.link if push.link.startswith("https://") else None
    config = messaging.WebpushConfig(
        headers={
            "TTL": str(_ttl_s(push)),
            "Urgency": "high" if push.high_priority else "normal",
        },
        notification=notification,
        fcm_options=messaging.WebpushFCMOptions(web_link),
    )
    return {"webpush": config}
