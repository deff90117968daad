"""A push as the phone gets it: rendered, cleaned, measured."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from notifications.content import links, text
from notifications.content.errors import RenderError
from notifications.content.liquid import render_text

MAX_BUTTONS = 3

# Google's, which it refuses, and ours, which the app reads reports and links from.
RESERVED_KEYS = frozenset({"from", "gcm", "message_type"})
RESERVED_PREFIXES = ("google", "gcm.", "apropos_")
OWN_KEYS = frozenset({"delivery_id", "link", "buttons"})


@dataclass(frozen=True, slots=True)
class Button:
    """Title and link are Liquid."""

    title: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class PushContent:
    """What the author wrote for one locale and variant; every text is Liquid."""

    title: str = ""
    body: str = ""
    image_url: str = ""
    link: str = ""
    sound: str = ""
    channel_id: str = ""
    badge: str = ""
    buttons: tuple[Button, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    # What a missing value does to the delivery: it failed, or was skipped.
    on_missing: Literal["fail", "skip"] = "fail"


@dataclass(frozen=True, slots=True)
class PushLimits:
    """Measured after rendering."""

    title_graphemes: int = 65
    body_graphemes: int = 240
    payload_bytes: int = 4_096
    # Left for what the channel adds: ids, the report token, platform options.
    reserve_bytes: int = 700


DEFAULT_LIMITS = PushLimits()


@dataclass(frozen=True, slots=True)
class RenderedButton:
    title: str
    link: str


@dataclass(frozen=True, slots=True)
class RenderedPush:
    """Finished texts; '' and None mean that there is none."""

    title: str
    body: str
    image_url: str
    link: str
    sound: str
    channel_id: str
    badge: int | None
    buttons: tuple[RenderedButton, ...]
    data: Mapping[str, str]
    size_bytes: int
    # Fields that were cut to fit, for the preview and the report.
    truncated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkRules:
    """What a message's links get and may be."""

    utm: Mapping[str, str] = field(default_factory=dict)
    app_schemes: Collection[str] = ()
    # The sandbox serves its sample images from this machine.
    allow_loopback_images: bool = False


DEFAULT_LINK_RULES = LinkRules()


def render_push(
    content: PushContent,
    context: Mapping[str, object],
    *,
    limits: PushLimits = DEFAULT_LIMITS,
    rules: LinkRules = DEFAULT_LINK_RULES,
) -> RenderedPush:
    """Raises RenderError, with the field in `path`, or RenderAborted."""
    writer = _Writer(content, context, rules)
    title = writer.write_text("title", content.title, line=True)
    body = writer.write_text("body", content.body)
    if not title and not body:
        raise RenderError("template_error", "the message has neither title nor body")
    push = RenderedPush(
        title=text.truncate_graphemes(title, limits.title_graphemes),
        body=text.truncate_graphemes(body, limits.body_graphemes),
        image_url=writer.write_image(content.image_url) if content.image_url else "",
        link=writer.write_link("link", content.link) if content.link else "",
        sound=writer.write_text("sound", content.sound, line=True),
        channel_id=writer.write_text("channel_id", content.channel_id, line=True),
        badge=writer.write_badge(content.badge) if content.badge else None,
        buttons=writer.write_buttons(content.buttons) if content.buttons else (),
        data=writer.write_data(content.data) if content.data else {},
        size_bytes=0,
    )
    return _fit_payload(push, limits, full_title=title, full_body=body)


class _Writer:
    """One message's fields, each error named after its field."""

    __slots__ = ("content", "context", "rules")

    def __init__(
        self, content: PushContent, context: Mapping[str, object], rules: LinkRules
    ) -> None:
        self.content = content
        self.context = context
        self.rules = rules

    def write_text(self, path: str, source: str, *, line: bool = False) -> str:
        if not source:
            return ""
        rendered = self._render(path, source)
        return text.clean_line(rendered) if line else text.clean_text(rendered)

    def write_link(self, path: str, source: str) -> str:
        # Not cleaned: a control character in a link is refused, not dropped.
        url = self._render(path, source, is_url=True).strip(" \n")
        if not url:
            return ""
        fault = links.check_link(url, app_schemes=self.rules.app_schemes, path=path)
        if fault is not None:
            raise RenderError("link_refused", fault.message, path=path)
        return links.merge_utm(url, self.rules.utm) if self.rules.utm else url

    def write_image(self, source: str) -> str:
        url = self._render("image_url", source, is_url=True).strip(" \n")
        if not url:
            return ""
        fault = links.check_image(url, allow_loopback=self.rules.allow_loopback_images)
        if fault is not None:
            raise RenderError("link_refused", fault.message, path="image_url")
        return url

    def write_badge(self, source: str) -> int | None:
        value = self.write_text("badge", source)
        if not value:
            return None
        if not value.isdecimal() or len(value) > 5:
            raise RenderError("template_error", "not a whole number", path="badge")
        return int(value)

    def write_buttons(self, buttons: tuple[Button, ...]) -> tuple[RenderedButton, ...]:
        if len(buttons) > MAX_BUTTONS:
            raise RenderError(
                "template_error", f"more than {MAX_BUTTONS} buttons", path="buttons"
            )
        return tuple(
            RenderedButton(
                self.write_text(f"buttons.{index}.title", button.title, line=True),
                self.write_link(f"buttons.{index}.link", button.link)
                if button.link
                else "",
            )
            for index, button in enumerate(buttons)
        )

    def write_data(self, data: Mapping[str, str]) -> Mapping[str, str]:
        for key in data:
            if is_reserved_key(key):
                raise RenderError("template_error", "reserved key", path=f"data.{key}")
        return {
            key: self.write_text(f"data.{key}", source) for key, source in data.items()
        }

    def _render(self, path: str, source: str, *, is_url: bool = False) -> str:
        try:
            return render_text(source, self.context, is_url=is_url)
        except RenderError as error:
            error.path = path
            error.skip = (
                error.reason == "template_missing_value"
                and self.content.on_missing == "skip"
            )
            raise


def is_reserved_key(key: str) -> bool:
    """Keys of `data` that FCM refuses or that we set ourselves."""
    folded = key.casefold()
    return (
        not key
        or folded in RESERVED_KEYS
        or folded in OWN_KEYS
        or folded.startswith(RESERVED_PREFIXES)
    )


def measure_push(push: RenderedPush) -> int:
    """Bytes of UTF-8 of what the author's part takes in the payload, at the most.

    Platforms repeat parts of it: the image, a web link, and the buttons, which travel
    as text inside the JSON as well.
    """
    buttons = [[button.title, button.link] for button in push.buttons]
    parts = {
        "title": push.title,
        "body": push.body,
        "images": [push.image_url] * 3,
        "links": [push.link] * 2,
        "sound": push.sound,
        "channel_id": push.channel_id,
        "buttons": [buttons, json.dumps(buttons, ensure_ascii=False)],
        "data": dict(push.data),
    }
    return len(json.dumps(parts, ensure_ascii=False).encode())


def _fit_payload(
    push: RenderedPush, limits: PushLimits, *, full_title: str, full_body: str
) -> RenderedPush:
    """Cut the body further where bytes, not letters, are too many; never a link."""
    room = limits.payload_bytes - limits.reserve_bytes
    size = measure_push(push)
    body = push.body
    if size > room:
        body = _shorten_body(body, room - size + _count_json_bytes(body))
        size += _count_json_bytes(body) - _count_json_bytes(push.body)
    texts = (("title", push.title, full_title), ("body", body, full_body))
    cut = tuple(name for name, short, full in texts if short != full)
    return replace(push, body=body, size_bytes=size, truncated=cut)


def _shorten_body(body: str, room_bytes: int) -> str:
    """Escapes make text longer in JSON than in UTF-8, so the cut is tried again."""
    target = room_bytes
    while target > 0:
        short = text.fit_bytes(body, target)
        excess = _count_json_bytes(short) - room_bytes
        if short and excess <= 0:
            return short
        target -= max(excess, 1)
    raise RenderError("too_long", "the payload is over its limit without any body")


def _count_json_bytes(value: str) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())
