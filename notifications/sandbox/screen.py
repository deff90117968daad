"""What the phone shows of a logged message: a card on the lock screen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from notifications.sandbox.log import LogEntry

APP_NAME = "Your app"
PLATFORMS = {"android": "Android", "apns": "iOS", "webpush": "Web"}
ADDRESS_SHOWN_CHARS = 20


@dataclass(frozen=True, slots=True)
class CardButton:
    id: str
    title: str
    link: str


@dataclass(frozen=True, slots=True)
class PhoneCard:
    """One notification as its device shows it.

    `tag` is what a second copy replaces; `copies` counts how many came. `token`
    signs the device's reports and `events_path` takes them.
    """

    name: str
    tag: str
    app_name: str
    title: str
    body: str
    image_url: str
    link: str
    buttons: tuple[CardButton, ...]
    platform: str
    address: str
    contact: str
    arrived_at: datetime
    token: str
    events_path: str
    payload: str
    copies: int = 1

    @property
    def short_address(self) -> str:
        if len(self.address) <= ADDRESS_SHOWN_CHARS:
            return self.address
        half = ADDRESS_SHOWN_CHARS // 2
        return f"{self.address[:half]}…{self.address[-half:]}"


def stack_cards(entries: Iterable[LogEntry]) -> list[PhoneCard]:
    """Cards newest first; a copy with a tag already shown only raises its count."""
    cards: dict[str, PhoneCard] = {}
    for entry in entries:
        card = make_card(entry)
        key = f"{card.address}|{card.tag or card.name}"
        if key in cards:
            cards[key] = replace(cards[key], copies=cards[key].copies + 1)
        else:
            cards[key] = card
    return list(cards.values())


def make_card(entry: LogEntry) -> PhoneCard:
    message = entry.message
    shown = _object(message, "notification")
    data = _object(message, "data")
    delivery_id = _text(data, "delivery_id")
    platform = next((key for key in PLATFORMS if key in message), "")
    return PhoneCard(
        name=entry.name,
        tag=delivery_id,
        app_name=_text(data, "app_name") or APP_NAME,
        title=_text(shown, "title"),
        body=_text(shown, "body"),
        image_url=_web_url(_text(shown, "image")),
        link=_text(data, "link"),
        buttons=_read_buttons(_text(data, "buttons")),
        platform=PLATFORMS.get(platform, ""),
        address=entry.address,
        contact=_text(data, "contact"),
        arrived_at=datetime.fromtimestamp(entry.at, UTC),
        token=_text(data, "apropos_token"),
        events_path=find_events_path(delivery_id),
        payload=json.dumps(message, indent=2, ensure_ascii=False, sort_keys=True),
    )


def find_events_path(delivery_id: str) -> str:
    """Where this message's events go: always on this site, whatever the data says."""
    return f"/v1/push/{quote(delivery_id, safe='')}/events" if delivery_id else ""


def _read_buttons(text: str) -> tuple[CardButton, ...]:
    try:
        items = json.loads(text) if text else []
    except ValueError:
        return ()
    if not isinstance(items, list):
        return ()
    return tuple(
        CardButton(_text(item, "id"), _text(item, "title"), _text(item, "link"))
        for item in items
        if isinstance(item, Mapping) and _text(item, "title")
    )


def _web_url(url: str) -> str:
    """The URL where a browser may load it; '' for any other scheme."""
    return url if url.startswith(("https://", "http://")) else ""


def _object(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""
